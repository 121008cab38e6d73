import { describe, expect, it } from 'vitest'
import { defineRuntime, defineSpecialist, layeredPrompt, withTenant } from '../../ts/index.ts'
import { renderPrompt } from '../../ts/spec/prompt.ts'
import { acme, globex, pathsOf } from './support.ts'

const prompt = layeredPrompt({
  style: 'Short.',
  instructions: 'Answer with numbers.',
  role: 'You are an analyst.',
  domainKnowledge: { entities: ['product', 'order'], currency: 'EUR', limits: { rows: 10 } },
  examples: ['Say where numbers come from.', { input: 'How many?', output: 'Three.' }],
})

describe('layeredPrompt', () => {
  it('M12: renders its layers in a fixed order, whatever the order in which they were written', () => {
    expect(renderPrompt(prompt)).toBe(
      [
        'You are an analyst.',
        'Answer with numbers.',
        '# Domain knowledge\nentities: product, order\ncurrency: EUR\nlimits: {"rows":10}',
        '# Examples\nSay where numbers come from.\n\nInput: How many?\nOutput: Three.',
        '# Style\nShort.',
      ].join('\n\n'),
    )
    expect(renderPrompt(layeredPrompt({ instructions: 'Do.', domainKnowledge: {}, examples: [] }))).toBe('Do.')
    expect(renderPrompt('Plain.')).toBe('Plain.')
  })

  it('M12: is frozen JSON that renders the same after a dump', () => {
    expect(Object.isFrozen(prompt.domainKnowledge)).toBe(true)
    expect(renderPrompt(JSON.parse(JSON.stringify(prompt)))).toBe(renderPrompt(prompt))
  })

  it('M12: has no place for a tenant, and no tenant is in it', () => {
    expect(pathsOf(() => layeredPrompt({ instructions: 'x', tenant: 'acme' } as never))).toEqual(['tenant'])
    const agent = defineSpecialist({ name: 'analyst', model: 'a/b', prompt })
    const one = defineRuntime({ tenant: acme, agents: [agent] })
    const two = withTenant(one, globex)
    const texts = [one, two].map((spec) => renderPrompt(spec.agents[0]?.prompt ?? ''))
    expect(texts[0]).toBe(renderPrompt(prompt))
    expect(texts[1]).toBe(texts[0])
    expect(texts[0]).not.toMatch(/acme|globex/)
  })

  it('M12: domain knowledge is JSON', () => {
    const domainKnowledge = { now: new Date(0) as never, count: Number.POSITIVE_INFINITY }
    expect(pathsOf(() => layeredPrompt({ instructions: 'x', domainKnowledge }))).toEqual([
      'domainKnowledge.now',
      'domainKnowledge.count',
    ])
  })
})
