//! Turns with calls in every state: what a model is told, and whether its agent goes on or waits.

use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::AgentRole;

use super::frame::{ApprovalState, Call, Frame};
use super::message::Done;

/// How a call stands: done, in flight, waiting, waiting while its agent goes on; and each of these of one that is deferred.
const STATES: [&str; 7] = ["done", "flight", "waits", "goes on", "late done", "late flight", "late waits"];

fn call(at: usize, state: &str) -> Call {
    let mut call = Call::new(&format!("c{at}"), "t", Arc::new(Json::Null));
    call.is_deferred = state.starts_with("late");
    call.continues = state == "goes on";
    if state.ends_with("done") {
        call.done = Some(Done { result: Json::from("r"), failed: false });
    } else if !state.ends_with("flight") {
        call.approval = ApprovalState::Pending(format!("approval_{at}"));
    }
    call
}

fn frame(states: &[&str], role: AgentRole) -> Frame {
    let calls = states.iter().enumerate().map(|(at, state)| call(at, state)).collect();
    Frame { calls, ..Frame::new(1, "a", role) }
}

/// The states of the results of a message, by their calls: none for a plain one.
fn told(message: &str) -> Vec<(String, Option<String>)> {
    let message = json::parse(message.as_bytes(), &json::Limits::default()).unwrap();
    let text = |part: &Json, key: &str| part.get(key).and_then(Json::as_str).map(str::to_owned);
    let parts = message.get("parts").unwrap().as_array().unwrap().iter();
    parts.map(|part| (text(part, "callId").unwrap(), text(part, "state"))).collect()
}

#[test]
fn a_turn_ends_once_all_of_it_is_done_or_deferred_and_late_results_follow_it() {
    for first in STATES {
        for second in STATES {
            for third in STATES {
                let states = [first, second, third];
                let mut frame = frame(&states, AgentRole::Specialist);
                let is_turn = |state: &&&str| !state.starts_with("late");
                let turn: Vec<&&str> = states.iter().filter(is_turn).collect();
                let ends = !turn.is_empty() && turn.iter().all(|state| matches!(**state, "done" | "goes on"));
                assert_eq!(frame.must_wait(), states.contains(&"waits"), "{states:?}");
                assert_eq!(frame.end_turn("m", 1), ends, "{states:?}");
                let late = states.contains(&"late done");
                let tells = late && (ends || turn.is_empty()) && !states.contains(&"late flight");
                assert_eq!(frame.end_deferred("m", 1), tells, "{states:?}");
                let messages: Vec<_> = frame.messages.iter().map(|message| told(message)).collect();
                let expected = |places: &dyn Fn(&str) -> Option<Option<&str>>| -> Vec<(String, Option<String>)> {
                    let told = states.iter().enumerate().filter_map(|(at, state)| Some((at, places(state)?)));
                    told.map(|(at, state)| (format!("c{at}"), state.map(str::to_owned))).collect()
                };
                let results = expected(&|state| match state {
                    "done" => Some(None),
                    "goes on" => Some(Some("waiting")),
                    _ => None,
                });
                let late = expected(&|state| (state == "late done").then_some(Some("late")));
                let all = [(ends, results), (tells, late)];
                let all: Vec<_> = all.into_iter().filter_map(|(is_told, message)| is_told.then_some(message)).collect();
                assert_eq!(messages, all, "{states:?}");
                let left =
                    states.iter().filter(|state| !(ends && **state == "done" || tells && **state == "late done"));
                assert_eq!(frame.calls.len(), left.count(), "{states:?}");
                assert!(!ends || frame.calls.iter().all(|call| call.is_deferred), "{states:?}");
            }
        }
    }
}

#[test]
fn the_steps_of_a_plan_are_no_turn() {
    for states in [["done", "done"], ["done", "goes on"]] {
        let mut frame = frame(&states, AgentRole::Executor);
        assert!(!frame.end_turn("m", 1) && frame.messages.is_empty());
    }
}

#[test]
fn a_model_that_has_stopped_waits_until_a_late_result_is_told() {
    let mut frame = frame(&["late waits", "late flight"], AgentRole::Specialist);
    assert!(frame.stops_for_now());
    frame.has_stopped = true;
    assert!(frame.must_wait() && !frame.end_deferred("m", 1));
    frame.calls[1].done = Some(Done { result: Json::Null, failed: true });
    assert!(frame.end_deferred("m", 1) && !frame.must_wait());
    assert!(frame.stops_for_now() && frame.is_waiting());
}
