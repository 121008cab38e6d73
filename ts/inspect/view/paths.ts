/** The sections whose things have pages of their own. */
export type Section = '/runs' | '/plans' | '/references' | '/threads' | '/approvals' | '/waits' | '/ledger'

/** Names that browsers take for steps in a path, encoded or not. A mark in front makes them ordinary. */
const steps = /^~*\.{1,2}$/

/** The path of one thing. Ids of the host's choice may hold anything. */
export function pathOf(section: Section, name: string): string {
  return `${section}/${steps.test(name) ? '~' : ''}${encodeURIComponent(name)}`
}

/** The name that a part of a path stands for; `undefined` for what is no text. */
export function nameIn(part: string): string | undefined {
  try {
    const name = decodeURIComponent(part)
    return name.startsWith('~') && steps.test(name) ? name.slice(1) : name
  } catch {
    return undefined
  }
}
