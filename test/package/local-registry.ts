import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { inRoot } from '../../scripts/lib/root.mjs'

/** The script of a tool of test/package/registry. */
export function registryTool(path: string): string {
  return inRoot('test', 'package', 'registry', 'node_modules', path)
}

/** A registry on this machine that holds what is published to it and nothing else. */
export interface LocalRegistry {
  readonly url: string
  /** Settings by which npm and pnpm use this registry alone, with an empty cache. */
  readonly environment: Record<string, string>
  publish(file: string): Promise<void>
  close(): Promise<void>
}

/** Starts a registry. It needs Node 22, so it runs on the one that the packages are tried on. */
export async function startRegistry(node: string): Promise<LocalRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'bailiwick-registry-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const config = {
    storage: join(folder, 'storage'),
    packages: { '**': { access: '$all', publish: '$all' } },
    log: { type: 'stdout', level: 'http' },
    web: { enable: false },
    // A daily build carries its line tables.
    max_body_size: '100mb',
  }
  // YAML reads JSON.
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config))
  const parameters = ['--config', join(folder, 'config.yaml'), '--listen', url.slice(7, -1)]
  const child = spawn(node, [registryTool('verdaccio/bin/verdaccio'), ...parameters], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const lines: string[] = []
  await new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line)
      if (line.includes('http address')) resolve()
    })
    ended.then(() => reject(new Error(`the registry ended\n${lines.join('\n')}`)))
  })
  const environment = {
    npm_config_registry: url,
    npm_config_cache: join(folder, 'cache'),
    [`npm_config_//127.0.0.1:${port}/:_authToken`]: 'anybody',
  }
  return {
    url,
    environment,
    async publish(file) {
      await promisify(execFile)('npm', ['publish', file, '--access=public'], {
        env: { ...process.env, ...environment },
      })
    },
    async close() {
      child.kill()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
