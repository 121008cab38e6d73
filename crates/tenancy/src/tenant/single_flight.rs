//! Single flight: of concurrent callers that want the same value, one computes it and the others wait. Per tenant and process.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::rows::Name;

type Value = Option<Arc<Vec<u8>>>;

/// The computations in progress of one tenant.
#[derive(Default)]
pub(crate) struct SingleFlight {
    in_progress: Mutex<HashMap<Name, watch::Receiver<Value>>>,
}

/// The part of a caller in a computation.
pub enum Flight {
    /// The caller computes the value.
    Leader(Leader),
    /// Another caller has computed it.
    Done(Arc<Vec<u8>>),
    /// Another caller gave up: look the value up, and join again.
    Abandoned,
}

/// The obligation to compute a value. Dropping it gives up.
pub struct Leader {
    flights: Arc<SingleFlight>,
    name: Name,
    sender: watch::Sender<Value>,
}

impl Leader {
    /// Passes the value to all callers that wait.
    pub fn finish(self, value: Arc<Vec<u8>>) {
        self.sender.send_replace(Some(value));
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.flights.in_progress.lock().remove(&self.name);
    }
}

impl SingleFlight {
    /// Makes the caller the leader, or waits for the leader, which may never finish.
    pub(crate) async fn join(self: &Arc<Self>, name: Name) -> Flight {
        let mut receiver = {
            let mut in_progress = self.in_progress.lock();
            match in_progress.get(&name) {
                Some(receiver) => receiver.clone(),
                None => {
                    let (sender, receiver) = watch::channel(None);
                    in_progress.insert(name, receiver);
                    return Flight::Leader(Leader { flights: self.clone(), name, sender });
                }
            }
        };
        match receiver.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(value)) => Flight::Done(value.clone()),
            _ => Flight::Abandoned,
        }
    }
}
