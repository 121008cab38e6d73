import {
  createRuntime,
  defineCoordinator,
  defineRuntime,
  defineSpecialist,
  defineTenant,
  defineTool,
  type Model,
  type ModelEvent,
  type Runtime,
} from '../../ts/index.ts'
import type { OpenStore } from '../../ts/store/store.ts'
import { scriptedModel } from '../../ts/testing/index.ts'

const usage = { inputTokens: 900, outputTokens: 60 }
const finish = (reason: 'stop' | 'tool-calls'): ModelEvent => ({ type: 'finish', reason, usage })
const says = (text: string, reasoning?: string): ModelEvent[] => [
  ...(reasoning === undefined ? [] : [{ type: 'reasoning.delta', id: 'r', delta: reasoning } as const]),
  { type: 'text.delta', id: 't', delta: text },
]

/** What the agents of a team say where; each may be hostile. */
export interface Talk {
  readonly prompt: string
  readonly threadId: string
  readonly actor?: string
  /** Of a call, or of what it returns. */
  readonly value: string
  /** What models say. */
  readonly said: string
  readonly answer: string
}

/**
 * A run in which an agent calls another one. That one thinks, calls a tool that succeeds and one that fails, and answers; the first one then
 * looks something up itself and answers.
 */
export async function teamRun(
  store: OpenStore,
  resourceId: string,
  talk: Talk,
): Promise<{ readonly runtime: Runtime; readonly runId: string }> {
  const input = { type: 'object' } as const
  const find = defineTool({ name: 'find', description: 'Finds', effects: 'read', input })
  const weigh = defineTool({ name: 'weigh', description: 'Weighs', effects: 'read', input })
  const clerk = defineSpecialist({
    name: 'clerk',
    description: 'Knows the stock',
    model: 'test/clerk',
    prompt: 'Look it up.',
    tools: [find, weigh],
  })
  const front = defineCoordinator({
    name: 'front',
    model: 'test/front',
    prompt: 'Route.',
    routes: ['clerk'],
    tools: [find],
  })
  const call = (callId: string, tool: string, given: object): ModelEvent => ({
    type: 'tool.call',
    callId,
    tool,
    input: JSON.stringify(given),
  })
  const scripts: { readonly [model: string]: Model } = {
    front: scriptedModel([
      [...says(talk.said, talk.said), call('c1', 'clerk', { task: talk.value }), finish('tool-calls')],
      [call('c4', 'find', { of: talk.value }), finish('tool-calls')],
      [...says(talk.answer), finish('stop')],
    ]),
    clerk: scriptedModel([
      [
        ...says(talk.said, talk.said),
        call('c2', 'find', { of: talk.value }),
        call('c3', 'weigh', { of: talk.value }),
        finish('tool-calls'),
      ],
      [...says(talk.said), finish('stop')],
    ]),
  }
  const runtime = await createRuntime(
    defineRuntime({ tenant: defineTenant(resourceId, 'v1'), agents: [front, clerk] }),
    {
      store,
      models: { test: { stream: (request) => (scripts[request.modelId] as Model).stream(request) } },
      tools: {
        find: () => ({ found: talk.value }),
        weigh: () => {
          throw Object.assign(new Error(talk.value), { code: 'SCALES' })
        },
      },
      onError: () => {},
    },
  )
  const { prompt, threadId, actor } = talk
  const run = runtime.query({ prompt, threadId, ...(actor === undefined ? {} : { actor }) })
  const { status } = await run.result()
  if (status !== 'completed') throw new Error(`The run is ${status}.`)
  return { runtime, runId: run.runId }
}

/** The steps of a run that can be replayed: answers of the agent that was asked, by their sequence. */
export async function stepsOf({ runs }: Pick<Runtime, 'runs'>, runId: string): Promise<number[]> {
  const { agent } = await runs.get(runId)
  const steps: number[] = []
  for await (const event of runs.follow(runId)) {
    if (event.type === 'model.completed' && event.agent === agent) steps.push(event.sequence)
  }
  return steps
}
