import { exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { Client, claims, freshHost, furnish, publicKey, tokenFor } from './client.ts'

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Tokens that are not good for anything, by what is wrong with them. */
async function badTokens(): Promise<Record<string, string>> {
  const good = await tokenFor('acme')
  const [header = '', payload = '', signature = ''] = good.split('.')
  const stranger = await generateKeyPair('EdDSA', { extractable: true })
  const says = claims('acme', 'kim')
  const hour = 3600
  const now = says.iat ?? 0
  return {
    empty: '',
    'no token': 'kim',
    'not signed': new UnsecuredJWT(says).encode(),
    'alg none': `${encode({ alg: 'none' })}.${payload}.`,
    'alg none with a signature': `${encode({ alg: 'none' })}.${payload}.${signature}`,
    'no signature': `${header}.${payload}.`,
    'another tenant put in': `${header}.${encode({ ...says, tenant: 'globex' })}.${signature}`,
    'another key': await new SignJWT(says).setProtectedHeader({ alg: 'EdDSA' }).sign(stranger.privateKey),
    'a key it brings': await new SignJWT(says)
      .setProtectedHeader({ alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' } })
      .sign(stranger.privateKey),
    'the public key as a secret': await new SignJWT(says)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(await exportSPKI(publicKey))),
    expired: await tokenFor('acme', 'kim', { exp: now - hour }),
    'not yet good': await tokenFor('acme', 'kim', { nbf: now + hour }),
    'without an end': await tokenFor('acme', 'kim', { exp: undefined }),
    'another audience': await tokenFor('acme', 'kim', { aud: 'banks' }),
    'another issuer': await tokenFor('acme', 'kim', { iss: 'https://other.test' }),
    'without a tenant': await tokenFor(undefined),
    'an empty tenant': await tokenFor(''),
    'two tenants': await tokenFor(['acme', 'globex']),
    'an ill-formed tenant': await tokenFor('acme\n'),
    'a lone surrogate': await tokenFor('acme\ud800'),
    nobody: await tokenFor('acme', ''),
  }
}

describe('tokens at a host', () => {
  it('without a valid token every request gets the same refusal', async () => {
    const host = await freshHost()
    const { runId } = await furnish(new Client(host, await tokenFor('acme')))
    const open = host.shops.stats().open
    const refused = await new Client(host, 'x').send('GET', '/approvals')
    expect(refused).toMatchObject({ status: 401 })
    expect(refused.headers).toContainEqual(['www-authenticate', 'Bearer'])
    for (const [wrong, token] of Object.entries(await badTokens())) {
      const client = new Client(host, token)
      for (const path of ['/approvals', `/runs/${runId}`, '/nowhere']) {
        expect([wrong, await client.send('GET', path)]).toEqual([wrong, refused])
      }
      expect([wrong, await client.send('POST', '/query', { prompt: 'Hello' })]).toEqual([wrong, refused])
    }
    expect(host.shops.stats().open).toBe(open)
  })

  it('a token counts in its header alone', async () => {
    const host = await freshHost()
    const token = await tokenFor('acme')
    for (const headers of [{ authorization: `Basic ${token}` }, { cookie: `token=${token}` }, { 'x-token': token }]) {
      const response = await fetch(`${host.url}/approvals?token=${token}&access_token=${token}`, { headers })
      expect(response.status).toBe(401)
    }
    expect((await new Client(host, token).send('GET', '/approvals')).status).toBe(200)
  })

  it('a tenant in the body is compared with the token’s and refused, one in the query or a header is ignored', async () => {
    const host = await freshHost()
    const acme = new Client(host, await tokenFor('acme'))
    await furnish(acme)
    const globex = new Client(host, await tokenFor('globex'))
    const refused = await globex.send('POST', '/query', { prompt: 'List the orders', tenant: 'acme' })
    expect(refused).toMatchObject({ status: 403, body: expect.stringContaining('TENANT_MISMATCH') })
    expect(refused.body).not.toMatch(/acme|globex/)
    // Whether that tenant exists makes no difference.
    expect(await globex.send('POST', '/query', { prompt: 'List the orders', tenant: 'nobody' })).toEqual(refused)
    expect((await globex.send('POST', '/query', { prompt: 'List the orders', tenant: 'globex' })).status).toBe(200)
    expect((await globex.send('POST', '/query', { prompt: 'x', tenantId: 'acme' })).status).toBe(400)
    const headers = { 'x-tenant': 'acme', 'x-tenant-id': 'acme', 'x-forwarded-user': 'acme' }
    const asAcme = await globex.send('GET', '/approvals?tenant=acme&tenantId=acme&resourceId=acme', undefined, headers)
    expect(asAcme).toEqual(await globex.send('GET', '/approvals'))
    expect(asAcme.body).toBe('{"items":[]}')
    expect((await acme.send('GET', '/approvals')).body).toContain('"approvalId"')
  })
})
