import type { Terminal, Words } from './command.ts'

/** Milliseconds between updates of the progress line. */
const REDRAW_MS = 1000

/**
 * Waits for work and says meanwhile on the terminal what is done and for how long, and how far it is if `soFar` knows. Nobody
 * knows how much is left, so there is no bar. What `soFar` says must not become shorter: it is written over what was there.
 */
export async function withProgress<T>(
  what: string,
  terminal: Terminal,
  words: Words,
  work: Promise<T>,
  soFar?: () => Promise<string>,
): Promise<T> {
  if (!terminal.isInteractive || words.json) return await work
  const start = Date.now()
  let far = ''
  const draw = () => {
    terminal.complain(`\r${what} … ${far}${Math.round((Date.now() - start) / 1000)} s`)
    soFar?.().then(
      (text) => {
        far = text === '' ? '' : `${text}, `
      },
      // Then the work itself says what is wrong.
      () => {},
    )
  }
  draw()
  const redraw = setInterval(draw, REDRAW_MS)
  try {
    return await work
  } finally {
    clearInterval(redraw)
    // Back to the start, and everything after it is erased.
    terminal.complain('\r\u001b[K')
  }
}
