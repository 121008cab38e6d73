//! The rule of an approval as the host asks for it, and as it is fixed with the request.

use std::collections::BTreeSet;

use bailiwick_model::json::Json;
use bailiwick_model::ledger::rule::ApprovalRule;
use bailiwick_model::{Error, Result, json, names};

use crate::actor::check_actor;

/// The most names in `to`, and the largest quorum.
const MOST_NAMES: usize = 100;
/// The bytes that an approval reserves for each actor who must approve.
const APPROVED_BY_BYTES: u64 = 256;

/// A rule as the host asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestedRule {
    to: Option<BTreeSet<String>>,
    quorum: u64,
    not_by_requester: bool,
}

/// What `needsApproval` says of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// Whether a person must approve of it.
    pub(crate) required: bool,
    /// Under which rule, unless every actor may decide alone.
    pub(crate) rule: Option<RequestedRule>,
}

impl Need {
    /// Reads a boolean, or `{ required, to?, quorum?, notBy? }`. An unknown member is refused: a misspelt one would let everybody decide.
    ///
    /// # Errors
    /// `InvalidInput` that says what is wrong.
    pub(crate) fn read(answer: Json) -> Result<Self> {
        match answer {
            Json::Bool(required) => Ok(Self { required, rule: None }),
            Json::Object(mut members) => {
                let at = members.iter().position(|(key, _)| key == "required");
                let required = at.map(|at| members.remove(at).1);
                let Some(Json::Bool(required)) = required else {
                    return Err(Error::invalid("required must be true or false."));
                };
                Ok(Self { required, rule: RequestedRule::read(&Json::Object(members))? })
            }
            _ => Err(Error::invalid("It must be a boolean, or { required, to?, quorum?, notBy? }.")),
        }
    }
}

impl RequestedRule {
    /// Reads `{ to?, quorum?, notBy? }`. `None`: it lets every actor decide alone.
    ///
    /// # Errors
    /// `InvalidInput` that says what is wrong.
    pub fn read(asked: &Json) -> Result<Option<Self>> {
        let members = asked.as_object().ok_or_else(|| Error::invalid("A rule must be { to?, quorum?, notBy? }."))?;
        let mut rule = Self { quorum: 1, ..Self::default() };
        for (key, value) in members {
            match key.as_str() {
                "to" => rule.to = Some(actors(value)?),
                "quorum" => rule.quorum = quorum(value)?,
                "notBy" if value.as_str() == Some("requester") => rule.not_by_requester = true,
                "notBy" => {
                    return Err(Error::invalid("notBy must be 'requester'. Leave it out if whoever asks may decide."));
                }
                key => {
                    let told = format!("A rule has to, quorum and notBy. {} is none of them.", names::shown(key));
                    return Err(Error::invalid(told));
                }
            }
        }
        if let Some(to) = &rule.to
            && (to.len() as u64) < rule.quorum
        {
            let told =
                format!("to names {} actors, and quorum asks for {}: nobody could approve.", to.len(), rule.quorum);
            return Err(Error::invalid(told));
        }
        Ok((rule.to.is_some() || rule.quorum > 1 || rule.not_by_requester).then_some(rule))
    }

    /// Fixes the rule for a request of these actors. `None` among them: a request that names no actor.
    ///
    /// # Errors
    /// `InvalidInput` if nobody could approve under it, or who asked is not known and must not decide.
    pub fn fixed(self, requesters: &BTreeSet<Option<String>>) -> Result<ApprovalRule> {
        let requesters = if self.not_by_requester {
            let named: Option<Vec<String>> = requesters.iter().cloned().collect();
            let named = named.filter(|named| !named.is_empty());
            Some(named.ok_or_else(|| {
                Error::invalid("notBy is 'requester', and the request names no actor. Give the request its actor.")
            })?)
        } else {
            None
        };
        let rule = ApprovalRule { to: self.to.map(|to| to.into_iter().collect()), quorum: self.quorum, requesters };
        if rule.can_be_met() {
            Ok(rule)
        } else {
            Err(Error::invalid(
                "Without whoever asked, to names fewer actors than quorum asks for: nobody could approve.",
            ))
        }
    }
}

fn actors(value: &Json) -> Result<BTreeSet<String>> {
    let wrong = || Error::invalid(format!("to must be the name of an actor, or a list of 1 to {MOST_NAMES} names."));
    let names = match value {
        Json::String(name) => BTreeSet::from([name.clone()]),
        Json::Array(names) if (1..=MOST_NAMES).contains(&names.len()) => {
            let names: Option<BTreeSet<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
            names.ok_or_else(wrong)?
        }
        _ => return Err(wrong()),
    };
    for name in &names {
        check_actor(name, "Each name in to")?;
    }
    Ok(names)
}

fn quorum(value: &Json) -> Result<u64> {
    let quorum = value.as_whole().filter(|quorum| (1..=MOST_NAMES as u64).contains(quorum));
    quorum.ok_or_else(|| Error::invalid(format!("quorum must be a whole number from 1 to {MOST_NAMES}.")))
}

/// Returns the bytes that an approval reserves for its rule: the rule itself, in its record and in the ledger, and who approves.
pub(super) fn reserved(rule: Option<&ApprovalRule>) -> u64 {
    rule.map_or(0, |rule| 2 * json::canonical(&rule.to_json()).len() as u64 + rule.quorum * APPROVED_BY_BYTES)
}
