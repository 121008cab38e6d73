import { join } from 'node:path'
import { Client } from 'pg'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openStore, setupStore } from '../../ts/index.ts'
import { bailiwick } from '../cli/command.ts'
import { freshDatabase } from '../support/databases.ts'
import { codeOf, failureOf } from '../support/failures.ts'
import { freshFolder, runtimeFor } from '../support/stores.ts'

afterEach(() => vi.unstubAllEnvs())

/** The URL with another password. */
function withPassword(url: string, password: string): string {
  return url.replace(/:[^:@/]*@/, `:${password}@`)
}

/** Runs SQL and returns the rows of its last statement. */
async function asOwner(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('SET default_transaction_read_only = off')
    const results = [await client.query(sql)].flat()
    return results.at(-1)?.rows ?? []
  } finally {
    await client.end()
  }
}

/** What is told of a database that cannot be used. */
async function refusal(url: string): Promise<[string, string]> {
  const { code, message } = await failureOf(() => openStore(url))
  return [code, message]
}

describe('a URL of PostgreSQL', () => {
  it('is one place however it is written, and is shown without password and settings', async () => {
    const { url } = await freshDatabase()
    await using one = await openStore(url)
    await using two = await openStore(`${url.replace('postgres:', 'postgresql:')}?application_name=other`)
    const { id } = await (await runtimeFor(one)).references.put('note', 'shared')
    expect((await (await runtimeFor(two)).references.resolve(id)).text()).toBe('shared')
    expect([one.url, two.url]).toEqual([one.url, one.url])
    expect(one.url).toMatch(/^postgres:\/\/bailiwick_\w+@127\.0\.0\.1:\d+\/bailiwick_test_\w+$/)
    expect(await one.stats()).toMatchObject({ tenants: 1 })
  })

  it('keeps everything over a close, and needs the root key', async () => {
    const { url } = await freshDatabase()
    const rootKey = new Uint8Array(32).fill(9)
    const first = await openStore(url, { rootKey })
    const { id } = await (await runtimeFor(first)).references.put('note', 'kept')
    await first.close()
    vi.stubEnv('BAILIWICK_ROOT_KEY', undefined)
    const [code, message] = await refusal(url)
    expect([code, message]).toEqual(['INVALID_INPUT', expect.stringContaining('pass rootKey')])
    await using again = await openStore(url, { rootKey, connections: 1 })
    expect((await (await runtimeFor(again)).references.resolve(id)).text()).toBe('kept')
    for (const connections of [0, 1001, 1.5]) {
      expect(await codeOf(() => openStore(url, { rootKey, connections }))).toBe('INVALID_INPUT')
    }
  })

  it('of an unusable database is refused with advice, and without the password', async () => {
    const { url, ownerUrl } = await freshDatabase()
    const bare = await freshDatabase('bare')
    const cases: [string, string, string][] = [
      [ownerUrl, 'INVALID_INPUT', 'npx bailiwick setup'],
      [bare.url, 'INVALID_INPUT', 'npx bailiwick setup <owner url>'],
      [`${url.slice(0, url.indexOf('@'))}@127.0.0.1:1/x`, 'STORE_UNAVAILABLE', 'cannot be reached'],
      [url.replace(/[^/]+$/, 'bailiwick_no_such'), 'INVALID_INPUT', 'has no such database'],
      [url.replace(/\/\/[^:]+/, '//bailiwick_nobody'), 'INVALID_INPUT', 'rejects this role or its password'],
      [`${url}?sslmode=require`, 'STORE_UNAVAILABLE', 'SSL_CERT_FILE'],
      ['postgres://me:canary@host/db?nonsense=canary', 'INVALID_INPUT', 'no URL of a PostgreSQL database'],
      ['postgres://me:canary', 'INVALID_INPUT', 'no URL of a PostgreSQL database'],
      ['postgresql:canary', 'INVALID_INPUT', 'no URL of a PostgreSQL database'],
    ]
    for (const [wrong, code, text] of cases) {
      expect(await refusal(wrong)).toEqual([code, expect.stringContaining(text)])
      for (const secret of ['canary', new URL(url).password, 'bailiwick.schema']) {
        expect((await refusal(wrong))[1]).not.toContain(secret)
      }
    }
  })
})

describe('a store in PostgreSQL', () => {
  it('is backed up into a directory, which is a store with the same root key', async () => {
    const { url } = await freshDatabase()
    await using store = await openStore(url)
    const acme = await runtimeFor(store)
    const large = 'x'.repeat(3 << 20)
    const ids = (
      await acme.references.putMany([
        { type: 'note', value: 'small' },
        { type: 'note', value: large },
      ])
    ).map(({ id }) => id)
    const directory = join(freshFolder(), 'copy')
    expect((await store.backup(directory)).bytes).toBeGreaterThan(large.length)
    await using copy = await openStore(`sled:${directory}`)
    const found = await (await runtimeFor(copy)).references.resolveMany(ids)
    expect(found.map((one) => one?.text())).toEqual(['small', large])
  })
})

describe('setup', () => {
  it('prepares a database and returns the URL for the application; the password once', async () => {
    const { ownerUrl } = await freshDatabase('bare')
    const { url } = await setupStore(ownerUrl)
    await (await openStore(url)).close()
    const again = await setupStore(ownerUrl)
    expect(again.url).toBe(withPassword(url, '').replace(':@', '@'))
    await (await openStore(url)).close()
  })

  it('setup prints the URL, for people and as JSON, and keeps existing data', async () => {
    const { ownerUrl } = await freshDatabase('bare')
    const first = await bailiwick(['setup', ownerUrl])
    expect([first.code, first.err]).toEqual([0, ''])
    const url = /^ {2}url {4}(\S+)$/m.exec(first.out)?.[1] ?? ''
    await (await openStore(url)).close()
    const second = await bailiwick(['setup', 'env:THE_OWNER', '--json'], { THE_OWNER: ownerUrl })
    expect([second.code, second.err]).toEqual([0, ''])
    expect(JSON.parse(second.out)).toEqual({ url: withPassword(url, '').replace(':@', '@'), passwordIncluded: false })
  })

  it('runs nothing that another role has put into its schema', async () => {
    const { name, ownerUrl } = await freshDatabase('bare')
    const other = `mallory_${name}`
    await asOwner(ownerUrl, `CREATE ROLE ${other} LOGIN; GRANT CREATE ON DATABASE ${name} TO ${other}`)
    onTestFinished(async () => {
      await asOwner(ownerUrl, `DROP OWNED BY ${other}; DROP ROLE ${other}`)
    })
    const trap = `CREATE SCHEMA bailiwick; CREATE TABLE bailiwick.schema (version integer NOT NULL);
      CREATE FUNCTION bailiwick.rise() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN ALTER ROLE ${other} SUPERUSER; RETURN new; END $$;
      CREATE TRIGGER rise BEFORE INSERT ON bailiwick.schema FOR EACH ROW EXECUTE FUNCTION bailiwick.rise();`
    await asOwner(ownerUrl.replace('postgres@', `${other}@`), trap)
    const refused = await failureOf(() => setupStore(ownerUrl))
    expect(refused).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('another role') })
    const [is] = await asOwner(ownerUrl, `SELECT rolsuper FROM pg_roles WHERE rolname = '${other}'`)
    expect(is).toEqual({ rolsuper: false })
  })

  it('gives nothing to a role that was there before', async () => {
    const { name, ownerUrl } = await freshDatabase('bare')
    await asOwner(ownerUrl, `CREATE ROLE bailiwick_${name} LOGIN PASSWORD 'known'`)
    const refused = await failureOf(() => setupStore(ownerUrl))
    expect(refused).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining('Drop or rename') })
    await asOwner(ownerUrl, `DROP ROLE bailiwick_${name}`)
    await setupStore(ownerUrl)
  })

  it('reports the obstacle, and changes nothing', async () => {
    const ways: [string, string, string][] = [
      ['CREATE SCHEMA bailiwick; CREATE TABLE bailiwick.records (a int)', 'INVALID_INPUT', 'contains something else'],
      ['CREATE SCHEMA bailiwick; CREATE TABLE bailiwick.schema (a int)', 'INVALID_INPUT', 'contains something else'],
    ]
    for (const [sql, code, text] of ways) {
      const { ownerUrl } = await freshDatabase('bare')
      await asOwner(ownerUrl, sql)
      expect(await failureOf(() => setupStore(ownerUrl))).toMatchObject({
        code,
        message: expect.stringContaining(text),
      })
      const tables = await asOwner(ownerUrl, "SELECT relname FROM pg_class WHERE relname IN ('blobs', 'tokens')")
      expect(tables).toEqual([])
    }
  })

  it('and the store work whatever a database or a role has set otherwise', async () => {
    const { name, ownerUrl } = await freshDatabase('bare')
    const settings = [
      "default_transaction_read_only = 'on'",
      "row_security = 'off'",
      "search_path = 'public, pg_catalog'",
    ]
    // Whoever may make functions somewhere could have it taken for the server's own.
    await asOwner(
      ownerUrl,
      "CREATE FUNCTION public.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'",
    )
    for (const setting of settings) await asOwner(ownerUrl, `ALTER DATABASE ${name} SET ${setting}`)
    const { url } = await setupStore(ownerUrl)
    await using store = await openStore(url, { rootKey: new Uint8Array(32).fill(9) })
    const acme = await runtimeFor(store)
    const { id } = await acme.references.put('note', 'there')
    expect((await acme.references.resolve(id)).text()).toBe('there')
  })

  it('a failed setup is reported in one line, without the password', async () => {
    const { url } = await freshDatabase()
    for (const wrong of [url, 'postgres://me:canary@127.0.0.1:1/db', 'sled:./canary']) {
      const { code, out, err } = await bailiwick(['setup', wrong])
      expect([code, out]).toEqual([2, ''])
      expect(err).toMatch(/^bailiwick: [^\n]+\n$/)
      expect(err).not.toContain('canary')
      expect(err).not.toContain(new URL(url).password)
    }
  })
})
