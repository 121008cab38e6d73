//! Work that says what it is about to do comes in pieces, and holds nothing in between.

use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Waker};

use bailiwick_model::pace::{PIECE, Polled, ahead, poll};

#[test]
fn small_work_continues_at_once_and_large_work_asks_for_each_chunk() {
    let mut context = Context::from_waker(Waker::noop());
    let done = Cell::new(0);
    let mut work = pin!(async {
        for cost in [PIECE / 2, PIECE / 2, 1, 10 * PIECE, PIECE, 3] {
            ahead(cost).await;
            done.set(done.get() + 1);
        }
        "over"
    });
    assert_eq!((poll(work.as_mut(), &mut context, PIECE), done.get()), (Polled::Asks(1), 2));
    assert_eq!((poll(work.as_mut(), &mut context, PIECE), done.get()), (Polled::Asks(10 * PIECE), 3));
    assert_eq!((poll(work.as_mut(), &mut context, 10 * PIECE), done.get()), (Polled::Asks(PIECE), 4));
    assert_eq!((poll(work.as_mut(), &mut context, PIECE), done.get()), (Polled::Asks(3), 5));
    assert_eq!(poll(work.as_mut(), &mut context, PIECE), Polled::Done("over"));
}

#[test]
fn work_without_a_scheduler_never_waits() {
    let mut context = Context::from_waker(Waker::noop());
    let mut work = pin!(ahead(u64::MAX));
    assert!(work.as_mut().poll(&mut context).is_ready());
}

#[test]
fn work_that_waits_for_something_else_asks_for_nothing() {
    let mut context = Context::from_waker(Waker::noop());
    let mut work = pin!(async {
        ahead(1).await;
        std::future::pending::<()>().await;
    });
    assert_eq!(poll(work.as_mut(), &mut context, PIECE), Polled::Waits);
}

#[test]
fn a_panic_leaves_no_pace_behind() {
    let mut context = Context::from_waker(Waker::noop());
    let panics = std::panic::catch_unwind(|| {
        let mut work = pin!(async { panic!("a defect") });
        let _: Polled<()> = poll(work.as_mut(), &mut Context::from_waker(Waker::noop()), 0);
    });
    assert!(panics.is_err());
    assert!(pin!(ahead(1)).as_mut().poll(&mut context).is_ready());
}
