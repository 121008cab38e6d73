import { readFileSync } from 'node:fs'
import { trackedFiles } from '../lib/git.mjs'
import { inRoot } from '../lib/root.mjs'

/** The crates whose files must not import each other in a circle. */
const crates = ['model', 'store', 'tenancy', 'runtime', 'node']

/** Circles that stand, each with its reason. The files are relative to `crates`. */
const allowed = [
  {
    files: ['tenancy/src/tenant/state.rs', 'tenancy/src/tenant/store.rs'],
    reason: 'a store finds the states of its tenants, and a state keeps its store open',
  },
]

/** Returns import circles that are not allowed, allowed ones that are gone, and files of no module. */
export async function importProblems() {
  const files = await trackedFiles(['crates/*/src/*.rs'])
  const sources = new Map(files.map((file) => [file.slice('crates/'.length), readFileSync(inRoot(file), 'utf8')]))
  const circle = crates.flatMap((crate) => {
    const own = [...sources].filter(([file]) => file.startsWith(`${crate}/`))
    return circleProblems(crate, circles(new Map(own)))
  })
  return [...circle, ...unreachable(sources)]
}

/**
 * Returns the files that no `mod` names, so that no build reads them.
 *
 * @param {ReadonlyMap<string, string>} sources
 */
export function unreachable(sources) {
  const named = new Set(
    [...sources].flatMap(([file, text]) => {
      const folder = file.replace(/(?:\/(?:mod|lib))?\.rs$/, '')
      const modules = [...text.matchAll(/^\s*(?:pub(?:\([^)]*\))? )?mod (\w+);/gm)].map(
        ([, name]) => `${folder}/${name}`,
      )
      const paths = [...text.matchAll(/#\[path = "(\w+)\.rs"\]/g)].map(
        ([, name]) => `${file.slice(0, file.lastIndexOf('/'))}/${name}`,
      )
      return [...modules, ...paths]
    }),
  )
  const isReached = (/** @type {string} */ file) =>
    file.endsWith('/lib.rs') || named.has(file.replace(/(?:\/mod)?\.rs$/, ''))
  return [...sources.keys()].filter((file) => !isReached(file)).map((file) => `crates/${file} is part of no module`)
}

/** @param {string} crate @param {string[][]} found */
function circleProblems(crate, found) {
  const key = (/** @type {readonly string[]} */ files) => [...files].sort().join(', ')
  const expected = allowed.map(({ files }) => key(files)).filter((files) => files.startsWith(`${crate}/`))
  const keys = found.map(key)
  return [
    ...keys.filter((files) => !expected.includes(files)).map((files) => `import circle: ${files}`),
    ...expected.filter((files) => !keys.includes(files)).map((files) => `no import circle any more: ${files}`),
  ]
}

/**
 * Returns the circles among the files of a crate. A file imports another if it names an item of it, in a `use` or in a path.
 * `pub use` in a module passes a name on: who imports it there imports the file that defines it. Code of tests does not count.
 *
 * @param {ReadonlyMap<string, string>} sources the text of each file, by `<crate>/src/<path>.rs`
 */
export function circles(sources) {
  const files = new Map([...sources.keys()].map((file) => [moduleOf(file), file]))
  const texts = new Map([...sources].map(([file, source]) => [file, withoutTestsAndComments(source)]))
  /** @type {Map<string, Map<string, string>>} the names that a file passes on, with their full paths */
  const passedOn = new Map()
  for (const [file, text] of texts) {
    const names = new Map()
    for (const [, path] of text.matchAll(/\bpub(?:\([^)]*\))? use ([^;]+);/g)) {
      for (const full of expanded(path ?? '', moduleOf(file), files)) names.set(full.split('::').at(-1), full)
    }
    passedOn.set(file, names)
  }
  const edges = new Map([...texts].map(([file, text]) => [file, targets(file, text)]))
  return components(edges).filter((component) => component.length > 1)

  /** @param {string} file @param {string} text */
  function targets(file, text) {
    const found = new Set()
    const module = moduleOf(file)
    const uses = [...text.matchAll(/(?<!pub )(?<!\) )\buse ([^;]+);/g)].flatMap(([, path]) =>
      expanded(path ?? '', module, files),
    )
    const paths = [...text.matchAll(/\b(?:crate|super|self)(?:::\w+)+/g)].flatMap(([path]) =>
      expanded(path, module, files),
    )
    for (const path of [...uses, ...paths]) {
      const target = fileOf(path, 0)
      if (target !== undefined && target !== file) found.add(target)
    }
    return found
  }

  /** @param {string} path @param {number} depth @returns {string | undefined} */
  function fileOf(path, depth) {
    const parts = path.split('::')
    for (let length = parts.length; length > 0; length -= 1) {
      const file = files.get(parts.slice(0, length).join('::'))
      if (file === undefined) continue
      const item = parts[length]
      const elsewhere = item === undefined || depth > 8 ? undefined : passedOn.get(file)?.get(item)
      return elsewhere === undefined ? (item === undefined ? undefined : file) : fileOf(elsewhere, depth + 1)
    }
    return undefined
  }
}

/** @param {string} file `tenancy/src/rows/mod.rs` is `crate::rows` */
function moduleOf(file) {
  const parts = file.replace(/\.rs$/, '').split('/').slice(2)
  if (['mod', 'lib'].includes(parts.at(-1) ?? '')) parts.pop()
  return ['crate', ...parts].join('::')
}

/** @param {string} source */
function withoutTestsAndComments(source) {
  const tests = source.search(/^#\[cfg\(test\)\]\n(?:#\[[^\n]+\n)*(?:pub\(crate\) )?mod \w+ \{/m)
  const text = tests < 0 ? source : source.slice(0, tests)
  return text.replace(/^\s*\/\/.*$/gm, '').replace(/\s\/\/ .*$/gm, '')
}

/**
 * Expands the tree of a `use` into full paths from `crate`.
 *
 * @param {string} tree @param {string} module @param {ReadonlyMap<string, string>} files @returns {string[]}
 */
function expanded(tree, module, files) {
  return leaves(tree.replace(/\s+/g, ' ').trim()).flatMap((leaf) => {
    const parts = leaf
      .replace(/ as \w+$/, '')
      .replace(/::self$/, '')
      .split('::')
    const base = module.split('::')
    if (parts[0] === 'crate') return [parts.join('::')]
    if (parts[0] === 'self') return [[...base, ...parts.slice(1)].join('::')]
    let up = 0
    while (parts[up] === 'super') up += 1
    if (up > 0) return [[...base.slice(0, base.length - up), ...parts.slice(up)].join('::')]
    // A module below this one, named without `self`.
    return files.has([...base, parts[0]].join('::')) ? [[...base, ...parts].join('::')] : []
  })
}

/** @param {string} tree @returns {string[]} */
function leaves(tree) {
  const open = tree.indexOf('{')
  if (open < 0) return [tree]
  const [head, body] = [tree.slice(0, open), tree.slice(open + 1, tree.lastIndexOf('}'))]
  const parts = []
  let [depth, start] = [0, 0]
  for (const [at, char] of [...body].entries()) {
    if (char === '{') depth += 1
    if (char === '}') depth -= 1
    if (char === ',' && depth === 0) {
      parts.push(body.slice(start, at))
      start = at + 1
    }
  }
  parts.push(body.slice(start))
  return parts.flatMap((part) => (part.trim() === '' ? [] : leaves(part.trim()).map((leaf) => head + leaf)))
}

/**
 * Tarjan's strongly connected components.
 *
 * @param {ReadonlyMap<string, ReadonlySet<string>>} edges
 */
function components(edges) {
  const [index, low, stack, found] = [
    new Map(),
    new Map(),
    /** @type {string[]} */ ([]),
    /** @type {string[][]} */ ([]),
  ]
  /** @param {string} node */
  const visit = (node) => {
    index.set(node, index.size)
    low.set(node, index.get(node))
    stack.push(node)
    for (const next of edges.get(node) ?? []) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)))
    }
    if (low.get(node) === index.get(node)) found.push(stack.splice(stack.indexOf(node)))
  }
  for (const node of edges.keys()) if (!index.has(node)) visit(node)
  return found
}
