/** The part of Node's diagnostic report that is used here. */
interface ProcessReport {
  readonly header: { readonly glibcVersionRuntime?: string }
  /** The files of all libraries and addons that the process has loaded, by whichever of its threads. */
  readonly sharedObjects: readonly string[]
}

/** Reads the report. Takes about 6 ms. */
export function processReport(): ProcessReport {
  const report: { excludeNetwork?: boolean; getReport(): object } = process.report
  const before = report.excludeNetwork
  // Without this the report resolves the names of all open sockets, which can take seconds.
  report.excludeNetwork = true
  const read = report.getReport() as ProcessReport
  report.excludeNetwork = before ?? false
  return read
}
