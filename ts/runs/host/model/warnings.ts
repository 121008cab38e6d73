import type { Redact } from '../failures.ts'

/** Most different warnings of one process. */
const MOST = 100
const WARNING_CHARACTERS = 1000
const told = new Set<string>()

/** Emits a process warning for each thing that a model's provider did otherwise than requested, once each. Never throws. */
export function warnOfModel(model: string, message: unknown, redact: Redact): void {
  try {
    if (typeof message !== 'string' || told.size >= MOST) return
    const text = `The model ${model} did not do as it was asked: ${redact(message.slice(0, WARNING_CHARACTERS))}`
    if (told.has(text)) return
    told.add(text)
    process.emitWarning(text, { code: 'BAILIWICK_MODEL_WARNING' })
  } catch {
    // The host does not want to be warned, or its secrets cannot be read.
  }
}
