// A host for many tenants over HTTP, with a scripted model. It makes its own keys and tokens, as an issuer does.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { startHost } from './host.ts'
import { openShops } from './shop.ts'

const issuer = 'https://issuer.example'
const audience = 'shops'

const options = readOptions()
const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true })
const keys = createLocalJWKSet({ keys: [await exportJWK(publicKey)] })
const shops = await openShops(options.store).catch(explain)
const trusted = { keys, issuer, audience, now: Date.now }
const host = await startHost({ trusted, shops, port: options.port }).catch(explain)

const acme = await tokenFor('acme', 'kim')
const globex = await tokenFor('globex', 'mallory')
process.stdout.write(`A host of shops at ${host.url}. The model is scripted. Tokens are good for an hour. Try:

ACME=${acme}
GLOBEX=${globex}

# Ask. The events name the reference with the 200 orders: "reference":"ref_…".
curl -N ${host.url}/query -H "Authorization: Bearer $ACME" -d '{"prompt":"List the orders"}'
curl ${host.url}/references/ref_… -H "Authorization: Bearer $ACME"

# Ask for something that needs approval: the run is suspended. Approve it: the host goes on with the run by itself.
curl -N ${host.url}/query -H "Authorization: Bearer $ACME" -d '{"prompt":"Refund order 17"}'
curl ${host.url}/approvals -H "Authorization: Bearer $ACME"
curl ${host.url}/approvals/approval_… -H "Authorization: Bearer $ACME" -d '{"decision":"approve"}'
curl -N ${host.url}/runs/run_…/events -H "Authorization: Bearer $ACME"

# Read it again after event 3, as a client does after a lost connection.
curl -N ${host.url}/runs/run_…/events -H "Authorization: Bearer $ACME" -H 'Last-Event-ID: 3'

# Another tenant finds none of it.
curl -i ${host.url}/runs/run_…/events -H "Authorization: Bearer $GLOBEX"
`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => host.close())

function readOptions(): { readonly store: string; readonly port: number } {
  try {
    const { values } = parseArgs({
      options: { store: { type: 'string', default: 'memory:' }, port: { type: 'string', default: '8787' } },
    })
    const port = Number(values.port)
    if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) throw new Error(`--port cannot be ${values.port}.`)
    return { store: values.store, port }
  } catch (error) {
    return explain(error)
  }
}

/** Prints one line for a wrong call or a port that is taken. */
function explain(error: unknown): never {
  process.stderr.write(`${(error as Error).message}\nTry: npm run example:host -- --port 0 --store sled:./host-data\n`)
  process.exit(2)
}

function tokenFor(tenant: string, subject: string): Promise<string> {
  return new SignJWT({ tenant, scope: 'approve' })
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey)
}
