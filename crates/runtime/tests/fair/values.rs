//! Large values of the other parts of a handle, written and read.

use bailiwick_model::json::Json;
use bailiwick_runtime::{ApprovalContext, ApprovalRequest, CacheValue, RequestedSubject};

use crate::measured::{LARGE, fair, long, wait};
use crate::support::{handle, memory_store};

#[test]
fn cached_values_plans_and_approvals_are_announced_when_they_are_read() {
    wait(async {
        let acme = handle(&memory_store(), "acme");
        acme.cache().set("k", CacheValue::Bytes(long(LARGE).into_bytes()), None).await.unwrap();
        assert!(fair("cache", 0, acme.cache().get("k")).await.unwrap().is_some());
        for _ in 0..8 {
            let plan = format!(
                r#"{{"type":"t","planId":"p","goal":"g","steps":[{{"id":"a","tool":"x","input":"{}"}}]}}"#,
                long(900_000)
            );
            acme.plans().save(plan.as_bytes(), None).await.unwrap();
        }
        fair("plan", 0, acme.plans().load("p", Some(3))).await.unwrap();
        assert_eq!(fair("plan history", 0, acme.plans().history("p")).await.unwrap().len(), 8);
        let request = |at: usize| ApprovalRequest {
            subject: RequestedSubject::Tool { tool: "pay".to_owned(), input: Json::String(long(900_000 + 5 * at)) },
            context: ApprovalContext::default(),
            requested_by: None,
            ttl_ms: None,
            rule: None,
        };
        let approvals =
            fair("requests", 8 * 900_000, acme.approvals().request_all((0..8).map(request).collect())).await.unwrap();
        let ids: Vec<&str> = approvals.iter().map(|approval| approval.approval_id.as_str()).collect();
        fair("approval", 0, acme.approvals().get(ids[0])).await.unwrap();
        fair("pending", 0, acme.approvals().pending(100, None)).await.unwrap();
        fair("withdrawal", 0, acme.approvals().withdraw(&ids, None, Vec::new())).await.unwrap().unwrap();
    });
}
