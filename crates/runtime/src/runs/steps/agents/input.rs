//! The input of a plan's step, with the results of earlier steps in their places.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::AgentRole;

use crate::runs::driver::{Driver, Stop};
use crate::runs::state::step_refs::{self, Room, Size, Taken};
use crate::runs::state::{Call, Done, Frame, step_prefix};

/// The references of the results that an input takes from, by their steps, each with its size in bytes.
type Results<'a> = BTreeMap<&'a str, (String, u64)>;

/// The input of a call, or what is wrong with it. Its size is added up first, from the sizes that are kept of results: one that
/// is too large is refused before anything is read.
pub(in crate::runs::steps) async fn filled_input<'c>(
    run: &mut Driver<'_>,
    call: &'c Call,
) -> Result<Result<Cow<'c, Json>, String>, Stop> {
    let as_it_is = || Ok(Ok(Cow::Borrowed(&*call.input)));
    // An edited input is complete: what looks like a reference to a step is what a person approved.
    if call.is_edited || run.state.frames.last().is_none_or(|frame| frame.role != AgentRole::Executor) {
        return as_it_is();
    }
    // A property that holds references takes the id, every other one the value.
    let references = run.agents().tool(&call.tool).map(|rules| rules.references.as_slice()).unwrap_or_default();
    let is_reference = |key: &str| references.iter().any(|(property, _)| property == key);
    let (mut taken, mut named) = (Taken::new(), Taken::new());
    match &*call.input {
        Json::Object(members) => {
            for (key, value) in members {
                step_refs::count(value, if is_reference(key) { &mut named } else { &mut taken });
            }
        }
        input => step_refs::count(input, &mut taken),
    }
    if taken.is_empty() && named.is_empty() {
        return as_it_is();
    }
    // The results of the steps before are read from where they are kept.
    run.flush().await?;
    let Some(frame) = run.state.frames.last() else { return as_it_is() };
    let results = match results(frame, taken.keys().chain(named.keys()).map(|(step, _)| *step)) {
        Ok(results) => results,
        Err(problem) => return Ok(Err(problem)),
    };
    let values = match values(run, &call.input, &taken, &results).await? {
        Ok(values) => values,
        Err(problem) => return Ok(Err(problem)),
    };
    let sizes = taken.iter().map(|(place, times)| times * values.get(place).map_or(0, Json::weight));
    ahead(call.input.weight() + sizes.sum::<u64>()).await;
    let take = |step: &str, path: &str| values.get(&(step, path)).cloned();
    let take_id = |step: &str, _: &str| Some(Json::from(results.get(step)?.0.as_str()));
    let filled = match &*call.input {
        Json::Object(members) => {
            let filled = members.iter().map(|(key, value)| {
                let value = if is_reference(key) {
                    step_refs::filled(value, &take_id)
                } else {
                    step_refs::filled(value, &take)
                };
                Some((key.clone(), value?))
            });
            filled.collect::<Option<Vec<_>>>().map(Json::Object)
        }
        input => step_refs::filled(input, &take),
    };
    Ok(filled.map(Cow::Owned).ok_or_else(leads_nowhere))
}

fn results<'a>(frame: &Frame, steps: impl Iterator<Item = &'a str>) -> Result<Results<'a>, String> {
    let prefix = step_prefix(frame);
    let done = frame.calls.iter().filter_map(|call| Some((call.call_id.strip_prefix(&prefix)?, call.done.as_ref()?)));
    let done: HashMap<&str, &Done> = done.collect();
    let mut results = Results::new();
    for step in steps {
        let kept = done.get(step).and_then(|done| {
            let result = &done.result;
            let bytes = result.get("byteLength").and_then(Json::as_whole);
            Some((result.get("reference")?.as_str()?.to_owned(), bytes.unwrap_or(u64::MAX)))
        });
        results.insert(step, kept.ok_or_else(|| format!("The step {step} has no result."))?);
    }
    Ok(results)
}

/// What an input takes of results, read from where they are kept.
async fn values<'a>(
    run: &Driver<'_>,
    input: &Json,
    taken: &Taken<'a>,
    results: &Results<'a>,
) -> Result<Result<BTreeMap<(&'a str, &'a str), Json>, String>, Stop> {
    let mut room = Room::beside(input);
    for ((step, path), times) in taken {
        let Some((_, bytes)) = results.get(step).filter(|_| path.is_empty()) else { continue };
        if !room.take(&Size { bytes: *bytes, elements: 0 }, *times) {
            return Ok(Err(too_large()));
        }
    }
    let mut values = BTreeMap::new();
    for (step, (id, byte_length)) in results {
        let of_step: Vec<_> = taken.range((*step, "")..).take_while(|((other, _), _)| other == step).collect();
        if of_step.is_empty() {
            continue;
        }
        // Parsed once, and gone when what is taken of it is cut out.
        let whole = match run.handle.references().resolve(id).await {
            Ok(resolved) => {
                ahead_of(resolved.bytes().len()).await;
                step_value(resolved.bytes())
            }
            Err(Error::NotFound) => return Ok(Err(format!("The result of the step {step} was deleted."))),
            Err(error) => return Err(error.into()),
        };
        let elements = step_refs::elements(&whole);
        for ((_, path), times) in of_step {
            // A path is looked up member by member.
            ahead(elements).await;
            let Some(value) = step_refs::pointed(&whole, path) else { return Ok(Err(leads_nowhere())) };
            ahead(2 * value.weight()).await;
            let mut size = Size::of(value);
            if path.is_empty() {
                // The bytes of a whole result are taken off already.
                size.bytes = size.bytes.saturating_sub(*byte_length);
            }
            if !room.take(&size, *times) {
                return Ok(Err(too_large()));
            }
            values.insert((*step, *path), value.clone());
        }
    }
    Ok(Ok(values))
}

/// A result as later steps see it: JSON if it is, else text; bytes that are neither are nothing to point into.
fn step_value(bytes: &[u8]) -> Json {
    json::parse(bytes, &json::Limits::default())
        .unwrap_or_else(|_| std::str::from_utf8(bytes).map_or(Json::Null, Json::from))
}

fn leads_nowhere() -> String {
    "A $step in the input leads to nothing in that step's result.".to_owned()
}

fn too_large() -> String {
    "With the results of earlier steps in it, the input would be larger than one value may be: 64 MiB, or 4,000,000 elements. Take less of them with a path, or hand a reference over."
        .to_owned()
}
