import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defineTenant, SpecError } from '../../ts/index.ts'
import { issuesOf, pathsOf } from './support.ts'

function isAccepted(id: string): boolean {
  try {
    return defineTenant(id, 'v1').resourceId === id
  } catch (error) {
    if (SpecError.isInstance(error)) return false
    throw error
  }
}

describe('defineTenant', () => {
  it('serialises as its two ids only', () => {
    const tenant = defineTenant('acme', 'v1')
    expect(JSON.stringify(tenant)).toBe('{"resourceId":"acme","version":"v1"}')
    expect(tenant).toStrictEqual({ resourceId: 'acme', version: 'v1' })
    expect(Object.isFrozen(tenant)).toBe(true)
  })

  it('reports every problem and repeats no id', () => {
    expect(pathsOf(() => defineTenant('', 'e\u0301'))).toEqual(['resourceId', 'version'])
    expect(pathsOf(() => defineTenant(undefined as never, 7 as never))).toEqual(['resourceId', 'version'])
    expect(JSON.stringify(issuesOf(() => defineTenant('secret\n', 'v1')))).not.toContain('secret')
  })

  it('refuses all 2,048 lone surrogates, wherever they stand', () => {
    let refused = 0
    for (let unit = 0xd800; unit <= 0xdfff; unit += 1) {
      const surrogate = String.fromCharCode(unit)
      const places = [surrogate, `a${surrogate}`, `${surrogate}a`, `a${surrogate}b`]
      if (!places.some(isAccepted)) refused += 1
    }
    expect(refused).toBe(2048)
  })

  it('refuses control characters, and no other character below U+0300', () => {
    for (let code = 0; code < 0x300; code += 1) {
      expect([code, isAccepted(`a${String.fromCharCode(code)}`)]).toEqual([code, code > 0x1f && code !== 0x7f])
    }
  })

  it('takes 1 to 256 UTF-8 bytes', () => {
    expect(['', 'a', 'a'.repeat(256), 'a'.repeat(257)].map(isAccepted)).toEqual([false, true, true, false])
    expect(['é'.repeat(128), `${'é'.repeat(128)}a`].map(isAccepted)).toEqual([true, false])
    expect(['😀'.repeat(64), `${'😀'.repeat(64)}a`].map(isAccepted)).toEqual([true, false])
    expect(['語'.repeat(85), '語'.repeat(86)].map(isAccepted)).toEqual([true, false])
  })

  it('keeps twins under case, trimming, NFKC and looks apart, or refuses them', () => {
    const families = [
      ['acme', 'Acme', 'ACME', ' acme', 'acme ', 'acme\u00a0', '\u200bacme', '\ufeffacme', 'аcme', 'ａcme'],
      [
        'a/b',
        'a:b',
        'a*b',
        'a%b',
        'a_b',
        'a?b',
        'a.b',
        'a\\b',
        "a'b",
        'a"b',
        'a|b',
        'a;b',
        'a,b',
        'a{b}',
        '..',
        '../a',
      ],
      ['__proto__', 'constructor', 'toString', 'prototype', 'hasOwnProperty', 'null', 'undefined', 'NaN', '0', '-0'],
      ['ﬁ', 'fi', 'ß', 'ss', 'ſ', 's', 'ı', 'i', 'İ', '²', '2', '①', '1', 'é', 'e', '\u00e5', 'a'],
    ].flat()
    const tenants = families.map((id) => defineTenant(id, 'v1'))
    expect(new Set(tenants.map((tenant) => tenant.resourceId)).size).toBe(new Set(families).size)
    expect(tenants.map((tenant) => tenant.resourceId)).toEqual(families)
    expect(['e\u0301', '\u212b', '\u1112\u1161\u11ab', '\u0344', '\u2126'].some(isAccepted)).toBe(false)
  })

  it('accepts exactly the ids that the rules allow, unchanged', () => {
    const anyText = fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 300 })
    const likelyText = fc.string({ unit: 'grapheme', maxLength: 140 })
    fc.assert(
      fc.property(fc.oneof(anyText, likelyText), (id) => {
        const bytes = Buffer.byteLength(id, 'utf8')
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
        const isControlled = /[\u0000-\u001f\u007f]/.test(id)
        const expected = id.isWellFormed() && id.normalize('NFC') === id && bytes >= 1 && bytes <= 256 && !isControlled
        expect(isAccepted(id)).toBe(expected)
      }),
      { numRuns: 3000 },
    )
  })
})
