//! That something is closed, told to those who wait for somebody else meanwhile.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use bailiwick_model::Result;
use tokio::sync::watch;

use crate::failure;
use crate::scope::Scope;

/// Whether a store or a handle is closed. It never opens again.
#[derive(Clone)]
pub struct Closing(watch::Sender<bool>);

impl Default for Closing {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Closing {
    /// Ends every wait for [`Closing::closed`], those to come included. Doing it twice does nothing.
    pub fn close(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once it is closed, or gone.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut receiver = self.0.subscribe();
        async move {
            let _ = receiver.wait_for(|closed| *closed).await;
        }
    }
}

impl Scope {
    /// Does some work, unless the store or the handle is closed meanwhile.
    ///
    /// # Errors
    /// `Closed`, and those of the work.
    pub async fn unless_closed<T>(&self, handle: &Closing, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        let store = self.store().clone();
        let (mut store_closed, mut handle_closed) = (pin!(store.closing.closed()), pin!(handle.closed()));
        poll_fn(|context| {
            if let Poll::Ready(outcome) = work.as_mut().poll(context) {
                return Poll::Ready(outcome);
            }
            let closed =
                store_closed.as_mut().poll(context).is_ready() || handle_closed.as_mut().poll(context).is_ready();
            if closed { Poll::Ready(Err(failure::closed())) } else { Poll::Pending }
        })
        .await
    }
}
