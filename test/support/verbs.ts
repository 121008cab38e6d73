/** The names of a part's verbs, sorted; a symbol stands as its text. */
export function verbsOf(part: object): string[] {
  const verbs = Object.getPrototypeOf(part)
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(verbs)
  return Reflect.ownKeys(methods)
    .filter((name) => typeof Object.getOwnPropertyDescriptor(verbs, name)?.value === 'function')
    .map(String)
    .sort()
}
