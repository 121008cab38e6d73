import { createAmazonBedrock } from '@ai-sdk/amazon-bedrock'
import { bedrock } from '../wires/bedrock.ts'
import { signature } from '../wires/wire.ts'
import type { Provider } from './provider.ts'

export const amazonBedrock: Provider = {
  package: '@ai-sdk/amazon-bedrock',
  modelId: 'amazon.nova-pro-v1:0',
  create: (baseURL) => createAmazonBedrock({ apiKey: 'key', region: 'us-east-1', baseURL }),
  wire: bedrock,
  reasoning: [`"signature":"${signature}"`],
  // Models without structured output of their own are given a tool with the schema.
  schemaOf: ({ toolConfig }) => toolConfig?.tools.at(-1).toolSpec.inputSchema.json,
  warned: { settings: { seed: 7 }, warning: 'seed' },
}
