//! A plan whose steps take results many times over. What an input would become is added up before it is made.

use bailiwick_model::json::{self, Json};
use bailiwick_store::memory::{self, MemoryOptions};

use super::host::{Host, calls, gives, says};
use super::{events, open, query, request, text, wait};

const APPROVED: &str = r#"{"decision":"approve","actor":"kim"}"#;

/// Runs a plan whose second step has this input, after a first one with this result. What the second tool was given, or
/// what its step failed with.
fn second_step(result: &str, input: &str) -> Result<Json, String> {
    let plan = format!(
        r#"{{"goal":"Use it","steps":[{{"id":"a","tool":"load","input":{{}}}},{{"id":"b","tool":"use","input":{input}}}]}}"#
    );
    let result = result.to_owned();
    let say = move |agent: &str, answers: usize, _: &Json| match (agent, answers) {
        ("front", 0) => calls(&[("planner", r#"{"task":"Plan it"}"#)]),
        ("planner", _) => says(&plan),
        _ => says("Done."),
    };
    let mut host = Host::new(say, move |tool, _| gives(if tool == "load" { &result } else { "true" }));
    host.approver = Some(APPROVED);
    wait(async {
        let (store, handle) = open(memory::open(MemoryOptions::default()), 1).await;
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!(text(&result, "status"), "completed", "{}", json::write(&result));
        let events = events(&handle, text(&result, "runId")).await;
        store.close().await;
        let given = host.world.calls.lock().iter().find(|(tool, ..)| tool == "use").map(|(_, _, input)| input.clone());
        match given {
            Some(input) => Ok(super::parsed(&input)),
            None => {
                let failed =
                    |event: &&Json| text(event, "type") == "tool.failed" && text(event, "callId").ends_with("/b");
                let error = events.iter().find(failed).and_then(|event| event.get("error")).unwrap();
                assert_eq!(text(error, "code"), "INPUT_INVALID");
                Err(text(error, "message").to_owned())
            }
        }
    })
}

fn many(step: &str, times: usize) -> String {
    format!(r#"{{"rows":[{}]}}"#, vec![step; times].join(","))
}

#[test]
fn a_plan_that_multiplies_results_beyond_one_value_is_refused_with_the_reason() {
    let large = format!(r#"{{"text":"{}","n":7}}"#, "x".repeat(1 << 20));
    let text = format!("\"{}\"", "x".repeat(1 << 20));
    let elements = format!("[{}]", vec!["1"; 100_000].join(","));
    // A text that is six times as long as it looks, in JSON.
    let control = format!("\"{}\"", "\\u0001".repeat(1 << 18));
    let cases = [
        (large.as_str(), many(r#"{"$step":"a"}"#, 64), "the whole, by its size"),
        (&large, many(r#"{"$step":"a","path":"/text"}"#, 64), "a part of it"),
        (&text, many(r#"{"$step":"a"}"#, 64), "a text"),
        (&control, many(r#"{"$step":"a","path":""}"#, 43), "a text with escapes"),
        (&elements, many(r#"{"$step":"a"}"#, 41), "elements"),
    ];
    for (result, input, what) in cases {
        let told = second_step(result, &input).err().unwrap_or_else(|| panic!("{what} was not refused"));
        assert!(told.contains("larger than one value may be"), "{what}: {told}");
    }
}

#[test]
fn a_plan_refers_to_parts_of_a_large_result_any_number_of_times() {
    let large = format!(r#"{{"text":"{}","n":7}}"#, "x".repeat(1 << 20));
    let input = second_step(&large, &many(r#"{"$step":"a","path":"/n"}"#, 1000)).unwrap();
    let rows = input.get("rows").unwrap().as_array().unwrap();
    assert!(rows.len() == 1000 && rows.iter().all(|row| row.as_f64() == Some(7.0)));
    let input = second_step(&large, r#"{"from":{"$step":"a"},"twice":[{"$step":"a"},{"$step":"a"}]}"#).unwrap();
    assert!(text(&input, "from").starts_with("ref_"));
    let twice = input.get("twice").unwrap().as_array().unwrap();
    assert!(twice.len() == 2 && twice.iter().all(|one| text(one, "text").len() == 1 << 20));
    let told = second_step(&large, r#"{"x":{"$step":"a","path":"/none"}}"#).unwrap_err();
    assert!(told.contains("leads to nothing"), "{told}");
}
