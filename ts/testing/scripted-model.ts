import { InvalidInputError } from '../errors/index.ts'
import type { Model, ModelEvent, ModelRequest } from '../types/callbacks.ts'

/** A request that a scripted model received: a plain copy, taken when it arrived. */
export type RecordedRequest = Omit<ModelRequest, 'signal' | 'resolve'>

/** A model that answers by a script and records its requests. */
export interface ScriptedModel extends Model {
  /** Every request so far, oldest first. */
  readonly requests: readonly RecordedRequest[]
}

/** Answers of a scripted model: turn by turn, or computed from each request. */
export type Script = readonly (readonly ModelEvent[])[] | ((request: ModelRequest) => readonly ModelEvent[])

/**
 * A model that answers by a script: the events of the first turn to the first request, and so on; or what a function makes
 * of each request. A script that has run out, and an aborted request, fail the stream. To play a failing model, throw in
 * the function.
 *
 * @throws InvalidInputError if `turns` is neither
 * @example
 * ```ts
 * const model = scriptedModel([
 *   [
 *     { type: 'tool.call', callId: 'call-1', tool: 'search', input: '{"text":"shoes"}' },
 *     { type: 'finish', reason: 'tool-calls', usage: { inputTokens: 10, outputTokens: 5 } },
 *   ],
 *   [
 *     { type: 'text.delta', id: '0', delta: 'There are 3.' },
 *     { type: 'finish', reason: 'stop', usage: { inputTokens: 20, outputTokens: 5 } },
 *   ],
 * ])
 * ```
 */
export function scriptedModel(turns: Script): ScriptedModel {
  if (typeof turns !== 'function' && !(Array.isArray(turns) && turns.every(Array.isArray))) {
    throw new InvalidInputError(
      'turns must be a list of turns, each a list of model events, or a function that gives one.',
    )
  }
  const requests: RecordedRequest[] = []
  return {
    requests,
    stream(request) {
      // At once and not when the first event is read, so that requests made together have the order of their calls.
      const index = requests.push(copyOf(request)) - 1
      return play(() => (typeof turns === 'function' ? turns(request) : turnAt(turns, index)), request.signal)
    },
  }
}

/** A model that answers every request at once with nothing, at no cost. For benchmarks and for specs that are never run. */
export function noopModel(): Model {
  return { stream: (request) => play(() => [{ type: 'finish', reason: 'stop', usage: {} }], request.signal) }
}

async function* play(events: () => readonly ModelEvent[], signal: AbortSignal): AsyncGenerator<ModelEvent> {
  for (const event of events()) {
    signal.throwIfAborted()
    yield event
  }
}

function turnAt(turns: readonly (readonly ModelEvent[])[], index: number): readonly ModelEvent[] {
  const turn = turns[index]
  if (turn !== undefined) return turn
  throw new InvalidInputError(
    `The script of this scriptedModel has run out: it has ${turns.length} turn${turns.length === 1 ? '' : 's'}, and this ` +
      `is request ${index + 1}. Add a turn, or see in its requests why it is asked again.`,
  )
}

function copyOf(request: ModelRequest): RecordedRequest {
  const { signal: _signal, resolve: _resolve, ...rest } = request
  return structuredClone(rest)
}
