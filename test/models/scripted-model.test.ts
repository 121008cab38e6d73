import { noopModel, scriptedModel } from 'bailiwick/testing'
import { expect, it } from 'vitest'
import type { ModelEvent } from '../../ts/index.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { eventsOf, message, requestOf } from './support.ts'

const finish: ModelEvent = { type: 'finish', reason: 'stop', usage: { inputTokens: 1 } }
const text = (delta: string): ModelEvent => ({ type: 'text.delta', id: '0', delta })

it('a scripted model gives its turns in the order of the requests', async () => {
  const model = scriptedModel([[text('one'), finish], [text('two'), finish], []])
  const [first, second] = [model.stream(requestOf()), model.stream(requestOf())]
  expect(await eventsOf(second)).toEqual([text('two'), finish])
  expect(await eventsOf(first)).toEqual([text('one'), finish])
  expect(await eventsOf(model.stream(requestOf()))).toEqual([])
})

it('a script that has run out says so, with its length', async () => {
  const model = scriptedModel([[finish]])
  await eventsOf(model.stream(requestOf()))
  const error = await failureOf(() => eventsOf(model.stream(requestOf())))
  expect(error.code).toBe('INVALID_INPUT')
  expect(error.message).toMatch(/^The script of this scriptedModel has run out: it has 1 turn, and this is request 2\./)
  expect(model.requests).toHaveLength(2)
})

it('requests are recorded as plain copies', async () => {
  const model = scriptedModel([[finish]])
  const messages = [message('user', [{ type: 'text', text: 'Hello' }])]
  const request = requestOf({ messages, settings: { temperature: 0 } })
  await eventsOf(model.stream(request))
  messages.push(message('assistant', [{ type: 'text', text: 'later' }]))
  expect(model.requests).toEqual([
    {
      modelId: 'model-1',
      system: 'Be brief.',
      messages: [{ messageId: 'message-1', role: 'user', parts: [{ type: 'text', text: 'Hello' }], createdAt: 0 }],
      tools: [],
      settings: { temperature: 0 },
    },
  ])
})

it('a function answers by the request, and its error fails the stream', async () => {
  const model = scriptedModel((request) => {
    if (request.modelId === 'broken') throw Object.assign(new Error('overloaded'), { retryable: true })
    return [text(request.system), finish]
  })
  expect(await eventsOf(model.stream(requestOf({ system: 'Echo' })))).toEqual([text('Echo'), finish])
  await expect(eventsOf(model.stream(requestOf({ modelId: 'broken' })))).rejects.toMatchObject({
    message: 'overloaded',
    retryable: true,
  })
})

it('an aborted request ends the stream with the reason', async () => {
  const aborter = new AbortController()
  const model = scriptedModel([[text('one'), text('two'), finish]])
  const seen: ModelEvent[] = []
  const reading = (async () => {
    for await (const event of model.stream(requestOf({ signal: aborter.signal }))) {
      seen.push(event)
      aborter.abort(new Error('cancelled'))
    }
  })()
  await expect(reading).rejects.toThrow('cancelled')
  expect(seen).toEqual([text('one')])
})

it('an invalid script is refused', async () => {
  for (const wrong of [undefined, null, 'turn', {}, [finish], [[finish], undefined]]) {
    expect(await codeOf(async () => scriptedModel(wrong as never))).toBe('INVALID_INPUT')
  }
})

it('a noop model finishes at once, every time', async () => {
  const model = noopModel()
  for (let turn = 0; turn < 3; turn += 1) {
    expect(await eventsOf(model.stream(requestOf()))).toEqual([{ type: 'finish', reason: 'stop', usage: {} }])
  }
})
