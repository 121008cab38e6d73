/** What a family of providers does with a conversation, as their packages and services have been seen to do it. */
export interface Dialect {
  /** Under which names of metadata it looks for its own; it makes nothing of a blank text or reasoning without. */
  readonly names: readonly string[]
  /** Whether it takes a blank text for the sake of its metadata. */
  readonly takesBlankText: boolean
  /** Whether a message of the assistant may hold a file. Others leave it out, and an empty message remains. */
  readonly takesFilesOfAssistant: boolean
  /** Whether it refuses calls and results unless it is offered tools. */
  readonly wantsTools: boolean
}

/** By the `provider` of their language models. The first that fits counts. */
const dialects: readonly (readonly [RegExp, Dialect])[] = [
  [
    /anthropic|bedrock/,
    {
      names: ['anthropic', 'bedrock', 'amazonBedrock', 'vertex', 'googleVertex'],
      takesBlankText: false,
      takesFilesOfAssistant: false,
      wantsTools: true,
    },
  ],
  [
    /google|vertex/,
    {
      names: ['google', 'googleVertex', 'vertex'],
      takesBlankText: true,
      takesFilesOfAssistant: true,
      wantsTools: false,
    },
  ],
  [
    /\.responses$/,
    { names: ['openai', 'azure', 'xai'], takesBlankText: true, takesFilesOfAssistant: false, wantsTools: false },
  ],
  [/\.chat$/, { names: [], takesBlankText: false, takesFilesOfAssistant: false, wantsTools: false }],
]

/** `undefined` for a provider that is not known, which is given everything. */
export function dialectOf(provider: string): Dialect | undefined {
  return dialects.find(([names]) => names.test(provider))?.[1]
}
