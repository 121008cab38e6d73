import { expect, it } from 'vitest'
import { printable } from '../../../ts/cli/printable.ts'
import { visibleJson } from '../../../ts/common/visible.ts'
import { html } from '../../../ts/inspect/view/html.ts'

/** Default_Ignorable_Code_Point as Unicode 16 lists it, written out: the code under test asks the engine for it. */
const ignorable: readonly (readonly [number, number])[] = [
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x61c, 0x61c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x202a, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfff8],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
]

/** Blank by design, and nothing that a property says so of. */
const blank = new Set([0x2800, 0x13441, 0x13442, 0x16fe4, 0x1d159])

/** Whether nothing is seen of a character, or it moves others. */
function isHidden(code: number): boolean {
  const character = String.fromCodePoint(code)
  return (
    blank.has(code) ||
    ignorable.some(([from, to]) => code >= from && code <= to) ||
    // Spaces and line ends; controls, formats (those of direction among them), surrogates, private and unassigned ones.
    (code !== 0x20 && /^[\p{White_Space}\p{Bidi_Control}\p{Variation_Selector}\p{Join_Control}]$/u.test(character)) ||
    /^\p{C}$/u.test(character)
  )
}

it('every character that is not seen is shown, and every other stays', () => {
  const wrong: string[] = []
  let hidden = 0
  for (let code = 0; code <= 0x10ffff; code += 1) {
    const character = String.fromCodePoint(code)
    const number = `\\u{${code.toString(16)}}`
    const expected = isHidden(code) ? number : character
    if (expected === number) hidden += 1
    if (printable(character) !== expected) wrong.push(`printable ${number}`)
    const markup = `${html`${character}`}`
    const entity = /^&(?:amp|lt|gt|quot|#39);$/.test(markup)
    const kept = character === '\n' || character === '\t' || entity
    if (markup !== expected && !kept) wrong.push(`html ${number}`)
  }
  expect(wrong).toEqual([])
  expect(hidden).toBeGreaterThan(4_000)
})

it.each([
  ['pay 10\u3164\u31640', 'pay 10\\u{3164}\\u{3164}0'],
  ['pay 10\u28000', 'pay 10\\u{2800}0'],
  ['pay 1\u115f\u1160\uffa00', 'pay 1\\u{115f}\\u{1160}\\u{ffa0}0'],
  ['a\ufe0fb\u{e0100}c\u{e0041}', 'a\\u{fe0f}b\\u{e0100}c\\u{e0041}'],
  ['rm -rf /\u00a0tmp', 'rm -rf /\\u{a0}tmp'],
  ['x\u200by\u202ez\ud800', 'x\\u{200b}y\\u{202e}z\\u{d800}'],
])('an approver sees that something is hidden in %j', (text, shown) => {
  expect(printable(text)).toBe(shown)
  expect(`${html`<p>${text}</p>`}`).toBe(`<p>${shown}</p>`)
})

it('JSON output of the command escapes such characters and means the same', () => {
  // The planes that have characters.
  const codes = Array.from({ length: 0x33000 }, (_, code) => (code < 0x32000 ? code : code + 0xae000))
  const all = codes.map((code) => String.fromCodePoint(code)).join('')
  const value = { [all]: [all, ' a b'] }
  const json = visibleJson(value)
  expect(printable(json)).toBe(json)
  expect(JSON.parse(json)).toEqual(value)
})
