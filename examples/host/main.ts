// A host for many tenants over HTTP, with a scripted model. It makes its own keys and tokens, as an issuer does.
import process from 'node:process'
import { parseArgs } from 'node:util'
import { createLocalJWKSet, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { startHost } from './host.ts'
import { openShops } from './shop.ts'

const expected = { issuer: 'https://issuer.example', audience: 'shops' }

async function main(): Promise<void> {
  const store = { type: 'string', default: 'memory:' } as const
  const port = { type: 'string', default: '8787' } as const
  const { values } = parseArgs({ options: { store, port } })
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const keys = createLocalJWKSet({ keys: [await exportJWK(publicKey)] })
  const shops = await openShops(values.store)
  const host = await startHost({ trusted: { ...expected, keys, now: Date.now }, shops }, Number(values.port))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => host.close())

  const tokenFor = (tenant: string, subject: string) =>
    new SignJWT({ tenant, scope: 'approve', iss: expected.issuer, aud: expected.audience, sub: subject })
      .setProtectedHeader({ alg: 'EdDSA' })
      .setExpirationTime('1h')
      .sign(privateKey)
  process.stdout.write(`A host of shops at ${host.url}. The model is scripted. Tokens are good for an hour. Try:

ACME=${await tokenFor('acme', 'kim')}
GLOBEX=${await tokenFor('globex', 'mallory')}

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
}

await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\nTry: npm run example:host -- --port 0 --store sled:./host-data\n`)
  process.exit(2)
})
