import { createRequire } from 'node:module'
import process from 'node:process'
import { InvalidInputError, type Model, type ModelEvent, type ModelRequest, type Part } from 'bailiwick'
import { fromAiSdk } from 'bailiwick/ai-sdk'
import { scriptedModel } from 'bailiwick/testing'

/** A model for the session, and its name in specs. */
export interface SessionModel {
  /** `provider/model` */
  readonly name: string
  readonly model: Model
  /** One line that describes it. */
  readonly note: string
}

const usage = { inputTokens: 0, outputTokens: 0 }

/** Returns the scripted model, or a real one by its name, such as `anthropic/claude-sonnet-4-5`. */
export function sessionModel(name: string | undefined): SessionModel {
  if (name === undefined) {
    const note =
      'The model is scripted: it looks at what it is asked and needs no key. --model provider/name takes a real one.'
    return { name: 'scripted/analyst', model: scriptedModel(say), note }
  }
  const [provider, modelId] = name.split(/\/(.*)/s)
  if (!provider || !modelId)
    throw new InvalidInputError('--model must be provider/name, such as anthropic/claude-sonnet-4-5.')
  return { name, model: realModel(provider, modelId), note: `The model is ${name}.` }
}

/** Loads the AI SDK's package of that provider, which must be installed and reads its key from the environment. */
function realModel(provider: string, modelId: string): Model {
  const key = `${provider.toUpperCase().replaceAll('-', '_')}_API_KEY`
  if (!process.env[key]) throw new InvalidInputError(`--model ${provider}/… needs a key in ${key}.`)
  let sdk: { readonly [name: string]: unknown }
  try {
    sdk = createRequire(import.meta.url)(`@ai-sdk/${provider}`)
  } catch {
    throw new InvalidInputError(
      `--model ${provider}/… needs the package @ai-sdk/${provider}: npm install @ai-sdk/${provider}.`,
    )
  }
  const source = sdk[provider] as ((id: string) => Parameters<typeof fromAiSdk>[0]) | undefined
  if (typeof source !== 'function') throw new InvalidInputError(`@ai-sdk/${provider} has no export named ${provider}.`)
  return fromAiSdk(source(modelId))
}

const plan = {
  goal: 'Find the phases of flight in which birds are struck most often at night',
  steps: [
    { id: 'load', tool: 'load_rows', input: { dataSet: 'birdstrikes' } },
    {
      id: 'night',
      tool: 'filter_rows',
      input: { rows: { $step: 'load' }, column: 'Time of day', equals: 'Night' },
    },
    { id: 'phases', tool: 'count_rows', input: { rows: { $step: 'night' }, by: 'Phase of flight', top: 3 } },
  ],
}

/** Answers as the scripted model, from the offered tools and their results. */
function say({ messages, tools }: ModelRequest): ModelEvent[] {
  if (tools.length === 0) return text(JSON.stringify(plan))
  const result = messages.at(-1)?.parts.find((part) => part.type === 'tool-result')
  if (result !== undefined) return text(sentence(result))
  const task = messages
    .at(-1)
    ?.parts.map((part) => (part.type === 'text' ? part.text : ''))
    .join(' ')
  return [
    { type: 'text.delta', id: 'text', delta: 'I hand this to the planner. ' },
    { type: 'tool.call', callId: 'to-planner', tool: 'planner', input: JSON.stringify({ task }) },
    { type: 'finish', reason: 'tool-calls', usage },
  ]
}

/** Answers from the result of the plan. */
function sentence({ result, isError }: Extract<Part, { type: 'tool-result' }>): string {
  if (isError) return 'There is no answer: the plan was not run.'
  const { steps } = result as unknown as {
    steps: { phases: { glimpse: { first: { [column: string]: string | number }[] } } }
  }
  const phases = steps.phases.glimpse.first.map((row) => `${row['Phase of flight']} (${row['count']})`)
  return `At night birds are struck most often during ${phases.join(', ')}.`
}

function text(words: string): ModelEvent[] {
  // In pieces, as a remote model answers.
  const deltas = words.match(/.{1,24}/gs) ?? []
  return [
    ...deltas.map((delta): ModelEvent => ({ type: 'text.delta', id: 'text', delta })),
    { type: 'finish', reason: 'stop', usage },
  ]
}
