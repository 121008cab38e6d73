//! Permits for connections, fair between tags: a call of one tag waits for at most one call of each other tag, however
//! many calls that has.

use std::sync::Arc;

use bailiwick_model::FairQueue;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::engine::Tag;

/// The tag of a call; `None` for calls of the store itself.
pub(in crate::postgres) type Whose = Option<Tag>;

/// A permit for each connection.
pub(in crate::postgres) struct Permits(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// Empty while a permit is free.
    waiting: FairQueue<Whose, oneshot::Sender<Permit>>,
}

/// The right to use a connection. Dropping it passes it to the next waiting call.
pub(in crate::postgres) struct Permit(Option<Arc<Mutex<State>>>);

impl Permits {
    pub(in crate::postgres) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: count, waiting: FairQueue::new(1) })))
    }

    pub(in crate::postgres) async fn get(&self, whose: Whose) -> Option<Permit> {
        let permitted = {
            let mut state = self.0.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Permit(Some(Arc::clone(&self.0))));
            }
            let (permit, permitted) = oneshot::channel();
            state.waiting.push(whose, 1, permit);
            permitted
        };
        permitted.await.ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        loop {
            let mut state = shared.lock();
            let Some((_, next)) = state.waiting.pop() else {
                state.free += 1;
                return;
            };
            drop(state);
            match next.send(Self(Some(Arc::clone(&shared)))) {
                Ok(()) => return,
                // The call was dropped. A permit is passed on only once.
                Err(mut unwanted) => drop(unwanted.0.take()),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::{Permit, Permits};
    use crate::conformance::support::{block_on, tag};

    type Wait<'p> = Pin<Box<dyn Future<Output = Option<Permit>> + 'p>>;

    fn poll(wait: &mut Wait<'_>) -> Option<Permit> {
        match wait.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(permit) => Some(permit.unwrap()),
            Poll::Pending => None,
        }
    }

    /// The waiting calls, in the order of their requests.
    fn line<'p>(permits: &'p Permits, tags: impl IntoIterator<Item = u8>) -> Vec<Wait<'p>> {
        let mut line: Vec<Wait<'p>> =
            tags.into_iter().map(|number| Box::pin(permits.get(Some(tag(number)))) as Wait<'p>).collect();
        assert!(line.iter_mut().all(|wait| poll(wait).is_none()), "nothing is free");
        line
    }

    #[test]
    fn a_tag_with_a_thousand_calls_is_served_once_before_each_other_tag() {
        let permits = Permits::new(1);
        let mut held = block_on(permits.get(Some(tag(1)))).unwrap();
        let mut flood = line(&permits, std::iter::repeat_n(1, 1_000));
        let mut others = line(&permits, [2, 3, 2]);
        let (mut served, mut flooded) = (Vec::new(), 0);
        while served.len() < others.len() {
            drop(held);
            let next = others.iter_mut().enumerate().filter(|(number, _)| !served.contains(number));
            let found = next.map(|(number, wait)| (number, poll(wait))).find(|(_, permit)| permit.is_some());
            held = match found {
                Some((number, permit)) => {
                    served.push(number);
                    permit.unwrap()
                }
                None => {
                    flooded += 1;
                    poll(&mut flood.remove(0)).unwrap()
                }
            };
        }
        assert_eq!(served, [0, 1, 2]);
        assert!(flooded <= 2, "{flooded} of the flood were served before the others");
    }

    #[test]
    fn a_permit_that_is_given_up_is_passed_on() {
        let permits = Permits::new(1);
        let held = block_on(permits.get(None)).unwrap();
        let mut waiting = line(&permits, [1, 2, 3]);
        drop(waiting.remove(0));
        drop(held);
        // Granted, but dropped before it was used.
        drop(waiting.remove(0));
        let last = poll(&mut waiting.remove(0)).unwrap();
        drop(last);
        assert!(poll(&mut (Box::pin(permits.get(None)) as Wait<'_>)).is_some(), "it is free again");
    }
}
