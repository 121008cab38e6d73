// The example examples/chat-next as somebody has it who copied it: in a folder of its own, with the packed packages.
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { inRoot } from '../../scripts/lib/root.mjs'
import { installIntoEmptyProject } from '../package/install.ts'
import { freePort } from '../package/local-registry.ts'
import { environment, linkTree, run } from '../package/paths/project.ts'

const example = inRoot('examples', 'chat-next')
/** What is in the folder of the example beside its sources. */
const made = new Set(['node_modules', '.next', 'data', '.session-key', 'next-env.d.ts', 'tsconfig.tsbuildinfo'])

/** Builds the site, and returns its folder. */
export async function buildSite(): Promise<string> {
  const site = await installIntoEmptyProject()
  cpSync(example, site, { recursive: true, filter: (file) => !made.has(basename(file)) })
  const packages = join(example, 'node_modules')
  // That of bailiwick is a link to the sources here.
  for (const entry of readdirSync(packages, { withFileTypes: true })) {
    if (entry.isDirectory()) linkTree(join(packages, entry.name), join(site, 'node_modules', entry.name))
  }
  await run(process.execPath, [nextOf(site), 'build'], site, { NEXT_TELEMETRY_DISABLED: '1' })
  return site
}

/** A server of the site, which can be killed and started again at the same address. */
export interface Server {
  readonly origin: string
  /** Ends the process at once, as a crash does. */
  kill(): Promise<void>
  /** Starts it again, with a model that writes fast. */
  start(): Promise<void>
  /** What it has written to its streams. */
  readonly lines: readonly string[]
}

/** How fast the model writes: `never` does not come to its end while a test runs. */
export const pauses = { fast: 5, never: 500 } as const

/** Starts a server with a store of its own, until the test is over: `next start`, or `next dev`. */
export async function serve(
  site: string,
  ends: keyof typeof pauses,
  command: 'start' | 'dev' = 'start',
): Promise<Server> {
  const port = await freePort()
  const store = join(site, `data-${port}`)
  const lines: string[] = []
  let child: ChildProcess | undefined
  const server: Server = {
    origin: `http://127.0.0.1:${port}`,
    lines,
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => child?.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
    start: () => start(pauses.fast),
  }
  const start = async (pauseMs: number) => {
    const words = [nextOf(site), command, '--hostname', '127.0.0.1', '--port', String(port)]
    const own = { NEXT_TELEMETRY_DISABLED: '1', STORE: store, DEMO_PAUSE_MS: String(pauseMs), ANTHROPIC_API_KEY: '' }
    const env = environment(site, own)
    const started = spawn(process.execPath, words, { cwd: site, env, stdio: ['ignore', 'pipe', 'pipe'] })
    child = started
    await new Promise<void>((resolve, reject) => {
      for (const stream of [started.stdout, started.stderr]) {
        createInterface(stream).on('line', (line) => {
          lines.push(line)
          if (line.includes('Ready in')) resolve()
        })
      }
      started.once('exit', () => reject(new Error(`the server ended\n${lines.join('\n')}`)))
    })
  }
  onTestFinished(async () => {
    await server.kill()
    rmSync(store, { recursive: true, force: true })
  })
  await start(pauses[ends])
  return server
}

function nextOf(site: string): string {
  return join(site, 'node_modules', 'next', 'dist', 'bin', 'next')
}
