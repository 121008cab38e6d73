//! Erasing a tenant: keys first, then rows, whatever happens in between; and what a sweep and a backup make of it.

mod elsewhere;
mod meanwhile;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cut::Cut;
use crate::support::{Kept, NOW, bytes, handle, handle_of, put, store, text, told, wait};
use bailiwick_model::ledger::note::NoteVerifier;
use bailiwick_model::ledger::receipt;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Error, Json, Kind};
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, ApprovalStatus, CacheValue, HostEvent, Promptness, PutContent, Rejection,
    RequestedSubject, Store, TenantHandle, sweep,
};
use bailiwick_store::conformance::support::wipe;
use bailiwick_store::{Engine, Exported, Opened, Tag};
use bailiwick_tenancy::Count;

/// Something of every kind, small and large, some of it expiring. The id of one reference.
async fn fill(handle: &TenantHandle) -> String {
    for number in 0..40_u32 {
        let length = if number % 10 == 0 { 20_000 } else { 50 };
        put(handle, bytes("thing", PutContent::Bytes(vec![number as u8; length]))).await;
    }
    handle.cache().set("key", CacheValue::Bytes(vec![1; 9_000]), None).await.unwrap();
    let approval = handle.approvals().request(subject("first")).await.unwrap();
    handle.approvals().respond(&approval.approval_id, Decision::Approved, "ann", None).await.unwrap();
    handle.approvals().request(subject("second")).await.unwrap();
    handle.traces().record(&HostEvent::RequestRejected { reason: Rejection::Tenant }).await;
    handle.traces().flush().await.unwrap();
    put(handle, text("note", "the one")).await
}

fn subject(tool: &str) -> ApprovalRequest {
    let subject = RequestedSubject::Tool { tool: tool.to_owned(), input: Json::Object(Vec::new()) };
    ApprovalRequest { subject, context: ApprovalContext::default(), requested_by: None, ttl_ms: Some(1000), rule: None }
}

/// The tags under which there are rows.
async fn tags(engine: &Arc<dyn Engine>) -> BTreeSet<Tag> {
    let (mut export, mut tags) = (engine.export().await.unwrap(), BTreeSet::new());
    loop {
        let part = export.next().await.unwrap();
        if part.is_empty() {
            return tags;
        }
        tags.extend(part.into_iter().filter_map(|exported| match exported {
            Exported::Row { tag, .. } => Some(tag),
            _ => None,
        }));
    }
}

fn used(usage: &[(Kind, Count)]) -> u64 {
    usage.iter().map(|(_, count)| count.items).sum()
}

/// What is left is a store in which there is one tenant, whole.
async fn check_whole(opened: &Opened, store: &Arc<Store>, kept: &str) {
    let globex = handle(store, "globex");
    assert!(globex.references().resolve(kept).await.is_ok());
    assert!(globex.approvals().verify(None).await.unwrap().problems.is_empty());
    let report = store.check().await.unwrap();
    assert_eq!((report.tenants, report.problems), (1, Vec::new()));
    // The store's own row, the name of the tenant that stays, and its rows.
    assert_eq!(tags(&opened.engine).await.len(), 3);
}

#[test]
fn an_erased_tenant_is_gone_and_its_name_starts_afresh() {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let store = store(home.opened.clone(), 1, NOW, 1 << 20).await;
            let (acme, twin, globex) = (handle(&store, "acme"), handle(&store, "acme"), handle(&store, "globex"));
            let (id, kept) = (fill(&acme).await, fill(&globex).await);
            let before = acme.usage().await.unwrap();
            assert!(used(&before) > 40);
            for wrong in ["", "acm", "acme ", "globex"] {
                assert!(matches!(acme.erase(wrong).await, Err(Error::InvalidInput(_))));
            }
            assert!(acme.references().resolve(&id).await.is_ok(), "a wrong confirmation does nothing");
            let signed = acme.erase("acme").await.unwrap();
            let verifier = NoteVerifier::parse(&store.public_key()).unwrap();
            assert!(receipt::verify(&verifier, &signed));
            assert_eq!(signed.get("complete"), Some(&Json::Bool(true)));
            assert!(signed.get("checkpoint").is_some());
            let references = signed.get("storage").and_then(|storage| storage.get("references")).unwrap();
            assert_eq!(references.get("items"), Some(&Json::Number(41.0)));
            let closed = told(&Error::Closed(String::new())).split('(').next().unwrap().to_owned();
            for handle in [&acme, &twin] {
                assert!(told(&handle.references().resolve(&id).await.err().unwrap()).starts_with(&closed));
                assert!(handle.references().resolve_at_hand(&id).is_none());
                assert!(told(&handle.erase("acme").await.unwrap_err()).starts_with(&closed));
                let again = handle.references().put(vec![text("note", "the one")]).await;
                assert!(told(&again.err().unwrap()).starts_with(&closed));
            }
            check_whole(&home.opened, &store, &kept).await;

            let successor = handle(&store, "acme");
            assert_eq!(used(&successor.usage().await.unwrap()), 0);
            assert_eq!(successor.references().resolve(&id).await.err(), Some(Error::NotFound));
            let fresh = put(&successor, text("note", "the one")).await;
            assert_ne!(fresh, id, "with keys of its own");
            assert!(successor.references().resolve(&fresh).await.is_ok());
            assert!(
                matches!(acme.references().resolve(&fresh).await, Err(Error::Closed(_))),
                "an old handle is not the successor's"
            );
        });
    }
}

#[test]
fn a_tenant_that_never_wrote_can_be_erased() {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let store = store(home.opened.clone(), 1, NOW, 1 << 20).await;
            let acme = handle(&store, "acme");
            let signed = acme.erase("acme").await.unwrap();
            assert_eq!(signed.get("checkpoint"), None);
            assert!(matches!(acme.usage().await, Err(Error::Closed(_))));
            put(&handle(&store, "acme"), text("note", "new")).await;
        });
    }
}

#[test]
fn an_erase_that_is_cut_off_anywhere_ends_erased_after_reopening() {
    for kept in Kept::ALL {
        for happens in [false, true] {
            let mut ends = [0, 0];
            for changes in 0.. {
                let home = kept.open();
                let is_over = wait(async {
                    let first = store(home.opened.clone(), 1, NOW, 1 << 20).await;
                    let (id, kept) = (fill(&handle(&first, "acme")).await, fill(&handle(&first, "globex")).await);
                    drop(first);
                    let cut = Cut::after(home.opened.clone(), changes, happens);
                    let through = Opened { engine: cut.clone(), vault: cut.clone() };
                    let second = store(through, 2, NOW, 1 << 20).await;
                    let erased = handle(&second, "acme").erase("acme").await;
                    let is_over = cut.is_whole();
                    assert_eq!(
                        erased.is_ok() && !is_over,
                        erased.as_ref().is_ok_and(|receipt| { receipt.get("complete") == Some(&Json::Bool(false)) })
                    );
                    drop(second);

                    let third = store(home.opened.clone(), 3, NOW, 1 << 20).await;
                    let acme = handle(&third, "acme");
                    if acme.references().resolve(&id).await.is_ok() {
                        // It was cut off before it had begun.
                        assert!(erased.is_err());
                        ends[0] += 1;
                        acme.erase("acme").await.unwrap();
                    } else {
                        ends[1] += 1;
                        assert_eq!(used(&acme.usage().await.unwrap()), 0);
                        assert!(sweep(&third, Promptness::Now).await.unwrap().erased <= u64::from(!is_over));
                    }
                    check_whole(&home.opened, &third, &kept).await;
                    assert!(third.due_tasks(Promptness::Now, 9).await.unwrap().is_empty());
                    is_over
                });
                if is_over {
                    break;
                }
            }
            // Only a first change that did not happen leaves a tenant that is not erased.
            assert_eq!((ends[0], ends[1] >= 4), (i32::from(!happens), true), "{kept:?} {happens} {ends:?}");
        }
    }
}

#[test]
fn a_damaged_ledger_does_not_keep_a_tenant() {
    let home = Kept::Memory.open();
    wait(async {
        let store = store(home.opened.clone(), 1, NOW, 0).await;
        let acme = handle(&store, "acme");
        fill(&acme).await;
        let mut export = home.opened.engine.export().await.unwrap();
        // The ledger's record is the approvals' one without an expiry that is not counted and has no sequence.
        for exported in export.next().await.unwrap() {
            let Exported::Row { tag, row, counted: None } = exported else { continue };
            if row.place.kind == Kind::Approvals as u8 {
                let op = bailiwick_store::Op::Put {
                    place: row.place,
                    value: vec![0; 90].into(),
                    expires_at: None,
                    counted: None,
                    when: bailiwick_store::When::Any,
                };
                let commit = bailiwick_store::Commit {
                    tag,
                    now: NOW,
                    ops: vec![op],
                    limits: bailiwick_store::Limits::default(),
                    durability: bailiwick_store::Durability::Sync,
                };
                home.opened.engine.commit(commit).await.unwrap();
            }
        }
        assert!(matches!(acme.approvals().checkpoint().await, Err(Error::StoreCorrupt(_))));
        assert!(!store.check().await.unwrap().problems.is_empty());
        let signed = acme.erase("acme").await.unwrap();
        assert_eq!((signed.get("complete"), signed.get("checkpoint")), (Some(&Json::Bool(true)), None));
        assert!(store.check().await.unwrap().problems.is_empty());
    });
}

#[test]
fn a_sweep_removes_expired_records_and_records_undecided_approvals() {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let store = store(home.opened.clone(), 1, NOW, 1 << 20).await;
            let acme = handle(&store, "acme");
            fill(&acme).await;
            let pending = acme.approvals().request(subject("third")).await.unwrap();
            acme.cache().set("soon", CacheValue::Bytes(vec![1; 10]), Some(500)).await.unwrap();
            let kept = fill(&handle(&store, "globex")).await;
            drop(acme);
            assert_eq!(sweep(&store, Promptness::Now).await.unwrap(), Default::default());
            assert!(store.advance(1000));
            // Nobody has the tenants open.
            let swept = sweep(&store, Promptness::Now).await.unwrap();
            assert_eq!((swept.expired_approvals, swept.erased), (3, 0));
            assert_eq!(swept.removed, 1);
            let acme = handle(&store, "acme");
            let history = acme.approvals().history(100, None).await.unwrap().items;
            assert_eq!(history.iter().filter(|record| record.decision == Decision::Expired).count(), 2);
            assert!(
                acme.approvals().get(&pending.approval_id).await.unwrap().status
                    == ApprovalStatus::Decided(Decision::Expired)
            );
            assert_eq!(sweep(&store, Promptness::Now).await.unwrap(), Default::default());

            // Past every default retention but those of plans and approvals.
            assert!(store.advance(100 * 24 * 3_600_000));
            let swept = sweep(&store, Promptness::Now).await.unwrap();
            assert!(swept.removed > 80);
            let left = acme.usage().await.unwrap();
            let approvals = left.iter().find(|(kind, _)| *kind == Kind::Approvals).unwrap();
            assert_eq!(used(&left), approvals.1.items);
            assert_eq!(handle(&store, "globex").references().resolve(&kept).await.err(), Some(Error::NotFound));
            let report = store.check().await.unwrap();
            assert_eq!(report.problems, Vec::<String>::new());
        });
    }
}

#[test]
fn expired_records_make_room_at_a_limit() {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let store = store(home.opened.clone(), 1, NOW, 1 << 20).await;
            let part = r#","limits":{"items":{"references":3},"bytes":1000}"#;
            let acme = handle_of(&store, "acme", "v1", part, &crate::support::catalogue());
            for content in ["one", "two", "three"] {
                let mut item = text("thing", content);
                item.ttl_ms = Some(10);
                put(&acme, item).await;
            }
            let full = acme.references().put(vec![text("thing", "four")]).await;
            assert!(matches!(full, Err(Error::QuotaExceeded { limit: 3, used: 3, more: 1, .. })));
            assert!(store.advance(20_000));
            put(&acme, text("thing", "four")).await;
            assert_eq!(used(&acme.usage().await.unwrap()), 1);
        });
    }
}

#[test]
fn a_damaged_tenant_does_not_keep_the_others_from_being_swept() {
    let home = Kept::Memory.open();
    wait(async {
        let store = store(home.opened.clone(), 1, NOW, 0).await;
        for tenant in ["acme", "globex", "initech"] {
            handle(&store, tenant).approvals().request(subject("first")).await.unwrap();
        }
        // Somebody has taken one tenant's keys away.
        let names = home.opened.vault.names(Some([0; 32]), 10).await.unwrap();
        assert!(wipe(&*home.opened.vault, names[1]).await);
        assert!(store.advance(1000));
        assert!(matches!(sweep(&store, Promptness::Now).await, Err(Error::StoreCorrupt(_))));
        let mut expired = 0;
        for tenant in ["acme", "globex", "initech"] {
            if let Ok(page) = handle(&store, tenant).approvals().history(10, None).await {
                expired += page.items.len();
            }
        }
        assert_eq!(expired, 2);
    });
}
