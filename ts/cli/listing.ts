import { UsageError, type Words } from './command.ts'

const MOST_LISTED = 1000
const PAGE = 100

/** The option of a command that lists. */
export const limitOption = {
  value: 'number',
  help: `how many at most, newest first; default 20, at most ${MOST_LISTED}`,
} as const

/** @throws UsageError for what is no number or too many */
export function limitOf({ limit }: Words['options']): number {
  if (typeof limit !== 'string') return 20
  if (!/^[1-9]\d{0,3}$/.test(limit) || Number(limit) > MOST_LISTED) {
    throw new UsageError(`--limit is no number from 1 to ${MOST_LISTED}.`)
  }
  return Number(limit)
}

/**
 * Returns the value of an option that takes one of some words.
 *
 * @throws UsageError for another one
 */
export function oneOf<Value extends string>(
  options: Words['options'],
  name: string,
  values: readonly Value[],
): Value | undefined {
  const given = options[name]
  const found = values.find((one) => one === given)
  if (given !== undefined && found === undefined) throw new UsageError(`--${name} is none of ${values.join(', ')}.`)
  return found
}

/** Some items, and a cursor if there are more. */
interface Listed<Item> {
  readonly items: readonly Item[]
  readonly cursor?: string
}

/** Reads at most `limit` items, page by page. `more`: the line that says that there are others, or none. */
export async function listed<Item>(
  limit: number,
  read: (page: { readonly limit: number; readonly cursor?: string }) => Promise<Listed<Item>>,
): Promise<{ readonly items: readonly Item[]; readonly more: readonly string[] }> {
  const items: Item[] = []
  let cursor: string | undefined
  do {
    const page = await read({
      limit: Math.min(PAGE, limit - items.length),
      ...(cursor === undefined ? {} : { cursor }),
    })
    items.push(...page.items)
    cursor = page.cursor
  } while (cursor !== undefined && items.length < limit)
  const more = cursor === undefined ? [] : [`and more: --limit ${Math.min(limit * 2, MOST_LISTED)} shows older ones`]
  return { items, more }
}
