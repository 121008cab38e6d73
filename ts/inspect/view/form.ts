import type { IncomingMessage } from 'node:http'
import { sameSecret } from '../access.ts'
import { Refusal } from '../refusal.ts'
import type { Ask } from '../request.ts'
import { type Html, html } from './html.ts'

/** A value of 64 KiB, each byte as three characters, and room for the rest. */
const MOST_BYTES = 256 << 10

/** The token of a form that changes something. */
export function tokenField({ formToken }: Ask): Html {
  return html`<input type="hidden" name="token" value="${formToken}">`
}

/** The token of a form, and who sends it. `key` makes the ids of the document differ. */
export function actorField(ask: Ask, key: string, purpose: string): Html {
  const field = html`<label for="actor-${key}">Your name <span class="quiet">${purpose}</span></label>
<input id="actor-${key}" name="actor" required maxlength="256" autocomplete="name">`
  const { name } = ask.person
  const known = html`<p>As <b>${name}</b> <span class="quiet">${purpose}</span></p>`
  return html`${tokenField(ask)}
${name === undefined ? field : known}`
}

/**
 * Reads a form that changes something: the fields named, and who sends it. An absent one of the `others` is empty.
 *
 * @throws Refusal
 */
export async function readAct<N extends string, O extends string = never>(
  { request, formToken, person }: Ask,
  names: readonly N[],
  others: readonly O[] = [],
): Promise<{ readonly [K in N | O | 'actor']: string }> {
  const asked: readonly (O | 'actor')[] = person.name === undefined ? ['actor', ...others] : others
  const fields = await readForm<'token' | N | O | 'actor'>(request, ['token', ...names], asked)
  if (!sameSecret(fields.token, formToken)) throw new Refusal(403, 'The form is of another session. Load it anew.')
  return person.name === undefined ? fields : { ...fields, actor: person.name }
}

/**
 * The fields of a form that was sent, each once: those named, and others that may be absent.
 *
 * @throws Refusal
 */
async function readForm<N extends string>(
  request: IncomingMessage,
  names: readonly N[],
  others: readonly N[],
): Promise<{ readonly [K in N]: string }> {
  if (request.readableEnded) throw new Refusal(500, 'The form was read before: mount the page ahead of body parsers.')
  if (request.headers['content-type'] !== 'application/x-www-form-urlencoded') {
    throw new Refusal(415, 'A decision is sent by the form of this page.')
  }
  const fields = [...new URLSearchParams(await readText(request))]
  const given = new Set(fields.map(([field]) => field))
  const isKnown = [...given].every((field) => [...names, ...others].some((name) => name === field))
  const isComplete = isKnown && given.size === fields.length && names.every((name) => given.has(name))
  if (!isComplete) throw new Refusal(400, 'The form has other fields than those of this page.')
  // Browsers always send line ends as two characters.
  const values = fields.map(([name, value]) => [name, value.replaceAll('\r\n', '\n')])
  return Object.fromEntries([...others.map((name) => [name, '']), ...values]) as { readonly [K in N]: string }
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
