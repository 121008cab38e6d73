/** Next.js calls this once, when the server starts: runs that a killed server left behind go on before anybody asks for them. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { host } = await import('./lib/host.ts')
  await host()
}
