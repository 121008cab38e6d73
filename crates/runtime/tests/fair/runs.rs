//! Runs with something large in every place where a host, a model or a tool can put it.

use std::sync::Arc;

use allocation_counter::opt_out;
use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::RunLimits;
use bailiwick_runtime::{
    CallbackKind, Callbacks, Catalogue, PendingReply, Reply, RunPosition, RunRequest, TenantHandle, Validated,
};

use crate::measured::{LARGE, fair, long, wait};
use crate::support::{Kept, NOW, Random, handle_of, store};

const TEAM: &str = r#"{"bailiwick":1,
  "references":[{"name":"table"}],
  "plans":[{"name":"report"}],
  "tools":[
    {"name":"search","description":"Finds","effects":"read","input":{"type":"object"}},
    {"name":"text","description":"Checked","effects":"read","input":{"type":"object"},"output":{"type":"string"}},
    {"name":"book","description":"Books","onInterrupted":"retry","input":{"type":"object"}},
    {"name":"send","description":"Sends","approval":"always","input":{"type":"object"}},
    {"name":"maybe","description":"Sends","approval":"dynamic","input":{"type":"object"}},
    {"name":"valid","description":"By the host","approval":"always","input":{"type":"object"}},
    {"name":"load","description":"Loads","effects":"read","result":"table","input":{"type":"object"}},
    {"name":"use","description":"Uses","references":{"from":"table"},"input":{"type":"object"}}
  ],
  "agents":[
    {"role":"coordinator","name":"front","model":"test/m","prompt":"Route.","routes":["planner","helper"],
     "tools":["search","text","book","send","maybe","valid","load","use"]},
    {"role":"planner","name":"planner","model":"test/m","prompt":"Plan.","plan":"report"},
    {"role":"executor","name":"worker","model":"test/m","prompt":"Report.","tools":["load","use"]},
    {"role":"specialist","name":"helper","model":"test/m","prompt":"Help.","output":{"type":"object"}}
  ]}"#;

/// What the host answers: the request's kind, its agent or tool, how often that was asked before, and the request.
type Answers = dyn Fn(CallbackKind, &str, usize) -> Vec<Reply> + Send + Sync;

struct Host {
    answers: Arc<Answers>,
    asked: parking_lot::Mutex<Vec<(CallbackKind, String)>>,
    has_approver: bool,
}

impl Callbacks for Host {
    /// What the host allocates is not counted.
    fn request(&self, kind: CallbackKind, request: String) -> PendingReply {
        let mut pending = None;
        opt_out(|| {
            let request = json::parse(request.as_bytes(), &json::Limits { bytes: usize::MAX, ..Default::default() });
            let request = request.unwrap();
            let name = ["tool", "agent"].into_iter().find_map(|key| request.get(key)?.as_str());
            let name = name.unwrap_or_default().to_owned();
            let mut asked = self.asked.lock();
            let before = asked.iter().filter(|(one, other)| *one == kind && *other == name).count();
            let (sender, receiver) = PendingReply::new(|| {});
            for reply in (self.answers)(kind, &name, before) {
                sender.send(reply).unwrap();
            }
            asked.push((kind, name));
            pending = Some(receiver);
        });
        pending.unwrap()
    }

    fn has_approver(&self) -> bool {
        self.has_approver
    }
}

fn host(has_approver: bool, answers: impl Fn(CallbackKind, &str, usize) -> Vec<Reply> + Send + Sync + 'static) -> Host {
    Host { answers: Arc::new(answers), asked: Default::default(), has_approver }
}

const FINISH: &str = r#"{"type":"finish","reason":"stop","usage":{"inputTokens":1,"outputTokens":1}}"#;

fn value(text: String) -> Vec<Reply> {
    vec![Reply::Value(text.into_bytes())]
}

fn says(text: &str) -> Vec<Reply> {
    let delta = json::write(&Json::from(text));
    value(format!(r#"[{{"type":"text.delta","id":"t","delta":{delta}}},{FINISH}]"#))
}

fn calls(tools: &[(&str, String)]) -> Vec<Reply> {
    let calls = tools.iter().enumerate().map(|(at, (tool, input))| {
        let input = json::write(&Json::from(input.as_str()));
        format!(r#"{{"type":"tool.call","callId":"call-{at}","tool":"{tool}","input":{input}}},"#)
    });
    value(format!("[{}{FINISH}]", calls.collect::<String>()))
}

fn gives(form: u8, content: &str) -> Vec<Reply> {
    vec![Reply::Value([&[form], content.as_bytes()].concat())]
}

fn text_input(length: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, long(length))
}

/// The answer of everything that has nothing large to say.
fn small(kind: CallbackKind) -> Vec<Reply> {
    match kind {
        CallbackKind::Model => says("Done."),
        CallbackKind::Tool => gives(0, "1"),
        CallbackKind::NeedsApproval => value("true".to_owned()),
        CallbackKind::Approve => value(r#"{"decision":"approve","actor":"kim"}"#.to_owned()),
        CallbackKind::Input | CallbackKind::Output => value("{}".to_owned()),
    }
}

async fn open(inline: usize) -> TenantHandle {
    let catalogue = Catalogue::from_json(&json::parse(TEAM.as_bytes(), &json::Limits::default()).unwrap()).unwrap();
    let home = Kept::Memory.open();
    let store = store(home.opened.clone(), 1, NOW, 1 << 20).await;
    let limits = format!(r#","limits":{{"inlineResultBytes":{inline}}}"#);
    let handle = handle_of(&store, "acme", "v1", &limits, &Arc::new(catalogue));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    handle.validating(Validated { tools: names(&["valid"]), agents: names(&["helper"]) })
}

fn request(prompt: &str) -> RunRequest {
    let limits = RunLimits { max_steps: Some(1000), ..RunLimits::default() };
    RunRequest { limits, ..RunRequest::new(Json::from(prompt)) }
}

/// Runs it, resumes it as often as it is suspended, and reads all that it has left behind. Returns the status.
async fn check(what: &str, handle: &TenantHandle, request: RunRequest, host: &Host) -> String {
    let prepared = handle.runs().prepare(None).unwrap();
    let run_id = prepared.run_id.clone();
    fair((what, "start"), request.prompt.weight() as usize, handle.runs().start(prepared, request, host))
        .await
        .unwrap();
    let result = fair((what, "resume"), 0, handle.runs().resume(&run_id, host)).await.unwrap();
    let result = json::parse(result.as_bytes(), &json::Limits::default()).unwrap();
    let mut position = RunPosition::default();
    loop {
        let page = fair((what, "events"), 0, handle.runs().events(&run_id, position, false)).await.unwrap();
        if page.events.is_empty() {
            break;
        }
        position = page.position;
    }
    result.get("status").unwrap().as_str().unwrap().to_owned()
}

/// A run whose front agent first makes these calls, and whose tools then give this.
fn calling(tools: Vec<(&'static str, String)>, given: Vec<Reply>) -> Host {
    host(true, move |kind, name, before| match (kind, name) {
        (CallbackKind::Model, "helper") => says("{}"),
        (CallbackKind::Model, _) if before == 0 => calls(&tools),
        (CallbackKind::Tool, _) => given.clone(),
        (kind, _) => small(kind),
    })
}

#[test]
fn inputs_are_announced_wherever_a_run_handles_them() {
    wait(async {
        let input = text_input(LARGE);
        let some = text_input(LARGE / 16);
        for (what, tools) in [
            ("one", vec![("search", input.clone())]),
            ("a write", vec![("book", input.clone())]),
            ("an unknown tool", vec![("nothing", input.clone())]),
            ("a route", vec![("helper", format!(r#"{{"task":"{}"}}"#, long(LARGE)))]),
            ("twice", vec![("search", text_input(LARGE / 2)), ("search", text_input(LARGE / 2))]),
            ("sixteen", vec![("search", some.clone()); 16]),
            ("sixteen approvals", (0..16).map(|at| ("send", text_input(LARGE / 16 + 5 * at))).collect()),
            ("sixteen that may need one", (0..16).map(|at| ("maybe", text_input(LARGE / 16 + 5 * at))).collect()),
            ("sixteen for the host's schema", (0..16).map(|at| ("valid", text_input(LARGE / 16 + 5 * at))).collect()),
            ("no JSON", vec![("search", long(LARGE / 2))]),
        ] {
            let handle = open(4096).await;
            let status = check(what, &handle, request("Go"), &calling(tools.clone(), gives(0, "1"))).await;
            assert_eq!(status, "completed", "{what}");
            let deferred = Host { has_approver: false, ..calling(tools, gives(0, "1")) };
            check(what, &handle, request("Go"), &deferred).await;
        }
    });
}

#[test]
fn results_are_announced_wherever_a_run_handles_them() {
    wait(async {
        let text = long(LARGE);
        let quoted = format!("\"{text}\"");
        for (what, tool, given) in [
            ("JSON", "search", gives(0, &quoted)),
            ("JSON that the host has validated", "search", gives(4, &quoted)),
            ("checked JSON", "text", gives(0, &quoted)),
            ("text", "search", gives(1, &text)),
            ("checked text", "text", gives(1, &text)),
            ("bytes", "search", gives(2, &text)),
            ("no id of a reference", "search", gives(3, &text)),
            ("of an unknown form", "search", gives(9, &text)),
            ("failure", "search", vec![Reply::Failure(format!(r#"{{"message":"{text}"}}"#).into_bytes())]),
        ] {
            for inline in [4096, 2 * LARGE] {
                let handle = open(inline).await;
                let one = calling(vec![(tool, "{}".to_owned())], given.clone());
                assert_eq!(check(what, &handle, request("Go"), &one).await, "completed", "{what}");
            }
        }
        // Each is small, and all together are not.
        let handle = open(LARGE).await;
        let tools = (0..64).map(|at| ("search", format!(r#"{{"at":{at}}}"#))).collect();
        let many = calling(tools, gives(0, &format!("\"{}\"", long(64 << 10))));
        assert_eq!(check("many", &handle, request("Go"), &many).await, "completed");
    });
}

#[test]
fn what_the_host_says_beside_results_is_announced() {
    wait(async {
        let text = long(LARGE);
        let (problem, output) = (format!(r#"{{"problem":"{text}"}}"#), format!(r#"{{"output":{{"text":"{text}"}}}}"#));
        let approval = format!(r#"{{"decision":"approve","actor":"kim","more":"{text}"}}"#);
        let failure = Reply::Failure(format!(r#"{{"message":"{text}","retryable":false}}"#).into_bytes());
        for (what, said, reply) in [
            ("a problem of an input", CallbackKind::Input, value(problem.clone())),
            ("a problem of an output", CallbackKind::Output, value(problem)),
            ("an output", CallbackKind::Output, value(output)),
            ("an approval", CallbackKind::Approve, value(approval)),
            ("a model's failure", CallbackKind::Model, vec![failure.clone()]),
            ("a tool's failure", CallbackKind::Tool, vec![failure]),
        ] {
            let handle = open(4096).await;
            let host = host(true, move |kind, name, before| match (kind, name, before) {
                (CallbackKind::Model, "front", 0) => {
                    let task = r#"{"task":"x"}"#.to_owned();
                    calls(&[("valid", "{}".to_owned()), ("helper", task)])
                }
                (kind, ..) if kind == said => reply.clone(),
                (CallbackKind::Model, "helper", _) => says("{}"),
                (kind, ..) => small(kind),
            });
            check(what, &handle, request("Go"), &host).await;
        }
    });
}

#[test]
fn plans_and_the_results_that_their_steps_take_are_announced() {
    wait(async {
        let text = long(LARGE);
        let step = |path: &str| format!(r#"{{"$step":"a","path":"{path}"}}"#);
        let inputs = [
            format!(r#"{{"all":{}}}"#, r#"{"$step":"a"}"#),
            format!(r#"{{"part":{}}}"#, step("/text")),
            format!(r#"{{"rows":[{}]}}"#, vec![step("/text"); 8].join(",")),
            format!(r#"{{"from":{}}}"#, r#"{"$step":"a"}"#),
            format!(r#"{{"text":"{}"}}"#, long(900_000)),
        ];
        for input in inputs {
            let plan = format!(
                r#"{{"goal":"Use it","steps":[{{"id":"a","tool":"load","input":{{}}}},{{"id":"b","tool":"use","input":{input}}}]}}"#
            );
            let result = format!(r#"{{"text":"{text}"}}"#);
            let host = host(true, move |kind, name, before| match (kind, name, before) {
                (CallbackKind::Model, "front", 0) => calls(&[("planner", r#"{"task":"Plan it"}"#.to_owned())]),
                (CallbackKind::Model, "planner", _) => says(&plan),
                (CallbackKind::Tool, "load", _) => gives(0, &result),
                (kind, ..) => small(kind),
            });
            let handle = open(4096).await;
            let what = &input[..input.len().min(60)];
            assert_eq!(check(what, &handle, request("Go"), &host).await, "completed", "{what}");
        }
    });
}

#[test]
fn messages_are_announced_when_a_run_begins_ends_and_is_read_again() {
    wait(async {
        let handle = open(LARGE).await;
        let talks = host(true, |kind, _, _| if kind == CallbackKind::Model { says(&long(LARGE)) } else { small(kind) });
        assert_eq!(check("prompt and answer", &handle, request(&long(LARGE)), &talks).await, "completed");
        let task = || calls(&[("helper", format!(r#"{{"task":"{}"}}"#, long(LARGE / 2)))]);
        let passes = host(true, move |kind, name, before| match (kind, name, before) {
            (CallbackKind::Model, "front", 0) => task(),
            (CallbackKind::Model, "helper", _) => says(&text_input(LARGE)),
            (kind, ..) => small(kind),
        });
        assert_eq!(check("an agent's answer", &handle, request("Go"), &passes).await, "completed");
        // Enough for the thread to get a part of them before the end.
        let many = host(true, |kind, _, before| match kind {
            CallbackKind::Model if before < 150 => calls(&[("search", text_input(20_000))]),
            CallbackKind::Tool => gives(0, &format!("\"{}\"", long(20_000))),
            kind => small(kind),
        });
        assert_eq!(check("many turns", &handle, request("Go"), &many).await, "completed");
        // The limit leaves calls without results behind.
        let limits = RunLimits { max_tool_calls: Some(15), ..RunLimits::default() };
        let tools = (0..16).map(|at| ("search", text_input(LARGE / 16 + 5 * at))).collect();
        let limited = calling(tools, gives(0, "1"));
        assert_eq!(check("a limit", &handle, RunRequest { limits, ..request("Go") }, &limited).await, "limited");
    });
}

/// Anything large may come together with anything else.
#[test]
fn generated_runs_announce_all_that_they_handle() {
    wait(async {
        for seed in 0..12 {
            let mut random = Random::new(seed);
            let inline = [4096, LARGE][random.below(2)];
            let handle = open(inline).await;
            let draws = parking_lot::Mutex::new(random);
            let host = host(seed % 3 != 0, move |kind, name, before| {
                let mut random = draws.lock();
                let length = [10, 1000, 100_000, LARGE / 4][random.below(4)];
                match (kind, name) {
                    (CallbackKind::Model, "helper") => says(&text_input(length)),
                    (CallbackKind::Model, _) if before < 6 => {
                        let tools = ["search", "text", "book", "send", "maybe", "valid", "load", "helper"];
                        let count = 1 + random.below(6);
                        let call = |random: &mut Random| match *random.pick(&tools).unwrap() {
                            "helper" => ("helper", format!(r#"{{"task":"{}"}}"#, long(length / count))),
                            tool => {
                                (tool, format!(r#"{{"text":"{}","n":{}}}"#, long(length / count), random.below(99)))
                            }
                        };
                        calls(&(0..count).map(|_| call(&mut random)).collect::<Vec<_>>())
                    }
                    (CallbackKind::Model, _) => says(&long(length)),
                    (CallbackKind::Tool, _) => match random.below(4) {
                        0 => gives(1, &long(length)),
                        1 => gives(2, &long(length)),
                        _ => gives(0, &format!("\"{}\"", long(length))),
                    },
                    (kind, _) => small(kind),
                }
            });
            check(&format!("seed {seed}"), &handle, request("Go"), &host).await;
        }
    });
}
