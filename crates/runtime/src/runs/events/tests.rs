//! Every type of event: read as it was written, and named in the documents as it is here.

use std::collections::BTreeSet;

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::spec::{AgentRole, RunLimits};

use super::*;
use crate::context::{Fold, Glance, Short};
use crate::runs::journal::{NO_BLOCK, read, write};
use crate::waits::{Outcome, Wait, WaitKind, WaitRecord, WaitStatus};

fn parsed(text: &str) -> Json {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
}

fn approval() -> ApprovalShown {
    let text = r#"{"approvalId":"approval_a","runId":"run_a","threadId":"thr_a","status":"pending","subject":{"tool":"t","input":[1]},"subjectHash":"00","rule":{"to":["bob"],"quorum":2,"notBy":"requester","requesters":["ann"]},"approvedBy":[{"actor":"bob","reason":"fine","at":2}],"requestedBy":"ann","createdAt":1,"expiresAt":2}"#;
    json::from_value(parsed(text)).unwrap()
}

fn usage() -> Usage {
    json::from_value(parsed(r#"{"test/one":{"inputTokens":7},"test/two":{"outputTokens":1}}"#)).unwrap()
}

fn cut_off() -> CutOff {
    let parts = vec![Part::Text { text: "I".to_owned(), metadata: None }];
    let (agent, message_id) = ("front".to_owned(), "run_a-9".to_owned());
    let unread = vec![("c".to_owned(), "why".to_owned())];
    CutOff { lost: usage(), broken_off: Some(BrokenOff { agent, message_id, parts, unread }) }
}

fn model_answer() -> ModelAnswer {
    let metadata = Some(parsed(r#"{"signature":"s"}"#));
    let parts = vec![
        Part::Reasoning { text: "Hm".to_owned(), metadata: metadata.clone() },
        Part::Text { text: "So".to_owned(), metadata },
        Part::Opaque { provider: "p".to_owned(), data: Json::Null },
        Part::ToolCall { call_id: "c".to_owned(), tool: "t".to_owned(), input: Json::from("{").into(), metadata: None },
    ];
    ModelAnswer {
        message_id: "run_a-1".to_owned(),
        active: 5,
        lost: usage(),
        output: Some(Json::Null),
        correction: Some("No.".to_owned()),
        parts,
        unread: vec![("c".to_owned(), "EOF".to_owned())],
        leaves: true,
    }
}

fn decision() -> DecisionShown {
    DecisionShown::of(&ApprovalRecord {
        sequence: 3,
        approval_id: "approval_a".to_owned(),
        decision: Decision::Withdrawn,
        actor: Some("bob".to_owned()),
        reason: Some("late".to_owned()),
        subject_hash: [1; 32],
        edited_hash: Some([2; 32]),
        rule: None,
        approved_by: Vec::new(),
        requested_by: Some("ann".to_owned()),
        requested_at: 1,
        decided_at: 2,
    })
}

fn wait() -> Wait {
    let text = |text: &str| text.to_owned();
    Wait {
        wait_id: text("wait_a"),
        kind: WaitKind::Time,
        run_id: text("run_a"),
        thread_id: text("thr_a"),
        call_id: text("c"),
        tool: text("t"),
        question: Some(text("Why?")),
        schema: Some(parsed("{}")),
        choices: Some(vec![text("a")]),
        name: Some(text("paid")),
        to: Some(text("kim")),
        status: WaitStatus::Open,
        created_at: 1,
        expires_at: 3,
        due_at: Some(2),
    }
}

fn outcome() -> Outcome {
    let text = r#"{"value":null,"error":{"code":"C","message":"m"},"actor":"kim","settledAt":2}"#;
    json::from_value(parsed(text)).unwrap()
}

fn left() -> LeftCall {
    let text = |text: &str| text.to_owned();
    LeftCall {
        call_id: text("c"),
        tool: text("t"),
        input: Json::Null.into(),
        run_id: text("run_b"),
        repeats: Some(text("b")),
        started: true,
        writing: Some(text("d")),
        approval: Some(LeftApproval { approval_id: text("approval_a"), run_id: text("run_b") }),
        was_approved: true,
        edited: true,
        wait: Some(OpenWait { wait: wait(), turn: 2, definition: Some(text("d")) }),
        resumed: Some(LeftResumed {
            kind: ResumedKind::Answer,
            outcome: outcome(),
            waited_ms: 3,
            turn: 1,
            definition: Some(text("d")),
        }),
    }
}

fn fold() -> Fold {
    let messages = [
        r#"{"messageId":"msg_a","role":"user","parts":[{"type":"text","text":"Hi"}]}"#,
        r#"{"messageId":"msg_b","role":"assistant","parts":[{"type":"tool-call","callId":"c","tool":"t","input":{}}]}"#,
    ];
    let mut fold = Fold::default();
    for (position, message) in (0..).zip(messages) {
        fold.add(position, Glance::of(message));
    }
    fold
}

/// An event of each type, with all that it may have. A task stands for the other two ways in which an agent begins.
#[allow(clippy::too_many_lines, reason = "a table: a row for each event")]
fn full() -> Vec<Event> {
    let text = |text: &str| text.to_owned();
    let begun = PlanBegun {
        plan_id: text("plan_a"),
        version: 1,
        hash: text("h"),
        steps: parsed(r#"[{"id":"s","tool":"t","input":{}}]"#),
        definition: Some(text("d")),
    };
    let limits = RunLimits { max_steps: Some(3), ..RunLimits::default() };
    let (trace, instructions) = (Some(text("00-1-2-01")), Some(text("Be brief.")));
    let of_queued = (trace.clone(), instructions.clone());
    let left = vec![left()];
    let (thread_id, agent, base) = (text("thr_a"), text("front"), 0);
    let requesters = vec![None, Some(text("ann"))];
    let of_run = requesters.clone();
    let context =
        RunContext { thread_id, agent, limits, base, trace, instructions, left: left.clone(), requesters: of_run };
    let continues = Some(ContinuedRun { run_id: text("run_b") });
    let (prompt, actor, start_at) = (Json::from("x"), Some(text("ann")), Some(5));
    let queued = RunQueued { prompt: prompt.clone(), actor: actor.clone(), start_at, continues: continues.clone() };
    let (role, call, active) = (AgentRole::Executor, Some(text("c")), 4);
    let error =
        RunFailure { code: FailureCode::ModelFailed, message: text("m"), retryable: true, retry_after_ms: Some(9) };
    let request = QueuedRequest {
        thread_id: text("thr_a"),
        agent: text("front"),
        limits,
        when_busy: WhenBusy::Queue,
        continues: true,
        trace: of_queued.0,
        instructions: of_queued.1,
        left,
        requesters,
    };
    vec![
        Event::RunQueued(queued, request),
        Event::RunStarted(RunStarted { prompt, actor, continues }, context),
        Event::PromptReceived(PromptReceived { from: text("r"), prompt: Json::from("x"), actor: Some(text("ann")) }),
        Event::AgentStarted(
            Nothing {},
            AgentBegun::Plan { role, active, plan: begun, call, definition: Some(text("d")) },
        ),
        Event::AgentStarted(
            Nothing {},
            AgentBegun::Task {
                role: AgentRole::Planner,
                call: text("c"),
                active,
                task: parsed("[]"),
                definition: None,
            },
        ),
        Event::AgentStarted(
            Nothing {},
            AgentBegun::Prompt { role: AgentRole::Coordinator, definition: Some(text("d")) },
        ),
        Event::AgentCompleted(
            Nothing {},
            AgentAnswer {
                text: text("So"),
                output: Json::Null,
                failed: true,
                lost: usage(),
                takes_back: Some(text("m-cut")),
            },
        ),
        Event::ContextFolded(
            ContextFolded {
                from: text("msg_a"),
                to: text("msg_b"),
                tokens: 9,
                summary: text("[2 earlier]"),
                usage: usage(),
            },
            KeptContext { fold: fold(), short: Some(Short { until: 5, bytes: 700 }) },
        ),
        Event::ModelCompleted(
            ModelCompleted {
                model: text("test/one"),
                usage: TokenUsage::default(),
                finish_reason: FinishReason::ToolCalls,
                warnings: vec![text("w")],
            },
            model_answer(),
        ),
        Event::ToolCalled(
            ToolCalled { call_id: text("c"), tool: text("t"), input: Json::Null.into() },
            WriteIntent { writing: Some(text("d")) },
        ),
        Event::ToolCompleted(ToolCompleted {
            call_id: text("c"),
            result: parsed(r#"{"reference":"ref_a","type":"rows","byteLength":9}"#),
            reference: Some(text("ref_a")),
        }),
        Event::ToolRetried(ToolRetried {
            call_id: text("c"),
            attempt: 1,
            error: ToolFailure::new("TIMEOUT", "Late."),
            delay_ms: 500,
        }),
        Event::ToolFailed(ToolFailed { call_id: text("c"), error: ToolFailure::new("REJECTED", "No.") }),
        Event::ToolWaiting(
            ToolWaiting { call_id: text("c"), wait: wait() },
            WaitingTool { definition: Some(text("d")), continues: true },
        ),
        Event::WaitSettled(WaitSettled { record: WaitRecord { wait: wait(), outcome: outcome() } }),
        Event::ToolResumed(
            ToolResumed { call_id: text("c"), kind: ResumedKind::Event, actor: Some(text("kim")) },
            ResumedCall { waited_ms: 5 },
        ),
        Event::ReferenceCreated(ReferenceCreated { reference: text("ref_a") }),
        Event::PlanSaved(PlanSaved { plan_id: text("plan_a"), version: 1, hash: text("h") }),
        Event::ApprovalRequested(
            ApprovalRequested { approval: approval() },
            RequestedCall { call_id: Some(text("c")), continues: true },
        ),
        Event::ApprovalDecided(
            ApprovalDecided { record: decision(), edited_input: Some(Json::Null.into()) },
            DecidedCall { call_id: Some(text("c")), again: true },
        ),
        Event::RunSuspended(RunSuspended { approvals: vec![approval()], waits: vec![wait()] }),
        Event::RunCompleted(
            RunCompleted {
                text: text("So"),
                output: Json::Null,
                finish_reason: Some(FinishReason::Stop),
                usage: usage(),
                waiting: vec![text("c")],
            },
            cut_off(),
        ),
        Event::RunFailed(RunFailed { error }, cut_off()),
        Event::RunLimited(RunLimited { limit: Limit::Duration }, cut_off()),
        Event::RunCancelled(Nothing {}, cut_off()),
        Event::RunSteered(RunSteered { into: text("r") }, cut_off()),
    ]
}

fn entry(event: Event) -> Entry {
    let thread = ThreadProgress { threaded: Some(4), told: vec!["c".to_owned()] };
    Entry { thread, ..Entry::new(7, event).about(Some("front")) }
}

#[test]
fn every_type_of_event_is_read_as_it_was_written() {
    let of_types: BTreeSet<&str> = full().iter().map(Event::kind).collect();
    assert_eq!(of_types, Event::NAMES.iter().copied().collect(), "each type has an example here");
    let mut entries: Vec<Entry> = full().into_iter().map(entry).collect();
    entries.extend(full().into_iter().map(|event| Entry::new(0, event)));
    let gone = ApprovalDecided { record: DecisionShown::gone("approval_a"), edited_input: None };
    let decided = DecidedCall { call_id: None, again: false };
    entries.push(Entry::new(1, Event::ApprovalDecided(gone, decided)));
    let block = write(&NO_BLOCK, &entries);
    assert_eq!(read(&block), Ok((NO_BLOCK, entries)));
}

#[test]
fn an_approval_that_was_stored_by_its_id_alone_is_read_and_written_as_it_was() {
    for event in [
        r#"{"type":"approval.requested","at":1,"agent":"a","approval":{"approvalId":"approval_a"}}"#,
        r#"{"type":"run.suspended","at":1,"approvals":[{"approvalId":"approval_a"}]}"#,
    ] {
        let read = Entry::read(event.as_bytes(), b"").unwrap();
        let mut written = Vec::new();
        read.write_event(&mut written);
        assert_eq!(String::from_utf8(written).unwrap(), event);
    }
}

#[test]
fn an_agent_whose_plan_or_task_cannot_be_read_is_refused() {
    let event = br#"{"type":"agent.started","at":1,"agent":"a"}"#;
    assert!(Entry::read(event, br#"{"role":"specialist","threaded":1}"#).is_ok());
    for internal in [
        r#"{"role":"executor","active":1,"plan":{"planId":"p"}}"#,
        r#"{"role":"executor","active":1.5,"plan":{}}"#,
        r#"{"role":"specialist","call":"c","active":null,"task":[]}"#,
        r#"{"role":"specialist","task":[]}"#,
        r#"{"role":"specialist","unknown":1}"#,
    ] {
        assert!(Entry::read(event, internal.as_bytes()).is_err(), "{internal}");
    }
}

#[test]
fn a_preview_is_not_stored_twice() {
    let result = parsed(r#"{"type":"rows","glimpse":"much"}"#);
    let completed = |reference: Option<&str>| {
        let (call_id, reference) = ("c".to_owned(), reference.map(str::to_owned));
        Entry::new(5, Event::ToolCompleted(ToolCompleted { call_id, result: result.clone(), reference }))
    };
    let (kept, inline) = (completed(Some("ref_x")), completed(None));
    let mut stored = read(&write(&NO_BLOCK, [&kept, &inline])).unwrap().1;
    assert_eq!(stored[1], inline);
    assert_ne!(stored[0], kept);
    stored[0].restore_preview(Json::from("much"));
    assert_eq!(stored[0], kept);
}

#[test]
fn consumers_get_the_run_and_the_sequence_behind_the_type() {
    let cancelled = Entry::new(6, Event::RunCancelled(Nothing {}, CutOff::default()));
    assert_eq!(cancelled.json("run_a", 7), r#"{"type":"run.cancelled","runId":"run_a","sequence":7,"at":6}"#);
}

fn keys(object: &Json) -> BTreeSet<String> {
    object.as_object().unwrap().iter().map(|(key, _)| key.clone()).collect()
}

fn document(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The keys of all examples of a type: as consumers see them, and as only the loop has them.
fn fields(kind: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut shown, mut internal) = (BTreeSet::new(), BTreeSet::new());
    for event in full().into_iter().filter(|event| event.kind() == kind) {
        let entry = Entry::new(1, event);
        shown.extend(keys(&parsed(&entry.json("run_a", 1))));
        let mut text = Vec::new();
        entry.write_internal(&mut text);
        if !text.is_empty() {
            internal.extend(keys(&parsed(std::str::from_utf8(&text).unwrap())));
        }
    }
    for common in ["type", "runId", "sequence", "at"] {
        shown.remove(common);
    }
    (shown, internal)
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(',').map(|word| word.trim_matches(|character: char| !character.is_ascii_alphanumeric()));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_document_of_the_format_names_the_events_and_their_fields() {
    let document = document("docs/format/runs.md");
    let rows: Vec<Vec<&str>> = document
        .lines()
        .filter(|line| line.starts_with("| `") && line.matches('|').count() == 4)
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    for kind in Event::NAMES {
        let row = rows.iter().find(|row| row[0] == format!("`{kind}`") && !row[1].contains(' ') | row[1].contains(','));
        let row = row.unwrap_or_else(|| panic!("{kind} is missing"));
        let (mut shown, internal) = fields(kind);
        if *kind == "approval.requested" {
            // Consumers are shown a field that only the loop stores.
            shown.remove("callId");
        }
        assert_eq!((words(row[1]), words(row[2])), (shown, internal), "{kind}");
    }
}

#[test]
fn the_types_for_consumers_name_the_events_and_their_fields() {
    let source = document("ts/types/events.ts");
    let events = source.split("export type JournaledEvent").nth(1).unwrap().split("\n  )\n").next().unwrap();
    let mut named = BTreeSet::new();
    for member in events.split("readonly type:").skip(1) {
        let (kinds, members) = member.split_once([';', '\n', '}']).unwrap();
        let fields_here: BTreeSet<String> = members
            .split("readonly ")
            .filter_map(|field| field.split_once(':').map(|(name, _)| name.trim_end_matches('?').to_owned()))
            .filter(|name| name.chars().all(|character| character.is_ascii_alphanumeric()) && name != "agent")
            .collect();
        for kind in kinds.split('\'').skip(1).step_by(2) {
            assert_eq!(fields_here, fields(kind).0, "{kind}");
            named.insert(kind.to_owned());
        }
    }
    assert_eq!(named, Event::NAMES.iter().map(|name| (*name).to_owned()).collect());
}
