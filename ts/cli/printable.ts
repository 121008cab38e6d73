import { visible } from '../visible.ts'

/**
 * Text from outside for a terminal: line ends, control characters and whatever else is not seen are shown by their number,
 * so that a file or a name cannot write over what we say, or hide what it says.
 */
export function printable(text: string): string {
  return visible(text)
}

/** The same between quotes, which the text cannot end. */
export function quoted(text: string): string {
  return `"${printable(text.replace(/["\\]/g, '\\$&'))}"`
}

/** A word of the command line, without what follows the scheme of a URL: that may be a password. */
export function withoutPassword(word: string): string {
  return word.replace(/^(\w+:\/\/|postgres\w*:).+$/is, '$1…')
}
