//! Single flight: of those who want the same thing at the same time, one makes it and the others wait for it. Per
//! tenant and process.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bailiwick_model::Result;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::closing::Closing;
use crate::failure;
use crate::row::Name;
use crate::scope::Access;
use crate::tenant::TenantState;

type Outcome = Option<Arc<Vec<u8>>>;

/// What is being made for one tenant.
#[derive(Default)]
pub(crate) struct Flights {
    under_way: Mutex<HashMap<Name, watch::Receiver<Outcome>>>,
}

/// Whether to make a thing or to wait.
pub enum Turn {
    /// It is this caller's to make.
    Lead(Lead),
    /// Somebody else made it: this is what came of it.
    Made(Arc<Vec<u8>>),
    /// Somebody else tried and gave up: look again, and ask for a turn again.
    GivenUp,
}

/// The duty to make a thing. Dropping it gives up.
pub struct Lead {
    state: Arc<TenantState>,
    name: Name,
    sender: watch::Sender<Outcome>,
}

impl Lead {
    /// Hands the thing to everybody who waits for it.
    pub fn made(self, value: Arc<Vec<u8>>) {
        self.sender.send_replace(Some(value));
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.state.flights.under_way.lock().remove(&self.name);
    }
}

impl Access {
    /// Takes the lead in making a thing, or waits for whoever has it: not longer than the store and the caller's handle
    /// are open and the tenant is there, because the leader may never end.
    ///
    /// # Errors
    /// `Closed` if the store or the handle is closed meanwhile.
    pub async fn turn(&self, name: Name, handle: &Closing) -> Result<Turn> {
        let mut receiver = {
            let mut under_way = self.state.flights.under_way.lock();
            match under_way.get(&name) {
                Some(receiver) => receiver.clone(),
                None => {
                    let (sender, receiver) = watch::channel(None);
                    under_way.insert(name, receiver);
                    return Ok(Turn::Lead(Lead { state: self.state.clone(), name, sender }));
                }
            }
        };
        let mut settled = pin!(receiver.wait_for(Option::is_some));
        let (mut store_closed, mut handle_closed) = (pin!(self.state.store.closing.closed()), pin!(handle.closed()));
        let mut erased = pin!(self.state.erased.closed());
        poll_fn(|context| {
            // What is made goes before that it is closed.
            if let Poll::Ready(settled) = settled.as_mut().poll(context) {
                return Poll::Ready(Ok(match settled.as_deref() {
                    Ok(Some(value)) => Turn::Made(value.clone()),
                    _ => Turn::GivenUp,
                }));
            }
            let closed = store_closed.as_mut().poll(context).is_ready()
                || handle_closed.as_mut().poll(context).is_ready()
                || erased.as_mut().poll(context).is_ready();
            if closed { Poll::Ready(Err(failure::closed())) } else { Poll::Pending }
        })
        .await
    }
}
