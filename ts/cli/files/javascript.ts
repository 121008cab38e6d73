/** Form of a project's files. */
export type Language = 'typescript' | 'javascript'

/** A type as the files of the project write them: a name, with arguments and alternatives. */
const type = String.raw`(?:[A-Z]\w*|string|number|unknown|void|never)(?:<[\w, <>[\]]+>)?(?:\[\])*`
const alternatives = String.raw`${type}(?: \| (?:${type}|undefined))*`

/** What JavaScript does not have, in the forms that the files of the project use; a test compares the result with that of a compiler. */
const erased: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/^import type .*\n/gm, ''],
  [/(?<=^import \{[^}\n]*)(?:, type \w+|type \w+, )/gm, ''],
  [/(?<=function \w+)<\w+>(?=\()/g, ''],
  [new RegExp(String.raw`(?<=\(\w+): \(\w+: \w+\) => ${type}(?=\))`, 'g'), ''],
  [/(?:^\/\*\* .* \*\/\n)?^(?:export )?interface \w+ \{\n[^}]*\}\n\n?/gm, ''],
  [new RegExp(String.raw`\?(?=: ${type})`, 'g'), ''],
  [new RegExp(String.raw`(?<=[\w\])}]): ${alternatives}(?=[,)]| \{\n| =[ >])`, 'g'), ''],
  [/(?<=new \w+)<[\w, ]+>(?=\()/g, ''],
  [new RegExp(String.raw`\((\w+) as ${type}\)`, 'g'), '$1'],
  [/ as const$/gm, ''],
  [/(?<=(?:\.|src)\/[\w.-]+)\.ts\b/g, '.js'],
]

/** Returns a file of the project in JavaScript. */
export function toJavaScript(text: string): string {
  return erased.reduce((left, [pattern, replacement]) => left.replace(pattern, replacement), text)
}
