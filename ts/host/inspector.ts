import type { IncomingMessage, RequestListener } from 'node:http'
import { notFound } from '../arguments/ids.ts'
import { type Checks, option, readOptions } from '../arguments/options.ts'
import { ClosedError, InvalidInputError, NotFoundError } from '../errors/index.ts'
import { answerHosted, type Hosted } from '../inspect/hosted.ts'
import { Refusal } from '../inspect/refusal.ts'
import type { Person } from '../inspect/request.ts'
import type { Runtime } from '../tenant/runtime.ts'
import type { Tell } from './activity.ts'

/** Returns what a host's authentication knows of a request. */
type Of<T> = (request: IncomingMessage) => T | undefined | Promise<T | undefined>

/** Options of `Host.inspector`. */
export interface InspectorOptions {
  /** Returns the `resourceId` of the tenant whose page a request gets, from your authentication. `undefined`: the answer is 404, whatever is asked. */
  readonly tenant: Of<string>
  /**
   * Returns who sends a request, from your authentication. The name is recorded as the actor of an approval's decision (`ApprovalRecord.actor`)
   * and of a settled wait (`WaitRecord.actor`, `context.resumed.actor` of the tool). Who cancels a wait or a run, or forks a thread, is not recorded.
   * `undefined`: this person may look, and change nothing. Without the option, everybody who reaches the page may decide, settle,
   * cancel and fork; then the form asks for a name, and what is typed is recorded.
   */
  readonly actor?: Of<string>
  /** Path at which browsers see the page, such as `/inspect`. Default `/`. */
  readonly basePath?: string
}

const inspectorChecks: Checks<InspectorOptions> = {
  tenant: option.function,
  actor: option.function,
  basePath: option.text,
}

/** What the pages need of a host. */
export interface InspectedHost {
  readonly runtime: (tenant: string) => Promise<Runtime>
  readonly publicKey: string
  readonly tell: Tell
}

/**
 * Returns a listener that serves the page of the tenant of each request.
 *
 * @throws InvalidInputError for an option that will not do
 */
export function inspectorOf({ runtime, publicKey, tell }: InspectedHost, options: InspectorOptions): RequestListener {
  const { tenant, actor, basePath = '/' } = readOptions(options, inspectorChecks)
  if (tenant === undefined) {
    throw new InvalidInputError('tenant is missing in the options: a function that returns whose page a request gets.')
  }
  const find: Hosted['find'] = async (request) => {
    try {
      const resourceId = nameOf(await tenant(request), 'tenant')
      if (resourceId === undefined) throw notFound()
      const person: Person = actor === undefined ? { mayAct: true } : personOf(nameOf(await actor(request), 'actor'))
      return { subject: { runtime: await runtime(resourceId), publicKey, isHosted: true }, person }
    } catch (error) {
      throw shownAs(error, tell)
    }
  }
  const hosted: Hosted = { basePath: mountPoint(basePath), find, tell: (error, of) => tell(error, { tenant: of }) }
  return (request, response) => {
    answerHosted(request, response, hosted).catch((error) => tell(error, {}))
  }
}

function nameOf(given: unknown, name: string): string | undefined {
  if (given === undefined || (typeof given === 'string' && given !== '')) return given
  throw new InvalidInputError(`${name} of the inspector must return a text that is not empty, or undefined.`)
}

function personOf(name: string | undefined): Person {
  return name === undefined ? { mayAct: false } : { mayAct: true, name }
}

/** The error that the page shows. What a callback throws, and why there is no runtime, is for the host alone. */
function shownAs(error: unknown, tell: Tell): Error {
  if (NotFoundError.isInstance(error)) return notFound()
  if (ClosedError.isInstance(error)) return error
  tell(error, {})
  return new Refusal(500, 'The page could not be made: internal error.')
}

/** @throws InvalidInputError for what is no path, or one that a browser would change */
function mountPoint(basePath: string): string {
  const path = basePath.replace(/\/$/, '')
  if (/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)*$/.test(path)) return path
  throw new InvalidInputError(`basePath must be a path such as "/inspect", of letters, digits, ".", "_", "~" and "-".`)
}
