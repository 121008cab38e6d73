import { listAllTools, type McpClient, type McpTool } from './client.ts'

/** The notification that a server's tools are others than before. */
const listChanged = 'notifications/tools/list_changed'

/** Changes of a server's tools. */
export interface McpToolsChange {
  /** Tools that it has now and did not have, by their names at the server. */
  readonly added: readonly string[]
  /** Tools that it no longer has. Calls of them fail, and the model sees why. */
  readonly removed: readonly string[]
  /** Tools that say something else of themselves than they did. They are called as they were. */
  readonly changed: readonly string[]
}

/** Called with a change. What it throws or rejects with becomes a warning of the process. */
export type ToolsChanged = (change: McpToolsChange) => void | Promise<void>

/** Tools of a server, as it last listed them. */
export class ServerTools {
  #listed: readonly McpTool[]
  #names: ReadonlySet<string>
  readonly #toolsChanged: ToolsChanged | undefined

  constructor(listed: readonly McpTool[], toolsChanged: ToolsChanged | undefined) {
    this.#listed = listed
    this.#names = namesOf(listed)
    this.#toolsChanged = toolsChanged
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** Takes in what the server has now. `undefined`: that is no change. */
  learn(now: readonly McpTool[]): McpToolsChange | undefined {
    const change = changeBetween(this.#listed, now)
    this.#listed = now
    this.#names = namesOf(now)
    if (change !== undefined) void this.#tell(change)
    return change
  }

  async #tell(change: McpToolsChange): Promise<void> {
    try {
      await this.#toolsChanged?.(change)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      process.emitWarning(`toolsChanged failed: ${reason}`, { code: 'BAILIWICK_MCP_TOOLS_CHANGED_FAILED' })
    }
  }
}

function namesOf(tools: readonly McpTool[]): Set<string> {
  return new Set(tools.map(({ name }) => name))
}

/** The handler that both client versions call for notifications without a handler of their own. */
interface Notified {
  fallbackNotificationHandler?: ((notification: { readonly method?: unknown }) => Promise<void>) | undefined
}

/** Tool lists to update, by client, held weakly. */
const watching = new WeakMap<McpClient, Set<WeakRef<ServerTools>>>()

/**
 * Keeps `tools` up to date whenever the server announces a change, for as long as they are referenced. The
 * client's `fallbackNotificationHandler` hears it, in front of the host's own: a handler of the host's for this very
 * notification goes before it, and `refresh` is for that.
 */
export function watch(client: McpClient, tools: ServerTools): void {
  const known = watching.get(client)
  if (known !== undefined) {
    for (const held of known) if (held.deref() === undefined) known.delete(held)
    known.add(new WeakRef(tools))
    return
  }
  const watchers = new Set([new WeakRef(tools)])
  watching.set(client, watchers)
  const again = oneAtATime(async () => {
    const live = [...watchers].map((held) => held.deref()).filter((held) => held !== undefined)
    if (live.length === 0) return
    const now = await listAllTools(client)
    for (const held of live) held.learn(now)
  })
  const notified = client as Notified
  const before = notified.fallbackNotificationHandler
  notified.fallbackNotificationHandler = async (notification) => {
    if (notification?.method === listChanged) await again()
    await before?.call(client, notification)
  }
}

/** Does the work once more if it was wanted while it was done, and never twice at a time. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let under: Promise<void> | undefined
  let wanted = false
  return () => {
    wanted = true
    under ??= (async () => {
      try {
        while (wanted) {
          wanted = false
          await work()
        }
      } finally {
        under = undefined
      }
    })()
    return under
  }
}

/** The difference between two lists. `undefined`: there is none. */
export function changeBetween(before: readonly McpTool[], after: readonly McpTool[]): McpToolsChange | undefined {
  const [old, now] = [byName(before), byName(after)]
  const added = [...now.keys()].filter((name) => !old.has(name))
  const removed = [...old.keys()].filter((name) => !now.has(name))
  const changed = [...now].filter(([name, said]) => old.has(name) && old.get(name) !== said).map(([name]) => name)
  return added.length + removed.length + changed.length === 0 ? undefined : { added, removed, changed }
}

function byName(tools: readonly McpTool[]): Map<string, string> {
  return new Map(
    tools.map(({ name, title, description, inputSchema, outputSchema, annotations }) => [
      name,
      JSON.stringify([title, description, inputSchema, outputSchema, annotations], sorted),
    ]),
  )
}

/** Members in alphabetical order: a server may list the same in another one. */
function sorted(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
}
