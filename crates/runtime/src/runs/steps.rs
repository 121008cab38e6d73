//! Inputs of a plan's steps that take the results of earlier ones: `{"$step": "id", "path": "/json/pointer"}`.

use bailiwick_model::json::Json;

/// The step and the path, if this is such an object.
pub(crate) fn reference(value: &Json) -> Option<(&str, &str)> {
    let step = value.get("$step")?.as_str()?;
    let path = match value.get("path") {
        None => "",
        Some(path) => path.as_str()?,
    };
    let known = value.as_object()?.iter().all(|(key, _)| key == "$step" || key == "path");
    (known && (path.is_empty() || path.starts_with('/'))).then_some((step, path))
}

/// The steps whose results an input takes.
pub(crate) fn references(input: &Json) -> Vec<&str> {
    let mut found = Vec::new();
    let mut open = vec![input];
    while let Some(value) = open.pop() {
        match (reference(value), value) {
            (Some((step, _)), _) => found.push(step),
            (None, Json::Array(elements)) => open.extend(elements),
            (None, Json::Object(members)) => open.extend(members.iter().map(|(_, value)| value)),
            (None, _) => {}
        }
    }
    found
}

/// An input with results in the place of what stands for them. `None`: `take` had none for one of them.
pub(crate) fn filled(input: &Json, take: &dyn Fn(&str, &str) -> Option<Json>) -> Option<Json> {
    if let Some((step, path)) = reference(input) {
        return take(step, path);
    }
    Some(match input {
        Json::Array(elements) => {
            Json::Array(elements.iter().map(|element| filled(element, take)).collect::<Option<_>>()?)
        }
        Json::Object(members) => {
            let members = members.iter().map(|(key, value)| Some((key.clone(), filled(value, take)?)));
            Json::Object(members.collect::<Option<_>>()?)
        }
        other => other.clone(),
    })
}

/// What a JSON pointer (RFC 6901) leads to.
pub(crate) fn pointed<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    let mut at = value;
    for token in path.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        at = match at {
            Json::Array(elements) => {
                let is_index = token == "0" || !token.starts_with('0');
                elements.get(
                    token
                        .parse::<usize>()
                        .ok()
                        .filter(|_| is_index && token.bytes().all(|byte| byte.is_ascii_digit()))?,
                )?
            }
            Json::Object(_) => at.get(&token)?,
            _ => return None,
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bailiwick_model::json;

    fn parsed(text: &str) -> Json {
        json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
    }

    #[test]
    fn m6_pointers_lead_where_rfc_6901_says() {
        let value = parsed(r#"{"a":[1,{"b/c":2,"":3}],"~":4}"#);
        let at = |path: &str| pointed(&value, path).map(json::write);
        assert_eq!(at("").as_deref(), Some(r#"{"a":[1,{"b/c":2,"":3}],"~":4}"#));
        assert_eq!(at("/a/0").as_deref(), Some("1"));
        assert_eq!(at("/a/1/b~1c").as_deref(), Some("2"));
        assert_eq!(at("/a/1/").as_deref(), Some("3"));
        assert_eq!(at("/~0").as_deref(), Some("4"));
        for nowhere in ["/b", "/a/2", "/a/00", "/a/+0", "/a/-", "/a/0/x"] {
            assert_eq!(at(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn m6_inputs_name_the_steps_they_take_from() {
        let input =
            parsed(r#"{"rows":{"$step":"load"},"deep":[{"x":{"$step":"sum","path":"/total"}}],"no":{"$step":1}}"#);
        let mut steps = references(&input);
        steps.sort_unstable();
        assert_eq!(steps, ["load", "sum"]);
        let full = filled(&input, &|step, path| Some(Json::from(format!("{step}{path}").as_str()))).unwrap();
        assert_eq!(json::write(&full), r#"{"rows":"load","deep":[{"x":"sum/total"}],"no":{"$step":1}}"#);
        assert_eq!(filled(&input, &|_, _| None), None);
    }
}
