//! A run whose journal was damaged is refused, and whoever follows it is told.

use bailiwick_model::{Error, Kind};
use bailiwick_runtime::RunPosition;

use super::host::{Host, calls, gives, says};
use super::{both, catalogue, query, request, text, wait};
use crate::raw::{ENTRY, Open};
use crate::support::handle_of;

#[test]
fn a_follower_of_a_run_that_is_refused_as_damaged_gets_the_same_error() {
    wait(async {
        let open = Open::new();
        let handle = handle_of(&open.store, "acme", "v1", "", &catalogue());
        let host = Host::new(
            |_, answers, _| if answers == 0 { calls(&[("send", "{}")]) } else { says("Done.") },
            |_, _| gives("1"),
        );
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!(text(&result, "status"), "suspended");
        let run_id = text(&result, "runId");
        let (tag, last) = open.raw.rows(Kind::Runs as u8 | ENTRY).pop().unwrap();
        open.raw.delete(tag, last.place);
        let read = handle.runs().events(run_id, RunPosition::default(), false).await.unwrap();
        let (followed, resumed) =
            both(handle.runs().events(run_id, read.position.clone(), true), handle.runs().resume(run_id, &host)).await;
        assert!(matches!(followed, Err(Error::StoreCorrupt(_))), "{followed:?}");
        assert_eq!(followed.as_ref().err(), resumed.as_ref().err());
        // Who comes later is told, too, and of a run that nobody can go on with nothing is done.
        assert_eq!(handle.runs().events(run_id, read.position.clone(), true).await.err(), resumed.clone().err());
        assert!(matches!(handle.runs().cancel(run_id).await, Err(Error::StoreCorrupt(_))));
        // Once it is repaired, it is a run like others.
        open.raw.put(tag, last.place, &last);
        assert!(handle.runs().resume(run_id, &host).await.is_ok());
        let (followed, cancelled) =
            both(handle.runs().events(run_id, read.position, true), handle.runs().cancel(run_id)).await;
        assert!(!followed.unwrap().events.is_empty());
        assert_eq!(cancelled, Ok(()));
    });
}
