//! What a valid spec reads as, and what the JSON itself may not hold.

use std::sync::Arc;

use bailiwick_model::json::{Limits as JsonLimits, parse};
use bailiwick_model::spec::{
    AgentRole, ApprovalPolicy, GlimpseOption, InterruptedPolicy, Limits, PromptExample, Retention, TenantPart,
    ToolEffects, ToolRetry, Topology,
};
use bailiwick_model::{Error, Json, Kind, RuntimeSpec};

const DAY: u64 = 86_400_000;

fn json(text: &str) -> Json {
    parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

fn part(text: &str) -> TenantPart {
    TenantPart::from_json(&json(text)).unwrap()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let spec =
        RuntimeSpec::from_json(&json(r#"{"bailiwick":1,"tenant":{"resourceId":"acme","version":"v1"}}"#)).unwrap();
    assert_eq!(spec.limits, Limits::default());
    assert_eq!(spec.retention, Retention::default());
    assert_eq!(*spec.topology, Topology::default());
    let days = |kind| spec.retention.ttl_ms.get(kind).map(|ttl| ttl / DAY);
    let expected = [Some(30), Some(365), None, Some(1), Some(90), Some(30), Some(7), Some(30)];
    assert_eq!(Kind::ALL.map(days), expected);
    assert_eq!(Kind::ALL.map(|kind| spec.limits.items.get(kind)), [None; 8]);
    assert_eq!((spec.limits.bytes, spec.limits.value_bytes), (None, None));
    assert_eq!(spec.limits.in_flight_bytes, 268_435_456);
    assert_eq!((spec.limits.pending_approvals, spec.limits.open_waits), (10_000, 1_000));
    assert_eq!(spec.limits.inline_result_bytes, 4096);
}

#[test]
fn limits_and_retention_of_a_tenant_are_read() {
    let part = part(
        r#"{"tenant":{"resourceId":"acme","version":"v1"},
            "limits":{"items":{"references":1,"traces":2},"bytes":3,"valueBytes":4,"inFlightBytes":5,
              "pendingApprovals":6,"inlineResultBytes":7,"run":{"maxSteps":8,"maxDurationMs":9007199254740991}},
            "retention":{"references":{"ttlMs":null},"cache":{"ttlMs":5}}}"#,
    );
    assert_eq!(part.limits.items.get(Kind::References), Some(1));
    assert_eq!(part.limits.items.get(Kind::Traces), Some(2));
    assert_eq!((part.limits.bytes, part.limits.value_bytes, part.limits.in_flight_bytes), (Some(3), Some(4), 5));
    assert_eq!((part.limits.pending_approvals, part.limits.inline_result_bytes), (6, 7));
    assert_eq!((part.limits.run.max_steps, part.limits.run.max_duration_ms), (Some(8), Some(9_007_199_254_740_991)));
    assert_eq!(part.retention.ttl_ms.get(Kind::References), None);
    assert_eq!(part.retention.ttl_ms.get(Kind::Cache), Some(5));
    assert_eq!(part.retention.ttl_ms.get(Kind::Plans), Some(365 * DAY));
}

#[test]
fn every_role_is_read() {
    let topology = Topology::from_json(&json(
        r#"{"bailiwick":1,"agents":[
            {"role":"coordinator","name":"front","model":"test/small","prompt":"Route.","routes":["analyst"]},
            {"role":"specialist","name":"analyst","description":"Counts","model":["a/b","c/d"],"tools":["Search"],
              "modelSettings":{"temperature":0.5,"seed":-3,"maxOutputTokens":9,"providerOptions":{"x":[1]}},
              "prompt":{"role":"R","instructions":"I","domainKnowledge":{"b":1,"a":2},"style":"S",
                "examples":["one",{"input":"i","output":"o"}]},
              "output":{"type":"object"},"limits":{"maxSteps":3}},
            {"role":"planner","name":"planner","model":"a/b","prompt":"Plan.","plan":"report"},
            {"role":"executor","name":"executor","tools":["Search"]}],
          "tools":[{"name":"Search","description":"Finds","input":{"type":"object"},"approval":"dynamic",
            "effects":"read","onInterrupted":"retry","timeoutMs":5,"references":{"z":"table","a":"table"},"result":"table",
            "retry":{"attempts":4,"backoffMs":100,"maxBackoffMs":250}}],
          "references":[{"name":"table","mediaType":"text/csv","ttlMs":7,"glimpse":{"rows":3},"schema":{}},
            {"name":"secret","glimpse":false}],
          "plans":[{"name":"report","details":{"type":"object"}}],
          "providers":{"b":{},"a":{"apiKeyEnv":"A_KEY"}}}"#,
    ))
    .unwrap();
    let roles: Vec<_> = topology.agents.iter().map(|agent| agent.role).collect();
    assert_eq!(roles, [AgentRole::Coordinator, AgentRole::Specialist, AgentRole::Planner, AgentRole::Executor]);
    assert_eq!(topology.agents[0].routes, ["analyst"]);
    let analyst = topology.agent("analyst").unwrap();
    assert_eq!((analyst.models.join(" "), analyst.limits.max_steps), ("a/b c/d".to_owned(), Some(3)));
    assert_eq!((analyst.model_settings.temperature, analyst.model_settings.seed), (Some(0.5), Some(-3)));
    let prompt = analyst.prompt.as_ref().unwrap();
    let topics: Vec<_> = prompt.domain_knowledge.iter().map(|(topic, _)| topic.as_str()).collect();
    assert_eq!(topics, ["b", "a"]);
    assert_eq!(prompt.examples[0], PromptExample::Text("one".to_owned()));
    assert_eq!(topology.agents[2].plan.as_deref(), Some("report"));
    assert_eq!(topology.agents[3].models.len(), 0);
    let tool = topology.tool("Search").unwrap();
    assert_eq!((tool.approval, tool.effects), (ApprovalPolicy::Dynamic, ToolEffects::Read));
    assert_eq!((tool.on_interrupted, tool.timeout_ms), (InterruptedPolicy::Retry, Some(5)));
    assert_eq!(tool.references[0].0, "a");
    let retry = tool.retry.unwrap();
    assert_eq!([1, 2, 3, 4].map(|attempts| retry.pause_after(attempts)), [Some(100), Some(200), Some(250), None]);
    let endless = ToolRetry { attempts: u64::MAX, ..retry };
    assert_eq!(endless.pause_after(1 << 40), Some(250));
    let table = topology.reference_type("table").unwrap();
    assert_eq!(
        (table.ttl_ms, table.glimpse, table.media_type.as_deref()),
        (Some(7), GlimpseOption::Rows(3), Some("text/csv"))
    );
    assert_eq!(topology.reference_type("secret").unwrap().glimpse, GlimpseOption::Nothing);
    assert_eq!(topology.plan_type("report").unwrap().details, Some(json(r#"{"type":"object"}"#)));
    assert_eq!(topology.providers[0].1.api_key_env.as_deref(), Some("A_KEY"));
}

#[test]
fn a_topology_serves_only_the_tenant_of_its_data_environment() {
    let bound = json(r#"{"bailiwick":1,"dataEnvironment":{"tenantId":"acme"}}"#);
    let topology = Arc::new(Topology::from_json(&bound).unwrap());
    let own = part(r#"{"tenant":{"resourceId":"acme","version":"v2"}}"#);
    let other = part(r#"{"tenant":{"resourceId":"globex","version":"v1"}}"#);
    assert!(RuntimeSpec::new(topology.clone(), own).is_ok());
    assert_eq!(RuntimeSpec::new(topology, other).unwrap_err(), Error::TenantMismatch);
}

#[test]
fn json_that_no_parser_gave_is_refused_too() {
    let with = |key: &str, value: Json| {
        let tenant = json(r#"{"resourceId":"acme","version":"v1"}"#);
        let format = ("bailiwick".to_owned(), Json::Number(1.0));
        Json::Object(vec![format, ("tenant".to_owned(), tenant), (key.to_owned(), value)])
    };
    let paths = |spec: &Json| match RuntimeSpec::from_json(spec) {
        Err(Error::Spec(issues)) => issues.into_iter().map(|issue| issue.path).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(paths(&with("__proto__", Json::Null)), ["__proto__"]);
    let provider = Json::Object(vec![("__proto__".to_owned(), Json::Object(vec![]))]);
    assert_eq!(paths(&with("providers", provider)), ["providers.__proto__"]);
    let endless = (0..5000).fold(Json::Null, |inner, _| Json::Array(vec![inner]));
    let refused = paths(&with("limits", endless));
    assert!(refused[0].starts_with("limits[0][0]") && refused.contains(&"limits".to_owned()));
}
