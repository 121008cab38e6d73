// What one verb takes when it is called often at once. Parameters: the store's URL, the tenant's `inFlightBytes`, the verb, what
// the store was filled with. Prints how much the process grew, and what became of the calls.
import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { setImmediate as turn } from 'node:timers/promises'
import { createRuntime, defineRuntime, defineTenant, openStore, QuotaExceededError } from 'bailiwick'
import { verbsOf } from './memory-verbs.ts'

const [url = '', limit = '0', verb = '', filled = '{}'] = process.argv.slice(2)
const AT_ONCE = 32
const ROUNDS = 3
const store = await openStore(url, { cacheBytes: 8 << 20, openedCacheBytes: 1 << 20 })
const spec = defineRuntime({ tenant: defineTenant('acme', 'v1'), limits: { inFlightBytes: Number(limit) } })
const runtime = await createRuntime(spec, { store })
const call = verbsOf(runtime, JSON.parse(filled))[verb]
if (call === undefined) throw new Error(`There is no ${verb}.`)
// The cost that is paid once: threads, tables, code.
await runtime.references.put('warm', 'x')
await runtime.references.list({ limit: 1 })

for (let round = 0; round < 4; round += 1) globalThis.gc?.()
const before = process.memoryUsage().rss
const resets = forgetPeak()
let [answered, refused] = [0, 0]
for (let round = 0; round < ROUNDS; round += 1) {
  const calls: Promise<void>[] = []
  for (let number = 0; number < AT_ONCE; number += 1) {
    calls.push(one(round * AT_ONCE + number))
    // A call that is refused at once releases its arguments.
    await Promise.resolve().then(() => {})
    globalThis.gc?.()
  }
  await Promise.all(calls)
  await turn()
}
console.log(JSON.stringify({ grown: peak(resets) - before, answered, refused }))
await store.close()

async function one(number: number): Promise<void> {
  try {
    await call?.(number)
    answered += 1
  } catch (error) {
    if (!(error instanceof QuotaExceededError)) throw error
    refused += 1
  }
  // Garbage of JavaScript does not count: V8 decides when to collect it.
  globalThis.gc?.()
}

/** Resets the system's peak of memory, where it can. */
function forgetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
    return true
  } catch {
    return false
  }
}

/** Returns the peak of memory since the reset, or since the start of the process if the system cannot reset it. */
function peak(isNew: boolean): number {
  const line = isNew ? /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) : null
  return (line ? Number(line[1]) : process.resourceUsage().maxRSS) * 1024
}
