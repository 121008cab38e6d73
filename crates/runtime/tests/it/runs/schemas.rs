//! Every value that a schema is for: what checking it may cost is bounded, and whoever wrote it is told.

use std::sync::Arc;

use bailiwick_model::Error;
use bailiwick_runtime::{Catalogue, PutContent, RunRequest};

use super::host::{Host, calls, gives, parsed, says};
use super::{events, query, request, text, wait};
use crate::support::{Kept, NOW, bytes, handle_of, store};

/// Each definition applies the next one twice, so this applies the last one 2^26 times, and takes every object.
fn doubling() -> String {
    let definitions: Vec<String> = (0..26)
        .map(|number| {
            let next = format!(r##"{{"$ref":"#/$defs/d{}"}}"##, number + 1);
            format!(r#""d{number}":{{"allOf":[{next},{next}]}}"#)
        })
        .collect();
    format!(r##"{{"type":"object","$ref":"#/$defs/d0","$defs":{{{},"d26":{{}}}}}}"##, definitions.join(","))
}

fn catalogue() -> Arc<Catalogue> {
    let schema = doubling();
    let topology = format!(
        r#"{{"bailiwick":1,
            "references":[{{"name":"table","schema":{schema}}}],
            "plans":[{{"name":"report","details":{schema}}}],
            "tools":[
                {{"name":"narrow","description":"Takes it","effects":"read","input":{schema}}},
                {{"name":"wide","description":"Gives it","effects":"read","input":{{"type":"object"}},"output":{schema}}}],
            "agents":[
                {{"role":"specialist","name":"caller","model":"test/m","prompt":"Call.","tools":["narrow","wide"]}},
                {{"role":"specialist","name":"answerer","model":"test/m","prompt":"Answer.","output":{schema}}}]}}"#
    );
    Arc::new(Catalogue::from_json(&parsed(&topology)).unwrap())
}

const TOLD: &str = "costs too much. It has 1 level, and";

#[test]
fn each_check_of_each_kind_of_value_has_a_budget() {
    wait(async {
        let home = Kept::Memory.open();
        let store = store(home.opened.clone(), 1, NOW, 1 << 20).await;
        let handle = handle_of(&store, "acme", "v1", "", &catalogue());
        let refused = |error: Error, whose: &str| match error {
            Error::InvalidInput(told) => assert!(told.contains(TOLD) && told.contains(whose), "{told}"),
            other => panic!("{other:?}"),
        };
        let put = handle.references().put(vec![bytes("table", PutContent::Json(b"{}".to_vec()))]).await;
        refused(put.unwrap_err(), "The value cannot be checked against the schema of the reference type table");
        let plan = r#"{"type":"report","goal":"x","steps":[{"id":"a","tool":"narrow","input":{}}],"details":{}}"#;
        let saved = handle.plans().save(plan.as_bytes(), None).await;
        refused(saved.err().unwrap(), "The details cannot be checked against the schema of the plan type report");

        let of = |specialist: &str| RunRequest { specialist: Some(specialist.to_owned()), ..request("Go") };
        let host = Host::new(
            |_, answers, _| match answers {
                0 => calls(&[("narrow", "{}")]),
                1 => calls(&[("wide", "{}")]),
                _ => says("Done."),
            },
            |_, _| gives("{}"),
        );
        let result = query(&handle, of("caller"), &host).await;
        assert_eq!(text(&result, "status"), "completed", "its model may do something else");
        let failed: Vec<(String, String)> = events(&handle, text(&result, "runId"))
            .await
            .iter()
            .filter_map(|event| event.get("error"))
            .map(|error| (text(error, "code").to_owned(), text(error, "message").to_owned()))
            .collect();
        assert_eq!(
            failed.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(),
            ["INPUT_INVALID", "RESULT_INVALID"]
        );
        assert!(failed.iter().all(|(_, message)| message.contains(TOLD)), "{failed:?}");
        assert_eq!(host.world.calls.lock().len(), 1, "what cannot be checked is not run");

        let host = Host::new(|_, _, _| says("{}"), |_, _| None);
        let result = query(&handle, of("answerer"), &host).await;
        assert_eq!(text(&result, "status"), "failed");
        let error = result.get("error").unwrap();
        assert_eq!(text(error, "code"), "OUTPUT_INVALID");
        assert!(text(error, "message").contains(TOLD), "{error:?}");
    });
}
