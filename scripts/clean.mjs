// Removes what the build writes. Installed packages and cargo's target folder stay: they are caches with their own keys.
import { readdirSync, rmSync } from 'node:fs'
import { inRoot } from './lib/root.mjs'

for (const folder of ['dist', 'build']) rmSync(inRoot(folder), { recursive: true, force: true })
for (const platform of readdirSync(inRoot('npm'))) {
  rmSync(inRoot('npm', platform, `bailiwick.${platform}.node`), { force: true })
}
