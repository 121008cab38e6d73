//! The content of a plan: strict checks, and the hash of a version.

use std::collections::{HashMap, HashSet};

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result, names};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::runs::steps_taken_from;

/// The longest plan id and step id in bytes of UTF-8.
const ID_BYTES: usize = 256;
/// The largest plan in bytes of JSON.
const PLAN_BYTES: usize = 1 << 20;
/// The longest goal in bytes of UTF-8: it is part of every list.
const GOAL_BYTES: usize = 16 << 10;
/// The longest note of a step in bytes of UTF-8.
const NOTE_BYTES: usize = 16 << 10;
const STEPS: usize = 1000;

/// The content of one version of a plan. [`Content::sorted`] puts the keys of its JSON in the order of RFC 8785.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Json>,
    pub(crate) goal: String,
    /// A checked array of steps.
    pub(crate) steps: Json,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
}

/// The input of a version's hash, in the order of RFC 8785.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Hashed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    details: &'a Option<Json>,
    goal: &'a str,
    plan_id: &'a str,
    steps: &'a Json,
    #[serde(rename = "type")]
    type_name: &'a str,
    version: u64,
}

/// A checked plan that a caller saves.
pub(crate) struct Draft {
    pub(crate) plan_id: Option<String>,
    pub(crate) content: Content,
}

impl Draft {
    /// Reads `{ type, planId?, goal, steps, details? }`.
    ///
    /// # Errors
    /// `InvalidInput` with the place of the first problem.
    pub(crate) fn read(text: &[u8]) -> Result<Self> {
        if text.len() > PLAN_BYTES {
            return Err(Error::invalid(format!(
                "The plan has {} bytes of JSON; at most {PLAN_BYTES} (1 MiB) are allowed. Keep large inputs as references.",
                text.len()
            )));
        }
        let Json::Object(members) = json::parse(text, &json::Limits::default())? else {
            return Err(Error::invalid("A plan must be an object { type, planId?, goal, steps, details? }."));
        };
        let mut given = Members::new("The plan", members, &["type", "planId", "goal", "steps", "details"])?;
        let type_name = given.text("type")?;
        if !names::is_name(&type_name) {
            return Err(Error::invalid(format!(
                "The type of a plan must match ^[a-z][a-z0-9_-]{{0,63}}$: lower-case letters, digits, _ and -, starting with a letter. It is {}.",
                names::shown(&type_name)
            )));
        }
        let plan_id = given.optional_text("planId")?;
        if plan_id.as_deref().is_some_and(|id| !is_plan_id(id)) {
            return Err(Error::invalid("planId must have 1 to 256 bytes of UTF-8. Leave it out to be given one."));
        }
        let goal = given.sized_text("goal", 1, GOAL_BYTES)?;
        let steps = given.required("steps")?;
        check_steps(&steps)?;
        let details = given.optional("details");
        Ok(Self { plan_id, content: Content { type_name, goal, steps, details } })
    }
}

impl Content {
    /// Sorts the keys of all its objects in the order of RFC 8785.
    pub(crate) fn sorted(mut self) -> Self {
        self.steps.sort_keys();
        self.details.iter_mut().for_each(Json::sort_keys);
        self
    }

    /// Returns the bytes of its JSON.
    pub(crate) fn byte_length(&self) -> usize {
        json::to_text(self).len()
    }

    /// Returns SHA-256 over the RFC 8785 JSON of `{ details?, goal, planId, steps, type, version }`.
    pub(crate) fn hash(&self, plan_id: &str, version: u64) -> String {
        let Self { details, goal, steps, type_name } = self;
        let hashed = Hashed { details, goal, plan_id, steps, type_name, version };
        HEXLOWER.encode(&Sha256::digest(json::to_text(&hashed)))
    }
}

/// Returns whether a text can be the id of a plan.
pub(crate) fn is_plan_id(text: &str) -> bool {
    (1..=ID_BYTES).contains(&text.len())
}

fn check_steps(steps: &Json) -> Result<()> {
    let Json::Array(steps) = steps else {
        return Err(Error::invalid("The plan's steps must be an array of { id, tool, input, dependsOn?, note? }."));
    };
    if steps.len() > STEPS {
        return Err(Error::invalid(format!("A plan may have at most {STEPS} steps, this one has {}.", steps.len())));
    }
    let mut numbers: HashMap<String, usize> = HashMap::with_capacity(steps.len());
    let mut wanted: Vec<Vec<String>> = Vec::with_capacity(steps.len());
    let mut taken: Vec<Vec<&str>> = Vec::with_capacity(steps.len());
    for (number, step) in steps.iter().enumerate() {
        let (id, depends_on) = check_step(number, step)?;
        if let Some(twin) = numbers.insert(id, number) {
            return Err(Error::invalid(format!("steps[{twin}] and steps[{number}] have the same id.")));
        }
        wanted.push(depends_on);
        taken.push(step.get("input").map(steps_taken_from).unwrap_or_default());
    }
    let mut needs = Vec::with_capacity(wanted.len());
    for (number, names) in wanted.iter().enumerate() {
        let mut found = HashSet::with_capacity(names.len());
        for (place, name) in names.iter().enumerate() {
            let wrong = |what: &str| Error::invalid(format!("steps[{number}].dependsOn[{place}] {what}."));
            let needed = *numbers.get(name).ok_or_else(|| wrong("names no step of this plan"))?;
            if needed == number {
                return Err(wrong("names the step itself"));
            }
            if !found.insert(needed) {
                return Err(wrong("names a step twice"));
            }
        }
        for name in taken.get(number).into_iter().flatten() {
            match numbers.get(*name) {
                Some(needed) if *needed != number => drop(found.insert(*needed)),
                _ => {
                    let what = format!(
                        "steps[{number}].input takes the result of {name:?}, which is no other step of this plan."
                    );
                    return Err(Error::invalid(what));
                }
            }
        }
        needs.push(found);
    }
    check_order(&needs)
}

/// Returns the id of a step, and the ids of the steps that it depends on.
fn check_step(number: usize, step: &Json) -> Result<(String, Vec<String>)> {
    let place = format!("steps[{number}]");
    let Json::Object(members) = step else {
        return Err(Error::invalid(format!("{place} must be an object {{ id, tool, input, dependsOn?, note? }}.")));
    };
    let mut given = Members::new(&place, members.clone(), &["id", "tool", "input", "dependsOn", "note"])?;
    let id = given.sized_text("id", 1, ID_BYTES)?;
    let tool = given.text("tool")?;
    if !names::is_tool_name(&tool) {
        return Err(Error::invalid(format!(
            "{place}.tool must match ^[A-Za-z][A-Za-z0-9_-]{{0,63}}$. It is {}.",
            names::shown(&tool)
        )));
    }
    given.required("input")?;
    if given.has("note") {
        given.sized_text("note", 0, NOTE_BYTES)?;
    }
    let depends_on = match given.optional("dependsOn") {
        None => Vec::new(),
        Some(Json::Array(names)) => names
            .into_iter()
            .map(|name| match name {
                Json::String(name) => Ok(name),
                _ => Err(Error::invalid(format!("{place}.dependsOn must be an array of step ids."))),
            })
            .collect::<Result<_>>()?,
        Some(_) => return Err(Error::invalid(format!("{place}.dependsOn must be an array of step ids."))),
    };
    Ok((id, depends_on))
}

/// Removes steps whose dependencies are all removed, until none is left. A step that stays depends on itself.
fn check_order(needs: &[HashSet<usize>]) -> Result<()> {
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (number, needed) in needs.iter().enumerate() {
        for needed in needed {
            if let Some(followers) = followers.get_mut(*needed) {
                followers.push(number);
            }
        }
    }
    let mut open: Vec<usize> = needs.iter().map(HashSet::len).collect();
    let mut ready: Vec<usize> = (0..).zip(&open).filter(|(_, open)| **open == 0).map(|(number, _)| number).collect();
    while let Some(done) = ready.pop() {
        for follower in followers.get(done).into_iter().flatten() {
            if let Some(open) = open.get_mut(*follower) {
                *open -= 1;
                if *open == 0 {
                    ready.push(*follower);
                }
            }
        }
    }
    match open.iter().position(|open| *open > 0) {
        None => Ok(()),
        Some(number) => {
            Err(Error::invalid(format!("steps[{number}] waits for itself: dependsOn must not lead in a circle.")))
        }
    }
}

/// Takes the members of an object one by one.
struct Members<'a> {
    place: &'a str,
    members: Vec<(String, Json)>,
}

impl<'a> Members<'a> {
    fn new(place: &'a str, members: Vec<(String, Json)>, known: &[&str]) -> Result<Self> {
        match members.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(Self { place, members }),
            Some((key, _)) => Err(Error::invalid(format!(
                "{place} has an unknown property {}; known are {}.",
                json::write(&Json::String(key.chars().take(64).collect())),
                known.join(", ")
            ))),
        }
    }

    fn has(&self, key: &str) -> bool {
        self.members.iter().any(|(name, _)| name == key)
    }

    fn optional(&mut self, key: &str) -> Option<Json> {
        let at = self.members.iter().position(|(name, _)| name == key)?;
        Some(self.members.swap_remove(at).1)
    }

    fn required(&mut self, key: &str) -> Result<Json> {
        self.optional(key).ok_or_else(|| Error::invalid(format!("{} needs {key}.", self.place)))
    }

    fn text(&mut self, key: &str) -> Result<String> {
        match self.required(key)? {
            Json::String(text) => Ok(text),
            _ => Err(Error::invalid(format!("{}: {key} must be a string.", self.place))),
        }
    }

    fn optional_text(&mut self, key: &str) -> Result<Option<String>> {
        if self.has(key) { self.text(key).map(Some) } else { Ok(None) }
    }

    fn sized_text(&mut self, key: &str, least: usize, most: usize) -> Result<String> {
        let text = self.text(key)?;
        if (least..=most).contains(&text.len()) {
            Ok(text)
        } else {
            Err(Error::invalid(format!("{}: {key} must have {least} to {most} bytes of UTF-8.", self.place)))
        }
    }
}
