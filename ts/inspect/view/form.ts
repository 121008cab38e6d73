import type { IncomingMessage } from 'node:http'

/** A reason of 16 KiB, each byte as three characters, and room for the rest. */
const MOST_BYTES = 64 << 10

/** A request that cannot be answered; the status and a sentence that says why. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/**
 * The fields of a form that was sent, each of those named once.
 *
 * @throws Refusal
 */
export async function readForm<N extends string>(
  request: IncomingMessage,
  names: readonly N[],
): Promise<{ readonly [K in N]: string }> {
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
