/**
 * Characters that are invisible or change the direction of writing: control and format characters, lone surrogates, private
 * and unassigned ones, every space and line end, variation selectors and tags, and the letters and signs that are blank by
 * design (of Hangul, Braille, Khitan, music and hieroglyphs; most are default-ignorable, and these are not).
 */
const hidden = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800\u{13441}\u{13442}\u{16fe4}\u{1d159}]/gu

/**
 * A text in which nothing is hidden, for people who decide by what they see: what would not be seen is shown by its number,
 * `\u{200b}`. The ordinary space stays, and what `kept` has.
 */
export function visible(text: string, kept = ''): string {
  return text.replace(hidden, (character) =>
    character === ' ' || kept.includes(character) ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}

/** The JSON of a value, with the same characters as JSON escapes: it says the same, and a terminal shows all of it. */
export function visibleJson(value: unknown): string {
  return (JSON.stringify(value) ?? 'null').replace(hidden, (character) =>
    character === ' ' ? ' ' : Array.from({ length: character.length }, (_, at) => unitEscape(character, at)).join(''),
  )
}

function unitEscape(character: string, at: number): string {
  return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
}
