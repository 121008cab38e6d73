import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import { CallRules, type Said, signature, type Wire } from './wire.ts'

/** A message of the event stream of AWS: lengths and checksums around headers and a body of JSON. */
function frame(event: string, body: object, kind: 'event' | 'exception' = 'event'): Buffer {
  const header = (name: string, value: string) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(Buffer.byteLength(value))
    return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), length, Buffer.from(value)])
  }
  const headers = Buffer.concat([
    header(kind === 'event' ? ':event-type' : ':exception-type', event),
    header(':content-type', 'application/json'),
    header(':message-type', kind),
  ])
  const payload = Buffer.from(JSON.stringify(body))
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(16 + headers.length + payload.length, 0)
  prelude.writeUInt32BE(headers.length, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const message = Buffer.concat([prelude, headers, payload])
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(message))
  return Buffer.concat([message, sum])
}

const headers = { 'content-type': 'application/vnd.amazon.eventstream' }

function answer({ reasoning, text, calls = [] }: Said) {
  const frames: Buffer[] = [frame('messageStart', { role: 'assistant' })]
  let index = 0
  const deltas = (...given: object[]) => {
    for (const delta of given) frames.push(frame('contentBlockDelta', { contentBlockIndex: index, delta }))
    frames.push(frame('contentBlockStop', { contentBlockIndex: index }))
    index += 1
  }
  if (reasoning !== undefined) deltas({ reasoningContent: { text: reasoning } }, { reasoningContent: { signature } })
  if (text !== undefined) deltas({ text: text.slice(0, 2) }, { text: text.slice(2) })
  for (const { id, name, input } of calls) {
    frames.push(frame('contentBlockStart', { contentBlockIndex: index, start: { toolUse: { toolUseId: id, name } } }))
    deltas({ toolUse: { input: JSON.stringify(input) } })
  }
  frames.push(frame('messageStop', { stopReason: calls.length > 0 ? 'tool_use' : 'end_turn' }))
  frames.push(
    frame('metadata', { usage: { inputTokens: 10, outputTokens: 5, totalTokens: 15 }, metrics: { latencyMs: 1 } }),
  )
  return { headers, body: Buffer.concat(frames) }
}

interface Block {
  readonly text?: string
  readonly reasoningContent?: object
  readonly toolUse?: { readonly toolUseId: string; readonly name: string; readonly input: unknown }
  readonly toolResult?: { readonly toolUseId: string }
}

/** Converse of Amazon Bedrock. */
export const bedrock: Wire = {
  answer,
  failing: (text) => ({
    headers,
    body: Buffer.concat([
      frame('messageStart', { role: 'assistant' }),
      frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text } }),
      frame('modelStreamErrorException', { message: 'The engine is down' }, 'exception'),
    ]),
  }),
  problemsOf: ({
    messages,
    toolConfig,
  }: {
    readonly messages: readonly { readonly role: string; readonly content: readonly Block[] }[]
    readonly toolConfig?: object
  }) => {
    const rules = new CallRules(/^[a-zA-Z0-9_-]{1,64}$/)
    if (messages[0]?.role !== 'user') rules.problems.push(`begins with ${messages[0]?.role}`)
    for (const [at, { role, content }] of messages.entries()) {
      if (content.length === 0) rules.problems.push(`an empty message of the ${role}`)
      if (messages[at + 1]?.role === role) rules.problems.push(`two messages of the ${role}`)
      for (const { text } of content) if (text?.trim() === '') rules.problems.push('a blank text')
      const calls = content.flatMap(({ toolUse }) => (toolUse === undefined ? [] : [toolUse]))
      for (const { toolUseId, name, input } of calls) rules.call(toolUseId, name, input)
      if (calls.length > 0 && toolConfig === undefined) rules.problems.push('calls without tools')
      const results = (messages[at + 1]?.content ?? []).flatMap(({ toolResult }) =>
        toolResult === undefined ? [] : [toolResult],
      )
      rules.answered(
        calls.map(({ toolUseId }) => toolUseId),
        results.map(({ toolUseId }) => toolUseId),
      )
    }
    return rules.problems
  },
}
