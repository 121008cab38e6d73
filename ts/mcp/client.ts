import { InvalidInputError } from '../errors/index.ts'
import type { JsonSchema } from '../types/json.ts'
import type { Retry } from './input-requests.ts'

// The client of the Model Context Protocol's TypeScript SDK, as far as it is used here: `@modelcontextprotocol/client` 2.x
// and `@modelcontextprotocol/sdk` 1.x. Described structurally, so that neither has to be installed.

/** A connected MCP client. */
export interface McpClient {
  listTools(params?: { cursor?: string }): Promise<McpToolPage>
  // The further parameters differ between the versions: see `callTool`.
  callTool(params: McpCall, ...rest: never[]): Promise<object>
}

/** A page of a server's tools. */
export interface McpToolPage {
  readonly tools: readonly McpTool[]
  readonly nextCursor?: string | undefined
}

/** A tool of a server. */
export interface McpTool {
  readonly name: string
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly inputSchema: JsonSchema
  readonly outputSchema?: JsonSchema | undefined
  readonly annotations?:
    | { readonly title?: string | undefined; readonly readOnlyHint?: boolean | undefined }
    | undefined
}

/** A call of a server's tool. */
export interface McpCall {
  name: string
  arguments?: { [argument: string]: unknown }
}

/** More pages than this are taken for a server that never ends. */
const mostPages = 1000

/**
 * Returns all tools of a server. A client 2.x reads all pages by itself. `leaveOut` receives entries that are no tool.
 *
 * @throws InvalidInputError (rejected) if the server's answer has no list of tools, and whatever the client rejects with
 */
export async function listAllTools(
  client: McpClient,
  leaveOut: (name: string, reason: string) => void = () => {},
): Promise<McpTool[]> {
  let page = await client.listTools()
  const tools: McpTool[] = []
  let seen = 0
  const take = () => {
    if (!Array.isArray(page?.tools)) {
      throw new InvalidInputError('The MCP server answered tools/list without a list of tools. Look at the server.')
    }
    for (const tool of page.tools as readonly (McpTool | null)[]) {
      if (typeof tool?.name === 'string') tools.push(tool)
      else leaveOut(`tools[${seen}]`, 'It is no tool: it has no name.')
      seen += 1
    }
  }
  take()
  for (let pages = 1; page.nextCursor !== undefined; pages += 1) {
    if (pages === mostPages)
      throw new Error(`The MCP server has more than ${mostPages} pages of tools; it may never end.`)
    page = await client.listTools({ cursor: page.nextCursor })
    take()
  }
  return tools
}

/** The parts of a client 2.x that say whether it hands over what a server asks for. */
interface AskingClient {
  getProtocolEra?(): unknown
  assertCanSetRequestHandler?(method: string): void
}

/**
 * Calls a tool. The call lasts until the signal is aborted: the client's own limit, 60 s by default, is put out of the way. The result
 * may be one that asks for input.
 */
export async function callTool(
  client: McpClient,
  tool: McpTool,
  call: McpCall & Retry,
  signal: AbortSignal,
): Promise<object> {
  const options = { signal, timeout: 2 ** 31 - 1, ...(handsOver(client) ? handedOver(tool) : {}) }
  const method = client.callTool as (this: McpClient, call: McpCall, ...rest: unknown[]) => Promise<object>
  // 2.x takes (call, options), 1.x (call, schema = …, options): a parameter with a default ends a function's length.
  const rest = client.callTool.length === 2 ? [options] : [undefined, options]
  return await method.call(client, call, ...rest)
}

/**
 * Whether the client can hand over results that ask for input, and should: if the host has registered a handler for elicitations, the
 * client answers them with that, within the call.
 */
function handsOver(client: McpClient & AskingClient): boolean {
  if (client.getProtocolEra?.() !== 'modern') return false
  try {
    client.assertCanSetRequestHandler?.('elicitation/create')
    return true
  } catch {
    return false
  }
}

/**
 * Returns the options for a result that asks for input. The client 2.4 misses structured content in it, so it gets the tool without the
 * schema of its output: the core checks the output anyway.
 */
function handedOver({ outputSchema, ...tool }: McpTool): object {
  return { allowInputRequired: true, ...(outputSchema === undefined ? {} : { toolDefinition: tool }) }
}
