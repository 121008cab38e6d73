import test from '../../../examples/project/src/agents.test.ts?raw'
import agents from '../../../examples/project/src/agents.ts?raw'
import http from '../../../examples/project/src/http.ts?raw'
import main from '../../../examples/project/src/main.ts?raw'
import models from '../../../examples/project/src/models.ts?raw'
import payments from '../../../examples/project/src/payments.ts?raw'
import script from '../../../examples/project/src/script.ts?raw'
import server from '../../../examples/project/src/server.ts?raw'
import signIn from '../../../examples/project/src/sign-in.ts?raw'
import tsconfig from '../../../examples/project/tsconfig.json?raw'
import { VERSION } from '../../common/version.ts'
import { type Language, toJavaScript } from './javascript.ts'
import { readme } from './readme.ts'

/** The package that the project's files import. */
const PACKAGE = 'bailiwick'

/** What else a project needs, in the versions that this package is tested with; a test keeps them equal to those. */
const versions = { '@types/node': '20.19.43', typescript: '7.0.2', zod: '4.6.7' } as const

const sources: readonly (readonly [name: string, text: string])[] = [
  ['main', main],
  ['agents', agents],
  ['agents.test', test],
  ['payments', payments],
  ['models', models],
  ['script', script],
  ['server', server],
  ['sign-in', signIn],
  ['http', http],
]

/** The files of a new project, by their paths in it. */
export function projectFiles(name: string, language: Language): ReadonlyMap<string, string> {
  const isTyped = language === 'typescript'
  return new Map([
    ['package.json', `${JSON.stringify(manifest(name, language), null, 2)}\n`],
    ...(isTyped ? [['tsconfig.json', tsconfig] as const] : []),
    ...sources.map(([file, text]) =>
      isTyped ? ([`src/${file}.ts`, text] as const) : ([`src/${file}.js`, toJavaScript(text)] as const),
    ),
    ['README.md', readme(name, language)],
    ['.gitignore', `node_modules\n${isTyped ? 'dist\n' : ''}data\ncharges.txt\n`],
  ])
}

/** Returns a package name that npm accepts, made from a folder's name. */
export function packageNameOf(folder: string): string {
  const name = folder
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  return name === '' ? 'my-agents' : name.slice(0, 100)
}

function manifest(name: string, language: Language): object {
  const { zod, ...development } = versions
  const own = { name, version: '0.1.0', private: true, type: 'module' }
  const dependencies = { [PACKAGE]: VERSION, zod }
  // Without names of files, every version of Node finds the tests below the current folder.
  if (language === 'javascript') {
    const scripts = { start: 'node src/main.js', server: 'node src/server.js', test: 'cd src && node --test' }
    return { ...own, scripts, dependencies }
  }
  const scripts = {
    start: 'tsc && node --enable-source-maps dist/main.js',
    server: 'tsc && node --enable-source-maps dist/server.js',
    test: 'tsc && cd dist && node --enable-source-maps --test',
    types: 'tsc --noEmit',
  }
  return { ...own, scripts, dependencies, devDependencies: development }
}
