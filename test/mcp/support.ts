import { Client, InMemoryTransport, type JSONRPCMessage } from '@modelcontextprotocol/client'
import type { McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { onTestFinished } from 'vitest'

/** A client that is connected to a server in this process, and every message that it sent. */
export async function connected(server: McpServer): Promise<{ client: Client; sent: JSONRPCMessage[] }> {
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair()
  const sent: JSONRPCMessage[] = []
  const send = clientSide.send.bind(clientSide)
  clientSide.send = async (message, options) => {
    sent.push(message)
    await send(message, options)
  }
  const client = new Client({ name: 'test', version: '1.0.0' })
  await Promise.all([server.connect(serverSide), client.connect(clientSide)])
  onTestFinished(async () => {
    await client.close()
    await server.close()
  })
  return { client, sent }
}

/**
 * A client that speaks protocol 2026-07-28 to a server in this process, and whose person can be asked. A server that is connected by itself
 * speaks earlier ones alone: the new one is chosen by what serves it.
 */
export async function connectedAsking(server: () => McpServer): Promise<Client> {
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair()
  const serving = serveStdio(server, { transport: serverSide })
  const capabilities = { elicitation: { form: {}, url: {} } }
  const client = new Client({ name: 'test', version: '1.0.0' }, { capabilities, versionNegotiation: { mode: 'auto' } })
  await client.connect(clientSide)
  onTestFinished(async () => {
    await client.close()
    await serving.close()
  })
  return client
}
