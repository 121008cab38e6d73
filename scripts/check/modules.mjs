import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { trackedFiles } from '../lib/git.mjs'
import { inRoot } from '../lib/root.mjs'

// Circles between modules are for biome.json (`noImportCycles`).

/**
 * The rooms of ts/, each with all that it may import besides itself. A room stands behind those that it imports, so no circle
 * is possible. `ts/index.ts` imports any of them.
 *
 * @type {Readonly<Record<string, string>>}
 */
const rooms = {
  types: '',
  common: 'types',
  errors: 'types common',
  arguments: 'types common errors',
  ledger: 'types common errors',
  native: 'types common errors',
  spec: 'types common errors arguments',
  prompt: 'types common errors spec',
  session: 'types common errors arguments ledger native spec',
  store: 'types common errors arguments ledger native session',
  telemetry: 'types common errors arguments ledger spec',
  runs: 'types common errors arguments ledger native spec prompt session store telemetry',
  tenant: 'types common errors arguments ledger native spec session store telemetry runs',
  host: 'types common errors arguments native spec session store telemetry runs tenant inspect',
  testing: 'types common errors arguments spec store',
  'ai-sdk': 'types common errors arguments ledger spec prompt',
  // Errors are masked in one place.
  'ag-ui': 'types common errors arguments ledger ai-sdk',
  mcp: 'types common errors arguments spec runs',
  // The suite sees what users see, by `ts/index.ts`.
  isolation: 'types common errors arguments native testing index.ts',
  inspect: 'types common errors arguments ledger tenant',
  cli: 'types common errors arguments ledger spec store tenant isolation inspect',
}

/** What loads the addon, and what stands for it: for `ts/native` alone. */
const addon = /^node:module$|\.node$|^ts\/native\/(?:addon|loader)\.ts$/

/** The one module that reads memory which the core writes to. */
const sharedMemory = 'ts/native/shared-memory.ts'
/** All that it may import: nothing that calls the host. */
const importedThere = ['node:buffer', '../types/references.ts', './addon.ts', './message.ts', './resolved.ts']
/** The exports of the addon that write into memory of JavaScript. */
const writingExports = /\baddon\.(?:drain|take|resolveAtHand|prepareRun)\(/

/** Returns imports against the direction of the rooms, and modules that could call the host while shared memory is read. */
export async function moduleProblems() {
  const files = await trackedFiles(['ts/*.ts'])
  return files.flatMap((file) => {
    const source = readFileSync(inRoot(file), 'utf8')
    return [...directionProblems(file, source), ...problemsOf(file, source)]
  })
}

/**
 * Returns imports that `rooms` does not name.
 *
 * @param {string} file @param {string} source
 */
export function directionProblems(file, source) {
  const [, room, below] = file.split('/')
  if (room === undefined || below === undefined) return []
  const allowed = rooms[room]?.split(' ')
  if (allowed === undefined) return [`${file}: scripts/check/modules.mjs does not name the room ${room}`]
  return importsOf(source).flatMap((specifier) => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier
    if (specifier === 'bailiwick') return [`${file} imports the package itself`]
    if (room !== 'native' && addon.test(target)) return [`${file} imports ${specifier}; only ts/native calls the addon`]
    const other = specifier.startsWith('.') ? target.split('/')[1] : room
    return other === room || allowed.includes(other ?? '')
      ? []
      : [`${file} imports ${specifier} against the direction of ts/: see scripts/check/modules.mjs`]
  })
}

/** Without texts (`?raw`), which are no code. @param {string} source */
function importsOf(source) {
  const specifiers = [...source.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
  return specifiers.filter((specifier) => !specifier.endsWith('?raw'))
}

/**
 * Nothing is called while shared memory is read (docs/bridge).
 *
 * @param {string} file @param {string} source
 */
export function problemsOf(file, source) {
  if (file !== sharedMemory) {
    return writingExports.test(source) ? [`${file} has the addon write into memory; only ${sharedMemory} may`] : []
  }
  const foreign = importsOf(source).filter((specifier) => !importedThere.includes(specifier))
  return [
    ...foreign.map((specifier) => `${file} imports ${specifier}; it must not be able to call out`),
    ...(source.includes('=>')
      ? [`${file} has a function for a parameter or value; it must not be able to call out`]
      : []),
  ]
}
