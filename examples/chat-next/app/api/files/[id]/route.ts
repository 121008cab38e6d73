import { answer } from '../../../../lib/caller.ts'

/** What a browser may show under the address of this site. All else is downloaded: a page of HTML could act for its reader. */
const shown = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])

/** Sends a file of the tenant. */
export function GET(_request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  return answer(async ({ runtime }) => {
    const { reference, bytes } = await runtime.references.resolve((await params).id)
    const isShown = shown.has(reference.mediaType)
    return new Response(bytes, {
      headers: {
        'Content-Type': isShown ? reference.mediaType : 'application/octet-stream',
        'Content-Disposition': isShown ? 'inline' : 'attachment',
        'X-Content-Type-Options': 'nosniff',
        'Cache-Control': 'private, no-store',
      },
    })
  })
}
