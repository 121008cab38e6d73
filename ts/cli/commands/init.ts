import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { type Command, Exit, InputError } from '../command.ts'
import { packageNameOf, projectFiles } from '../files/project.ts'
import { assertNewName } from '../place.ts'
import { printable, quoted } from '../printable.ts'

/** Makes a project. */
export const init: Command = {
  summary: 'Makes a project that runs: an agent whose tool needs approval and which survives kill -9.',
  operands: [],
  optional: ['folder'],
  options: {},
  notes: [
    'The folder is made if it is not there; without one it is the current folder. There must be nothing in it. The agent’s model is',
    'a script, so the project runs without a key:',
    '',
    '  npx bailiwick init my-agents',
    '  cd my-agents && npm install && npm start',
    '',
    'Exit codes: 0 made, 2 not made.',
  ].join('\n'),
  run: async ({ operands }) => {
    const folder = operands[0] ?? '.'
    if (folder === '' || folder.includes('\0'))
      throw new InputError('Name a folder for the project, such as my-agents.')
    assertNewName(folder)
    await makeEmpty(folder)
    const files = projectFiles(packageNameOf(basename(resolve(folder))))
    await writeAll(folder, files)
    const enter = folder === '.' ? '' : `cd ${/^[\w./-]+$/.test(folder) ? folder : quoted(folder)} && `
    return {
      exit: Exit.holds,
      lines: [
        `made: a project in ${quoted(folder)}`,
        ...[...files.keys()].map((file) => `  ${file}`),
        `next: ${enter}npm install && npm start`,
        'then: npm start, twice more: the charge is approved and killed, and resumed (README.md)',
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
  throw new InputError(`There is something in ${name} already, and nothing was changed. Name a new or an empty folder.`)
}

/** Writes all files or none. */
async function writeAll(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  const written: string[] = []
  try {
    for (const [file, content] of files) {
      const path = join(folder, file)
      // Another process may have been quicker: its files are neither overwritten nor removed.
      await writeFile(path, content, { flag: 'wx' })
      written.push(path)
    }
  } catch (error) {
    await Promise.all(written.map((path) => rm(path, { force: true })))
    throw new InputError(`The project cannot be written: ${(error as NodeJS.ErrnoException).code}. Nothing was left.`)
  }
}
