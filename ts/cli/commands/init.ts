import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Command, Exit, InputError, UsageError } from '../command.ts'
import { packageNameOf, projectFiles } from '../files/project.ts'
import { assertNewName } from '../place.ts'
import { printable, quoted } from '../printable.ts'

/** Makes a project. */
export const init: Command = {
  summary:
    'Makes a project that runs: an agent whose tool needs approval and which survives kill -9, a test and a server.',
  operands: [],
  optional: ['folder'],
  options: {
    ts: { help: 'a project in TypeScript (default)' },
    js: { help: 'a project in JavaScript' },
  },
  notes: [
    'The folder is made if it is not there; without one it is the current folder. There must be nothing in it.',
    '',
    '  npx bailiwick init my-agents',
    '  cd my-agents && npm install && npm start',
    '',
    'A script stands for the model, so the project runs without a key. README.md of the project says what each command does, and how',
    'a provider of the AI SDK takes the place of the script.',
    '',
    'Exit codes: 0 made, 2 not made.',
  ].join('\n'),
  run: async ({ operands, options }) => {
    if (options['ts'] && options['js']) throw new UsageError('--ts and --js exclude each other: give one or neither.')
    const language = options['js'] ? 'javascript' : 'typescript'
    const folder = operands[0] ?? '.'
    if (folder === '' || folder.includes('\0'))
      throw new InputError('Name a folder for the project, such as my-agents.')
    assertNewName(folder)
    await makeEmpty(folder)
    const files = projectFiles(packageNameOf(basename(resolve(folder))), language)
    await writeAll(folder, files)
    const enter = folder === '.' ? '' : `cd ${/^[\w./-]+$/.test(folder) ? folder : quoted(folder)} && `
    return {
      exit: Exit.holds,
      lines: [
        `made: a project in ${quoted(folder)}`,
        ...[...files.keys()].map((file) => `  ${file}`),
        `next: ${enter}npm install && npm start`,
        'then: npm start, twice more: the charge is approved and killed, and resumed',
        'also: npm test, npm run server (README.md)',
      ],
      json: { folder, files: [...files.keys()] },
    }
  },
}

/** @throws InputError unless the folder exists afterwards and is empty */
async function makeEmpty(folder: string): Promise<void> {
  const name = printable(folder)
  const contents = await mkdir(folder, { recursive: true })
    .then(() => readdir(folder))
    .catch((error: NodeJS.ErrnoException) => {
      const isFile = error.code === 'EEXIST' || error.code === 'ENOTDIR'
      throw new InputError(isFile ? `${name} is a file. Name a folder.` : `${name} cannot be made: ${error.code}.`)
    })
  if (contents.length === 0) return
  throw new InputError(`The folder ${name} is not empty; nothing was written. Name a new or an empty folder.`)
}

/** Writes all files or none. */
async function writeAll(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  const written: string[] = []
  const made = new Set<string>()
  try {
    for (const [file, content] of files) {
      const path = join(folder, file)
      const first = await mkdir(dirname(path), { recursive: true })
      if (first !== undefined) made.add(first)
      // Another process may have been quicker: its files are neither overwritten nor removed.
      await writeFile(path, content, { flag: 'wx' })
      written.push(path)
    }
  } catch (error) {
    await Promise.all(written.map((path) => rm(path, { force: true })))
    // A folder that another process has put something into stays.
    for (const path of made) await rmdir(path).catch(() => {})
    throw new InputError(`The project cannot be written: ${(error as NodeJS.ErrnoException).code}. Nothing was left.`)
  }
}
