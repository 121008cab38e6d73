import { amazonBedrock } from './amazon-bedrock.ts'
import { anthropic } from './anthropic.ts'
import { cohere, deepseek, groq, mistral, openaiCompatible } from './chat.ts'
import { google, googleVertex } from './google.ts'
import { openai } from './openai.ts'
import type { Provider } from './provider.ts'
import { xai } from './xai.ts'

export const providers: readonly Provider[] = [
  openai,
  google,
  googleVertex,
  amazonBedrock,
  mistral,
  groq,
  xai,
  deepseek,
  cohere,
  anthropic,
  openaiCompatible,
]
