//! The tools and agents whose values the host validates with its own schemas, which may check more than JSON Schema.

use std::collections::HashSet;

use bailiwick_model::Json;

/// The tools and agents whose values the host validates.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Validated {
    /// Tools whose inputs it validates.
    pub tools: HashSet<String>,
    /// Agents whose outputs it validates.
    pub agents: HashSet<String>,
}

impl Validated {
    /// Removes the member `validated` from the tenant part of a spec: `{ tools, agents }`, lists of names.
    pub fn take_from(json: &mut Json) -> Self {
        let Json::Object(members) = json else { return Self::default() };
        let Some(at) = members.iter().position(|(key, _)| key == "validated") else { return Self::default() };
        let (_, given) = members.remove(at);
        let names = |key: &str| {
            let list = given.get(key).and_then(Json::as_array).unwrap_or_default();
            list.iter().filter_map(Json::as_str).map(str::to_owned).collect()
        };
        Self { tools: names("tools"), agents: names("agents") }
    }
}
