// @ts-expect-error The test copies it here.
import { storeAndFind } from './stored.mjs'

export const dynamic = 'force-dynamic'

export async function GET() {
  try {
    return Response.json({ found: await storeAndFind() })
  } catch (error) {
    return Response.json({ said: error instanceof Error ? error.message : String(error) })
  }
}
