import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { inRoot } from '../../../scripts/lib/root.mjs'

/** The password of the people of the example. */
export const PASSWORD = 'correct horse'

const program = inRoot('build', 'programs', 'examples', 'chat', 'main.js')

/** The server of examples/chat in a process of its own, with a folder for its data. */
export class ChatServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'bailiwick-chat-'))
  #child: ChildProcess | undefined
  /** All that it printed. */
  printed = ''
  url = ''

  /** Starts it, again on the same port. */
  async start(): Promise<void> {
    if (!existsSync(program)) throw new Error(`There is no ${program}. Run node scripts/build/example.mjs chat.`)
    const port = this.url === '' ? '0' : new URL(this.url).port
    // Ten milliseconds a word: slow enough to be interrupted.
    const env = {
      ...process.env,
      NODE_OPTIONS: undefined,
      CHAT_PASSWORD: PASSWORD,
      CHAT_PACE_MS: '10',
      CHAT_MODEL: undefined,
    }
    const child = spawn(process.execPath, [program, '--port', port, '--data', this.#folder], { env })
    this.#child = child
    child.stderr.on('data', (chunk: Buffer) => {
      this.printed += chunk
    })
    this.url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.printed += `${line}\n`
        const url = /^A chat at (\S+)$/.exec(line)?.[1]
        if (url !== undefined) resolve(url)
      })
      child.once('exit', () => reject(new Error(`The server ended:\n${this.printed}`)))
    })
  }

  /** Ends the process at once, as a power cut does. */
  async kill(): Promise<void> {
    const ended = once(this.#child as ChildProcess, 'exit')
    this.#child?.kill('SIGKILL')
    await ended
  }

  /** Ends it as a deploy does, and returns its exit code. */
  async stop(): Promise<number | null> {
    const ended = once(this.#child as ChildProcess, 'exit')
    this.#child?.kill('SIGTERM')
    const [code] = await ended
    return code as number | null
  }

  remove(): void {
    this.#child?.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
