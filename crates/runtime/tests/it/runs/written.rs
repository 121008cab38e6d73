//! Whatever a model writes, its run goes on, its thread has it, and the next run of the thread begins with it.

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::RunLimits;
use bailiwick_runtime::RunRequest;

use super::host::parsed;
use super::scripted::{Scripted, answer, call, calling, finish, last, messages, on, parts, query, text_delta, told};
use super::{events, open, request, text, wait};
use crate::support::{Kept, Random};

#[test]
fn an_unknown_name_is_answered_with_the_tools_and_the_routes() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let names = ["x<|channel|>json", "functions.search", "", "__proto__", "search "];
        let calls: Vec<String> = names.iter().map(|name| call("c", name, "{}")).collect();
        let host = Scripted::new([calling(&calls), answer("Done.")]);
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!(text(&result, "status"), "completed");
        let requests = host.requests.lock().clone();
        let results = requests[1].get("messages").unwrap().as_array().unwrap().last().unwrap().clone();
        let expected =
            "TOOL_UNKNOWN: There is no such tool. The tools are: search, book, mail, send, load, use, planner, helper.";
        assert_eq!(told(&results), [expected; 5]);
        let kept = messages(&handle, text(&result, "threadId")).await;
        let kept: Vec<&str> = parts(&kept[1]).iter().map(|part| text(part, "tool")).collect();
        assert_eq!(kept, names, "the thread has what was written");
    });
}

#[test]
fn unreadable_arguments_are_reported_with_the_reason() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let calls = [
            call("a", "book", r#"{"a":"#),
            call("b", "book", r#"{"a":1,"a":2}"#),
            call("c", "planner", r#"{"task":"x"#),
            call("d", "book", "\"x\""),
        ];
        let cut = vec![last(&format!("{},{}", calls.join(","), finish("length")))];
        let host = Scripted::new([cut, answer("Done.")]);
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!(text(&result, "status"), "completed");
        let requests = host.requests.lock().clone();
        let results = requests[1].get("messages").unwrap().as_array().unwrap().last().unwrap().clone();
        let told = told(&results);
        for (told, what) in told.iter().zip(["EOF", "duplicate key", "EOF"]) {
            assert!(told.starts_with("INPUT_INVALID: The input is cut off or not JSON."), "{told}");
            assert!(told.contains(what) && told.contains("finishReason length"), "{told}");
        }
        assert!(told[3].contains("is not of type"), "what is JSON is checked as such: {}", told[3]);
        // From its journal it is the same.
        let again = handle.runs().resume(text(&result, "runId"), &host).await.unwrap();
        assert_eq!(parsed(&again), result);
    });
}

#[test]
fn ids_of_any_length_and_many_calls_at_once_are_accepted() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let long = "signature/+=".repeat(400);
        let mut calls: Vec<String> = (0..200).map(|at| call("", "search", &format!(r#"{{"text":"{at}"}}"#))).collect();
        calls.extend([&long, &long].map(|id| call(id, "search", r#"{"text":"x"}"#)));
        let host = Scripted::new([calling(&calls), answer("Done.")]);
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!((text(&result, "status"), host.calls.lock().len()), ("completed", 202));
        let kept = messages(&handle, text(&result, "threadId")).await;
        let ids: Vec<&str> = parts(&kept[1]).iter().map(|part| text(part, "callId")).collect();
        assert_eq!((&ids[..2], ids[200]), (&["call", "call-2"][..], long.as_str()));
        let answered: Vec<&str> = parts(&kept[2]).iter().map(|part| text(part, "callId")).collect();
        assert_eq!(answered, ids);
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 202);
        let next = Scripted::new([answer("Again.")]);
        assert_eq!(text(&query(&handle, on(text(&result, "threadId"), "Go on"), &next).await, "status"), "completed");
    });
}

#[test]
fn ids_stay_unique_in_a_run() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let same = || calling(&["call_0", "call_0-2", "call_0"].map(|id| call(id, "use", "{}")));
        let host = Scripted::new([same(), same(), same(), answer("Done.")]);
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!(text(&result, "status"), "completed");
        let kept = messages(&handle, text(&result, "threadId")).await;
        let ids: Vec<&str> =
            [1, 3, 5].iter().flat_map(|at| parts(&kept[*at])).map(|part| text(part, "callId")).collect();
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), 9, "{ids:?}");
    });
}

#[test]
fn the_same_write_call_twice_in_one_answer_is_made_once() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let twice = |tool: &str| {
            [call("one", tool, r#"{"text":"a","n":1}"#), call("two", tool, r#"{ "n": 1.0, "text": "a" }"#)]
        };
        for (tool, made) in [("book", 1), ("search", 2)] {
            let host = Scripted::new([calling(&twice(tool)), calling(&twice(tool)), answer("Done.")]);
            let result = query(&handle, request("Go"), &host).await;
            assert_eq!(text(&result, "status"), "completed");
            assert_eq!(host.calls.lock().len(), 2 * made, "{tool}: another answer may make it again");
            if made == 1 {
                let kept = messages(&handle, text(&result, "threadId")).await;
                let error = parts(&kept[2])[1].get("result").unwrap().get("error").unwrap();
                assert_eq!(text(error, "code"), "CALL_REPEATED");
                assert!(text(error, "message").contains("the same call as one "), "{error:?}");
            }
        }
    });
}

#[test]
fn an_answer_that_pauses_is_asked_for_again_within_the_steps() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let opaque = r#"{"type":"opaque","provider":"p","data":{"type":"server_tool_use","id":"s"}}"#;
        let pausing = || vec![last(&format!("{},{opaque},{}", text_delta("One. "), finish("pause")))];
        let host = Scripted::new([pausing(), answer("Two.")]);
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!(
            (text(&result, "status"), text(&result, "text"), text(&result, "finishReason")),
            ("completed", "One. Two.", "stop")
        );
        let asked = host.requests.lock()[1].get("messages").unwrap().as_array().unwrap().to_vec();
        let types: Vec<&str> = parts(&asked[0]).iter().map(|part| text(part, "type")).collect();
        assert_eq!((text(&asked[0], "role"), types), ("assistant", vec!["text", "opaque"]));
        let kept = messages(&handle, text(&result, "threadId")).await;
        assert_eq!(
            json::write(&parts(&kept[1])[1]),
            r#"{"type":"opaque","provider":"p","data":{"type":"server_tool_use","id":"s"}}"#
        );
        // One that pauses for ever is stopped, and an agent with an output schema answers with what comes after the pause.
        let host = Scripted::new((0..9).map(|_| pausing()));
        let limits = RunLimits { max_steps: Some(3), ..RunLimits::default() };
        let result = query(&handle, RunRequest { limits, ..request("Go") }, &host).await;
        assert_eq!((text(&result, "status"), host.requests.lock().len()), ("limited", 3));
        let n = |events: String| vec![last(&events)];
        let json = format!("{},{}", text_delta(r#"{\"n\":1}"#), finish("stop"));
        let host = Scripted::new([pausing(), n(json)]);
        let request = RunRequest { specialist: Some("helper".to_owned()), ..request("Go") };
        let result = query(&handle, request, &host).await;
        assert_eq!(json::write(result.get("output").unwrap()), r#"{"n":1}"#);
    });
}

#[test]
fn a_run_says_how_its_last_answer_ended() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        for reason in ["stop", "length", "content-filter", "other"] {
            let host = Scripted::new([vec![last(&format!("{},{}", text_delta("Half"), finish(reason)))]]);
            let result = query(&handle, request("Go"), &host).await;
            assert_eq!((text(&result, "status"), text(&result, "finishReason")), ("completed", reason));
            let run_id = text(&result, "runId");
            assert_eq!(text(events(&handle, run_id).await.last().unwrap(), "finishReason"), reason);
            assert_eq!(parsed(&handle.runs().resume(run_id, &host).await.unwrap()), result);
        }
        // The reason is that of the agent that was asked, not of one that it called; and it is told with what does not fit.
        let cut = |text: &str| vec![last(&format!("{},{}", text_delta(text), finish("length")))];
        let host = Scripted::new([
            calling(&[call("a", "helper", r#"{"task":"x"}"#)]),
            cut("{"),
            cut(r#"{\"n\":1}"#),
            answer("Done."),
        ]);
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!(text(&result, "finishReason"), "stop");
        let corrected = json::write(&host.requests.lock()[2]);
        assert!(corrected.contains("finishReason length"), "{corrected}");
    });
}

#[test]
fn warnings_are_on_the_answer() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let warning = r#"{"type":"warning","message":"no schema"}"#;
        let odd = r#"{"type":"tool.call","tool":"search","input":{"text":"x"}}"#;
        let answers = [vec![last(&format!("{warning},{odd},{}", finish("tool-calls")))], answer("Done.")];
        let host = Scripted::new(answers);
        let result = query(&handle, request("Go"), &host).await;
        let events = events(&handle, text(&result, "runId")).await;
        let warned: Vec<Option<String>> = events
            .iter()
            .filter(|event| text(event, "type") == "model.completed")
            .map(|event| event.get("warnings").map(json::write))
            .collect();
        let first = r#"["no schema","event 2 (tool.call): callId is missing; it is taken as empty","event 2 (tool.call): input must be a string, not an object; it is taken as its JSON"]"#;
        assert_eq!(warned, [Some(first.to_owned()), None]);
        assert_eq!(host.calls.lock().len(), 1);
    });
}

/// A value such as a model or a provider may give for any field.
fn odd(random: &mut Random, depth: usize) -> String {
    let texts =
        ["", "\\u0000", "\\ud83d\\ude00", "\\u202e\\u2028", "a b", "__proto__", "constructor", "{", "call_0", "null"];
    let nested = |random: &mut Random| if depth == 0 { "[]".to_owned() } else { odd(random, depth - 1) };
    match random.next() % 14 {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => "-1".to_owned(),
        3 => "1e300".to_owned(),
        4 => "0.5".to_owned(),
        5 => format!("\"{}\"", "long".repeat((random.next() % 2000) as usize)),
        6 => format!("[{},{}]", nested(random), nested(random)),
        7 => format!("{{\"a\":{},\"inputTokens\":{}}}", nested(random), nested(random)),
        8 => format!("{}{}", "[".repeat(90), "]".repeat(90)),
        _ => format!("\"{}\"", texts[(random.next() % texts.len() as u64) as usize]),
    }
}

/// A field with such a value, or without it.
fn field(random: &mut Random, name: &str) -> String {
    if random.next().is_multiple_of(6) { String::new() } else { format!(",\"{name}\":{}", odd(random, 2)) }
}

#[test]
fn generated_no_model_output_ends_a_run_and_its_thread_continues() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let mut random = Random::new(15);
        let thread = "written";
        let mut count = 0;
        for run in 0..60 {
            let mut answers = Vec::new();
            for _ in 0..3 {
                let mut events = Vec::new();
                for _ in 0..random.next() % 6 {
                    let (id, metadata) = (random.next() % 3, field(&mut random, "metadata"));
                    let text = ["", "x", "\\u0000\\n\\\"", "\\ud83d\\ude00"][(random.next() % 4) as usize];
                    events.push(match random.next() % 6 {
                        0 => format!(r#"{{"type":"text.delta","id":"{id}","delta":"{text}"{metadata}}}"#),
                        1 => format!(r#"{{"type":"reasoning.delta","id":"{id}","delta":"{text}"{metadata}}}"#),
                        2 => format!(r#"{{"type":"opaque","provider":"p","data":{}}}"#, odd(&mut random, 2)),
                        3 => format!(r#"{{"type":"usage"{}}}"#, field(&mut random, "usage")),
                        _ => {
                            let fields = ["callId", "tool", "input"].map(|name| field(&mut random, name)).concat();
                            format!(r#"{{"type":"tool.call"{fields}{metadata}}}"#)
                        }
                    });
                }
                let reason = ["stop", "length", "tool-calls", "content-filter", "pause", "other"];
                let reason = reason[(random.next() % 6) as usize];
                let (usage, metadata) = (field(&mut random, "usage"), field(&mut random, "metadata"));
                events.push(format!(r#"{{"type":"finish","reason":"{reason}"{usage}{metadata}}}"#));
                answers.push(vec![last(&events.join(","))]);
            }
            answers.push(answer("Done."));
            let written = format!("run {run}: {answers:?}");
            let host = Scripted::new(answers);
            let result = query(&handle, on(thread, "Go"), &host).await;
            assert_eq!(text(&result, "status"), "completed", "{result:?} {written}");
            let kept = messages(&handle, thread).await;
            assert!(kept.len() >= count + 2, "{written}");
            count = kept.len();
            assert!(!json::write(&Json::Array(kept)).contains("too large for a thread"), "{written}");
            let again = handle.runs().resume(text(&result, "runId"), &host).await.unwrap();
            assert_eq!(parsed(&again), result, "{written}");
        }
    });
}
