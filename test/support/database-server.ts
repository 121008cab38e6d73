// Gives out databases of one PostgreSQL server to all test files of a run. Vitest calls it once; the server starts when
// the first test asks for one.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { Client } from 'pg'
import type { TestProject } from 'vitest/node'
import { findOrStartPostgres } from '../../scripts/test/postgres.mjs'
import { setupStore } from '../../ts/index.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where to ask for databases. */
    databases: string
  }
}

/** A database of a test's own. */
export interface TestDatabase {
  readonly name: string
  /** The URL of the application, once it is set up. */
  readonly url: string
  /** The URL of a superuser. */
  readonly ownerUrl: string
}

/** Starts to listen, and returns what ends it. */
export default async function serveDatabases(project: TestProject): Promise<() => Promise<void>> {
  let source: Promise<Databases> | undefined
  const server = createServer((request, response) => {
    source ??= Databases.start()
    const answer = source.then((databases) => databases.answer(request))
    answer.then(
      (body) => response.end(JSON.stringify(body)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  project.provide('databases', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return async () => {
    server.close()
    server.closeAllConnections()
    await (await source)?.stop()
  }
}

class Databases {
  readonly #server: { readonly url: string; stop(): Promise<void> }
  readonly #client: Client
  /** Another connection: the server writes a checkpoint before it drops one, for which no test has to wait. */
  readonly #dropping: Client
  #dropped: Promise<unknown> = Promise.resolve()
  readonly #template = `bailiwick_template_${process.pid}`
  #application = ''
  #next = 0

  private constructor(server: Awaited<ReturnType<typeof findOrStartPostgres>>) {
    this.#server = server
    this.#client = new Client({ connectionString: server.url })
    this.#dropping = new Client({ connectionString: server.url })
  }

  static async start(): Promise<Databases> {
    const databases = new Databases(await findOrStartPostgres())
    const client = databases.#client
    await Promise.all([client.connect(), databases.#dropping.connect()])
    await client.query(`CREATE DATABASE ${databases.#template}`)
    databases.#application = (await setupStore(inDatabase(databases.#server.url, databases.#template))).url
    return databases
  }

  /** `POST /`: a new one that is set up; `POST /bare`: one that is not; `DELETE /<name>`: it is not needed any more. */
  async answer({ method, url = '/' }: IncomingMessage): Promise<TestDatabase | null> {
    if (method === 'DELETE') {
      this.#dropped = this.#dropped.then(() => this.#dropping.query(`DROP DATABASE ${url.slice(1)} WITH (FORCE)`))
      this.#dropped.catch(() => {})
      return null
    }
    const name = `bailiwick_test_${process.pid}_${this.#next++}`
    const template = url === '/bare' ? 'template1' : this.#template
    // A connection makes one after the other; two at once would be in each other's way.
    await this.#client.query(`CREATE DATABASE ${name} TEMPLATE ${template}`)
    return { name, url: inDatabase(this.#application, name), ownerUrl: inDatabase(this.#server.url, name) }
  }

  async stop(): Promise<void> {
    await this.#dropped
    await this.#dropping.end()
    await this.#client.query(`DROP DATABASE ${this.#template} WITH (FORCE)`)
    await this.#client.end()
    await this.#server.stop()
  }
}

/** The same server and role, another database. */
function inDatabase(url: string, database: string): string {
  const changed = new URL(url)
  changed.pathname = `/${database}`
  return changed.href
}
