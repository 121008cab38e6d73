//! Traces: a bounded journal, the same for all handles of a tenant.

use std::sync::Arc;

use crate::support::{Kept, NOW, Random, catalogue, handle, handle_of, store, wait};
use bailiwick_model::{Kind, json};
use bailiwick_runtime::{HostEvent, Rejection, TenantHandle, TracePosition};
use bailiwick_store::recording::{Call, Recording, Step, Verb};
use bailiwick_store::{Engine, Opened};

const BLOCK: u64 = 64;
const MOST: u64 = 500;
const SMALL: &str = r#","limits":{"items":{"traces":500}}"#;

async fn save(handle: &TenantHandle, version: u64) {
    handle.traces().record(&HostEvent::PlanSaved { plan_id: "p\"", version, hash: "00" }).await;
}

/// The sequence of an event that says its own number as a plan's version.
fn sequence(event: &str) -> u64 {
    let event = json::parse(event.as_bytes(), &json::Limits::default()).unwrap();
    let number = |name: &str| event.get(name).and_then(json::Json::as_f64).unwrap() as u64;
    assert_eq!(number("sequence"), number("version"), "an event's place is the order in which it was recorded");
    number("sequence")
}

async fn list_all(handle: &TenantHandle, random: &mut Random) -> Vec<u64> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = handle.traces().list(None, 1 + random.below(200), cursor.as_deref()).await.unwrap();
        all.extend(page.items.iter().map(|event| sequence(event)));
        cursor = page.cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

#[test]
fn the_newest_events_are_kept_in_order_for_every_handle_and_follower() {
    for kept in Kept::ALL {
        wait(async {
            let home = kept.open();
            let store = store(home.opened, 1, NOW, 1 << 20).await;
            let handles = [(); 3].map(|()| handle_of(&store, "acme", "v1", SMALL, &catalogue()));
            let other = handle(&store, "globex");
            let mut random = Random::new(7);
            let (mut made, mut followed) = (0, 0);
            while made < 4 * MOST {
                for _ in 0..=random.below(150) {
                    save(random.pick(&handles).unwrap(), made).await;
                    made += 1;
                }
                let handle = random.pick(&handles).unwrap();
                match random.below(4) {
                    0 => {
                        let all = list_all(handle, &mut random).await;
                        let expected: Vec<u64> = (0..made).rev().take(all.len()).collect();
                        assert_eq!(all, expected);
                        let least = made.min(MOST - MOST / 10 - BLOCK);
                        assert!((least..=MOST + BLOCK).contains(&(all.len() as u64)), "{} of {made}", all.len());
                    }
                    1 => assert_eq!(handle.traces().end().await.unwrap().host, made),
                    _ if followed < made => {
                        let page = handle.traces().next(TracePosition { host: followed, runs: 0 }).await.unwrap();
                        let sequences: Vec<u64> = page.events.iter().map(|event| sequence(event)).collect();
                        let first = sequences[0];
                        assert!(first == followed || made - first <= MOST + BLOCK, "what was kept was passed over");
                        assert_eq!(sequences, (first..page.next.unwrap().host).collect::<Vec<_>>());
                        followed = page.next.unwrap().host;
                    }
                    _ => {}
                }
            }
            assert!(other.traces().list(None, 10, None).await.unwrap().items.is_empty());
            let usage = handles[0].usage().await.unwrap();
            assert!(usage.iter().all(|(_, count)| count.items == 0), "events count for no quota");
        });
    }
}

#[test]
fn a_commit_writes_many_events() {
    wait(async {
        let home = Kept::Memory.open();
        let recording = Arc::new(Recording::new(home.opened.engine));
        let engine: Arc<dyn Engine> = recording.clone();
        let store = store(Opened { engine, vault: home.opened.vault }, 1, NOW, 1 << 20).await;
        let handle = handle(&store, "acme");
        save(&handle, 0).await;
        handle.traces().flush().await.unwrap();
        recording.take();
        for version in 1..BLOCK {
            save(&handle, version).await;
        }
        assert_eq!(recording.take(), [], "nothing is written before a block is full");
        save(&handle, BLOCK).await;
        let kind = Kind::Traces as u8;
        let commit = Call { verb: Verb::Commit, steps: vec![Step::Put(kind), Step::Put(kind | 0x20)] };
        assert_eq!(recording.take(), [commit.clone(), commit]);
    });
}

#[test]
fn refusals_are_recorded_once_per_second() {
    wait(async {
        let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
        let handles = [handle(&store, "acme"), handle(&store, "acme")];
        for time in [0, 999, 1, 0, 1000] {
            store.advance(time);
            for handle in &handles {
                handle.traces().record(&HostEvent::RequestRejected { reason: Rejection::Tenant }).await;
            }
        }
        let page = handles[0].traces().list(None, 10, None).await.unwrap();
        assert_eq!(page.items.len(), 3);
        assert_eq!(
            &*page.items[0],
            format!(r#"{{"type":"request.rejected","at":{},"reason":"tenant","sequence":2}}"#, NOW + 2000)
        );
    });
}
