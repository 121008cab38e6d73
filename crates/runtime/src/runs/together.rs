//! Futures that are polled together, on one task: a run's parallel calls need no tasks of their own.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// See the module's text.
pub(crate) struct Together<'a, T> {
    open: Vec<Work<'a, T>>,
}

impl<'a, T> Together<'a, T> {
    pub(crate) fn new() -> Self {
        Self { open: Vec::new() }
    }

    pub(crate) fn add(&mut self, work: impl Future<Output = T> + Send + 'a) {
        self.open.push(Box::pin(work));
    }

    /// What is done next. `None`: nothing is left.
    pub(crate) async fn next(&mut self) -> Option<T> {
        poll_fn(|context| {
            if self.open.is_empty() {
                return Poll::Ready(None);
            }
            for at in 0..self.open.len() {
                let Some(work) = self.open.get_mut(at) else { break };
                if let Poll::Ready(value) = work.as_mut().poll(context) {
                    drop(self.open.swap_remove(at));
                    return Poll::Ready(Some(value));
                }
            }
            Poll::Pending
        })
        .await
    }
}
