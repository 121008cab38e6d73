/**
 * Messages of the checks of a spec. The validator in Rust (crates/model/src/spec/messages.rs) has the same: a table of
 * hostile specs is run through both.
 */
export const messages = {
  required: 'Is required.',
  string: 'Must be a string.',
  text: 'Must be a text that is not empty.',
  boolean: 'Must be true or false.',
  number: 'Must be a number.',
  array: 'Must be an array.',
  object: 'Must be an object.',
  temperature: 'Must be a number that is not negative.',
  seed: 'Must be a whole number between -(2^53 - 1) and 2^53 - 1.',
  positive: 'Must be a whole number between 1 and 2^53 - 1.',
  lifetime: 'Must be a whole number of milliseconds between 1 and 2^53 - 1, or null to keep until deleted.',
  name: 'Must be a name: a lower-case letter, then at most 63 lower-case letters, digits, "_" or "-".',
  toolName: 'Must be a tool name: a letter, then at most 63 letters, digits, "_" or "-".',
  model: 'Must be a model as "provider/model", or a list of them that is not empty.',
  prompt: 'Must be a text that is not empty, or a prompt made by layeredPrompt.',
  example: 'Must be a text that is not empty, or { input, output } with two texts.',
  glimpse: 'Must be true, false, or { rows } with a whole number from 0 to 100.',
  mediaType: 'Must be a media type such as "text/csv" in at most 255 ASCII characters.',
  variable: 'Must be the name of an environment variable (letters, digits and "_"), never a value.',
  rootKeyVariable: 'Must not be the variable of the root key, which no spec may read.',
  schema: 'Must be a JSON Schema object or a Standard Schema that can give one.',
  objectSchema: 'Must be a schema of an object ("type": "object"), because tools are called with named arguments.',
  reserved: 'The property name "__proto__" is not allowed.',
  deep: 'Is nested deeper than 100 levels.',
  tenantId:
    'Must be a text of 1 to 256 UTF-8 bytes, well-formed, in NFC, without control characters; it is never rewritten.',
  format: 'Must be 1, the format of specs that this version reads.',
  routes: 'Must name at least one agent.',
  duplicateName: 'Another one in this list has the same name.',
  duplicate: 'Is in the list already.',
  agentAndTool: 'There is also a tool of this name. Rename one of them.',
  selfCall: 'An agent cannot call itself.',
  secondCoordinator: 'Only one coordinator is allowed.',
  unknownInputProperty: 'The input schema has no property of this name.',
  conflict: 'Another definition with the same name is registered already; give one of them another name.',
  notJson: 'Must be JSON: a plain object, an array, a well-formed string, a finite number, true, false or null.',
  cyclic: 'Must be JSON, but contains itself.',
} as const

export function unknownProperty(known: readonly string[]): string {
  return `Is not a known property; known are ${known.join(', ')}.`
}

export function oneOf(values: readonly unknown[]): string {
  return `Must be one of ${values.map((value) => JSON.stringify(value)).join(', ')}.`
}
