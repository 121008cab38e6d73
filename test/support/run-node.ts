import { execFile } from 'node:child_process'
import process from 'node:process'

/**
 * Runs a script with a Node executable and gives its standard output; rejects with all it printed when it fails.
 * Options and addons that were chosen for this process are not passed on.
 */
export function runNode(script: readonly string[], cwd: string, node = process.execPath): Promise<string> {
  const env = { ...process.env, NODE_OPTIONS: undefined, BAILIWICK_NATIVE_PATH: undefined }
  return new Promise((resolve, reject) => {
    execFile(node, script, { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${node} ${script.join(' ')} failed\n${stdout}${stderr}`, { cause: error }))
    })
  })
}
