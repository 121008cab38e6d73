// The model that answers: a script, or the model that the environment variable MODEL names, such as openai/gpt-5.
import type { Model } from 'bailiwick'
import { fromAiSdk } from 'bailiwick/ai-sdk'
import { script } from './script.ts'

/** The model of the agents: the provider and its name for the model. The script needs no key. */
export const modelName = process.env['MODEL'] || 'script/clerk'
if (!/^[\w-]+\/./.test(modelName)) throw new Error(`MODEL is ${modelName}. Write it as anthropic/claude-sonnet-4-5.`)

/**
 * Providers of the AI SDK, each with the variable of its key. Add others whose package exports the provider under the name of the package,
 * such as mistral, groq and xai: https://ai-sdk.dev/providers
 */
const keys = new Map([
  ['anthropic', 'ANTHROPIC_API_KEY'],
  ['google', 'GOOGLE_GENERATIVE_AI_API_KEY'],
  ['openai', 'OPENAI_API_KEY'],
])

/** Loads the provider of the model, which has to be installed, and says what is missing. */
export async function loadModels(): Promise<Record<string, Model>> {
  const [provider = ''] = modelName.split('/')
  if (provider === 'script') return { script }
  const key = keys.get(provider)
  const known = [...keys.keys()].join(', ')
  if (!key) throw new Error(`MODEL is ${modelName}. Its provider must be one of ${known}; add yours to src/models.ts.`)
  const name = `@ai-sdk/${provider}`
  const module = await import(name).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new Error(`MODEL is ${modelName}, and ${name} is not installed. Run: npm install ${name}`)
  })
  if (!process.env[key]) throw new Error(`MODEL is ${modelName}, and ${key} is not set. Set it to your key.`)
  return { [provider]: fromAiSdk(module[provider]) }
}
