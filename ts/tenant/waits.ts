import { assertObject, assertSize, assertText, jsonText } from '../arguments/checks.ts'
import { assertId } from '../arguments/ids.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import type { Message } from '../native/message.ts'
import { Operation } from '../native/operations.ts'
import { flag, json, type Session } from '../session/session.ts'
import { idWriter, pageChecks, writePage } from '../session/writers.ts'
import type { Page } from '../types/page.ts'
import type { WaitOutcome, WaitRecord, Waits } from '../types/waits.ts'

const listChecks: Checks<ListOptions> = { runId: option.text, kind: option.text, ...pageChecks }
const settleChecks: Checks<SettleOptions> = { actor: option.text }

type ListOptions = NonNullable<Parameters<Waits['list']>[0]>
type SettleOptions = NonNullable<Parameters<Waits['settle']>[2]>

export class TenantWaits implements Waits {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  list(options: ListOptions = {}): Promise<Page<WaitRecord>> {
    const prepare = () => {
      const read = readOptions(options, listChecks)
      const { runId = '', kind = '' } = read
      return (message: Message) => writePage(message, read).text(runId).text(kind)
    }
    return this.#session.call(Operation.waitList, prepare, json<Page<WaitRecord>>)
  }

  get(waitId: string): Promise<WaitRecord> {
    return this.#session.call(Operation.waitGet, () => idWriter('wait', waitId), json<WaitRecord>)
  }

  settle(waitId: string, outcome: WaitOutcome, options: SettleOptions = {}): Promise<WaitRecord> {
    const prepare = () => {
      const { actor = '' } = readOptions(options, settleChecks)
      assertObject(outcome, 'The outcome')
      const text = jsonText(outcome, 'The outcome')
      assertText(text, 'The outcome')
      assertSize(text.length)
      assertId('wait', waitId)
      return (message: Message) => message.text(waitId).text(actor).text(text)
    }
    return this.#session.call(Operation.waitSettle, prepare, json<WaitRecord>)
  }

  cancel(waitId: string): Promise<boolean> {
    return this.#session.call(Operation.waitCancel, () => idWriter('wait', waitId), flag)
  }
}
