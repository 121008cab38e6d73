import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { inRoot } from '../../scripts/lib/root.mjs'
import { auditProblems, denyProblems } from '../../scripts/supply-chain/advisories.mjs'

const printed = (code: number, output: string, errors = '') => ({ code, output, errors })

describe('advisories', () => {
  test('no finding is none, of crates and of npm packages', () => {
    expect(denyProblems(printed(0, 'advisories ok'))).toEqual({ problems: [] })
    expect(auditProblems('.', printed(0, '{"vulnerabilities":{}}'))).toEqual({ problems: [] })
  })

  test('a finding is a problem', () => {
    expect(denyProblems(printed(1, '', 'error[vulnerability]: x')).problems).toHaveLength(1)
    const report = JSON.stringify({ vulnerabilities: { left: { severity: 'high' }, right: { severity: 'low' } } })
    expect(auditProblems('.', printed(1, report)).problems).toEqual([
      'npm package left of .: high; see npm audit',
      'npm package right of .: low; see npm audit',
    ])
  })

  test('an unreachable source is reported, and is not a problem', () => {
    const crates = denyProblems(printed(1, '', '[ERROR] failed to fetch advisory database https://…'))
    expect(crates).toEqual({ unreachable: expect.stringMatching(/crates/), problems: [] })
    const message = '405 Method Not Allowed - POST https://registry.example/-/npm/v1/security/advisories/bulk'
    const packages = auditProblems('.', printed(1, JSON.stringify({ message })))
    expect(packages).toEqual({ unreachable: expect.stringMatching(/npm packages of \./), problems: [] })
  })

  test('a check that breaks otherwise is a problem', () => {
    expect(denyProblems(printed(2, '', 'no such option')).problems).toHaveLength(1)
    expect(auditProblems('.', printed(1, '', 'ENOLOCK')).problems).toHaveLength(1)
  })
})

describe('statements about exceptions are true', () => {
  const read = (...path: string[]) => readFileSync(inRoot(...path), 'utf8')

  test('deny.toml names as many advisories as its comment counts, each with its reason and in the lock file', () => {
    const [, comment = '', list = ''] = read('deny.toml').match(/((?:^#.*\n)+)ignore = \[\n([\s\S]*?)^\]/m) ?? []
    const entries = [...list.matchAll(/\{ id = "RUSTSEC-\d{4}-\d{4}", reason = "(\w+): [^"]+" \}/g)]
    expect(entries).toHaveLength(list.trim().split('\n').length)
    const counted = { 1: 'It says', 2: 'Both say', 3: 'All three say', 4: 'All four say' }[entries.length]
    expect(comment).toContain(`# ${counted} "unmaintained"`)
    for (const [, crate] of entries) expect(read('Cargo.lock')).toContain(`name = "${crate}"`)
  })

  test('images of a release are pinned by digest, or the document says that they are not', () => {
    const arePinned = !read('.github', 'workflows', 'release.yml').includes('node:${{ matrix')
    expect(read('docs', 'releasing.md').includes('are tags (`node:22-alpine`), not digests')).toBe(!arePinned)
  })
})
