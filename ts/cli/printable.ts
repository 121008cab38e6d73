import { visible } from '../common/visible.ts'
import { maySayPassword } from '../store/store-word.ts'

/**
 * Text from outside for a terminal: line ends, control characters and other invisible characters are shown by their number,
 * so that a file or a name cannot write over what we say, or hide what it says.
 */
export function printable(text: string): string {
  return visible(text)
}

/** The same between quotes, which the text cannot end. */
export function quoted(text: string): string {
  return `"${printable(text.replace(/["\\]/g, '\\$&'))}"`
}

/** A word of the command line that names nothing we know: it is said again unless there is more in it than a name. */
export function nameAlone(word: string): string {
  return /[\s=:@]|%[0-9a-f]{2}/i.test(word) ? schemeAlone(word) : word
}

/** A word of the command line, or as much of it as is no secret. */
export function withoutPassword(word: string): string {
  return maySayPassword(word) ? schemeAlone(word) : word
}

function schemeAlone(word: string): string {
  return /^postgres(ql)?:\/\//.test(word) ? word.replace(/:\/\/.*/s, '://…') : '…'
}
