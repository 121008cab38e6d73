import { CallRules, dataEvents, type Said, signature, type Wire } from './wire.ts'

const usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 }

/** An answer with this text, and where it is from. */
export function grounded(text: string, uri: string, title: string): { readonly body: string } {
  const content = { role: 'model', parts: [{ text }] }
  const groundingMetadata = { groundingChunks: [{ web: { uri, title } }] }
  return {
    body: dataEvents([{ candidates: [{ index: 0, content, groundingMetadata, finishReason: 'STOP' }], usageMetadata }]),
  }
}

/** An answer with these parts, one a piece. */
export function parts(...given: readonly object[]): { readonly body: string } {
  const pieces = given.map((part) => ({
    candidates: [{ index: 0, content: { role: 'model', parts: [part] } }],
    usageMetadata: { ...usageMetadata, candidatesTokenCount: 1 },
  }))
  const last = {
    candidates: [{ index: 0, content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP' }],
    usageMetadata,
  }
  return { body: dataEvents([...pieces, last]) }
}

function answer({ reasoning, text, calls = [] }: Said) {
  return parts(
    ...(reasoning === undefined ? [] : [{ text: reasoning, thought: true }]),
    ...(text === undefined ? [] : [{ text: text.slice(0, 2) }, { text: text.slice(2) }]),
    ...calls.map(({ id, name, input }, at) => ({
      functionCall: { id, name, args: input },
      ...(at === 0 ? { thoughtSignature: signature } : {}),
    })),
  )
}

interface Part {
  readonly functionCall?: { readonly id: string; readonly name: string; readonly args: unknown }
  readonly functionResponse?: { readonly id: string; readonly name: string }
}

/** Gemini, at Google's AI Studio and at Vertex. */
export const gemini: Wire = {
  answer,
  failing: (text) => ({
    body: dataEvents([
      { candidates: [{ index: 0, content: { role: 'model', parts: [{ text }] } }] },
      '{"candidates":[{',
    ]),
  }),
  problemsOf: ({
    contents,
  }: {
    readonly contents: readonly { readonly role: string; readonly parts: readonly Part[] }[]
  }) => {
    const rules = new CallRules(/^.+$/s)
    if (contents[0]?.role !== 'user') rules.problems.push(`begins with ${contents[0]?.role}`)
    for (const [at, { role, parts: given }] of contents.entries()) {
      if (given.length === 0) rules.problems.push(`an empty content of the ${role}`)
      const calls = given.flatMap(({ functionCall }) => (functionCall === undefined ? [] : [functionCall]))
      // Vertex leaves the ids out.
      for (const [call, { id = `${at} ${call}`, name, args }] of calls.entries()) rules.call(id, name, args)
      const next = contents[at + 1]?.parts ?? []
      const isResponse = given.some(({ functionResponse }) => functionResponse !== undefined)
      if (contents[at + 1]?.role === role && !isResponse) rules.problems.push(`two contents of the ${role}`)
      const results = next.flatMap(({ functionResponse }) => (functionResponse === undefined ? [] : [functionResponse]))
      const named = ({ id, name }: { readonly id: string; readonly name: string }) => `${id} of ${name}`
      rules.answered(calls.map(named), results.map(named))
    }
    return rules.problems
  },
}
