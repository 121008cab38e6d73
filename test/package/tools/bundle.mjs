// Bundles main.mjs of the working directory into dist/main.mjs or dist/main.cjs, as the documents of each bundler say.
// Arguments: the bundler, the format (esm or cjs).
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'

const [bundler = '', format = ''] = process.argv.slice(2)
const input = './main.mjs'
const outDir = join(process.cwd(), 'dist')
const name = format === 'esm' ? 'main.mjs' : 'main.cjs'
const file = join(outDir, name)

/**
 * What is installed beside this file has no types where it is not.
 *
 * @param {string} specifier
 * @returns {Promise<any>}
 */
const load = (specifier) => import(specifier)

/** @type {Record<string, () => Promise<unknown>>} */
const bundlers = {
  async esbuild() {
    const { build } = await load('esbuild')
    await build({ entryPoints: [input], bundle: true, platform: 'node', format, outfile: file })
  },
  async rolldown() {
    const { build } = await load('rolldown')
    await build({ input, platform: 'node', output: { file, format, codeSplitting: false } })
  },
  async rollup() {
    const { rollup } = await load('rollup')
    const { nodeResolve } = await load('@rollup/plugin-node-resolve')
    const { default: commonjs } = await load('@rollup/plugin-commonjs')
    const bundle = await rollup({ input, plugins: [nodeResolve({ exportConditions: ['node'] }), commonjs()] })
    await bundle.write({ file, format, inlineDynamicImports: true })
  },
  async webpack() {
    const { default: webpack } = await load('webpack')
    await byWebpack(webpack)
  },
  async rspack() {
    const { rspack } = await load('@rspack/core')
    await byWebpack(rspack)
  },
  async vite() {
    const { build } = await load('vite')
    const options = { ssr: input, outDir, rollupOptions: { output: { entryFileNames: name } } }
    await build({ configFile: false, logLevel: 'error', ssr: { noExternal: true }, build: options })
  },
  async 'vite, packages external'() {
    const { build } = await load('vite')
    const options = { ssr: input, outDir, rollupOptions: { output: { entryFileNames: name } } }
    await build({ configFile: false, logLevel: 'error', build: options })
  },
  async ncc() {
    const { default: ncc } = await load('@vercel/ncc')
    const { code, assets } = await ncc(join(process.cwd(), input), { cache: false, quiet: true })
    mkdirSync(outDir)
    writeFileSync(file, code)
    for (const [asset, { source }] of Object.entries(assets)) writeFileSync(join(outDir, asset), source)
  },
  /** Copies what is traced, packages and all. */
  async nft() {
    const { nodeFileTrace } = await load('@vercel/nft')
    const { fileList } = await nodeFileTrace([join(process.cwd(), input)], { base: process.cwd() })
    for (const traced of fileList) {
      const copy = join(outDir, traced)
      mkdirSync(dirname(copy), { recursive: true })
      cpSync(traced, copy)
    }
  },
}

/** @param {any} webpack webpack, or what has its interface */
function byWebpack(webpack) {
  const esm = { experiments: { outputModule: true }, output: { path: outDir, filename: name, module: true } }
  const cjs = { output: { path: outDir, filename: name } }
  const options = { mode: 'production', target: 'node', context: process.cwd(), entry: input }
  return new Promise((resolve, reject) => {
    webpack({ ...options, ...(format === 'esm' ? esm : cjs) }, (/** @type {any} */ error, /** @type {any} */ stats) => {
      if (error !== null || stats.hasErrors()) reject(error ?? new Error(stats.toString({ all: false, errors: true })))
      else resolve(undefined)
    })
  })
}

const bundle = bundlers[bundler]
if (bundle === undefined) throw new Error(`no bundler ${bundler}`)
await bundle()
