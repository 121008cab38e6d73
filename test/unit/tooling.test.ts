import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { folderProblems } from '../../scripts/check/folders.mjs'
import { circles, unreachable } from '../../scripts/check/imports.mjs'
import { anchorsOf, linksOf, pathsOf } from '../../scripts/check/links.mjs'
import { directionProblems, problemsOf as moduleProblemsOf } from '../../scripts/check/modules.mjs'
import { decisionProblems, glossaryProblems, guaranteeProblems } from '../../scripts/check/registers.mjs'
import { problemsOf as titleProblemsOf } from '../../scripts/check/titles.mjs'
import { inRoot } from '../../scripts/lib/root.mjs'
import { tool } from '../../scripts/lib/run.mjs'
import { countNodeTests } from '../../scripts/test/node.mjs'
import { countRustTests } from '../../scripts/test/rust.mjs'

const line = (passed: number, failed: number, ignored: number) =>
  `test result: ${failed === 0 ? 'ok' : 'FAILED'}. ${passed} passed; ${failed} failed; ${ignored} ignored; 0 measured; 0 filtered out\n`

describe('counting Rust tests', () => {
  test('adds up the results of every test program', () => {
    const output = `${line(3, 0, 0)}test a::b ... FAILED\n${line(4, 1, 0)}`
    expect(countRustTests(output, 101)).toEqual({ passed: 7, failed: 1, failures: ['a::b'], problems: [] })
  })

  test('no test, an ignored test and a crash are problems', () => {
    expect(countRustTests(line(0, 0, 0), 0).problems).toHaveLength(1)
    expect(countRustTests(line(3, 0, 1), 0).problems).toHaveLength(1)
    expect(countRustTests(line(3, 0, 0), 101).problems).toHaveLength(1)
  })

  test('a program that tests start as a child is not a test', () => {
    const output = `test toy ... ignored, the child of the other tests\n${line(3, 0, 1)}`
    expect(countRustTests(output, 0)).toEqual({ passed: 3, failed: 0, failures: [], problems: [] })
  })
})

describe('counting Node tests', () => {
  const report = { numPassedTests: 5, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }

  test('passes on the counts of vitest', () => {
    expect(countNodeTests(report, 0)).toEqual({ passed: 5, failed: 0, failures: [], problems: [] })
  })

  test('names what failed, with the first line of its reason', () => {
    const failed = { fullName: 'adds up', status: 'failed', failureMessages: ['expected 1 to be 2\n  at …'] }
    const passed = { fullName: 'takes away', status: 'passed', failureMessages: [] }
    const file = { name: inRoot('test', 'sum.test.ts'), status: 'failed', assertionResults: [failed, passed] }
    const { failures } = countNodeTests({ ...report, numFailedTests: 1, testResults: [file] }, 1)
    expect(failures).toEqual(['test/sum.test.ts: adds up: expected 1 to be 2'])
  })

  test.each([
    ['no report', undefined, 1],
    ['no test', { ...report, numPassedTests: 0 }, 0],
    ['a skipped test', { ...report, numPendingTests: 1 }, 0],
    ['a test to do', { ...report, numTodoTests: 1 }, 0],
    ['an error outside tests', report, 1],
    [
      'a file that does not load',
      { ...report, testResults: [{ name: 'a', status: 'failed', assertionResults: [] }] },
      1,
    ],
  ])('%s is a problem', (_, seen, code) => {
    expect(countNodeTests(seen, code).problems).toHaveLength(1)
  })
})

describe('structure', () => {
  test('only one module has the addon write into memory, and it cannot call out', () => {
    expect(moduleProblemsOf('ts/native/bridge.ts', 'addon.drain(environment, slab, 1)\n')).toHaveLength(1)
    expect(moduleProblemsOf('ts/native/shared-memory.ts', 'addon.drain(environment, slab, 1)\n')).toEqual([])
    expect(moduleProblemsOf('ts/native/shared-memory.ts', 'const call = () => 1\n')).toHaveLength(1)
  })

  test('a folder holds at most twelve files', () => {
    const files = Array.from({ length: 12 }, (_, index) => `ts/spec/${index}.ts`)
    expect(folderProblems(files)).toEqual([])
    expect(folderProblems([...files, 'ts/spec/more.ts', 'ts/index.ts'])).toHaveLength(1)
  })

  test('circles among the files of a crate are found, wherever a name is passed on', () => {
    const sources = new Map([
      ['a/src/lib.rs', 'mod one;\nmod two;\nmod three;\n'],
      ['a/src/one.rs', 'use crate::two::Two;\npub(crate) struct One(Two);\n'],
      ['a/src/two/mod.rs', 'mod inner;\npub(crate) use inner::Two;\n'],
      ['a/src/two/inner.rs', 'use crate::one::One;\npub(crate) struct Two(Box<One>);\n'],
      ['a/src/three.rs', 'use crate::one::One;\n'],
    ])
    expect(circles(sources).map((files) => files.sort())).toEqual([['a/src/one.rs', 'a/src/two/inner.rs']])
    sources.set('a/src/two/inner.rs', '// use crate::one::One;\npub(crate) struct Two;\n')
    expect(circles(sources)).toEqual([])
  })

  test('a file that no module names is found', () => {
    const sources = new Map([
      ['a/src/lib.rs', 'pub mod one;\n#[cfg(unix)]\n#[path = "unix.rs"]\nmod system;\n'],
      ['a/src/one/mod.rs', 'mod inner;\n'],
      ['a/src/one/inner.rs', ''],
      ['a/src/unix.rs', ''],
    ])
    expect(unreachable(sources)).toEqual([])
    sources.set('a/src/one/left.rs', '')
    expect(unreachable(sources)).toEqual(['crates/a/src/one/left.rs is part of no module'])
  })

  test('a room of ts/ imports only the rooms that its row names, and never the package itself or the addon', () => {
    const problems = (room: string, specifier: string) =>
      directionProblems(`ts/${room}/deep/a.ts`, `import type { A } from '${specifier}'\n`)
    expect(problems('spec', '../../types/model.ts')).toEqual([])
    expect(problems('spec', '../values.ts')).toEqual([])
    expect(problems('native', '../addon.ts')).toEqual([])
    expect(directionProblems('ts/index.ts', "export * from './tenant/create-runtime.ts'\n")).toEqual([])
    for (const against of [
      '../../session/session.ts',
      '../../index.ts',
      '../../../test/support/stores.ts',
      'bailiwick',
    ]) {
      expect(problems('spec', against), against).toHaveLength(1)
    }
    for (const addon of ['../../native/loader.ts', 'node:module', './bailiwick.node']) {
      expect(problems('tenant', addon), addon).toHaveLength(1)
    }
    expect(problems('a-new-room', '../../types/model.ts')).toHaveLength(1)
  })

  test('biome refuses circles, of types too', () => {
    const [one, other] = ['lint-one.ts', 'lint-other.ts'].map((name) => inRoot('ts', 'spec', name)) as [string, string]
    onTestFinished(() => {
      for (const file of [one, other]) rmSync(file, { force: true })
    })
    writeFileSync(one, "import type { B } from './lint-other.ts'\nexport type A = [B]\n")
    writeFileSync(other, "import type { A } from './lint-one.ts'\nexport type B = A | 1\n")
    const { stdout, stderr } = spawnSync(process.execPath, [tool('biome'), 'lint', one, other], { encoding: 'utf8' })
    expect(stdout + stderr).toContain('part of a cycle')
  })
})

describe('titles of tests', () => {
  test('state the promise, not its id', () => {
    const id = 'M1'
    expect(titleProblemsOf('test/a.test.ts', `test('${id}: a tenant is frozen', …`)).toHaveLength(1)
    expect(titleProblemsOf('test/a.test.ts', "test('a tenant is frozen: M1', …")).toEqual([])
    expect(titleProblemsOf('crates/a/tests/a.rs', `fn ${id.toLowerCase()}_a_tenant_is_frozen() {`)).toHaveLength(1)
    expect(titleProblemsOf('crates/a/tests/a.rs', 'fn a_tenant_is_frozen() {')).toEqual([])
  })
})

describe('links', () => {
  test('finds links outside code', () => {
    expect(linksOf('[a](b.md#c) `[d](e)` ![f](<g.png>)\n\n```md\n[h](i)\n```\n\n[j]: k.md')).toEqual([
      'b.md#c',
      'g.png',
      'k.md',
    ])
  })

  test('finds paths of the repository in code spans', () => {
    expect(pathsOf('`ts/index.ts` and `crates/*/tests`, `crates/model`, ts/other.ts, `nothing/else`')).toEqual([
      'ts/index.ts',
      'crates/model',
    ])
  })

  test('makes anchors as GitHub does', () => {
    const text = '# Data & `code`, done\n## Same\n## Same\n```sh\n# not a heading\n```\n'
    expect([...anchorsOf(text)]).toEqual(['data--code-done', 'same', 'same-1'])
  })
})

describe('lists of the documents', () => {
  test('a promise names tests that exist, and an invariant has a promise', () => {
    const row = '| M1 · INV-A | A tenant is frozen. | `test/a.test.ts` |'
    expect(guaranteeProblems(row, 'INV-A', () => true)).toEqual([])
    expect(guaranteeProblems(row, 'INV-A', () => false)).toHaveLength(1)
    expect(guaranteeProblems(row, 'INV-A and INV-B-C', () => true)).toHaveLength(1)
    expect(guaranteeProblems('| M1 | A tenant is frozen. |  |', '', () => true)).toHaveLength(1)
  })

  test('the index of decisions has each under its title', () => {
    const index = '| [3](0003-a.md) | Do it | accepted |'
    expect(decisionProblems(index, ['0003-a.md', 'README.md'], () => '# 3. Do it')).toEqual([])
    expect(decisionProblems(index, ['0003-a.md'], () => '# 3. Do something else')).toHaveLength(1)
    expect(decisionProblems(index, ['0003-a.md'], () => '# 4. Do it')).toHaveLength(1)
    expect(decisionProblems(index, ['0003-a.md', '0004-b.md'], () => '# 4. Do it')).toHaveLength(2)
  })

  test('terms of the glossary are in order', () => {
    expect(glossaryProblems('| term | meaning |\n| --- | --- |\n| a | x |\n| b | x |\n')).toEqual([])
    expect(glossaryProblems('| term | meaning |\n| --- | --- |\n| b | x |\n| a | x |\n')).toHaveLength(1)
  })
})
