//! Whatever is done in whatever order, the ledger is the list of what was decided.

use bailiwick_model::Error;
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{ApprovalRequest, ApprovalStatus};
use proptest::prelude::*;

use crate::approvals::{asking, history, pending, request, respond};
use crate::support::{at_once, catalogue, handle_of, memory_store};

/// What can be done to approvals.
#[derive(Clone, Debug)]
enum Act {
    Request(u64),
    Respond(usize, bool),
    Withdraw(Vec<usize>),
    Get(usize),
    Pending,
    History,
    Tick(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (1..500_u64).prop_map(Act::Request),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(which, yes)| Act::Respond(which, yes)),
        1 => proptest::collection::vec(any::<usize>(), 0..4).prop_map(Act::Withdraw),
        2 => any::<usize>().prop_map(Act::Get),
        1 => Just(Act::Pending),
        1 => Just(Act::History),
        3 => (1..200_u64).prop_map(Act::Tick),
    ]
}

/// What should be.
#[derive(Default)]
struct Model {
    /// Id, expiry and what was decided, oldest first.
    approvals: Vec<(String, u64, Option<Decision>)>,
    now: u64,
}

impl Model {
    fn settle(&mut self, at: usize, decision: Decision) -> Decision {
        let (_, expires_at, decided) = &mut self.approvals[at];
        if decided.is_none() {
            *decided = Some(if self.now >= *expires_at { Decision::Expired } else { decision });
        }
        decided.unwrap()
    }

    fn expire(&mut self) {
        for at in 0..self.approvals.len() {
            if self.now >= self.approvals[at].1 {
                self.settle(at, Decision::Expired);
            }
        }
    }

    fn pending(&self) -> Vec<&str> {
        self.approvals.iter().rev().filter(|(.., decided)| decided.is_none()).map(|(id, ..)| id.as_str()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn approvals_behave_like_a_list_of_decisions(acts in proptest::collection::vec(act(), 1..60)) {
        const LIMIT: usize = 8;
        let store = memory_store();
        let part = r#","limits":{"pendingApprovals":8}"#;
        let acme = handle_of(&store, "acme", "v1", part, &catalogue());
        let mut model = Model::default();
        for act in acts {
            match act {
                Act::Tick(milliseconds) => {
                    store.advance(milliseconds);
                    model.now += milliseconds;
                }
                Act::Request(ttl_ms) => {
                    let outcome = request(&acme, ApprovalRequest { ttl_ms: Some(ttl_ms), ..asking("1") });
                    if model.pending().len() >= LIMIT {
                        model.expire();
                    }
                    if model.pending().len() >= LIMIT {
                        let full = matches!(outcome, Err(Error::QuotaExceeded { .. }));
                        prop_assert!(full);
                    } else {
                        model.approvals.push((outcome.unwrap().approval_id, model.now + ttl_ms, None));
                    }
                }
                Act::Respond(which, yes) if !model.approvals.is_empty() => {
                    let at = which % model.approvals.len();
                    let decide = if yes { Decision::Approved } else { Decision::Rejected };
                    let wanted = if yes { Decision::Approved } else { Decision::Rejected };
                    let open = model.approvals[at].2.is_none();
                    let outcome = respond(&acme, &model.approvals[at].0, decide);
                    if open && model.settle(at, wanted) == wanted {
                        prop_assert_eq!(outcome.unwrap().decision, wanted);
                    } else {
                        prop_assert!(matches!(outcome, Err(Error::ApprovalClosed(_))));
                    }
                }
                Act::Withdraw(which) if !model.approvals.is_empty() => {
                    let mut chosen: Vec<usize> = which.iter().map(|which| which % model.approvals.len()).collect();
                    chosen.sort_unstable();
                    chosen.dedup();
                    let ids: Vec<&str> = chosen.iter().map(|at| model.approvals[*at].0.as_str()).collect();
                    at_once(acme.approvals().withdraw(&ids, None, Vec::new())).unwrap().unwrap();
                    for at in chosen {
                        model.settle(at, Decision::Withdrawn);
                    }
                }
                Act::Get(which) if !model.approvals.is_empty() => {
                    let at = which % model.approvals.len();
                    let status = at_once(acme.approvals().get(&model.approvals[at].0)).unwrap().status;
                    if model.now >= model.approvals[at].1 {
                        model.expire();
                    }
                    let expected = model.approvals[at].2.map_or(ApprovalStatus::Pending, ApprovalStatus::Decided);
                    prop_assert_eq!(status, expected);
                }
                Act::Pending => {
                    let seen = pending(&acme);
                    model.expire();
                    prop_assert_eq!(seen, model.pending());
                }
                Act::History => {
                    let records = history(&acme);
                    model.expire();
                    prop_assert_eq!(records.len(), model.approvals.iter().filter(|(.., decided)| decided.is_some()).count());
                }
                _ => {}
            }
        }
        let records = history(&acme);
        model.expire();
        for (sequence, record) in (0..).zip(&records) {
            prop_assert_eq!(record.sequence, sequence);
            let (.., decided) = model.approvals.iter().find(|(id, ..)| *id == record.approval_id).unwrap();
            prop_assert_eq!(*decided, Some(record.decision));
        }
        let decided = model.approvals.iter().filter(|(.., decided)| decided.is_some()).count();
        prop_assert_eq!(records.len(), decided);
        let report = at_once(acme.approvals().verify(None)).unwrap();
        prop_assert_eq!((report.size as usize, report.problems), (decided, Vec::new()));
    }
}
