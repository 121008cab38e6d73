import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** A text of 32 bytes that is nowhere else: a letter and hex digits, so that it can stand wherever a name may. */
export function canary(): string {
  return `c${randomBytes(16).toString('hex').slice(1)}`
}

/** The ways in which a text might be written: as it is, in UTF-16, as hex, and as base64 wherever it begins. */
function formsOf(text: string): Buffer[] {
  const hex = Buffer.from(text).toString('hex')
  const base64 = [0, 1, 2].map((shift) => {
    const encoded = Buffer.from(`${'x'.repeat(shift)}${text}xx`).toString('base64')
    // Without the characters that hold bits of what is before and behind.
    return encoded.slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + text.length) * 8) / 6))
  })
  const texts = [text, hex, hex.toUpperCase(), ...base64, ...base64.map(urlSafe)]
  return [...new Set(texts)].map((form) => Buffer.from(form)).concat(Buffer.from(text, 'utf16le'))
}

function urlSafe(base64: string): string {
  return base64.replaceAll('+', '-').replaceAll('/', '_')
}

/** What a search of a folder found. */
export interface Search {
  /** `file: text`, for every text that is in a file or a file's name in clear. */
  readonly found: readonly string[]
  /** How many bytes were searched. */
  readonly bytes: number
}

/** Searches every file and every file name below a folder for texts, in each of the ways in which they might be written. */
export async function searchFor(texts: readonly string[], folder: string): Promise<Search> {
  const wanted = texts.map((text) => ({ text, forms: formsOf(text) }))
  const found: string[] = []
  let bytes = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const content = entry.isFile() ? await readFile(join(entry.parentPath, entry.name)) : Buffer.alloc(0)
    bytes += content.length
    for (const { text, forms } of wanted) {
      const isThere = forms.some((form) => content.includes(form) || Buffer.from(entry.name).includes(form))
      if (isThere) found.push(`${entry.name}: ${text}`)
    }
  }
  return { found, bytes }
}
