import { describe, expect, it } from 'vitest'
import { type Heard, ModelEvents } from '../../ts/runs/host/model/events.ts'

/** The events as the core reads them. */
function read(...events: readonly unknown[]): Heard[] {
  const taken = new ModelEvents()
  return events.map((event) => JSON.parse(taken.take(event).text) as Heard)
}

/** What is sent of metadata. */
function sentOf(taken: ModelEvents, metadata: unknown): unknown {
  return (JSON.parse(taken.take({ ...delta, id: 'own', metadata }).text) as Heard)['metadata']
}

function messageOf(...events: readonly unknown[]): string {
  try {
    read(...events)
  } catch (error) {
    return (error as Error).message
  }
  return 'it is taken'
}

const fail = () => {
  throw new Error('a getter of its own')
}
/** With a field that throws when it is read. */
function throwing(event: object, field: string): object {
  return Object.defineProperty(event, field, { get: fail, enumerable: true })
}

const delta = { type: 'reasoning.delta', id: 'r', delta: 'hello' }

describe('the events of a model', () => {
  it.each<readonly [string, () => unknown]>([
    [' must be an object, not undefined', () => undefined],
    [' must be an object, not null', () => null],
    [' must be an object, not a string', () => 'text'],
    [' must be an object, not a bigint', () => 5n],
    [' must be an object, not a function', () => fail],
    [' (text.delta): delta must be a string, not a bigint', () => ({ type: 'text.delta', id: 'a', delta: 10n })],
    [' (text.delta): id must be a string, not a symbol', () => ({ type: 'text.delta', id: Symbol('a'), delta: '' })],
    [' cannot be read: a getter of its own', () => throwing({}, 'type')],
    [' (text.delta) cannot be read: a getter of its own', () => throwing({ type: 'text.delta', id: 'a' }, 'delta')],
  ])('event 2%s', (told, event) => {
    expect(messageOf(delta, event())).toBe(`The model's answer is wrong: event 2${told}.`)
  })

  it.each(['delta', 'metadata'])('a %s that no answer can hold is reported with its size and the limit', (field) => {
    const large = 'x'.repeat((4 << 20) + 1)
    const told = messageOf({ ...delta, [field]: large })
    expect(told).toMatch(
      new RegExp(`event 1 \\(reasoning.delta\\): ${field} has 419430[57] UTF-16 units.*4194304 bytes`),
    )
  })

  it('text of a model is a string, whatever its type was', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    const call = { type: 'tool.call', callId: 'c', tool: 't', input: '{}' }
    expect(read({ ...call, callId: '\ud800', input: { a: [1] } })).toEqual([
      {
        ...call,
        callId: '\ufffd',
        input: '{"a":[1]}',
        mended: 'input must be a string, not an object; it is taken as its JSON',
      },
    ])
    expect(read({ ...call, tool: 7, callId: null, input: cyclic })).toEqual([
      {
        type: 'tool.call',
        tool: '7',
        input: '',
        mended:
          'tool must be a string, not a number; it is taken as its JSON; input must be a string, not an object; it is taken as empty',
      },
    ])
  })

  it('metadata that JSON or the core cannot hold is mended or left out, and the text stays', () => {
    const deep = JSON.parse(`${'['.repeat(101)}${']'.repeat(101)}`)
    const cyclic: unknown[] = []
    cyclic.push(cyclic)
    const kept: readonly (readonly [unknown, unknown])[] = [
      [
        { a: 'x\ud800', '\udc00': 1 },
        { a: 'x\ufffd', '\ufffd': 1 },
      ],
      [JSON.parse('{"__proto__":{"a":1},"b":{"c":"\\\\ud"}}'), { b: { c: '\\ud' } }],
      [
        { at: new Date(0), no: undefined, nan: Number.NaN, list: [() => 1] },
        { at: '1970-01-01T00:00:00.000Z', nan: null, list: [null] },
      ],
      ['text', 'text'],
      [null, undefined],
    ]
    for (const [metadata, expected] of kept) {
      const [event] = read({ ...delta, metadata })
      expect([event?.['metadata'], event?.['mended']]).toEqual([expected, undefined])
    }
    for (const metadata of [deep, cyclic, { n: 1n }, () => 1, { toJSON: fail }]) {
      const [event] = read({ ...delta, metadata })
      expect(event).toEqual({ ...delta, mended: expect.stringContaining('was left out') })
    }
    expect(read(throwing({ ...delta }, 'metadata'))).toEqual([
      { ...delta, mended: 'its metadata cannot be read and was left out' },
    ])
  })

  it('usage is reported as far as it can be read', () => {
    const finish = { type: 'finish', reason: 'stop' }
    const usage = {
      inputTokens: Number.NaN,
      outputTokens: 5n,
      cacheReadTokens: Number.POSITIVE_INFINITY,
      cost: 1n,
    }
    throwing(usage, 'reasoningTokens')
    expect(read({ ...finish, usage })).toEqual([
      { ...finish, usage: { inputTokens: null, outputTokens: 5, cacheReadTokens: null } },
    ])
    for (const [told, expected] of [
      [undefined, undefined],
      [null, null],
      [[1], []],
      ['x'.repeat(1000), 'x'.repeat(100)],
      [3n, undefined],
    ]) {
      expect(read({ ...finish, usage: told })[0]?.['usage']).toEqual(expected)
    }
  })

  it('metadata is sent when it changes, and nothing else grows with it', () => {
    const signature = { signature: 's'.repeat(1500) }
    const taken = new ModelEvents()
    let sent = 0
    for (let at = 0; at < 3000; at += 1) sent += taken.take({ ...delta, metadata: { ...signature } }).text.length
    expect(sent).toBeLessThan(3000 * 60 + 2000)
    const changes = read(
      { ...delta, metadata: 1 },
      { ...delta, metadata: 1 },
      { ...delta, metadata: 2 },
      { ...delta, id: 'q', metadata: 2 },
      delta,
    )
    expect(changes.map((event) => event['metadata'])).toEqual([1, undefined, 2, 2, undefined])
    // What is taken is a copy: whoever writes on in the same object sends what has changed.
    const own = { n: 1 }
    const first = taken.take({ ...delta, id: 'own', metadata: own })
    own.n = 2
    const second = taken.take({ ...delta, id: 'own', metadata: own })
    expect([first.text, second.text]).toEqual([expect.stringContaining('"n":1'), expect.stringContaining('"n":2')])
    // So it is once the same has come often.
    for (let at = 0; at < 3; at += 1) expect(sentOf(taken, own)).toBeUndefined()
    own.n = 3
    expect(sentOf(taken, own)).toEqual({ n: 3 })
  })

  it('an opaque part keeps its data, without values of the host', () => {
    const data = { type: 'server_tool_use', input: [1, null] }
    expect(read({ type: 'opaque', provider: 'p', data, extra: 1n })).toEqual([{ type: 'opaque', provider: 'p', data }])
    expect(read({ type: 'opaque', provider: 'p', data: 1n })).toEqual([{ type: 'opaque', provider: 'p', data: 1 }])
    expect(read({ type: 'opaque', provider: 'p' })).toEqual([{ type: 'opaque', provider: 'p' }])
  })
})
