import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { PostgresServer } from '../../scripts/test/postgres-server.mjs'
import { openStore, setupStore } from '../../ts/index.ts'
import { failureOf } from '../support/failures.ts'
import { runtimeFor } from '../support/stores.ts'

// Made once, for a hundred years: an authority, and what it says of one key (test/fixtures/tls/README.md).
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url))

afterEach(() => vi.unstubAllEnvs())

/** A server with a certificate, and a database on it for an application that has to be told whom to trust. */
async function serverWith(certificate: string): Promise<{ url: string; ownerUrl: string }> {
  const server = await PostgresServer.start({ certificate: fixture(certificate), key: fixture('server.key') })
  onTestFinished(() => server.remove())
  return { url: (await setupStore(server.url)).url, ownerUrl: server.url }
}

/** Whether the connections of stores speak TLS, one answer for each that is open. */
async function encrypted(ownerUrl: string): Promise<boolean[]> {
  const client = new Client({ connectionString: ownerUrl })
  await client.connect()
  const sql = 'SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1'
  const { rows } = await client.query<{ ssl: boolean }>(sql, ['bailiwick'])
  await client.end()
  return rows.map(({ ssl }) => ssl)
}

describe('TLS to PostgreSQL', () => {
  const rootKey = new Uint8Array(32).fill(9)

  it('is spoken with a server whose certificate is trusted, and with no other', async () => {
    const { url, ownerUrl } = await serverWith('server.pem')
    const wanted = `${url}?sslmode=require`
    const told = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('TLS') }
    expect(await failureOf(() => openStore(wanted, { rootKey }))).toMatchObject(told)
    expect(await failureOf(() => setupStore(`${ownerUrl}?sslmode=require`))).toMatchObject(told)
    vi.stubEnv('SSL_CERT_FILE', fixture('authority.pem'))
    await using store = await openStore(wanted, { rootKey })
    const { id } = await (await runtimeFor(store)).references.put('note', 'in secret')
    expect((await (await runtimeFor(store, 'globex')).references.list()).items).toEqual([])
    expect((await (await runtimeFor(store)).references.resolve(id)).text()).toBe('in secret')
    const answers = await encrypted(ownerUrl)
    expect(answers.length).toBeGreaterThan(0)
    expect(new Set(answers)).toEqual(new Set([true]))
  })

  it("is not spoken with a server that has another's certificate", async () => {
    const { url } = await serverWith('elsewhere.pem')
    vi.stubEnv('SSL_CERT_FILE', fixture('authority.pem'))
    const refused = await failureOf(() => openStore(`${url}?sslmode=require`, { rootKey }))
    expect(refused).toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })

  it('need not be spoken on this machine, and is never given up where it was asked for', async () => {
    const { url, ownerUrl } = await serverWith('elsewhere.pem')
    await using store = await openStore(url, { rootKey })
    expect((await store.health()).ok).toBe(true)
    expect(new Set(await encrypted(ownerUrl))).toEqual(new Set([false]))
    const plain = await PostgresServer.start()
    onTestFinished(() => plain.remove())
    const refused = await failureOf(() => setupStore(`${plain.url}?sslmode=require`))
    expect(refused).toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})
