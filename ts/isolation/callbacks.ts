import {
  type Approval,
  defineReference,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type JsonValue,
  type Model,
  type ModelEvent,
  type ModelRequest,
  type Runtime,
  type RuntimeOptions,
  type RuntimeSpec,
  type ToolContext,
} from '../index.ts'
import type { Callback } from '../native/bridge.ts'

/** Code that the boundary calls: each host callback, each option that is or holds a function, arguments and answers of calls. */
type CallbackKind =
  | keyof typeof Callback
  | Exclude<keyof RuntimeOptions, 'store' | 'tools' | 'needsApproval' | 'approve' | 'telemetry'>
  | 'argument'
  | 'compute'
  | 'answer'

/**
 * Every place where code of the host's can run because of a call of this package. The type checker asks for a row when there
 * is another kind of callback. Spans are left to the tests of the package: their processors are those of another package.
 */
export const places = {
  model: ['stream', 'next', 'return', 'event getter', 'metadata toJSON', 'error getter', 'signal listener', 'onabort'],
  tool: [
    'handler',
    'generator step',
    'result getter',
    'result toJSON',
    'result then',
    'error getter',
    'signal listener',
    'onabort',
  ],
  needsApproval: ['call', 'answer then', 'answer getter', 'answer toJSON'],
  approve: ['call', 'answer then', 'answer toJSON', 'answer getter'],
  around: ['model', 'model event', 'tool', 'tool result then'],
  output: ['validate', 'issues getter'],
  input: ['validate', 'issues getter'],
  models: ['factory'],
  schemas: ['validate', 'result then'],
  onError: ['call', 'answer then'],
  env: ['getter'],
  argument: ['value toJSON', 'value getter', 'options getter', 'request getter', 'message getter'],
  compute: ['call', 'result then', 'result toJSON'],
  answer: ['continuation', 'event consumer', 'iterator return', 'request signal listener'],
} as const satisfies { readonly [kind in CallbackKind]: readonly [string, ...string[]] }

/** One of them, as `<kind>: <place>`. */
export type Place = { [K in keyof typeof places]: `${K}: ${(typeof places)[K][number]}` }[keyof typeof places]

export const allPlaces = Object.entries(places).flatMap(([kind, names]) =>
  names.map((name) => `${kind}: ${name}` as Place),
)

/** Called at each place of a callback; its work happens there. */
export type OnReached = (place: Place) => void

const usage = { inputTokens: 1, outputTokens: 1 }
const input = { type: 'object' } as const

/** An object that is a promise to `await`. */
function thenable<T>(value: T, reached: () => void): PromiseLike<T> {
  const then = (resolve: (value: T) => unknown) => {
    reached()
    resolve(value)
  }
  return { then } as unknown as PromiseLike<T>
}

/** A Standard Schema of anything. */
function schemaOf(validate: (value: unknown) => unknown) {
  const jsonSchema = { input: () => ({ ...input }) }
  return { '~standard': { version: 1, vendor: 'isolation', validate, jsonSchema } } as never
}

/** A tenant with one agent that has a tool for every way of being called back. */
export function callbackSpec(resourceId: string, onReached: OnReached): RuntimeSpec {
  const tool = (name: string, more: object = {}) =>
    defineTool({ name, description: 'x', effects: 'read', input, ...more })
  const validating = (kind: 'output' | 'input') =>
    schemaOf((value) => {
      onReached(`${kind}: validate`)
      return {
        value,
        get issues() {
          return onReached(`${kind}: issues getter`)
        },
      }
    })
  const output = validating('output')
  const tools = [
    tool('look'),
    tool('later'),
    tool('steps'),
    tool('checked'),
    tool('fail'),
    tool('wait'),
    tool('ask', { approval: 'dynamic' }),
    tool('send', { approval: 'always', input: validating('input') }),
  ]
  const agent = defineSpecialist({ name: 'one', model: 'scripted/any', prompt: 'x', tools, output })
  return defineRuntime({
    tenant: defineTenant(resourceId, 'v1'),
    agents: [agent],
    references: [defineReference({ name: 'note' })],
    providers: { scripted: { apiKeyEnv: 'SCRIPTED_KEY' } },
  })
}

/** Waiters for the end of a run, by its prompt. */
type Listening = Map<Prompt, () => void>
type Prompt = 'wait' | 'think'

/** Options with every host callback of that agent. `listening` is called once a callback waits for the end of its run. */
export function callbackOptions(onReached: OnReached, listening: Listening): Omit<RuntimeOptions, 'store'> {
  const listens: Listens = (signal, kind, over) => {
    signal.addEventListener('abort', () => over(new Error('It is over.')))
    signal.addEventListener('abort', () => onReached(`${kind}: signal listener`))
    signal.onabort = () => onReached(`${kind}: onabort`)
    if (signal.aborted) over(new Error('It is over.'))
    listening.get(kind === 'tool' ? 'wait' : 'think')?.()
  }
  return {
    tools: hostTools(onReached, listens) as NonNullable<RuntimeOptions['tools']>,
    models: {
      scripted: () => {
        onReached('models: factory')
        return hostModel(onReached, listens)
      },
    },
    schemas: {
      checked: schemaOf((value) => {
        onReached('schemas: validate')
        return thenable({ value }, () => onReached('schemas: result then'))
      }),
    },
    needsApproval: () => {
      onReached('needsApproval: call')
      const answer = {
        get required() {
          onReached('needsApproval: answer getter')
          return false
        },
        to: {
          toJSON: () => {
            onReached('needsApproval: answer toJSON')
            return 'kim'
          },
        },
      }
      return thenable(answer, () => onReached('needsApproval: answer then')) as never
    },
    approve: hostApprover(onReached),
    around: {
      async *model(request, next) {
        onReached('around: model')
        for await (const event of next(request)) {
          onReached('around: model event')
          yield event
        }
      },
      tool: (_, next) => {
        onReached('around: tool')
        return thenable(next(), () => onReached('around: tool result then'))
      },
    },
    onError: () => {
      onReached('onError: call')
      return thenable(undefined, () => onReached('onError: answer then')) as never
    },
    env: {
      get SCRIPTED_KEY() {
        onReached('env: getter')
        return 'a key of the tenant'
      },
    },
  }
}

type Listens = (signal: AbortSignal, kind: 'model' | 'tool', over: (error: Error) => void) => void

/** The handlers of the tools of that agent. */
function hostTools(onReached: OnReached, listens: Listens) {
  return {
    look: () => {
      onReached('tool: handler')
      return {
        get size() {
          onReached('tool: result getter')
          return 1
        },
        nested: { toJSON: () => void onReached('tool: result toJSON') },
      }
    },
    later: () => thenable('later', () => onReached('tool: result then')),
    steps: function* () {
      onReached('tool: generator step')
      yield 'half'
      return 'done'
    },
    checked: () => 'checked',
    fail: () => {
      const error = { name: 'Error' }
      throw Object.defineProperty(error, 'message', {
        get: () => {
          onReached('tool: error getter')
          return 'no'
        },
      })
    },
    wait: (_: unknown, { signal }: ToolContext) => new Promise<never>((_, reject) => listens(signal, 'tool', reject)),
    ask: () => 'asked',
    send: () => 'sent',
  }
}

/** An approver whose answer runs code of the host wherever it is read. */
function hostApprover(onReached: OnReached): NonNullable<RuntimeOptions['approve']> {
  return async (_: Approval) => {
    onReached('approve: call')
    const answer = {
      toJSON: () => {
        onReached('approve: answer toJSON')
        return {
          get decision() {
            onReached('approve: answer getter')
            return 'approve'
          },
          actor: 'kim',
        }
      },
      // biome-ignore lint/suspicious/noThenProperty: read by `await`
      get then() {
        onReached('approve: answer then')
        return undefined
      },
    }
    return answer as never
  }
}

function hostModel(onReached: OnReached, listens: Listens): Model {
  const all = ['look', 'later', 'steps', 'checked', 'fail', 'ask', 'send']
  const call = (tool: string): ModelEvent => ({ type: 'tool.call', callId: `call ${tool}`, tool, input: '{}' })
  const finish = (reason: 'stop' | 'tool-calls'): ModelEvent => ({ type: 'finish', reason, usage })
  const turn = ({ messages }: ModelRequest): ModelEvent[] => {
    const prompt = JSON.stringify(messages[0]?.parts)
    if (messages.length > 1) return [text(), finish('stop')]
    if (prompt.includes('wait')) return [call('wait'), finish('tool-calls')]
    return [text(), ...all.map(call), finish('tool-calls')]
  }
  const text = (): ModelEvent =>
    ({
      type: 'text.delta',
      id: 'text',
      get delta() {
        onReached('model: event getter')
        return '{}'
      },
      metadata: { toJSON: () => void onReached('model: metadata toJSON') },
    }) as never
  return {
    stream(request) {
      onReached('model: stream')
      const prompt = JSON.stringify(request.messages[0]?.parts)
      const events = turn(request).values()
      return {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            onReached('model: next')
            if (prompt.includes('think')) {
              await new Promise<never>((_, reject) => listens(request.signal, 'model', reject))
            }
            if (prompt.includes('break')) throw breaking(onReached)
            return events.next() as IteratorResult<ModelEvent>
          },
          return: async () => {
            onReached('model: return')
            return { done: true, value: undefined }
          },
        }),
      }
    },
  }
}

function breaking(onReached: OnReached): Error {
  return Object.defineProperty(new Error('It broke.'), 'retryable', {
    get: () => {
      onReached('model: error getter')
      return false
    },
  })
}

/** Makes calls that reach every place; resolves once all are over, however they ended. */
export async function reachAll(runtime: Runtime, onReached: OnReached, listening: Listening): Promise<void> {
  const { references, cache, threads } = runtime
  const value = (): JsonValue =>
    ({
      get a() {
        onReached('argument: value getter')
        return 1
      },
      b: { toJSON: () => void onReached('argument: value toJSON') },
    }) as never
  const options = {
    get ttlMs() {
      onReached('argument: options getter')
      return 60_000
    },
  }
  const message = {
    role: 'user',
    createdAt: 1,
    get parts() {
      onReached('argument: message getter')
      return [{ type: 'text', text: 'x' }]
    },
  }
  const request = {
    get prompt() {
      onReached('argument: request getter')
      return 'go'
    },
  }
  const calls: (() => unknown)[] = [
    () => references.put('note', value(), options),
    () => cache.set('key', value(), options),
    () => threads.append('thread', [message as never]),
    () => cache.get('key').then(() => onReached('answer: continuation')),
    () =>
      cache.getOrCompute(`computed ${Math.random()}`, {}, () => {
        onReached('compute: call')
        const computed = { toJSON: () => void onReached('compute: result toJSON') }
        return thenable(computed, () => onReached('compute: result then')) as never
      }),
    () => runtime.query(request).result(),
    () => runtime.query('break').result(),
    () => cancelled(runtime, 'wait', onReached, listening),
    () => cancelled(runtime, 'think', onReached, listening),
  ]
  const started = calls.map(async (call) => await call())
  await Promise.allSettled(started)
}

/** Runs a request that is cancelled once a callback of it waits, and follows it to its end. */
async function cancelled(runtime: Runtime, prompt: Prompt, onReached: OnReached, listening: Listening): Promise<void> {
  const controller = new AbortController()
  controller.signal.addEventListener('abort', () => {
    try {
      onReached('answer: request signal listener')
    } catch {
      // This signal is the host's own: what its listeners throw ends the process.
    }
  })
  listening.set(prompt, () => controller.abort())
  const run = runtime.query({ prompt, signal: controller.signal })
  const follow = async () => {
    for await (const _ of run) onReached('answer: event consumer')
  }
  const leave = async () => {
    for await (const _ of run) break
    onReached('answer: iterator return')
  }
  await Promise.allSettled([follow(), leave(), run.result()])
}
