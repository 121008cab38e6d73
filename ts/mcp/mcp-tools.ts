import { type Checks, option, readOptions } from '../arguments/options.ts'
import { definableToolName } from '../common/tool-names.ts'
import { InvalidInputError, SpecError } from '../errors/index.ts'
import { Issues, pathTo } from '../spec/checks/issues.ts'
import { messages } from '../spec/checks/messages.ts'
import { type ApprovalPolicy, defineTool, type Tool } from '../spec/definitions/tool.ts'
import type { ToolHandler } from '../types/callbacks.ts'
import type { JsonObject } from '../types/json.ts'
import { callOrAsk } from './asking-calls.ts'
import { type McpToolsChange, ServerTools, type ToolsChanged, watch } from './changes.ts'
import { listAllTools, type McpClient, type McpTool } from './client.ts'

/** Options of `mcpTools`, for all tools of a server. */
export interface McpToolsOptions {
  /** Goes before every name, as it is: `github_` makes `github_search` of `search`. Default: nothing. */
  readonly prefix?: string
  /** Default `never`. With `dynamic`, `createRuntime`'s `needsApproval` says for which calls a person must agree. */
  readonly approval?: ApprovalPolicy
  /** Timeout of a call: a positive number of milliseconds. Default: as long as the run. */
  readonly timeoutMs?: number
  /**
   * New name of a tool, by its name at the server: the whole name, without the prefix. A tool that it does not
   * name is named by the rule that {@link mcpTools} says.
   */
  readonly rename?: { readonly [name: string]: string } | ((name: string) => string | undefined)
  /** Tools that are not wanted, by their names at the server. */
  readonly skip?: readonly string[] | ((name: string) => boolean)
  /**
   * Called when the server's tools have changed: a new runtime can use them. What it throws or rejects with
   * becomes a warning of the process.
   */
  readonly toolsChanged?: ToolsChanged
}

const checks: Checks<McpToolsOptions> = {
  prefix: option.any,
  approval: option.any,
  timeoutMs: option.any,
  rename: option.any,
  skip: option.any,
  toolsChanged: option.function,
}

/** The tools of an MCP server. */
export interface McpTools {
  /** For the spec. What their handlers take is for the server to say, so it has no type here. */
  readonly tools: Tool<string, never>[]
  /** For `createRuntime`, by the names of the tools. */
  readonly handlers: { readonly [name: string]: ToolHandler<JsonObject> }
  /** The tools that are not called what the server calls them, but for the prefix. */
  readonly renamed: readonly { readonly name: string; readonly tool: string }[]
  /** The tools of the server that cannot be used, with the reason; each is a warning of the process, too. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
  /** Asks the server for its tools again, as is done when it says that they have changed. `undefined`: they have not. */
  refresh(): Promise<McpToolsChange | undefined>
}

/**
 * The tools that an MCP server has now, for agents to call. The client (`@modelcontextprotocol/client` 2.x or
 * `@modelcontextprotocol/sdk` 1.x) is connected already and stays yours to close. The server gets a call's arguments and
 * nothing else: neither tenant nor run.
 *
 * A tool that says `readOnlyHint` has the effects `read`, every other `write`: what a hint says is only as good as the
 * server. Images, audio and binary resources are kept as references of the type `mcp-content`; a result with `isError` is a
 * failed call.
 *
 * A tool whose server asks for a person's input waits for it (`waitFor.answer`), as tools of your own can. This needs a client 2.x that
 * speaks protocol 2026-07-28 and declares the capability `elicitation`, and has no handler for it.
 *
 * A server's name that is no tool name (`db.query`, `9lives`, over 64 characters) is made one: other characters become `_`,
 * and the name ends with 12 hexadecimal digits of its SHA-256, so that no two become the same whatever other tools the server has.
 * A tool that cannot be used, for example because its schema refers to another file, is left out: see `skipped`. Schemas are
 * compiled at once, which loads the addon.
 *
 * @throws SpecError (rejected) with what `approval`, `timeoutMs` and `rename` make wrong; InvalidInputError for what is no client,
 *   prefix or `skip`; whatever the client rejects with
 * @example
 * ```ts
 * const github = await mcpTools(client, { prefix: 'github_', approval: 'always' })
 * const helper = defineSpecialist({ name: 'helper', model, prompt, tools: [search, ...github.tools] })
 * const spec = defineRuntime({ tenant, agents: [helper] })
 * const runtime = await createRuntime(spec, { models, tools: { ...github.handlers, search: handleSearch } })
 * ```
 */
export async function mcpTools(client: McpClient, options: McpToolsOptions = {}): Promise<McpTools> {
  if (typeof client?.listTools !== 'function' || typeof client.callTool !== 'function') {
    throw new InvalidInputError('client must be a connected MCP client, with listTools and callTool.')
  }
  const { nameOf, isWanted, common, toolsChanged } = checkOptions(options)
  const issues = new Issues()
  const skipped: { name: string; reason: string }[] = []
  const leaveOut = (name: string, reason: string) => skipped.push({ name, reason })
  const listed = await listAllTools(client, leaveOut)
  const usable: { readonly given: McpTool; readonly tool: Tool<string, never> }[] = []
  const byName = new Map<string, McpTool>()
  for (const given of listed) {
    if (!isWanted(given.name)) continue
    const name = nameOf(given.name)
    const before = byName.get(name)
    if (before !== undefined && before.name !== given.name) {
      issues.add(pathTo('rename', given.name), `${messages.duplicateName} It is ${JSON.stringify(name)}.`)
    } else if (before !== undefined) {
      leaveOut(given.name, messages.duplicateName)
    } else {
      byName.set(name, given)
      const tool = define(given, name, common, leaveOut)
      if (tool !== undefined) usable.push({ given, tool })
    }
  }
  issues.throwIfAny()
  // Loaded when it is needed: who only imports this does without the addon.
  const { unusableTools } = await import('../runs/host/unusable-tools.ts')
  const reasons = await unusableTools(usable.map(({ tool }) => tool))
  for (const [at, reason] of reasons) leaveOut(usable[at]?.given.name ?? '', reason)
  warnOf(skipped)

  const server = new ServerTools(listed, toolsChanged)
  watch(client, server)
  const taken = usable.filter((_, at) => !reasons.has(at))
  const handlers = taken.map(({ given, tool }): [string, ToolHandler<JsonObject>] => [
    tool.name,
    async (input, context) => {
      if (!server.has(given.name)) throw new Error(messageOfGone(tool.name))
      return await callOrAsk(client, given, tool.name, input, context)
    },
  ])
  return {
    tools: taken.map(({ tool }) => tool),
    handlers: Object.fromEntries(handlers),
    renamed: taken.flatMap(({ given, tool }) =>
      tool.name === (options.prefix ?? '') + given.name ? [] : [{ name: given.name, tool: tool.name }],
    ),
    skipped,
    refresh: async () => server.learn(await listAllTools(client)),
  }
}

/** Checks the options before any request to the server: a wrong option is not the fault of a tool. */
function checkOptions(options: McpToolsOptions) {
  const { prefix = '', rename = {}, skip = [], toolsChanged, approval, timeoutMs } = readOptions(options, checks)
  if (typeof prefix !== 'string' || !/^(?:[A-Za-z][A-Za-z0-9_-]{0,31})?$/.test(prefix)) {
    throw new InvalidInputError(
      'prefix must be a text such as "github_": a letter, then at most 31 letters, digits, "_" or "-".',
    )
  }
  if (typeof skip !== 'function' && !Array.isArray(skip)) {
    throw new InvalidInputError('skip must be a list of names at the server, or a function of one.')
  }
  if (typeof rename !== 'function' && (typeof rename !== 'object' || rename === null)) {
    throw new InvalidInputError('rename must be an object by names at the server, or a function of one.')
  }
  const common = {
    ...(approval === undefined ? {} : { approval }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  defineTool({ name: 'any', description: 'Any', input: { type: 'object' }, ...common })
  const renamed = (name: string): unknown =>
    typeof rename === 'function' ? rename(name) : Object.hasOwn(rename, name) ? rename[name] : undefined
  return {
    common,
    toolsChanged,
    isWanted: (name: string) => !(typeof skip === 'function' ? skip(name) : skip.includes(name)),
    nameOf: (name: string): string => {
      const given = renamed(name)
      if (given === undefined) return definableToolName(prefix + name)
      if (typeof given === 'string' && /^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(given)) return given
      throw new SpecError([{ path: pathTo('rename', name), message: messages.toolName }])
    },
  }
}

/** The tool as ours. What it cannot be one for is left out with the reason. */
function define(
  given: McpTool,
  name: string,
  common: { readonly approval?: ApprovalPolicy; readonly timeoutMs?: number },
  leaveOut: (name: string, reason: string) => void,
): Tool<string, never> | undefined {
  try {
    return defineTool({
      name,
      description: given.description || given.title || given.annotations?.title || given.name || name,
      input: given.inputSchema,
      ...(given.outputSchema === undefined ? {} : { output: given.outputSchema }),
      effects: given.annotations?.readOnlyHint === true ? 'read' : 'write',
      ...common,
    }) as Tool<string, never>
  } catch (error) {
    if (!SpecError.isInstance(error)) throw error
    leaveOut(given.name, error.issues.map(({ path, message }) => `${path}: ${message}`).join(' '))
    return undefined
  }
}

function warnOf(skipped: readonly { readonly name: string; readonly reason: string }[]): void {
  for (const { name, reason } of skipped) {
    const message = `The tool ${JSON.stringify(name)} of an MCP server cannot be used and is left out. ${reason}`
    process.emitWarning(message, { code: 'BAILIWICK_MCP_TOOL_LEFT_OUT' })
  }
}

function messageOfGone(name: string): string {
  return `The server does not have the tool ${name} any more. Do without it, or use another tool.`
}
