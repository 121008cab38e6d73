// Makes the pictures of `bailiwick inspect` in docs/images again, after `npm run build`: node scripts/pictures.mjs
// They show the project of `npx bailiwick init` after its run was approved, killed and resumed.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { startBrowser } from './lib/browser.mjs'
import { inRoot, root } from './lib/root.mjs'

const command = inRoot('dist', 'cli', 'main.js')
const starts = 3
const size = { width: 1080, height: 620 }

mkdirSync(inRoot('build'), { recursive: true })
const folder = mkdtempSync(inRoot('build', 'pictures-'))
try {
  const project = join(folder, 'my-agents')
  execFileSync(process.execPath, [command, 'init', project, '--js'])
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(root, join(project, 'node_modules', 'bailiwick'))
  symlinkSync(inRoot('node_modules', 'zod'), join(project, 'node_modules', 'zod'))
  // The second is killed by itself.
  for (let start = 0; start < starts; start += 1) spawnSync(process.execPath, ['src/main.js'], { cwd: project })
  await takePictures(join(project, 'data'))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** @param {string} store */
async function takePictures(store) {
  const parameters = [command, 'inspect', store, '--tenant', 'acme', '--json']
  const inspector = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
  const browser = await startBrowser()
  try {
    const lines = createInterface({ input: inspector.stdout })[Symbol.asyncIterator]()
    const { url } = JSON.parse((await lines.next()).value)
    const page = await browser.newPage({ viewport: size })
    await page.goto(url)
    await page.goto(new URL((await page.locator('a[href*="/runs/"]').first().getAttribute('href')) ?? '', url).href)
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      await page.emulateMedia({ colorScheme })
      const path = inRoot('docs', 'images', `inspect-${colorScheme}.png`)
      await page.screenshot({ path })
      console.log(path)
    }
  } finally {
    await browser.close()
    inspector.kill('SIGINT')
  }
}
