//! The messages of spec checks: the same as in TypeScript (ts/spec/checks/messages.ts). A table of hostile specs is run
//! through both.

pub(crate) const REQUIRED: &str = "Is required.";
pub(crate) const STRING: &str = "Must be a string.";
pub(crate) const TEXT: &str = "Must be a text that is not empty.";
pub(crate) const BOOLEAN: &str = "Must be true or false.";
pub(crate) const NUMBER: &str = "Must be a number.";
pub(crate) const ARRAY: &str = "Must be an array.";
pub(crate) const OBJECT: &str = "Must be an object.";
pub(crate) const TEMPERATURE: &str = "Must be a number that is not negative.";
pub(crate) const SEED: &str = "Must be a whole number between -(2^53 - 1) and 2^53 - 1.";
pub(crate) const POSITIVE: &str = "Must be a whole number between 1 and 2^53 - 1.";
pub(crate) const LIFETIME: &str =
    "Must be a whole number of milliseconds between 1 and 2^53 - 1, or null to keep until deleted.";
pub(crate) const NAME: &str =
    "Must be a name: a lower-case letter, then at most 63 lower-case letters, digits, \"_\" or \"-\".";
pub(crate) const TOOL_NAME: &str = "Must be a tool name: a letter, then at most 63 letters, digits, \"_\" or \"-\".";
pub(crate) const MODEL: &str = "Must be a model as \"provider/model\", or a list of them that is not empty.";
pub(crate) const PROMPT: &str = "Must be a text that is not empty, or a prompt made by layeredPrompt.";
pub(crate) const EXAMPLE: &str = "Must be a text that is not empty, or { input, output } with two texts.";
pub(crate) const GLIMPSE: &str = "Must be true, false, or { rows } with a whole number from 0 to 100.";
pub(crate) const MEDIA_TYPE: &str = "Must be a media type such as \"text/csv\" in at most 255 ASCII characters.";
pub(crate) const VARIABLE: &str =
    "Must be the name of an environment variable (letters, digits and \"_\"), never a value.";
pub(crate) const ROOT_KEY_VARIABLE: &str = "Must not be the variable of the root key, which no spec may read.";
pub(crate) const SCHEMA: &str = "Must be a JSON Schema object or a Standard Schema that can give one.";
pub(crate) const OBJECT_SCHEMA: &str =
    "Must be a schema of an object (\"type\": \"object\"), because tools are called with named arguments.";
pub(crate) const RESERVED: &str = "The property name \"__proto__\" is not allowed.";
pub(crate) const DEEP: &str = "Is nested deeper than 100 levels.";
pub(crate) const TENANT_ID: &str =
    "Must be a text of 1 to 256 UTF-8 bytes, well-formed, in NFC, without control characters; it is never rewritten.";
pub(crate) const FORMAT: &str = "Must be 1, the format of specs that this version reads.";
pub(crate) const ROUTES: &str = "Must name at least one agent.";
pub(crate) const DUPLICATE_NAME: &str = "Another one in this list has the same name.";
pub(crate) const DUPLICATE: &str = "Is in the list already.";
pub(crate) const SELF_CALL: &str = "An agent cannot call itself.";
pub(crate) const SECOND_COORDINATOR: &str = "Only one coordinator is allowed.";
pub(crate) const UNKNOWN_INPUT_PROPERTY: &str = "The input schema has no property of this name.";

pub(super) fn unknown_property(known: &[&str]) -> String {
    format!("Is not a known property; known are {}.", known.join(", "))
}

pub(super) fn one_of(values: &[&str]) -> String {
    let quoted: Vec<_> = values.iter().map(|value| format!("\"{value}\"")).collect();
    format!("Must be one of {}.", quoted.join(", "))
}
