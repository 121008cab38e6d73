import type { Model, ModelEvent, ModelRequest, RunEvent } from '../../ts/index.ts'

/** A model that says what a function says, and keeps what it was asked. */
export function sayingModel(
  say: (request: ModelRequest) => readonly ModelEvent[],
): Model & { requests: ModelRequest[] } {
  const requests: ModelRequest[] = []
  return {
    requests,
    async *stream(request) {
      requests.push(request)
      yield* say(request)
    },
  }
}

/** A model that says one thing after the other. */
export function script(...turns: readonly (readonly ModelEvent[])[]): Model & { requests: ModelRequest[] } {
  let turn = 0
  return sayingModel(() => {
    const events = turns[turn]
    turn += 1
    if (events === undefined) throw new Error('The script is over.')
    return events
  })
}

export const usage = { inputTokens: 10, outputTokens: 5 }

/** An answer in words. */
export function says(text: string): ModelEvent[] {
  return [
    { type: 'text.delta', id: 't', delta: text },
    { type: 'finish', reason: 'stop', usage },
  ]
}

/** An answer that calls tools: pairs of a name and an input. */
export function calls(...tools: readonly (readonly [string, unknown])[]): ModelEvent[] {
  return [
    ...tools.map(
      ([tool, input], at): ModelEvent => ({
        type: 'tool.call',
        callId: `call-${at}`,
        tool,
        input: typeof input === 'string' ? input : JSON.stringify(input),
      }),
    ),
    { type: 'finish', reason: 'tool-calls', usage },
  ]
}

/** The events of a run. */
export async function eventsOf(run: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const events: RunEvent[] = []
  for await (const event of run) events.push(event)
  return events
}

/** The types of a run's events. */
export async function kindsOf(run: AsyncIterable<RunEvent>): Promise<string[]> {
  const kinds: string[] = []
  for await (const { type } of run) kinds.push(type)
  return kinds
}

/** A promise and what settles it. */
export function gate(): { readonly opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
