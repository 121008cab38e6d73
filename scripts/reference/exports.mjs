import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseAst } from 'rolldown/parseAst'

/**
 * @typedef {object} Exported something that an entry point exports
 * @property {string} name
 * @property {string} declaration its source, without the doc comment
 * @property {string} comment its doc comment without the stars; empty if there is none
 *
 * @typedef {object} Declared the statements of one declaration file
 * @property {Map<string, Exported>} own by name; several of one name (overloads) are one
 * @property {Map<string, { from: string, name: string }>} named what it exports of other files
 * @property {string[]} all the files of which it exports everything
 */

/**
 * Returns all exports of a declaration file by name, wherever they are declared.
 *
 * @param {string} file the path of an emitted `.d.ts`
 * @returns {{ exported: Map<string, Exported>, problems: string[] }}
 */
export function exportsOf(file) {
  /** @type {Map<string, Exported>} */
  const exported = new Map()
  /** @type {string[]} */
  const problems = []
  const { own, named, all } = declarationsOf(file)
  for (const [name, one] of own) exported.set(name, one)
  for (const [name, { from, name: theirs }] of named) {
    const found = exportsOf(from).exported.get(theirs)
    if (found === undefined) problems.push(`${name} is exported, and ${from} does not declare ${theirs}`)
    else exported.set(name, { ...found, name })
  }
  for (const from of all) {
    const others = exportsOf(from)
    problems.push(...others.problems)
    for (const [name, one] of others.exported) if (!exported.has(name)) exported.set(name, one)
  }
  return { exported, problems }
}

/** @param {string} file @returns {Declared} */
function declarationsOf(file) {
  const source = readFileSync(file, 'utf8')
  const declared = { own: new Map(), named: new Map(), all: /** @type {string[]} */ ([]) }
  let before = 0
  for (const statement of /** @type {any[]} */ (parseAst(source, { lang: 'dts' }).body)) {
    const comment = commentIn(source.slice(before, statement.start))
    before = statement.end
    if (statement.type === 'ExportAllDeclaration') declared.all.push(besides(file, statement.source.value))
    if (statement.type !== 'ExportNamedDeclaration') continue
    for (const { local, exported } of statement.specifiers) {
      // A name of this very file would be exported where it is declared.
      if (statement.source)
        declared.named.set(exported.name, { from: besides(file, statement.source.value), name: local.name })
    }
    for (const name of namesOf(statement.declaration)) {
      const earlier = declared.own.get(name)
      const declaration = source.slice(statement.start, statement.end)
      const one = { name, declaration, comment }
      const both = earlier && { ...earlier, declaration: `${earlier.declaration}\n${declaration}` }
      declared.own.set(name, both ?? one)
    }
  }
  return declared
}

/** The names that a declaration declares. @param {any} declaration @returns {string[]} */
function namesOf(declaration) {
  if (!declaration) return []
  if (declaration.declarations) return declaration.declarations.map((/** @type {any} */ { id }) => id.name)
  return [declaration.id.name]
}

/** The last doc comment in a piece of source. @param {string} text */
function commentIn(text) {
  const [comment] = text.match(/\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/) ?? ['']
  return comment
    .trim()
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim()
}

/** @param {string} file @param {string} specifier */
function besides(file, specifier) {
  return join(dirname(file), specifier.replace(/\.js$/, '.d.ts'))
}
