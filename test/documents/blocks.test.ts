import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fencesOf, shownFile } from '../../scripts/lib/fences.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { ROOT_KEY_VARIABLE } from '../../ts/store/root-keys.ts'
import { freshDatabase } from '../support/databases.ts'
import { documentFolder, isAsPrinted, runFence } from './running.ts'

/** A slow machine must not fail, and some blocks run the whole isolation suite. */
const DOCUMENT_MS = 600_000

/** The URLs of a database in documents: its owner's, and the application's that `setup` prints. */
const OWNER = 'postgres://owner:password@db.example/app'
const APPLICATION = 'postgres://bailiwick_app:password@db.example/app'

function replaced(code: string, real: ReadonlyMap<string, string>): string {
  return [...real].reduce((text, [example, url]) => text.replaceAll(example, url), code)
}

const guides = readdirSync(inRoot('docs', 'guides')).map((name) => join('docs', 'guides', name))
const documents = ['README.md', join('docs', 'telemetry.md'), ...guides]

/** The file of this name that a command of the document has made. */
function madeFile(folder: string, name: string): string {
  const files = readdirSync(folder)
    .map((made) => join(folder, made, name))
    .filter((file) => existsSync(file))
  return files[0] === undefined ? `There is no ${name}.` : readFileSync(files[0], 'utf8')
}

function folderOfTest(): string {
  const folder = documentFolder()
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

describe('every block of code is run', () => {
  it.each(documents)(
    '%s works as printed',
    async (document) => {
      const folder = folderOfTest()
      let printed: string | undefined
      const text = readFileSync(inRoot(document), 'utf8')
      const fences = fencesOf(text)
      // Nothing is hidden from this by being indented or by other marks.
      expect(text.match(/^\s*(?:```|~~~)/gm) ?? []).toHaveLength(fences.length * 2)
      // What documents call db.example is a server of the tests.
      const real = new Map<string, string>()
      if (text.includes(OWNER)) real.set(OWNER, (await freshDatabase('bare')).ownerUrl)
      for (const written of fences) {
        const fence = { ...written, code: replaced(written.code, real) }
        if (shownFile(fence.code) !== undefined) continue
        if (fence.language !== 'text') {
          // Such a store has no root key of its own.
          const key = fence.code === written.code ? {} : { [ROOT_KEY_VARIABLE]: process.env[ROOT_KEY_VARIABLE] }
          printed = await runFence(fence, folder, key).catch((error: Error) => {
            throw new Error(`${document}, line ${fence.line}: ${error.message}`)
          })
          const application = /postgres:\/\/\S+/.exec(printed ?? '')?.[0]
          if (fence.code !== written.code && application !== undefined) real.set(APPLICATION, application)
          continue
        }
        const isSo = printed !== undefined && isAsPrinted(fence.code, printed)
        expect([document, fence.line, isSo ? fence.code : printed]).toEqual([document, fence.line, fence.code])
      }
      for (const { line, code } of fences) {
        const name = shownFile(code)
        if (name !== undefined) expect([document, line, madeFile(folder, name)]).toEqual([document, line, code])
      }
    },
    DOCUMENT_MS,
  )

  it('a block that fails, or that nothing runs, is found', async () => {
    const folder = folderOfTest()
    const run = (language: string, code: string) => runFence({ language, code, line: 1 }, folder)
    expect(
      await run(
        'ts',
        "import { BailiwickError } from 'bailiwick'\nconsole.log(typeof BailiwickError satisfies string)",
      ),
    ).toBe('function\n')
    expect(await run('sh', 'npx bailiwick --version > version\ncat version')).toMatch(/^\d+\.\d+\.\d+\n$/)
    await expect(run('ts', 'throw new Error("no")')).rejects.toThrow('It ended with 1')
    await expect(run('sh', 'npx bailiwick doctor ./nothing | cat')).rejects.toThrow('It ended with 2')
    await expect(run('sh', 'npm test')).rejects.toThrow('npm is not for documents')
    await expect(run('sh', 'npx something else')).rejects.toThrow('It ended with 1')
    for (const language of ['', 'js', 'bash', 'json']) await expect(run(language, 'x')).rejects.toThrow('cannot be run')
  })

  it('the printed output of a document is compared', () => {
    expect(isAsPrinted('a … c\n', 'a b c\n')).toBe(true)
    expect(isAsPrinted('a (b)\n', 'a (b)')).toBe(true)
    for (const other of ['a b', 'a c d', 'x a b c']) expect(isAsPrinted('a … c', other)).toBe(false)
  })
})
