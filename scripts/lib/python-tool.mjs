import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { inRoot } from './root.mjs'
import { run } from './run.mjs'

/**
 * Installs a program that is published as a wheel into a folder of its own below `build`, once, and returns its path.
 * Compiling such a program takes minutes; pip takes seconds, and checks its hash.
 *
 * @param {string} name the program's name
 * @param {string} requirements the file with its version and hashes
 * @returns {Promise<string | undefined>} undefined where Python 3 with venv and pip is missing, or no wheel fits
 */
export async function pythonTool(name, requirements) {
  const folder = inRoot('build', 'tools', name)
  const binaries = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin')
  const program = join(binaries, process.platform === 'win32' ? `${name}.exe` : name)
  if (existsSync(program)) return program
  const options = ['--quiet', '--disable-pip-version-check', '--require-hashes', '--requirement', requirements]
  try {
    const made = await run('python3', ['-m', 'venv', folder])
    if (made.code !== 0) return undefined
    return (await run(join(binaries, 'pip'), ['install', ...options])).code === 0 ? program : undefined
  } catch {
    // There is no Python.
    return undefined
  }
}
