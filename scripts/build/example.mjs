// Builds an example that has packages of its own, such as examples/chat: `node scripts/build/example.mjs chat`.
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { unlessUnchanged } from '../lib/inputs.mjs'
import { ensureInstalled } from '../lib/install.mjs'
import { inRoot } from '../lib/root.mjs'

/**
 * Whether an example has a package.json: it is built with what it installs, and not with what the repository does.
 *
 * @param {string} name
 */
export function hasOwnPackages(name) {
  return existsSync(inRoot('examples', name, 'package.json'))
}

/**
 * Bundles `main.ts` for Node and `page/main.tsx` for browsers into `build/programs/examples/<name>`, each with the packages that the example
 * installs inside. The program imports the built package by its name, as others do. Other files of the page are copied.
 *
 * @param {string} name
 */
export async function buildExample(name) {
  const source = inRoot('examples', name)
  await ensureInstalled(source)
  const outputs = ['main.js', 'page/page.js', 'page/index.html'].map(
    (file) => `build/programs/examples/${name}/${file}`,
  )
  const inputs = [`examples/${name}`, 'ts/ai-sdk', 'package.json', 'scripts/build', 'scripts/lib']
  await unlessUnchanged(`example-${name}`, { inputs, outputs }, async () => {
    const { build } = await import('rolldown')
    const { exports } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))
    const folder = inRoot('build', 'programs', 'examples', name)
    const onLog = (/** @type {string} */ level, /** @type {{ code?: string, message: string }} */ log) => {
      // 'use client' says something to servers that render React; here is none.
      if (level === 'warn' && log.code !== 'MODULE_LEVEL_DIRECTIVE') throw new Error(log.message)
    }
    await build({
      cwd: source,
      input: { main: './main.ts' },
      external: [/^node:/, /^bailiwick(?:\/|$)/],
      // Its paths lead to the sources of the package.
      tsconfig: false,
      platform: 'node',
      transform: { target: 'node20.19' },
      onLog,
      output: { dir: folder, format: 'esm', sourcemap: true, chunkFileNames: 'shared/[name].js' },
    })
    await build({
      cwd: source,
      input: { page: './page/main.tsx' },
      platform: 'browser',
      // What pages import of the package, as it is built.
      resolve: { alias: { 'bailiwick/ai-sdk/browser': inRoot(exports['./ai-sdk/browser'].default) } },
      tsconfig: false,
      transform: { target: 'es2023', jsx: 'react-jsx', define: { 'process.env.NODE_ENV': '"production"' } },
      onLog,
      output: { dir: `${folder}/page`, format: 'esm', minify: true, codeSplitting: false },
    })
    for (const file of readdirSync(`${source}/page`)) {
      if (/\.(?:html|css)$/.test(file)) copyFileSync(`${source}/page/${file}`, `${folder}/page/${file}`)
    }
  })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await buildExample(process.argv[2] ?? '')
