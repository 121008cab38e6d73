import fc from 'fast-check'
import type { Message, Part } from '../../ts/index.ts'

/** Ids as models, servers and imports have them: the same in every turn, empty, odd, long, and ones that a mended id could meet. */
const callId = fc.constantFrom(
  'call_0',
  'call_0',
  'call_1',
  'call_0_2',
  '',
  'call',
  'toolu_01AbC',
  'a b',
  'ü',
  `c_${'s'.repeat(300)}`,
)

const tool = fc.constantFrom(
  'search',
  'search',
  'x<|channel|>json',
  'functions.x',
  '',
  '__proto__',
  'n'.repeat(90),
  'ö',
)

const input = fc.constantFrom<never>(
  ...([
    {},
    { text: 'shoes' },
    null,
    [1],
    'x',
    '',
    '{"text":',
    '{"text":"hats"}',
    7,
    { __proto__: null, a: [] },
  ] as never[]),
)

const text = fc.constantFrom('Hello', '', ' ', 'What about shoes?', '{}')

const metadata = fc.constantFrom<Part['metadata'][]>(
  undefined,
  undefined,
  { anthropic: { signature: 'c2ln' } },
  { openai: { itemId: 'rs_1', reasoningEncryptedContent: null } },
  { google: { thoughtSignature: 'c2ln' } },
)

/** Any part, also one that its message cannot have. */
export const anyPart: fc.Arbitrary<Part> = fc
  .tuple(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('text', 'reasoning'), text }) },
      { weight: 4, arbitrary: fc.record({ type: fc.constant('tool-call'), callId, tool, input }) },
      {
        weight: 4,
        arbitrary: fc.record({
          type: fc.constant('tool-result'),
          callId,
          result: fc.constantFrom<never>(...(['three', '', null, { found: [1] }, 'gone'] as never[])),
          isError: fc.boolean(),
          state: fc.constantFrom<('waiting' | 'late' | undefined)[]>(undefined, undefined, 'waiting', 'late'),
          tool: fc.constantFrom(undefined, 'search'),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          type: fc.constant('file'),
          reference: fc.constantFrom('ref_here', 'ref_gone'),
          mediaType: fc.constantFrom('image/png', 'text/csv', 'application/pdf', 'audio/ogg'),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.constant({
          type: 'opaque',
          provider: 'elsewhere',
          data: { type: 'custom', kind: 'elsewhere.thing' },
        }),
      },
    ),
    metadata,
  )
  .map(([part, given]) => (given === undefined ? part : { ...part, metadata: given }) as Part)

const anyMessage: fc.Arbitrary<Omit<Message, 'messageId' | 'createdAt'>> = fc.record(
  {
    role: fc.constantFrom<Message['role']>('user', 'assistant', 'tool', 'assistant', 'tool'),
    parts: fc.array(anyPart, { maxLength: 5 }),
    interrupted: fc.constant(true),
  },
  { requiredKeys: ['role', 'parts'] },
)

/** A turn as the loop makes it: a question, some steps with calls and their results, an answer. The ids begin anew in each. */
const turn: fc.Arbitrary<Omit<Message, 'messageId' | 'createdAt'>[]> = fc
  .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.boolean(), tool, input)
  .map(([steps, calls, shuffled, name, given]) => [
    { role: 'user', parts: [{ type: 'text', text: 'Any shoes?' }] },
    ...Array.from({ length: steps }, (_, step) => {
      const ids = Array.from({ length: calls }, (_unused, call) => `call_${step + call}`)
      const results = (shuffled ? ids.toReversed() : ids).map((id) => ({
        role: 'tool' as const,
        parts: [{ type: 'tool-result' as const, callId: id, result: `of ${id}` }],
      }))
      return [
        {
          role: 'assistant' as const,
          parts: ids.map((id) => ({ type: 'tool-call' as const, callId: id, tool: name, input: given })),
        },
        ...results,
      ]
    }).flat(),
    { role: 'assistant', parts: [{ type: 'text', text: 'Three.' }] },
  ])

/** Histories that the loop makes, cut off anywhere, with anything imported among them. */
export const anyHistory: fc.Arbitrary<Message[]> = fc
  .array(
    fc.oneof(
      turn,
      anyMessage.map((message) => [message]),
    ),
    { maxLength: 8 },
  )
  .chain((turns) => {
    const messages = turns.flat().map((message, at): Message => ({ ...message, messageId: `m${at}`, createdAt: at }))
    return fc.integer({ min: 0, max: messages.length }).map((length) => messages.slice(0, length))
  })

/** Histories of the loop alone, each message of which is what a model was once asked after. */
export const loopHistory: fc.Arbitrary<Message[]> = fc
  .array(turn, { minLength: 1, maxLength: 5 })
  .map((turns) => turns.flat().map((message, at): Message => ({ ...message, messageId: `m${at}`, createdAt: at })))
