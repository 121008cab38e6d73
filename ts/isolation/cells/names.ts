import { Buffer } from 'node:buffer'
import { defineTenant, type NewMessage, type Runtime, SpecError } from '../../index.ts'
import { assertHolds, assertSame } from '../answers.ts'
import { type Environment, eraseAll, freshToken, open, withFixture } from '../environment.ts'
import { hostileNames, refusedNames, surrogates } from '../names.ts'
import type { CellPlan } from './cell.ts'

/** The longest name that a tenant or a thing may have, in bytes. */
const LONGEST_NAME = 256

/**
 * Names with delimiters, wildcards, lookalikes and half a pair, as tenants and as things. `bare`: tenants are called that
 * and nothing else, so the store must hold no other tenants.
 */
export function nameCells(bare: boolean): CellPlan[] {
  return [
    {
      row: 'M1',
      kind: 'runtime',
      verb: 'defineTenant',
      what: 'ill-formed names are refused and not rewritten',
      attempt: async () => refuses(defineTenant),
    },
    {
      row: 'B3',
      kind: 'runtime',
      verb: 'createRuntime',
      what: 'tenants of hostile names have each its own',
      attempt: (environment) => doNotMerge(environment, bare),
    },
    {
      row: 'B3',
      kind: 'runtime',
      verb: 'every verb that takes a name',
      what: 'resources with hostile names are distinct',
      attempt: (environment) => withFixture(environment, ({ own }) => resourcesDoNotMerge(own)),
    },
  ]
}

/** @throws IsolationError if `define` accepts a forbidden name */
export function refuses(define: (resourceId: string, version: string) => unknown): void {
  for (const name of [...refusedNames, ...surrogates, ...surrogates.map((surrogate) => `acme${surrogate}b`)]) {
    for (const [resourceId, version] of [[name, 'v1'] as const, ['acme', name] as const]) {
      let isRefused = false
      try {
        define(resourceId, version)
      } catch (error) {
        isRefused = SpecError.isInstance(error)
      }
      assertHolds(isRefused, `The name ${JSON.stringify(name)} was not refused.`)
    }
  }
}

async function doNotMerge(environment: Environment, bare: boolean): Promise<void> {
  const token = freshToken()
  const names = [...new Set(hostileNames.map((name) => (bare ? name : beginning(token, name))))]
  const runtimes: Runtime[] = []
  try {
    for (const name of names) runtimes.push(await open(environment, name))
    const content = { the: 'same' }
    const kept = await Promise.all(runtimes.map(({ references }) => references.put('thing', content)))
    const asked = await Promise.all(runtimes.map(({ approvals }) => approvals.request({ tool: 'ship', input: 1 })))
    await Promise.all(runtimes.map((runtime, index) => placeAll(runtime, 'same', index)))
    const ids = kept.map(({ id }) => id)
    assertSame('ids', new Set(ids).size, 'tenants', names.length)
    assertSame('hashes', new Set(asked.map(({ subjectHash }) => subjectHash)).size, 'tenants', names.length)
    for (const [index, runtime] of runtimes.entries()) {
      assertSame('a tenant', runtime.tenant.resourceId, 'its name', names[index])
      const found = await runtime.references.resolveMany(ids)
      assertSame(
        'found by all ids',
        found.map((one) => one !== undefined),
        'its own',
        ids.map((_, other) => other === index),
      )
      const listed = await runtime.references.list()
      assertSame(
        'listed',
        listed.items.map(({ id }) => id),
        'its own',
        [ids[index]],
      )
      assertSame('pending', (await runtime.approvals.pending()).items, 'its own', [asked[index]])
      await assertAll(runtime, 'same', index)
    }
  } finally {
    await Promise.all(runtimes.map((runtime) => runtime.close()))
    await eraseAll(environment.store, names)
  }
}

async function resourcesDoNotMerge(runtime: Runtime): Promise<void> {
  // Names that no tenant may have are valid here, including twins under NFC and control characters.
  const names = [...hostileNames, ...refusedNames].filter((name) => name !== '' && fits(name))
  for (const [index, name] of names.entries()) await placeAll(runtime, name, index)
  for (const [index, name] of names.entries()) await assertAll(runtime, name, index)
  const [plans, threads] = await Promise.all([
    runtime.plans.list({ limit: 1000 }),
    runtime.threads.list({ limit: 1000 }),
  ])
  assertSame('plans and threads', [plans.items.length, threads.items.length], 'names', [names.length, names.length])
  // Removing one removes no other.
  for (const [index, name] of names.entries()) {
    assertSame('deleted', [await runtime.threads.delete(name), await runtime.cache.delete(name)], 'one', [true, true])
    const left = await runtime.threads.list({ limit: 1000 })
    assertSame('left', left.items.length, 'all but those', names.length - index - 1)
  }
}

/** Gives a tenant a plan, a thread, an actor and a cached value of one name. */
async function placeAll({ cache, plans, threads }: Runtime, name: string, number: number): Promise<void> {
  assertSame('cached', await cache.get(name), 'nothing', undefined)
  await cache.set(name, number)
  const { version } = await plans.save({ type: 'launch', planId: name, goal: `${number}`, steps: [] })
  assertSame('the version of a new plan', version, 'the first', 1)
  await threads.append(name, [saying(`${number}`, name)], { expectedLength: 0 })
}

async function assertAll({ cache, plans, threads }: Runtime, name: string, number: number): Promise<void> {
  const { items: messages } = await threads.messages(name)
  const { items: ofActor } = await threads.list({ actor: name })
  const found = {
    cached: await cache.get(name),
    goals: (await plans.history(name)).map(({ goal }) => goal),
    texts: messages.flatMap(({ parts }) => parts.map((part) => (part.type === 'text' ? part.text : part.type))),
    threads: ofActor.map(({ threadId, length }) => [threadId, length]),
  }
  const own = { cached: number, goals: [`${number}`], texts: [`${number}`], threads: [[name, 1]] }
  assertSame(`found under ${JSON.stringify(name)}`, found, 'its own', own)
}

function saying(text: string, actor: string): NewMessage {
  return { role: 'user', parts: [{ type: 'text', text }], createdAt: 1, actor }
}

/** A name that begins with a token, without the beginning of the name where it would be too long. */
function beginning(token: string, name: string): string {
  const characters = [...name]
  while (!fits(token + characters.join(''))) characters.shift()
  return token + characters.join('')
}

function fits(name: string): boolean {
  return Buffer.byteLength(name) <= LONGEST_NAME
}
