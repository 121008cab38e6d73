/** The first bytes of an addon with a machine type in its header, and the symbol versions that it asks for. */
export function addonFile(os: string, machine: number, symbols: readonly string[] = []): Buffer {
  const bytes = Buffer.alloc(128)
  if (os === 'linux') {
    bytes.write('\x7fELF', 'latin1')
    bytes.writeUInt16LE(machine, 18)
  } else if (os === 'darwin') {
    bytes.writeUInt32LE(0xfeed_facf)
    bytes.writeUInt32LE(machine, 4)
  } else {
    bytes.write('MZ', 'latin1')
    bytes.writeUInt32LE(64, 0x3c)
    bytes.write('PE', 64, 'latin1')
    bytes.writeUInt16LE(machine, 68)
  }
  return Buffer.concat([bytes, Buffer.from(symbols.map((symbol) => `\0${symbol}\0`).join(''))])
}

/** The machine types as the makers of the formats number them. */
const machines: Record<string, Record<string, number>> = {
  linux: { x64: 62, arm64: 183 },
  darwin: { x64: 0x0100_0007, arm64: 0x0100_000c },
  win32: { x64: 0x8664, arm64: 0xaa64 },
}

/** What passes for an addon of a platform. */
export function addonFor({ os, cpu, libc }: { os: string; cpu: string; libc: string | undefined }): Buffer {
  return addonFile(os, machines[os]?.[cpu] ?? 0, libc === 'glibc' ? ['GLIBC_2.2.5', 'GLIBC_2.28'] : [])
}
