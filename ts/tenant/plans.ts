import { assertObject, assertSize, assertText, wholeJsonText } from '../arguments/checks.ts'
import { assertId } from '../arguments/ids.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { json, type Session } from '../session/session.ts'
import { idWriter, pageWriter } from '../session/writers.ts'
import type { Page, PageOptions } from '../types/page.ts'
import type { Plan, PlanDraft, PlanSummary, Plans } from '../types/plans.ts'

type SaveOptions = NonNullable<Parameters<Plans['save']>[1]>
type LoadOptions = NonNullable<Parameters<Plans['load']>[1]>

const saveChecks: Checks<SaveOptions> = { expectedVersion: option.number }
const loadChecks: Checks<LoadOptions> = { version: option.number }

export class TenantPlans implements Plans {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  save(plan: PlanDraft, options: SaveOptions = {}): Promise<Plan> {
    const prepare = () => {
      assertObject(plan, 'A plan')
      const { expectedVersion } = readOptions(options, saveChecks)
      const text = wholeJsonText(plan, 'The plan')
      assertText(text, 'The plan')
      assertSize(text.length)
      return (message: Message) => message.text(text).optionalNumber(expectedVersion)
    }
    return this.#session.call(Operation.planSave, prepare, json<Plan>)
  }

  load(planId: string, options: LoadOptions = {}): Promise<Plan> {
    const prepare = () => {
      const { version } = readOptions(options, loadChecks)
      assertId('plan', planId)
      return (message: Message) => message.text(planId).optionalNumber(version)
    }
    return this.#session.call(Operation.planLoad, prepare, json<Plan>)
  }

  list(options: PageOptions = {}): Promise<Page<PlanSummary>> {
    return this.#session.call(Operation.planList, () => pageWriter(options), json<Page<PlanSummary>>)
  }

  history(planId: string): Promise<Plan[]> {
    return this.#session.call(Operation.planHistory, () => idWriter('plan', planId), json<Plan[]>)
  }
}
