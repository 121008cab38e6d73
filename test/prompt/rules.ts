import type { Message } from '../../ts/index.ts'

const allowed = {
  user: ['text', 'file'],
  assistant: ['text', 'reasoning', 'file', 'tool-call', 'opaque'],
  tool: ['tool-result'],
}

/** What is wrong in a conversation that is sent. */
export function problemsOf(messages: readonly Message[]): string[] {
  const problems: string[] = []
  const seen = new Set<string>()
  let open: string[] = []
  if (messages.length > 0 && messages[0]?.role !== 'user') problems.push('does not begin with the user')
  for (const { role, parts } of messages) {
    if (parts.length === 0) problems.push('an empty message')
    for (const { type } of parts) if (!allowed[role].includes(type)) problems.push(`a ${type} of the ${role}`)
    if (role === 'tool') {
      const results = parts.flatMap((part) => (part.type === 'tool-result' ? [part.callId] : []))
      if (JSON.stringify(results) !== JSON.stringify(open)) problems.push(`results ${results}, calls ${open}`)
      open = []
      continue
    }
    if (open.length > 0) problems.push(`calls without results: ${open}`)
    open = []
    for (const part of parts) {
      if (part.type === 'text' && part.text.trim() === '' && part.metadata === undefined) problems.push('a blank text')
      if (part.type !== 'tool-call') continue
      if (seen.has(part.callId) || part.callId === '') problems.push(`the id ${part.callId} again`)
      seen.add(part.callId)
      open.push(part.callId)
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(part.tool)) problems.push(`the name ${part.tool}`)
      const isObject = typeof part.input === 'object' && part.input !== null && !Array.isArray(part.input)
      if (!isObject) problems.push(`the input ${JSON.stringify(part.input)}`)
    }
    if (role === 'assistant' && parts.at(-1)?.type === 'reasoning') problems.push('reasoning that nothing follows')
  }
  if (open.length > 0) problems.push(`calls without results at the end: ${open}`)
  return problems
}
