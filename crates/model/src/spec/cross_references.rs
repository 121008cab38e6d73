//! Checks between the parts of a topology. They work on the JSON, whose parts may have been refused already.

use std::collections::HashSet;

use super::issues::{Issues, path_at, path_to};
use super::known_names::KnownNames;
use super::messages;
use crate::Json;

/// Checks that names in a list are unique, and that every used name exists.
pub(super) fn check_cross_references(topology: &Json, issues: &mut Issues) {
    let agents = registered(topology, "agents", "agent", issues);
    let tools = registered(topology, "tools", "tool", issues);
    let references = registered(topology, "references", "reference type", issues);
    let plans = registered(topology, "plans", "plan type", issues);
    check_coordinators(topology, issues);

    for (index, agent) in elements(topology, "agents").enumerate() {
        let path = path_at("agents", index);
        for (index, name) in elements(agent, "routes").enumerate() {
            check_name(Some(name), &agents, &path_at(&path_to(&path, "routes"), index), issues);
        }
        for (index, name) in elements(agent, "tools").enumerate() {
            let path = path_at(&path_to(&path, "tools"), index);
            let is_agent = name.as_str().is_some_and(|name| agents.has(name) && !tools.has(name));
            if !is_agent {
                check_name(Some(name), &tools, &path, issues);
            } else if agent.get("name") == Some(name) {
                issues.add(path, messages::SELF_CALL);
            }
        }
        check_name(agent.get("plan"), &plans, &path_to(&path, "plan"), issues);
    }
    for (index, tool) in elements(topology, "tools").enumerate() {
        let path = path_at("tools", index);
        for (property, name) in tool.get("references").and_then(Json::as_object).unwrap_or_default() {
            let path = path_to(&path_to(&path, "references"), property);
            check_name(Some(name), &references, &path, issues);
        }
        check_name(tool.get("result"), &references, &path_to(&path, "result"), issues);
    }
}

/// Checks an agent beyond its shape.
pub(super) fn check_agent(agent: &Json, path: &str, issues: &mut Issues) {
    for key in ["model", "routes", "tools"] {
        let mut seen = HashSet::new();
        for (index, element) in elements(agent, key).enumerate() {
            let Some(name) = element.as_str() else { continue };
            let path = path_at(&path_to(path, key), index);
            if !seen.insert(name) {
                issues.add(path.as_str(), messages::DUPLICATE);
            }
            if key == "routes" && agent.get("name").and_then(Json::as_str) == Some(name) {
                issues.add(path, messages::SELF_CALL);
            }
        }
    }
}

/// Checks a tool beyond its shape.
pub(super) fn check_tool(tool: &Json, path: &str, issues: &mut Issues) {
    let properties =
        tool.get("input").and_then(|input| input.get("properties")).filter(|json| json.as_object().is_some());
    let references = tool.get("references").and_then(Json::as_object);
    let (Some(properties), Some(references)) = (properties, references) else { return };
    for (property, _) in references {
        if properties.get(property).is_none() {
            issues.add(path_to(&path_to(path, "references"), property), messages::UNKNOWN_INPUT_PROPERTY);
        }
    }
}

fn registered<'a>(topology: &'a Json, key: &str, kind: &'static str, issues: &mut Issues) -> KnownNames<'a> {
    let mut names = KnownNames::new(kind);
    for (index, element) in elements(topology, key).enumerate() {
        let Some(name) = element.get("name").and_then(Json::as_str) else { continue };
        if !names.add(name) {
            issues.add(path_to(&path_at(key, index), "name"), messages::DUPLICATE_NAME);
        }
    }
    names
}

fn check_coordinators(topology: &Json, issues: &mut Issues) {
    let coordinators = elements(topology, "agents")
        .enumerate()
        .filter(|(_, agent)| agent.get("role").and_then(Json::as_str) == Some("coordinator"));
    for (index, _) in coordinators.skip(1) {
        issues.add(path_to(&path_at("agents", index), "role"), messages::SECOND_COORDINATOR);
    }
}

fn check_name(name: Option<&Json>, known: &KnownNames<'_>, path: &str, issues: &mut Issues) {
    if let Some(name) = name.and_then(Json::as_str).filter(|name| !known.has(name)) {
        issues.add(path, known.without(name));
    }
}

fn elements<'a>(json: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    json.get(key).and_then(Json::as_array).unwrap_or_default().iter()
}
