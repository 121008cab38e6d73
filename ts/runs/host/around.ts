import { kindOf } from '../../common/shown-values.ts'
import { InvalidInputError } from '../../errors/index.ts'
import { deepFreeze } from '../../spec/checks/plain-json.ts'
import type {
  Around,
  Model,
  ModelCallContext,
  ModelEvent,
  ModelRequest,
  ToolCall,
  ToolContext,
} from '../../types/callbacks.ts'
import type { JsonValue } from '../../types/json.ts'
import { CallFailure } from './failures.ts'

/** Returns a model whose requests go through a hook. */
export function modelAround(model: Model, hook: Around['model'], context: ModelCallContext): Model {
  if (hook === undefined) return model
  return {
    async *stream(request) {
      const passed = new Pass('around.model')
      const next = (changed: ModelRequest = request): AsyncIterable<ModelEvent> => {
        passed.use()
        if (typeof changed !== 'object' || changed === null) {
          throw new InvalidInputError(`next of around.model takes a request or nothing, not ${kindOf(changed)}.`)
        }
        const events: unknown = model.stream({ ...request, ...changed })
        if (isIterable(events)) return events
        throw new CallFailure(
          'MODEL_FAILED',
          `The model is wrong: stream gave ${kindOf(events)}, nothing that can be iterated.`,
        )
      }
      try {
        const events: unknown = await hook(request, next, context)
        if (!isIterable(events)) {
          const what = `around.model returned ${kindOf(events)}, nothing that can be iterated.`
          throw new CallFailure('MODEL_FAILED', `${what} Return next(request), or an async iterable of events.`)
        }
        yield* events
      } finally {
        passed.end()
      }
    },
  }
}

/**
 * Calls a tool through a hook.
 *
 * @param handle calls the handler, and resolves with its answer
 */
export async function toolAround(
  hook: NonNullable<Around['tool']>,
  call: { readonly tool: string; readonly input: unknown; readonly context: ToolContext },
  handle: () => Promise<unknown>,
): Promise<unknown> {
  const passed = new Pass('around.tool')
  // A copy: the handler may change its own, and no hook changes what was approved.
  const own: ToolCall = Object.freeze({ ...call, input: deepFreeze(structuredClone(call.input)) as JsonValue })
  let isEmpty = false
  const next = (given: ToolCall = own): Promise<unknown> => {
    const answer = (async () => {
      passed.use()
      if (given?.input !== own.input || given.tool !== own.tool) {
        throw new InvalidInputError(
          'around.tool cannot change what a tool is called with: an approval covers exactly these arguments. Call next().',
        )
      }
      // The call may have ended while the hook waited: timed out, cancelled, or made again elsewhere.
      own.context.signal.throwIfAborted()
      const result = await handle()
      isEmpty = result === undefined
      return result
    })()
    // A hook that does not wait for it must not end the process.
    answer.catch(() => {})
    return answer
  }
  try {
    const result: unknown = await hook(own, next)
    if (result !== undefined || isEmpty) return result
    const message = 'around.tool returned nothing. Return what next() gives, or a result in its place.'
    throw new CallFailure('TOOL_FAILED', message)
  } finally {
    passed.end()
  }
}

/** What a hook may do once, as long as it is called. */
class Pass {
  readonly #hook: string
  #state: 'new' | 'used' | 'over' = 'new'

  constructor(hook: string) {
    this.#hook = hook
  }

  use(): void {
    if (this.#state === 'used') {
      throw new InvalidInputError(
        `next of ${this.#hook} can be called once. Use \`retry\` of a tool, or several models of an agent.`,
      )
    }
    if (this.#state === 'over')
      throw new InvalidInputError(`next of ${this.#hook} was called after the hook had ended.`)
    this.#state = 'used'
  }

  end(): void {
    this.#state = 'over'
  }
}

function isIterable(value: unknown): value is AsyncIterable<ModelEvent> {
  if (typeof value !== 'object' || value === null) return false
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = value as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >
  return typeof later === 'function' || typeof now === 'function'
}
