import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { createRuntime, defineRuntime, defineTenant, openStore, type Runtime } from 'bailiwick'
import { storedBytes } from '../disk.ts'
import type { Conditions, Finding } from '../finding.ts'
import { freshBytes } from '../values.ts'

const BYTES = 256
const TOGETHER = 250
const SLOT_BYTES = 256
const MOST_MS = 100

/** Erasing a tenant with many records: how long until its keys are destroyed, and until everything is gone. */
export async function eraseTenant(conditions: Conditions): Promise<Finding> {
  const directory = join(conditions.folder, 'erase')
  mkdirSync(directory)
  const place = join(directory, 'bailiwick')
  const store = await openStore(`sled:${place}`)
  const spec = defineRuntime({ tenant: defineTenant('leaving', 'v1') })
  const runtime = await createRuntime(spec, { store })
  await fill(runtime, conditions.openRecords)
  const slots = usedSlots(place)
  const before = storedBytes(place)
  const start = performance.now()
  const erase = runtime.erase({ confirm: 'leaving' })
  while (usedSlots(place) === slots) await delay(1)
  const keys = performance.now() - start
  const receipt = await erase
  const whole = performance.now() - start
  if (!receipt.complete) throw new Error('The erase is not complete.')
  await store.close()
  return {
    row: 'erase a tenant',
    load: `${conditions.openRecords} references of ${BYTES} B, alone in its store`,
    figures: [
      { contender: 'bailiwick', what: 'ms until its keys are destroyed', value: keys },
      { contender: 'bailiwick', what: 'ms until all is gone', value: whole },
      { contender: 'bailiwick', what: 'stored bytes before', value: before },
      { contender: 'bailiwick', what: 'stored bytes after closing', value: storedBytes(place) },
    ],
    ratios: [{ of: 'ms until the keys are destroyed', value: keys, target: { atMost: MOST_MS } }],
  }
}

/** Keeps so many new references, a commit for many. */
export async function fill({ references }: Runtime, count: number, ttlMs?: number): Promise<void> {
  const options = ttlMs === undefined ? {} : { ttlMs }
  for (let done = 0; done < count; done += TOGETHER) {
    const items = Array.from({ length: Math.min(TOGETHER, count - done) }, () => ({
      type: 'sample',
      value: freshBytes(BYTES),
      ...options,
    }))
    await references.putMany(items)
  }
}

/** How many slots of the file of keys hold something. */
function usedSlots(place: string): number {
  const file = readFileSync(join(place, 'keys'))
  let used = 0
  for (let at = 0; at < file.length; at += SLOT_BYTES) used += file[at] === 0 ? 0 : 1
  return used
}
