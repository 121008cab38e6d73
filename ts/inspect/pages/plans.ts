import type { Plan } from '../../types/plans.ts'
import { type Ask, pageOf, type Subject } from '../request.ts'
import { type Html, html } from '../view/html.ts'
import type { Page } from '../view/layout.ts'
import { pathOf } from '../view/paths.ts'
import { chip, counted, facts, id, more, nothing, time, value } from '../view/values.ts'

/** Plans, newest first. */
export async function plans({ runtime }: Subject, ask: Ask): Promise<Page> {
  const { items, cursor } = await runtime.plans.list(pageOf(ask))
  const rows = items.map(
    (plan) => html`<tr><td data-name="Goal"><a href="${pathOf('/plans', plan.planId)}">${plan.goal}</a></td>
<td data-name="State">${chip(plan.status)}</td><td data-name="Type">${plan.type}</td>
<td data-name="Version">${plan.version}</td><td data-name="Updated">${time(plan.updatedAt)}</td></tr>`,
  )
  const table = html`<table class="list"><thead><tr><th scope="col">Goal</th><th scope="col">State</th><th scope="col">Type</th><th scope="col">Version</th><th scope="col">Updated</th></tr></thead><tbody>${rows}</tbody></table>`
  const body = html`${items.length === 0 ? nothing('There are no plans yet.') : table}${more('/plans', ask.search, cursor)}`
  return { title: 'Plans', section: '/plans', body }
}

/** One plan with all its versions, newest first. */
export async function onePlan({ runtime }: Subject, _: Ask, planId: string): Promise<Page> {
  const [newest, ...older] = (await runtime.plans.history(planId)).toReversed()
  const body = html`${
    newest !== undefined &&
    html`<p class="goal">${newest.goal}</p>${facts([
      ['Plan', id(newest.planId)],
      ['Type', newest.type],
    ])}${versionOf(newest)}`
  }
${older.length > 0 && html`<h2>Older versions</h2>`}
${older.map((plan) => html`<details class="older"><summary>Version ${plan.version}: ${plan.status}</summary><p>${plan.goal}</p>${versionOf(plan)}</details>`)}`
  return { title: 'Plan', section: '/plans', body }
}

function versionOf(plan: Plan): Html {
  return html`${facts([
    ['Version', String(plan.version)],
    ['State', chip(plan.status)],
    ['Updated', time(plan.updatedAt)],
    ['Hash', id(plan.hash)],
  ])}
${stepsOf(plan)}
${plan.details !== undefined && html`<details><summary>Details</summary>${value(plan.details)}</details>`}`
}

export function stepsOf({ steps }: Pick<Plan, 'steps'>): Html {
  const items = steps.map(
    ({
      id: name,
      tool,
      input,
      dependsOn,
      note,
    }) => html`<li class="event"><p class="head"><b>${name}</b> calls ${tool}${dependsOn !== undefined && dependsOn.length > 0 && html` <span class="quiet">after ${dependsOn.join(', ')}</span>`}</p>
${note !== undefined && html`<p>${note}</p>`}${value(input)}</li>`,
  )
  return html`<p class="quiet">${counted(steps.length, 'step')}</p><ol class="events">${items}</ol>`
}
