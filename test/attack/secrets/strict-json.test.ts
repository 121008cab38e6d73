// What a stranger's file says must be what every reader reads in it. The core's parser is the measure.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SpecError } from '../../../ts/index.ts'
import { parseStrictly } from '../../../ts/ledger/strict-json.ts'
import { bridge } from '../../../ts/native/bridge.ts'

/** Whether the core takes a text for JSON. It is no spec, but that is another problem. */
function coreTakes(text: string): boolean {
  try {
    bridge().checkSpec(Buffer.from(text))
    return true
  } catch (error) {
    if (!SpecError.isInstance(error)) throw error
    return !error.issues.some(({ path, message }) => path === '' && message.startsWith('The JSON text'))
  }
}

function takes(text: string): boolean {
  try {
    parseStrictly(text)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError)
    return false
  }
}

/** A character of a string as one of the ways to write it. */
const spelled = (unit: string, way: number) => {
  if (way === 0 && unit >= ' ' && unit !== '"' && unit !== '\\' && unit.isWellFormed()) return unit
  const hex = unit.charCodeAt(0).toString(16).padStart(4, '0')
  return `\\u${way === 1 ? hex.toUpperCase() : hex}`
}
const quotedOf = (characters: fc.Arbitrary<string>, maxLength: number) =>
  fc
    .array(fc.tuple(characters, fc.nat(2)), { maxLength })
    .map((units) => `"${units.map(([unit, way]) => spelled(unit, way)).join('')}"`)
/** Few keys of few characters, so that they come again, spelled in another way. */
const key = quotedOf(fc.constantFrom('a', 'b', '"', '\\', '_'), 2)
const text = quotedOf(fc.constantFrom('a', '\ud83d', '\ude80', '\n', '\u2028', '\0', ':', '"', '{'), 4)
const number = fc.constantFrom(
  '0',
  '-0',
  '1e400',
  '-1e400',
  '1e308',
  '1e-400',
  '01',
  '1.',
  '.5',
  '9007199254740993',
  '+1',
)
const space = fc.constantFrom('', '', '', ' ', '\n', '\t\r', '\u00a0', '\ufeff')
const { json } = fc.letrec<{ json: string; member: string }>((tie) => ({
  json: fc
    .tuple(
      space,
      fc.oneof(
        { depthSize: 'medium', withCrossShrink: true },
        fc.constantFrom('null', 'true', 'false', 'nul', 'NaN'),
        number,
        text,
        fc.array(tie('json'), { maxLength: 3 }).map((elements) => `[${elements.join(',')}]`),
        fc.array(tie('member'), { maxLength: 3 }).map((members) => `{${members.join(',')}}`),
      ),
      space,
    )
    .map((parts) => parts.join('')),
  member: fc
    .tuple(
      fc.oneof({ weight: 9, arbitrary: key }, { weight: 1, arbitrary: fc.constant('"\\u005f_proto__"') }),
      tie('json'),
    )
    .map(([name, value]) => `${name}:${value}`),
}))

it('accepts what the core accepts, for generated texts', () => {
  const verdicts = { taken: 0, refused: 0 }
  const agree = (candidate: string) => {
    const taken = coreTakes(candidate)
    verdicts[taken ? 'taken' : 'refused'] += 1
    expect(takes(candidate), JSON.stringify(candidate)).toBe(taken)
    if (taken) expect(parseStrictly(candidate)).toEqual(JSON.parse(candidate))
  }
  fc.assert(fc.property(json, agree), { numRuns: 5_000 })
  // Without the outermost, and with a stray character somewhere.
  const stray = fc.constantFrom('"', ':', ',', '{', '}', '[', ']', '\\', ' ', '0')
  fc.assert(
    fc.property(json, fc.nat(), stray, (whole, at, more) => {
      const place = at % (whole.length + 1)
      agree(whole.slice(0, place) + more + whole.slice(place))
    }),
    { numRuns: 5_000 },
  )
  expect(Math.min(verdicts.taken, verdicts.refused)).toBeGreaterThan(1_000)
})

it('finds equal keys at every depth, however they are spelled', () => {
  const inside = [(value: string) => `[1,${value}]`, (value: string) => `{"b":${value},"c":{}}`]
  for (const [one, other] of [
    ['a', 'a'],
    ['a', '\\u0061'],
    ['\\u0061', '\\u0061'],
    ['é', '\\u00E9'],
    ['\\ud83d\\ude80', '🚀'],
    ['\\/', '/'],
    ['', ''],
    ['\\"\\\\', '\\u0022\\u005c'],
  ] as const) {
    let text = `{"${one}":{"x":[1]},"y":0,"${other}":"z"}`
    for (let depth = 1; depth < 100; depth += 1) {
      expect(() => parseStrictly(text), `${text} at ${depth}`).toThrow('duplicate key')
      expect(coreTakes(text)).toBe(false)
      text = inside[depth % 2]?.(text) ?? text
    }
  }
})

it.each([
  ['100 arrays', `${'['.repeat(100)}${']'.repeat(100)}`, true],
  ['101 arrays', `${'['.repeat(101)}${']'.repeat(101)}`, false],
  ['100 objects', `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`, true],
  ['101 objects', `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`, false],
  ['4,000,000 elements', `[${'1,'.repeat(3_999_999)}1]`, true],
  ['4,000,001 elements', `[${'1,'.repeat(4_000_000)}1]`, false],
  ['a string of colons and quotes', '{"a\\":":":\\":","b":"\\\\"}', true],
])('has the limits of the core: %s', (_, text, taken) => {
  expect([takes(text), coreTakes(text)]).toEqual([taken, taken])
})
