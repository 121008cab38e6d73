import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { brotliDecompressSync } from 'node:zlib'
import { chromium } from 'playwright-core'
import { inRoot } from './root.mjs'

const packageName = '@sparticuz/chromium'

/**
 * Starts a browser: the one that BAILIWICK_TEST_BROWSER names, else the one that an npm package brings for Linux on x64.
 * docs/decisions/0040-a-browser-for-tests.md
 *
 * @param {readonly string[]} [options] more options of its command line
 * @returns {Promise<import('playwright-core').Browser>}
 */
export async function startBrowser(options = []) {
  const named = process.env['BAILIWICK_TEST_BROWSER']
  if (named !== undefined && named !== '') return await chromium.launch({ executablePath: named, args: [...options] })
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error('Set BAILIWICK_TEST_BROWSER to the path of a Chromium: npm brings one for Linux on x64 alone.')
  }
  const folder = unpackedBrowser()
  return await chromium.launch({
    executablePath: join(folder, 'chromium'),
    // Libraries and fonts that a small machine may not have come along; what the machine has itself is not preferred to them.
    env: {
      ...process.env,
      LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
      FONTCONFIG_PATH: join(folder, 'fonts', 'fonts'),
      NODE_OPTIONS: undefined,
    },
    args: ['--no-zygote', ...options],
  })
}

/** Returns the folder of the browser that the package brings compressed, unpacked once for each version. */
function unpackedBrowser() {
  const root = dirname(dirname(dirname(createRequire(import.meta.url).resolve(packageName))))
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const folder = inRoot('build', `chromium-${version}`)
  if (existsSync(folder)) return folder
  mkdirSync(inRoot('build'), { recursive: true })
  const partial = mkdtempSync(inRoot('build', 'chromium-partial-'))
  const read = (/** @type {string} */ name) => brotliDecompressSync(readFileSync(join(root, 'bin', name)))
  for (const name of ['al2023', 'fonts']) {
    mkdirSync(join(partial, name))
    execFileSync('tar', ['-x', '-C', join(partial, name)], { input: read(`${name}.tar.br`) })
  }
  writeFileSync(join(partial, 'chromium'), read('chromium.br'), { mode: 0o755 })
  try {
    // There as a whole or not at all, whoever is quicker.
    renameSync(partial, folder)
  } catch (error) {
    rmSync(partial, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}
