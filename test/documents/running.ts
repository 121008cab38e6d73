import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { build } from 'rolldown'
import type { Fence } from '../../scripts/lib/fences.mjs'
import { inRoot, root } from '../../scripts/lib/root.mjs'
import { command } from '../cli/command.ts'

/** A new folder from which programs import the built package, and what we develop with, by name. */
export function documentFolder(): string {
  const above = inRoot('build', 'documents-run')
  mkdirSync(above, { recursive: true })
  return mkdtempSync(join(above, 'document-'))
}

/**
 * Runs a block of a document in a folder and returns what it printed. Whatever is no program and no command line has no
 * place in a document that is run: `text` is what the block before it prints.
 *
 * @throws Error (rejected) for a block that fails, or that nothing here can run
 */
export async function runFence(
  { language, code, line }: Fence,
  folder: string,
  more: NodeJS.ProcessEnv = {},
): Promise<string> {
  if (language === 'ts') return await execute(process.execPath, [await programOf(code, line, folder)], folder, more)
  if (language === 'sh') return await execute('bash', ['-euo', 'pipefail', '-c', `${npx}\n${code}`], folder, more)
  throw new Error(
    `line ${line}: a block of ${language || 'nothing'} cannot be run. Use ts or sh; text is what one prints.`,
  )
}

/**
 * `npx bailiwick` is the built command, whatever else is installed. `npm install` in a project of `init` links the built package, and
 * what else is installed here; `npm start` and `npm test` there are those of npm. It does nothing else, because it would work in our own folder.
 */
const npx = `npx() { test "$1" = bailiwick; shift; "$NODE" "$COMMAND" "$@"; }
npm() {
  if ! test -f src/main.ts; then echo 'npm is not for documents' >&2; return 1
  elif test "$*" = install; then
    mkdir -p node_modules/.bin node_modules/@types && ln -s "$REPOSITORY" node_modules/bailiwick
    for name in typescript zod @types/node .bin/tsc; do ln -s "$REPOSITORY/node_modules/$name" "node_modules/$name"; done
  elif test "$*" = start || test "$*" = test; then command npm "$*"
  else echo 'npm is not for documents' >&2; return 1; fi
}
node() { "$NODE" "$@"; }`

/** Makes JavaScript of TypeScript, and changes nothing else. */
async function programOf(code: string, line: number, folder: string): Promise<string> {
  const source = join(folder, `line-${line}.ts`)
  const file = join(folder, `line-${line}.js`)
  writeFileSync(source, code)
  const transform = { target: 'node20.19' }
  await build({ input: source, external: [/^[^./]/], platform: 'node', transform, output: { file, format: 'esm' } })
  return file
}

function execute(program: string, words: readonly string[], cwd: string, more: NodeJS.ProcessEnv): Promise<string> {
  const { BAILIWICK_STORE: _, BAILIWICK_ROOT_KEY: __, ...inherited } = process.env
  const env = {
    ...inherited,
    NODE_OPTIONS: undefined,
    NODE: process.execPath,
    COMMAND: command,
    REPOSITORY: root,
    ...more,
  }
  return new Promise((resolve, reject) => {
    execFile(program, words, { cwd, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`It ended with ${error.code ?? error.signal}.\n${stdout}\n${stderr}`))
    })
  })
}

/** Whether a text is what a document says: `…` stands for anything. */
export function isAsPrinted(expected: string, printed: string): boolean {
  const parts = expected
    .trimEnd()
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[\\s\\S]*')}$`).test(printed.trimEnd())
}
