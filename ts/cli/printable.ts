import { maySayPassword } from '../runtime/store-word.ts'
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

/** A word of the command line, or as much of it as is no secret. */
export function withoutPassword(word: string): string {
  if (!maySayPassword(word)) return word
  return /^postgres(ql)?:\/\//.test(word) ? word.replace(/:\/\/.*/s, '://…') : '…'
}
