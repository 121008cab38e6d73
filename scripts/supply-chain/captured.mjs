import { execFile } from 'node:child_process'
import { inRoot } from '../lib/root.mjs'

/**
 * Runs a program and returns both of its outputs, whatever its exit code.
 *
 * @param {string} command
 * @param {readonly string[]} parameters
 * @param {string} [cwd]
 * @returns {Promise<{ code: number, output: string, errors: string }>}
 */
export function captured(command, parameters, cwd = inRoot()) {
  return new Promise((resolve, reject) => {
    execFile(command, parameters, { cwd, maxBuffer: 64 * 1024 * 1024 }, (error, output, errors) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ code: error === null ? 0 : Number(error.code), output, errors })
    })
  })
}
