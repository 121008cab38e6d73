/** Conversation rules of a family of providers, as observed with their packages and services. */
export interface Dialect {
  /**
   * Under which names of metadata it looks for its own, if that is known: it makes nothing of a blank text or reasoning without
   * one of them.
   */
  readonly names: readonly string[] | undefined
  /** Whether it takes a blank text for the sake of its metadata. */
  readonly takesBlankText: boolean
  /** Whether a message of the assistant may hold a file. Others leave it out, and an empty message remains. */
  readonly takesFilesOfAssistant: boolean
  /** Whether it refuses calls and results unless it is offered tools. */
  readonly wantsTools: boolean
  /** Whether it refuses two messages of the user, or of the assistant, one after the other. */
  readonly wantsTurns: boolean
  /** Whether it refuses the user's message right after results. */
  readonly wantsAnswers: boolean
  /** Whether ids of calls are nine letters or digits. */
  readonly wantsIdsOfNine: boolean
}

const plain: Dialect = {
  names: [],
  takesBlankText: false,
  takesFilesOfAssistant: false,
  wantsTools: false,
  wantsTurns: false,
  wantsAnswers: false,
  wantsIdsOfNine: false,
}

/** By the `provider` of their language models. The first that fits counts. */
const dialects: readonly (readonly [RegExp, Dialect])[] = [
  [
    /anthropic|bedrock/,
    { ...plain, names: ['anthropic', 'bedrock', 'amazonBedrock', 'vertex', 'googleVertex'], wantsTools: true },
  ],
  [
    /google|vertex/,
    {
      ...plain,
      names: ['google', 'googleVertex', 'vertex'],
      takesBlankText: true,
      takesFilesOfAssistant: true,
      wantsTurns: true,
    },
  ],
  [/^mistral\./, { ...plain, wantsTurns: true }],
  [/\.responses$/, { ...plain, names: ['openai', 'azure', 'xai'], takesBlankText: true }],
  [/\.chat$/, plain],
]

/** Models of Mistral are as strict on every server. */
const mistral = /mistral|ministral|magistral|codestral|devstral|pixtral/i

/** A provider that is not known is given everything. */
const unknown: Dialect = { ...plain, names: undefined, takesBlankText: true, takesFilesOfAssistant: true }

/** Returns the conversation rules of a provider's model. */
export function dialectOf(provider: string, modelId: string): Dialect {
  const dialect = dialects.find(([names]) => names.test(provider))?.[1] ?? unknown
  const isMistral = mistral.test(provider) || mistral.test(modelId)
  return isMistral ? { ...dialect, wantsAnswers: true, wantsIdsOfNine: true } : dialect
}
