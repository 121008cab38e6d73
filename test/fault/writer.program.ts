// Puts and caches for ever, and writes what was acknowledged to a file outside the store. The test kills it.
import { openSync, writeSync } from 'node:fs'
import { createRuntime, defineRuntime, defineTenant, openStore } from 'bailiwick'
import { contentOf } from './content.ts'

const [, , url, acknowledgedFile, from] = process.argv as [string, string, string, string, string]
const file = openSync(acknowledgedFile, 'a')
const store = await openStore(url)
const { references, cache } = await createRuntime(defineRuntime({ tenant: defineTenant('acme', 'v1') }), { store })

/** A line per acknowledgement, written at once: a kill of the process loses nothing that was handed to the system. */
function acknowledge(index: number, id: string): void {
  writeSync(file, `${index} ${id}\n`)
  console.log(index)
}

async function writer(first: number, step: number): Promise<never> {
  for (let index = first; ; index += step) {
    const { id } = await references.put('thing', contentOf(index))
    acknowledge(index, id)
    void cache.set(`${index % 10}`, contentOf(index))
    if (index % 5 === 0) {
      const many = await references.putMany([
        { type: 'many', value: contentOf(index) },
        { type: 'many', value: { index } },
      ])
      acknowledge(index, many[0]?.id as string)
    }
  }
}

const writers = 4
await Promise.all(Array.from({ length: writers }, (_, number) => writer(Number(from) + number, writers)))
