//! Whatever is done in whatever order, plans behave like lists of versions.

use bailiwick_model::{Error, json};
use proptest::prelude::*;

use crate::plans::{draft, history, listed};
use crate::support::{at_once, catalogue, handle_of, memory_store};

/// What a caller can do to plans.
#[derive(Clone, Debug)]
enum Act {
    Save { plan: usize, goal: u8, expected: Option<u64> },
    Load { plan: usize, version: Option<u64> },
    History(usize),
    List,
    Tick(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0..4_usize, any::<u8>(), prop_oneof![3 => Just(None), 2 => (0..4_u64).prop_map(Some)])
            .prop_map(|(plan, goal, expected)| Act::Save { plan, goal, expected }),
        3 => (0..4_usize, prop_oneof![Just(None), (0..5_u64).prop_map(Some)])
            .prop_map(|(plan, version)| Act::Load { plan, version }),
        2 => (0..4_usize).prop_map(Act::History),
        1 => Just(Act::List),
        2 => (1..400_u64).prop_map(Act::Tick),
    ]
}

/// What a plan should be: the goals of its versions, when it expires, and when it was created.
#[derive(Default)]
struct Model {
    plans: [Option<(Vec<String>, u64)>; 4],
    /// Newest last.
    order: Vec<usize>,
    now: u64,
}

impl Model {
    fn goals(&self, plan: usize) -> &[String] {
        match &self.plans[plan] {
            Some((goals, expires_at)) if *expires_at > self.now => goals,
            _ => &[],
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn plans_behave_like_lists_of_versions(acts in proptest::collection::vec(act(), 1..60)) {
        let store = memory_store();
        let acme = handle_of(&store, "acme", "v1", r#","retention":{"plans":{"ttlMs":1000}}"#, &catalogue());
        let mut model = Model::default();
        for act in acts {
            match act {
                Act::Tick(milliseconds) => {
                    store.advance(milliseconds);
                    model.now += milliseconds;
                }
                Act::Save { plan, goal, expected } => {
                    let goal = goal.to_string();
                    let known = model.goals(plan).len() as u64;
                    let saved = at_once(acme.plans().save(&draft(&plan.to_string(), &goal), expected));
                    if expected.is_some_and(|expected| expected != known) {
                        prop_assert!(matches!(saved, Err(Error::Conflict(_))));
                        continue;
                    }
                    prop_assert_eq!(saved.unwrap().version, known + 1);
                    if known == 0 {
                        model.plans[plan] = Some((Vec::new(), 0));
                        model.order.retain(|other| *other != plan);
                        model.order.push(plan);
                    }
                    let now = model.now;
                    let (goals, expires_at) = model.plans[plan].as_mut().unwrap();
                    goals.push(goal);
                    *expires_at = now + 1000;
                }
                Act::Load { plan, version } => {
                    let goals = model.goals(plan);
                    let loaded = at_once(acme.plans().load(&plan.to_string(), version));
                    let wanted = version.unwrap_or(goals.len() as u64);
                    match wanted.checked_sub(1).and_then(|at| goals.get(at as usize)) {
                        Some(goal) => prop_assert_eq!(&loaded.unwrap().goal, goal),
                        None => prop_assert_eq!(loaded, Err(Error::NotFound)),
                    }
                }
                Act::History(plan) => {
                    let seen = history(&acme, &plan.to_string());
                    let goals = model.goals(plan);
                    if goals.is_empty() {
                        prop_assert_eq!(seen, Err(Error::NotFound));
                    } else {
                        let goal = |plan: String| {
                            let plan = json::parse(plan.as_bytes(), &json::Limits::default()).unwrap();
                            plan.get("goal").unwrap().as_str().unwrap().to_owned()
                        };
                        let seen: Vec<String> = seen.unwrap().into_iter().map(goal).collect();
                        prop_assert_eq!(seen.as_slice(), goals);
                    }
                }
                Act::List => {
                    let alive = model.order.iter().rev().filter(|plan| !model.goals(**plan).is_empty());
                    prop_assert_eq!(listed(&acme), alive.map(ToString::to_string).collect::<Vec<_>>());
                }
            }
        }
    }
}
