/** An agent of a spec, as far as it matters here. */
interface Agent {
  readonly name: string
  readonly role: string
  readonly tools: readonly string[]
}

/** Returns the agent that `query` asks, as the core chooses it: the coordinator, or the only specialist that no other agent calls. */
export function askedAgent(agents: readonly Agent[]): string | undefined {
  const front = agents.find(({ role }) => role === 'coordinator')
  if (front !== undefined) return front.name
  const called = new Set(agents.flatMap(({ tools }) => tools))
  const [first, ...others] = agents.filter(({ role, name }) => role === 'specialist' && !called.has(name))
  return others.length === 0 ? first?.name : undefined
}
