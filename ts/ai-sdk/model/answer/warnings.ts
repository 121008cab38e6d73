import { isPlainObject } from '../../../spec/checks/plain-json.ts'

/** Most characters of a warning, and most warnings of an answer. */
const mostCharacters = 500
export const mostWarnings = 16

/** Returns a provider's warning, in the shape of any version, as a text. */
export function warningText(given: unknown): string {
  const { type, feature, setting, tool, details, message } = isPlainObject(given) ? given : {}
  const named = isPlainObject(tool) ? tool['name'] : tool
  const what = [feature, setting, named].find((name) => typeof name === 'string')
  const more = [details, message].find((text) => typeof text === 'string')
  const subject = what === undefined ? '' : type === 'compatibility' ? `${what} in another way` : `${what} not as asked`
  return (
    [subject, more].filter(Boolean).join(': ').slice(0, mostCharacters) || 'The provider gave a warning without words.'
  )
}

/** Parts of the request that the provider reports as ignored at the start of its answer, and that need another form. */
export interface LeftOut {
  readonly schema: boolean
  readonly files: boolean
}

const nothing: LeftOut = { schema: false, files: false }

/** @param part any part of a stream; its first one has the warnings */
export function leftOutOf(part: unknown): LeftOut {
  const { type, warnings } = isPlainObject(part) ? part : {}
  if (type !== 'stream-start' || !Array.isArray(warnings)) return nothing
  const all = warnings.map(unsupported)
  return { schema: all.includes('responseFormat'), files: all.includes('user message part type: file') }
}

function unsupported(warning: unknown): unknown {
  const { type, feature, setting } = isPlainObject(warning) ? warning : {}
  return type === 'unsupported' || type === 'unsupported-setting' ? (feature ?? setting) : undefined
}
