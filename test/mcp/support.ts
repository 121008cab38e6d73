import { Client, InMemoryTransport, type JSONRPCMessage } from '@modelcontextprotocol/client'
import type { McpServer } from '@modelcontextprotocol/server'
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
