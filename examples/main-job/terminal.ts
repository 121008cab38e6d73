import process from 'node:process'

let isVerbose = false

/** Makes the job print each step, not its result alone. */
export function showSteps(): void {
  isVerbose = true
}

/** Prints a step, if steps are shown. */
export function step(text: string): void {
  if (isVerbose) process.stdout.write(text)
}

/** Prints a finished part of the job, or a check that passed. */
export function tick(text: string): void {
  process.stdout.write(`  ✓ ${text}\n`)
}

/** Prints the title of a part of the job. */
export function title(text: string): void {
  process.stdout.write(`\n${text}\n`)
}

/** Progress of a load in one line, if steps are shown: redrawn on a terminal, otherwise printed once at the end. */
export class Progress {
  readonly #label: string
  readonly #total: number
  #items = 0
  #bytes = 0

  /** `total` in bytes is an estimate. */
  constructor(label: string, total: number) {
    this.#label = label
    this.#total = total
  }

  add(items: number, bytes: number): void {
    this.#items += items
    this.#bytes += bytes
    if (process.stdout.isTTY) step(`\r${this.#line()}`)
  }

  end(): void {
    this.#bytes = Math.max(this.#bytes, this.#total)
    step(process.stdout.isTTY ? `\r${this.#line()}\n` : `${this.#line()}\n`)
  }

  #line(): string {
    const part = Math.min(1, this.#bytes / this.#total)
    const bar = '█'.repeat(Math.round(part * 24)).padEnd(24, '·')
    return `  ${this.#label.padEnd(12)} ${bar} ${String(this.#items).padStart(4)} references  ${megabytes(this.#bytes)}`
  }
}

/** Prints rows under a header in columns, with numbers to the right, if steps are shown. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const cells = [header, ...rows].map((row) => row.map(String))
  const widths = header.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)))
  cells.forEach((row, index) => {
    const line = row.map((cell, column) =>
      typeof rows[0]?.[column] === 'number' || /^[\d.]+ /.test(cell)
        ? cell.padStart(widths[column] ?? 0)
        : cell.padEnd(widths[column] ?? 0),
    )
    step(`  ${line.join('  ').trimEnd()}\n`)
    if (index === 0) step(`  ${widths.map((width) => '─'.repeat(width)).join('──')}\n`)
  })
}

/** Formats a number of bytes. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
