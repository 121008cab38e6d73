//! Drives calls as the pool does, and counts what each turn allocates.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use allocation_counter::measure;
use bailiwick_model::pace::{self, PIECE, Polled};

/// How many times the announced bytes a turn may allocate. A text that grows while it is written is allocated three times, and
/// a value may be read, checked and written in the turn that was announced for it.
const TIMES: u64 = 10;
/// The longest text of these tests. A turn that was announced for less cannot handle all of it.
pub(crate) const LARGE: usize = 3 << 20;

/// Drives a call with this many bytes of arguments to its end.
pub(crate) async fn fair<F: Future>(what: impl Debug, arguments: usize, call: F) -> F::Output {
    let (mut call, mut allowance) = (pin!(call), PIECE.max(arguments as u64));
    poll_fn(|context| {
        loop {
            let mut polled = Polled::Waits;
            let bytes = measure(|| polled = pace::poll(call.as_mut(), context, allowance)).bytes_total;
            assert!(bytes <= TIMES * allowance, "{what:?}: {bytes} bytes in a turn for {allowance}");
            allowance = match polled {
                Polled::Done(output) => return Poll::Ready(output),
                Polled::Waits => PIECE,
                Polled::Asks(work) => work.max(PIECE),
            };
            if let Polled::Waits = polled {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Runs what may wait, with timers.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(future)
}

/// A text of this length.
pub(crate) fn long(length: usize) -> String {
    "word ".repeat(length / 5)
}
