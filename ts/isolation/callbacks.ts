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
import type { Question } from '../native/bridge.ts'

/** What the boundary calls: each kind of question, each option that is a function or holds some, and what calls take and give. */
type CallbackKind =
  | keyof typeof Question
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
  tool: ['handler', 'result getter', 'result toJSON', 'result then', 'error getter', 'signal listener', 'onabort'],
  needsApproval: ['call', 'answer then'],
  approve: ['call', 'answer then', 'answer toJSON', 'answer getter'],
  output: ['validate', 'issues getter'],
  models: ['factory'],
  schemas: ['validate', 'result then'],
  env: ['getter'],
  argument: ['value toJSON', 'value getter', 'options getter', 'request getter', 'message getter'],
  compute: ['call', 'result then', 'result toJSON'],
  answer: ['continuation', 'event consumer', 'iterator return', 'request signal listener'],
} as const satisfies { readonly [kind in CallbackKind]: readonly [string, ...string[]] }

/** One of them, as `<kind>: <place>`. */
export type Place = { [K in keyof typeof places]: `${K}: ${(typeof places)[K][number]}` }[keyof typeof places]

/** All of them. */
export const allPlaces = Object.entries(places).flatMap(([kind, names]) =>
  names.map((name) => `${kind}: ${name}` as Place),
)

/** Told of each place as it is reached; whatever it does happens there. */
export type Strike = (place: Place) => void

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
export function callbackSpec(resourceId: string, strike: Strike): RuntimeSpec {
  const tool = (name: string, more: object = {}) =>
    defineTool({ name, description: 'x', effects: 'read', input, ...more })
  const output = schemaOf((value) => {
    strike('output: validate')
    const issues = () => strike('output: issues getter')
    return {
      value,
      get issues() {
        return issues()
      },
    }
  })
  const tools = [
    tool('look'),
    tool('later'),
    tool('checked'),
    tool('fail'),
    tool('wait'),
    tool('ask', { approval: 'dynamic' }),
    tool('send', { approval: 'always' }),
  ]
  const agent = defineSpecialist({ name: 'one', model: 'scripted/any', prompt: 'x', tools, output })
  return defineRuntime({
    tenant: defineTenant(resourceId, 'v1'),
    agents: [agent],
    references: [defineReference({ name: 'note' })],
    providers: { scripted: { apiKeyEnv: 'SCRIPTED_KEY' } },
  })
}

/** Who waits to be told that its run is over, by the prompt of the run. */
type Listening = Map<Prompt, () => void>
type Prompt = 'wait' | 'think'

/** What is called back by that agent. `listening` is told once a callback waits for the end of its run. */
export function callbackOptions(strike: Strike, listening: Listening): Omit<RuntimeOptions, 'store'> {
  const listens: Listens = (signal, kind, over) => {
    signal.addEventListener('abort', () => over(new Error('It is over.')))
    signal.addEventListener('abort', () => strike(`${kind}: signal listener`))
    signal.onabort = () => strike(`${kind}: onabort`)
    if (signal.aborted) over(new Error('It is over.'))
    listening.get(kind === 'tool' ? 'wait' : 'think')?.()
  }
  const tools = {
    look: () => {
      strike('tool: handler')
      return {
        get size() {
          strike('tool: result getter')
          return 1
        },
        nested: { toJSON: () => void strike('tool: result toJSON') },
      }
    },
    later: () => thenable('later', () => strike('tool: result then')),
    checked: () => 'checked',
    fail: () => {
      const error = { name: 'Error' }
      throw Object.defineProperty(error, 'message', {
        get: () => {
          strike('tool: error getter')
          return 'no'
        },
      })
    },
    wait: (_: unknown, { signal }: ToolContext) => new Promise<never>((_, reject) => listens(signal, 'tool', reject)),
    ask: () => 'asked',
    send: () => 'sent',
  }
  const approve = async (_: Approval) => {
    strike('approve: call')
    const answer = {
      toJSON: () => {
        strike('approve: answer toJSON')
        return {
          get decision() {
            strike('approve: answer getter')
            return 'approve'
          },
          actor: 'kim',
        }
      },
      // biome-ignore lint/suspicious/noThenProperty: looked up by whoever awaits
      get then() {
        strike('approve: answer then')
        return undefined
      },
    }
    return answer as never
  }
  return {
    tools: tools as NonNullable<RuntimeOptions['tools']>,
    models: {
      scripted: () => {
        strike('models: factory')
        return hostModel(strike, listens)
      },
    },
    schemas: {
      checked: schemaOf((value) => {
        strike('schemas: validate')
        return thenable({ value }, () => strike('schemas: result then'))
      }),
    },
    needsApproval: () => {
      strike('needsApproval: call')
      return thenable(false, () => strike('needsApproval: answer then')) as Promise<boolean>
    },
    approve,
    env: {
      get SCRIPTED_KEY() {
        strike('env: getter')
        return 'a key of the tenant'
      },
    },
  }
}

type Listens = (signal: AbortSignal, kind: 'model' | 'tool', over: (error: Error) => void) => void

function hostModel(strike: Strike, listens: Listens): Model {
  const all = ['look', 'later', 'checked', 'fail', 'ask', 'send']
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
        strike('model: event getter')
        return '{}'
      },
      metadata: { toJSON: () => void strike('model: metadata toJSON') },
    }) as never
  return {
    stream(request) {
      strike('model: stream')
      const prompt = JSON.stringify(request.messages[0]?.parts)
      const events = turn(request).values()
      return {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            strike('model: next')
            if (prompt.includes('think')) {
              await new Promise<never>((_, reject) => listens(request.signal, 'model', reject))
            }
            if (prompt.includes('break')) throw breaking(strike)
            return events.next() as IteratorResult<ModelEvent>
          },
          return: async () => {
            strike('model: return')
            return { done: true, value: undefined }
          },
        }),
      }
    },
  }
}

function breaking(strike: Strike): Error {
  return Object.defineProperty(new Error('It broke.'), 'retryable', {
    get: () => {
      strike('model: error getter')
      return false
    },
  })
}

/** Makes calls that reach every place; resolves once all are over, however they ended. */
export async function reachAll(runtime: Runtime, strike: Strike, listening: Listening): Promise<void> {
  const { references, cache, threads } = runtime
  const value = (): JsonValue =>
    ({
      get a() {
        strike('argument: value getter')
        return 1
      },
      b: { toJSON: () => void strike('argument: value toJSON') },
    }) as never
  const options = {
    get ttlMs() {
      strike('argument: options getter')
      return 60_000
    },
  }
  const message = {
    role: 'user',
    createdAt: 1,
    get parts() {
      strike('argument: message getter')
      return [{ type: 'text', text: 'x' }]
    },
  }
  const request = {
    get prompt() {
      strike('argument: request getter')
      return 'go'
    },
  }
  const calls: (() => unknown)[] = [
    () => references.put('note', value(), options),
    () => cache.set('key', value(), options),
    () => threads.append('thread', [message as never]),
    () => cache.get('key').then(() => strike('answer: continuation')),
    () =>
      cache.getOrCompute(`computed ${Math.random()}`, {}, () => {
        strike('compute: call')
        const computed = { toJSON: () => void strike('compute: result toJSON') }
        return thenable(computed, () => strike('compute: result then')) as never
      }),
    () => runtime.query(request).result(),
    () => runtime.query('break').result(),
    () => cancelled(runtime, 'wait', strike, listening),
    () => cancelled(runtime, 'think', strike, listening),
  ]
  const started = calls.map(async (call) => await call())
  await Promise.allSettled(started)
}

/** A run that is cancelled from outside once a callback of it waits, and that somebody follows until it is over. */
async function cancelled(runtime: Runtime, prompt: Prompt, strike: Strike, listening: Listening): Promise<void> {
  const controller = new AbortController()
  controller.signal.addEventListener('abort', () => {
    try {
      strike('answer: request signal listener')
    } catch {
      // This signal is the host's own: what its listeners throw ends the process.
    }
  })
  listening.set(prompt, () => controller.abort())
  const run = runtime.query({ prompt, signal: controller.signal })
  const follow = async () => {
    for await (const _ of run) strike('answer: event consumer')
  }
  const leave = async () => {
    for await (const _ of run) break
    strike('answer: iterator return')
  }
  await Promise.allSettled([follow(), leave(), run.result()])
}
