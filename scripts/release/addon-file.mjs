import { oldestGlibc } from '../lib/targets.mjs'

/** The machine types of the three formats, as their headers number them. */
const machines = /** @type {const} */ ({
  linux: { x64: 62, arm64: 183 },
  darwin: { x64: 0x0100_0007, arm64: 0x0100_000c },
  win32: { x64: 0x8664, arm64: 0xaa64 },
})

/**
 * Returns why an addon does not fit a platform: another format or processor, the wrong C library or too new a version, and
 * thread-local storage that the library does not load into a running process.
 *
 * @param {Buffer} bytes
 * @param {{ os: string, cpu: string, libc: string | undefined }} target
 * @returns {string[]}
 */
export function addonProblems(bytes, { os, cpu, libc }) {
  const header = headerOf(bytes)
  if (header?.os !== os) return [`is a file for ${header?.os ?? 'no system we know'}, not for ${os}`]
  const expected = Object.entries(machines[header.os]).find(([name]) => name === cpu)?.[1]
  const problems = header.machine === expected ? [] : [`is not for ${cpu}: its header has machine ${header.machine}`]
  const versions = glibcVersions(bytes)
  if (libc === 'musl' && versions.length > 0) problems.push('needs glibc and is for musl')
  if (libc === 'musl' && needsStaticTls(bytes))
    problems.push('has static thread-local variables, which musl does not load')
  if (libc === 'glibc' && versions.length === 0) problems.push('does not need glibc and is for glibc')
  const newest = versions.at(-1)
  if (newest !== undefined && libc === 'glibc' && compare(newest, oldestGlibc) > 0) {
    problems.push(`needs glibc ${newest.join('.')}; ${oldestGlibc.join('.')} must do`)
  }
  return problems
}

/** @param {Buffer} bytes @returns {{ os: 'linux' | 'darwin' | 'win32', machine: number } | undefined} */
function headerOf(bytes) {
  if (bytes.length < 64) return undefined
  if (bytes.readUInt32BE(0) === 0x7f45_4c46) return { os: 'linux', machine: bytes.readUInt16LE(18) }
  if (bytes.readUInt32LE(0) === 0xfeed_facf) return { os: 'darwin', machine: bytes.readUInt32LE(4) }
  const portable = bytes.readUInt32LE(0x3c)
  if (bytes.readUInt16BE(0) !== 0x4d5a || portable + 6 > bytes.length) return undefined
  if (bytes.readUInt32BE(portable) !== 0x5045_0000) return undefined
  return { os: 'win32', machine: bytes.readUInt16LE(portable + 4) }
}

/**
 * Whether an ELF file for 64 bits says DF_STATIC_TLS in its dynamic section.
 *
 * @param {Buffer} bytes
 */
function needsStaticTls(bytes) {
  const [start, size, count] = [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)]
  for (let header = start; header < start + size * count && header + 40 <= bytes.length; header += size) {
    const isDynamic = bytes.readUInt32LE(header) === 2
    if (!isDynamic) continue
    const from = Number(bytes.readBigUInt64LE(header + 8))
    const to = from + Number(bytes.readBigUInt64LE(header + 32))
    for (let entry = from; entry < to && entry + 16 <= bytes.length; entry += 16) {
      const isFlags = bytes.readBigUInt64LE(entry) === 30n
      if (isFlags && (bytes.readBigUInt64LE(entry + 8) & 0x10n) !== 0n) return true
    }
  }
  return false
}

/**
 * Returns the versions of glibc's symbols that a file needs, oldest first. They are in its string table as GLIBC_2.17.
 *
 * @param {Buffer} bytes
 * @returns {[number, number][]}
 */
export function glibcVersions(bytes) {
  const names = new Set(bytes.toString('latin1').match(/(?<=\0)GLIBC_\d+\.\d+(?=(?:\.\d+)?\0)/g))
  return [...names].map(versionOf).sort(compare)
}

/** @param {string} name @returns {[number, number]} */
function versionOf(name) {
  const [major = '', minor = ''] = name.slice('GLIBC_'.length).split('.')
  return [Number(major), Number(minor)]
}

/** @param {readonly [number, number]} left @param {readonly [number, number]} right */
function compare(left, right) {
  return left[0] - right[0] || left[1] - right[1]
}
