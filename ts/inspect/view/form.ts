import type { IncomingMessage } from 'node:http'
import { sameSecret } from '../access.ts'
import { Refusal } from '../refusal.ts'
import type { Ask } from '../request.ts'
import { type Html, html } from './html.ts'

/** A reason of 16 KiB, each byte as three characters, and room for the rest. */
const MOST_BYTES = 64 << 10

/** What every form that changes something has: its token, and who sends it. `key` makes the ids of the document differ. */
export function actorField({ formToken, person }: Ask, key: string, purpose: string): Html {
  const field = html`<label for="actor-${key}">Your name <span class="quiet">${purpose}</span></label>
<input id="actor-${key}" name="actor" required maxlength="256" autocomplete="name">`
  const name = html`<p>As <b>${person.name}</b> <span class="quiet">${purpose}</span></p>`
  return html`<input type="hidden" name="token" value="${formToken}">
${person.name === undefined ? field : name}`
}

/**
 * Reads a form that changes something: the fields named, and who sends it.
 *
 * @throws Refusal
 */
export async function readAct<N extends string>(
  { request, formToken, person }: Ask,
  names: readonly N[],
): Promise<{ readonly [K in N | 'actor']: string }> {
  const asked: readonly (N | 'actor')[] = person.name === undefined ? ['actor', ...names] : names
  const fields = await readForm(request, ['token', ...asked])
  if (!sameSecret(fields.token, formToken)) throw new Refusal(403, 'The form is of another session. Load it anew.')
  return person.name === undefined ? fields : { ...fields, actor: person.name }
}

/**
 * The fields of a form that was sent, each of those named once.
 *
 * @throws Refusal
 */
async function readForm<N extends string>(
  request: IncomingMessage,
  names: readonly N[],
): Promise<{ readonly [K in N]: string }> {
  if (request.readableEnded) throw new Refusal(500, 'The form was read before: mount the page ahead of body parsers.')
  if (request.headers['content-type'] !== 'application/x-www-form-urlencoded') {
    throw new Refusal(415, 'A decision is sent by the form of this page.')
  }
  const fields = [...new URLSearchParams(await readText(request))]
  const isComplete = fields.length === names.length && names.every((name) => fields.some(([field]) => field === name))
  if (!isComplete) throw new Refusal(400, 'The form has other fields than those of this page.')
  // Browsers always send line ends as two characters.
  const values = fields.map(([name, value]) => [name, value.replaceAll('\r\n', '\n')])
  return Object.fromEntries(values) as { readonly [K in N]: string }
}

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  // Left early, the rest is not read: the request ends with its connection.
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MOST_BYTES) throw new Refusal(413, `A decision has at most ${MOST_BYTES} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('latin1')
}
