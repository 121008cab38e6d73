/**
 * Text from outside for a terminal: control characters, line ends and what turns the direction of writing around are
 * shown by their number, so that a file or a name cannot write over what we say.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

/** The same between quotes, which the text cannot end. */
export function quoted(text: string): string {
  return `"${printable(text.replace(/["\\]/g, '\\$&'))}"`
}

/** A word of the command line, without what follows the scheme of a URL: that may be a password. */
export function withoutPassword(word: string): string {
  return word.replace(/^(\w+:\/\/|postgres\w*:).+$/is, '$1…')
}
