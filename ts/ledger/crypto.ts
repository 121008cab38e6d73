/** Node's own, loaded where it is used: importing the package takes less time without it. */
export function crypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto')
}
