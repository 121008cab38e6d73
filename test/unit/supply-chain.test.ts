import { describe, expect, test } from 'vitest'
import { auditProblems, denyProblems } from '../../scripts/supply-chain/advisories.mjs'

const printed = (code: number, output: string, errors = '') => ({ code, output, errors })

describe('TOOLS: advisories', () => {
  test('TOOLS: none is none, of crates and of npm packages', () => {
    expect(denyProblems(printed(0, 'advisories ok'))).toEqual({ problems: [] })
    expect(auditProblems('.', printed(0, '{"vulnerabilities":{}}'))).toEqual({ problems: [] })
  })

  test('TOOLS: a finding is a problem', () => {
    expect(denyProblems(printed(1, '', 'error[vulnerability]: x')).problems).toHaveLength(1)
    const report = JSON.stringify({ vulnerabilities: { left: { severity: 'high' }, right: { severity: 'low' } } })
    expect(auditProblems('.', printed(1, report)).problems).toEqual([
      'npm package left of .: high; see npm audit',
      'npm package right of .: low; see npm audit',
    ])
  })

  test('TOOLS: what cannot be fetched is said, and is no problem', () => {
    const crates = denyProblems(printed(1, '', '[ERROR] failed to fetch advisory database https://…'))
    expect(crates).toEqual({ unreachable: expect.stringMatching(/crates/), problems: [] })
    const message = '405 Method Not Allowed - POST https://registry.example/-/npm/v1/security/advisories/bulk'
    const packages = auditProblems('.', printed(1, JSON.stringify({ message })))
    expect(packages).toEqual({ unreachable: expect.stringMatching(/npm packages of \./), problems: [] })
  })

  test('TOOLS: a check that breaks otherwise is a problem', () => {
    expect(denyProblems(printed(2, '', 'no such option')).problems).toHaveLength(1)
    expect(auditProblems('.', printed(1, '', 'ENOLOCK')).problems).toHaveLength(1)
  })
})
