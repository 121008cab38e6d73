import type { Feature } from './table.ts'

/** Makes a test of what a provider offers, or a note that it does not. */
export type Cell = <T>(feature: Feature, offered: T | undefined, body: (offered: T) => Promise<void>) => void
