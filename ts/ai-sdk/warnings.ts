import { isPlainObject } from '../spec/plain-json.ts'

/** How much of one warning is told, and how many of an answer. */
const mostCharacters = 500
export const mostWarnings = 16

/** What a provider did not do as asked, in the shape of any version, as a text. */
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

/** Whether a provider says that it did not send the schema of the output. */
export function refusesOutputSchema(warnings: readonly unknown[]): boolean {
  return warnings.some((given) => {
    const { type, feature, setting } = isPlainObject(given) ? given : {}
    const isUnsupported = type === 'unsupported' || type === 'unsupported-setting'
    return isUnsupported && (feature ?? setting) === 'responseFormat'
  })
}
