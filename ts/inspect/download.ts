/** A file that the browser is to save. */
export class Download {
  readonly name: string
  readonly content: Uint8Array | string

  /** @param name of letters, digits, `_`, `.` and `-` */
  constructor(name: string, content: Uint8Array | string) {
    this.name = name.replaceAll(/[^\w.-]/g, '_')
    this.content = content
  }
}

/** Ends of file names, by media type. Nothing that a browser or a system runs when it is opened is among them. */
const ends: { readonly [mediaType: string]: string } = {
  'application/json': 'json',
  'application/pdf': 'pdf',
  'application/vnd.apache.parquet': 'parquet',
  'application/zip': 'zip',
  'audio/mpeg': 'mp3',
  'audio/wav': 'wav',
  'image/gif': 'gif',
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
  'text/csv': 'csv',
  'text/markdown': 'md',
  'text/plain': 'txt',
  'video/mp4': 'mp4',
}

/** Returns the end of the name of a file with this content: `bin` for what could be run, and for what is not known. */
export function endOf(mediaType: string): string {
  const [type = ''] = mediaType.split(';')
  const known = type.trim().toLowerCase()
  return Object.hasOwn(ends, known) ? (ends[known] ?? 'bin') : 'bin'
}
