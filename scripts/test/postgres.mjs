// A PostgreSQL server for tests. As a program it prints the server's URL and runs until its standard input ends, so that
// it never outlives the process that started it:
//   node scripts/test/postgres.mjs
//   node scripts/test/postgres.mjs --own
// With `--own` it is always a new server, and each line of the standard input is a command: the number of a server and an
// action. The answer is one line.
import process from 'node:process'
import { createInterface } from 'node:readline'
import { PostgresServer } from './postgres-server.mjs'

/** The variable with the URL of a running server, as a superuser, for a database that tests do not change. */
export const addressVariable = 'BAILIWICK_TEST_POSTGRES'

/**
 * Returns the server that the environment names, or starts one.
 *
 * @returns {Promise<{ url: string, stop: () => Promise<void> }>}
 */
export async function findOrStartPostgres() {
  const url = process.env[addressVariable]
  return url === undefined || url === '' ? await startPostgres() : { url, stop: async () => {} }
}

/** Starts a server with an empty data directory, which is removed when the server has stopped or this process ends. */
export async function startPostgres() {
  const server = await PostgresServer.start()
  return { url: server.url, stop: () => server.remove() }
}

/** Runs until the standard input ends. */
async function run() {
  const { url, stop } = await findOrStartPostgres()
  console.log(url)
  process.stdin.resume()
  endWith(stop)
}

/** Executes commands in sequence. */
async function runCommands() {
  const servers = [await PostgresServer.start()]
  console.log(servers[0]?.url)
  endWith(async () => {
    for (const server of servers) await server.remove()
  })
  for await (const line of createInterface({ input: process.stdin })) {
    const [number, command] = line.split(' ')
    const server = servers[Number(number)]
    if (server === undefined || command === undefined) throw new Error(`there is nothing to do for: ${line}`)
    console.log(await obey(servers, server, command))
  }
}

/**
 * @param {PostgresServer[]} servers
 * @param {PostgresServer} server
 * @param {string} command
 * @returns {Promise<string>}
 */
async function obey(servers, server, command) {
  switch (command) {
    case 'log':
      return server.log
    case 'follower': {
      const follower = await server.follower()
      servers.push(follower)
      return follower.url
    }
    case 'quit':
    case 'start':
    case 'pause':
    case 'resume':
    case 'promote':
      await server[command]()
      return 'done'
    default:
      throw new Error(`a server cannot ${command}`)
  }
}

/** @param {() => Promise<void>} stop */
function endWith(stop) {
  const end = async () => {
    await stop()
    process.exit(0)
  }
  process.stdin.once('end', end)
  process.stdin.once('error', end)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, end)
}

if (process.argv[1] === import.meta.filename) await (process.argv.includes('--own') ? runCommands() : run())
