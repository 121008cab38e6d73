import { InvalidInputError, SpecError } from '../errors/index.ts'
import type { ToolHandler } from '../spec/callbacks.ts'
import { Issues, pathTo } from '../spec/issues.ts'
import type { JsonObject } from '../spec/json-value.ts'
import { messages } from '../spec/messages.ts'
import { type ApprovalPolicy, defineTool, type Tool } from '../spec/tool.ts'
import { callTool, listAllTools, type McpClient, type McpTool } from './client.ts'
import { toResult } from './result.ts'

/** What goes for all tools of a server. */
export interface McpToolsOptions {
  /** Goes before every name, as it is: `github_` makes `github_search` of `search`. Default: nothing. */
  readonly prefix?: string
  /** Default `never`. With `dynamic`, `createRuntime`'s `needsApproval` says for which calls a person must agree. */
  readonly approval?: ApprovalPolicy
  /** How long a call may take: a positive number of milliseconds. Default: as long as the run. */
  readonly timeoutMs?: number
}

/** The tools of an MCP server. */
export interface McpTools {
  /** For the spec. What their handlers take is for the server to say, so it has no type here. */
  readonly tools: Tool<string, never>[]
  /** For `createRuntime`, by the names of the tools. */
  readonly handlers: { readonly [name: string]: ToolHandler<JsonObject> }
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
 * @throws SpecError (rejected) with every tool that cannot be one of ours, for example by its name; InvalidInputError for
 *   what is no client; whatever the client rejects with
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
  const { prefix = '', ...common } = options
  if (typeof prefix !== 'string') throw new InvalidInputError('prefix must be a text such as "github_".')
  const issues = new Issues()
  const tools: Tool<string, never>[] = []
  const handlers = new Map<string, ToolHandler<JsonObject>>()
  for (const [index, given] of (await listAllTools(client)).entries()) {
    const path = pathTo('tools', index)
    const tool = define(given, { ...common, prefix }, path, issues)
    if (tool === undefined) continue
    if (handlers.has(tool.name)) issues.add(`${path}.name`, messages.duplicateName)
    tools.push(tool)
    handlers.set(tool.name, async (input, { signal, references }) =>
      toResult(await callTool(client, { name: given.name, arguments: { ...input } }, signal), references),
    )
  }
  issues.throwIfAny()
  return { tools, handlers: Object.fromEntries(handlers) }
}

/** The tool as ours; issues if it cannot be one. */
function define(
  given: McpTool,
  { prefix, approval, timeoutMs }: McpToolsOptions & { readonly prefix: string },
  path: string,
  issues: Issues,
): Tool<string, never> | undefined {
  const name = prefix + given.name
  try {
    return defineTool({
      name,
      description: given.description || given.title || given.annotations?.title || given.name,
      input: given.inputSchema,
      ...(given.outputSchema === undefined ? {} : { output: given.outputSchema }),
      effects: given.annotations?.readOnlyHint === true ? 'read' : 'write',
      ...(approval === undefined ? {} : { approval }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }) as Tool<string, never>
  } catch (error) {
    if (!SpecError.isInstance(error)) throw error
    for (const issue of error.issues)
      issues.add(`${path}.${issue.path}`, `${issue.message} The tool would be ${JSON.stringify(name)}.`)
    return undefined
  }
}
