/** Longer words are not compared: the work grows with the square of the length. */
const MOST_CHARACTERS = 32

/**
 * Returns the known word that was most likely meant: one or two mistakes away, in a long word three. The first of
 * several that are equally near. The validator in Rust (crates/model/src/spec/known_names.rs) finds the same.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  const given = Array.from(word.toLowerCase())
  if (given.length > MOST_CHARACTERS) return undefined
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const name of known) {
    const letters = Array.from(name.toLowerCase())
    if (letters.length > MOST_CHARACTERS) continue
    const distance = mistakes(given, letters)
    const most = Math.min(3, Math.floor((Math.max(given.length, letters.length) + 2) / 3))
    if (distance <= most && distance < Math.min(given.length, letters.length, best?.distance ?? Infinity)) {
      best = { name, distance }
    }
  }
  return best?.name
}

/** The question to ask after an unknown word, with a blank behind it; nothing if no known word is near. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const meant = nearest(word, known)
  return meant === undefined ? '' : `Did you mean "${meant}"? `
}

/** Returns the edit distance of two words (Levenshtein). */
function mistakes(left: readonly string[], right: readonly string[]): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at)
  for (const [index, letter] of left.entries()) {
    const next = [index + 1]
    for (const [at, other] of right.entries()) {
      const replaced = (row[at] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
