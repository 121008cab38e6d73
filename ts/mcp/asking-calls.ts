import { setTimeout as sleep } from 'node:timers/promises'
import { CallFailure } from '../runs/host/failures.ts'
import { waitFor } from '../runs/wait-for.ts'
import type { Cache } from '../types/cache.ts'
import type { ToolContext } from '../types/callbacks.ts'
import type { JsonObject, JsonValue } from '../types/json.ts'
import type { Reference } from '../types/references.ts'
import type { OpenCall, Resumed } from '../types/waits.ts'
import { callTool, type McpClient, type McpTool } from './client.ts'
import { type Asked, questionFor, type Retry, readInputRequired, refused, responsesFor } from './input-requests.ts'
import { toResult } from './result.ts'

/** How often a server may ask for input before it has the result of one call. */
const mostRounds = 10
/** How long a call waits that a server wants to have again without an answer, in milliseconds. */
const pauseMs = 250
/** How long a person may take, in milliseconds: 7 days. */
const answerMs = 7 * 24 * 60 * 60 * 1000
/** How long what the server gave is kept, in milliseconds: a day longer, as are the references of a run that waits. */
const keptMs = answerMs + 24 * 60 * 60 * 1000

/** What a call that waits must know when it is made again: kept in the tenant's cache, for the wait has no place for it. */
interface Kept extends Pick<Retry, 'requestState'> {
  readonly asked: readonly Asked[]
  /** How often the server has asked. */
  readonly rounds: number
}

/**
 * Calls a tool of the server for a handler. If the server needs input, the answer is a wait for a person; called again with the
 * answer, it calls the tool again.
 *
 * @throws CallFailure for input that the server does not get, and if nobody answered in time; whatever the client rejects with
 */
export async function callOrAsk(
  client: McpClient,
  tool: McpTool,
  name: string,
  input: JsonObject,
  context: ToolContext,
): Promise<JsonValue | Reference | OpenCall> {
  const { cache, signal, references, resumed, idempotencyKey } = context
  const turn = resumed?.turn ?? 0
  const keyAt = (number: number) => `mcp/${idempotencyKey}/${number}`
  const kept = resumed === undefined ? undefined : await keptFor(resumed, cache, keyAt(turn))
  // The wait of this turn is in the journal, so no earlier turn is taken again.
  if (kept !== undefined && turn > 1) await cache.delete(keyAt(turn - 1))
  let rounds = kept?.rounds ?? 0
  let retry = kept === undefined ? {} : retryOf(kept.requestState, responsesFor(kept.asked, resumed ?? {}))
  try {
    for (;;) {
      const result = await callTool(client, tool, { name: tool.name, arguments: { ...input }, ...retry }, signal)
      const required = readInputRequired(result)
      // What was kept expires by itself: after a crash before the result is durable, the call is made again with it.
      if (required === undefined) return await toResult(result, references)
      rounds += 1
      if (rounds > mostRounds) throw refused(`It asked ${rounds} times in one call; at most ${mostRounds} are taken.`)
      const { requests, requestState } = required
      if (requests.length > 0) {
        const question = await questionFor(requests, name)
        const asked = requests.map(({ key, mode }) => ({ key, mode }))
        const next = { asked, rounds, ...(requestState === undefined ? {} : { requestState }) }
        // Written before the wait, so a store that has the wait has this, too.
        await cache.set(keyAt(turn + 1), next, { ttlMs: keptMs })
        return waitFor.answer({ ...question, ttlMs: answerMs })
      }
      await sleep(pauseMs, undefined, { signal })
      retry = retryOf(requestState, {})
    }
  } catch (error) {
    if (kept !== undefined && error instanceof CallFailure) await cache.delete(keyAt(turn))
    throw error
  }
}

/**
 * Returns what was kept for the wait that has ended. `undefined`: the wait was not of this package, but of a handler around this
 * one.
 */
async function keptFor({ kind }: Resumed, cache: Cache, key: string): Promise<Kept | undefined> {
  if (kind === 'expired') {
    await cache.delete(key)
    throw new CallFailure('WAIT_EXPIRED', 'Nobody answered in time what the MCP server asked.')
  }
  if (kind !== 'answer') return undefined
  const kept = await cache.get<Kept & JsonObject>(key)
  if (kept !== undefined) return kept
  throw new CallFailure('WAIT_EXPIRED', 'What the MCP server asked is not kept any more. Call the tool again.')
}

function retryOf(requestState: string | undefined, responses: NonNullable<Retry['inputResponses']>): Retry {
  return {
    ...(Object.keys(responses).length === 0 ? {} : { inputResponses: responses }),
    ...(requestState === undefined ? {} : { requestState }),
  }
}
