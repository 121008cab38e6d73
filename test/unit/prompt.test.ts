import { describe, expect, it } from 'vitest'
import {
  createRuntime,
  defineRuntime,
  defineSpecialist,
  layeredPrompt,
  type Prompt,
  type RuntimeSpec,
  withTenant,
} from '../../ts/index.ts'
import { scriptedModel, testStore } from '../../ts/testing/index.ts'
import { acme, globex, pathsOf } from './support.ts'

const prompt = layeredPrompt({
  style: 'Short.',
  instructions: 'Answer with numbers.',
  role: 'You are an analyst.',
  domainKnowledge: { entities: ['product', 'order'], currency: 'EUR', limits: { rows: 10 } },
  examples: ['Say where numbers come from.', { input: 'How many?', output: 'Three.' }],
})

/** The system text that the model of a spec's only agent is asked with. */
async function systemOf(spec: RuntimeSpec): Promise<string | undefined> {
  await using store = await testStore()
  const model = scriptedModel(() => [{ type: 'finish', reason: 'stop', usage: {} }])
  const runtime = await createRuntime(spec, { store, models: { a: model } })
  await runtime.query('x').result()
  return model.requests[0]?.system
}

function specOf(given: Prompt | string): RuntimeSpec {
  return defineRuntime({ tenant: acme, agents: [defineSpecialist({ name: 'analyst', model: 'a/b', prompt: given })] })
}

function rendered(given: Prompt | string): Promise<string | undefined> {
  return systemOf(specOf(given))
}

describe('layeredPrompt', () => {
  it('renders its layers in a fixed order, whatever the order in which they were written', async () => {
    expect(await rendered(prompt)).toBe(
      [
        'You are an analyst.',
        'Answer with numbers.',
        '# Domain knowledge\nentities: product, order\ncurrency: EUR\nlimits: {"rows":10}',
        '# Examples\nSay where numbers come from.\n\nInput: How many?\nOutput: Three.',
        '# Style\nShort.',
      ].join('\n\n'),
    )
    expect(await rendered(layeredPrompt({ instructions: 'Do.', domainKnowledge: {}, examples: [] }))).toBe('Do.')
    expect(await rendered('Plain.')).toBe('Plain.')
  })

  it('is frozen JSON that renders the same after a dump', async () => {
    expect(Object.isFrozen(prompt.domainKnowledge)).toBe(true)
    expect(await rendered(JSON.parse(JSON.stringify(prompt)))).toBe(await rendered(prompt))
  })

  it('has no place for a tenant, and no tenant is in it', async () => {
    expect(pathsOf(() => layeredPrompt({ instructions: 'x', tenant: 'acme' } as never))).toEqual(['tenant'])
    const one = specOf(prompt)
    const texts = [await systemOf(one), await systemOf(withTenant(one, globex))]
    expect(texts[0]).toContain('You are an analyst.')
    expect(texts[1]).toBe(texts[0])
    expect(texts[0]).not.toMatch(/acme|globex/)
  })

  it('domain knowledge is JSON', () => {
    const domainKnowledge = { now: new Date(0) as never, count: Number.POSITIVE_INFINITY }
    expect(pathsOf(() => layeredPrompt({ instructions: 'x', domainKnowledge }))).toEqual([
      'domainKnowledge.now',
      'domainKnowledge.count',
    ])
  })
})
