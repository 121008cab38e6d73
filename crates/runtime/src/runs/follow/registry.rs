//! The runs of one tenant that this process works at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_model::{Error, Result};
use tokio::sync::watch;

use super::feed::Feed;
use super::live::Live;

/// See the module's text.
#[derive(Default)]
pub(crate) struct LiveRuns {
    runs: Mutex<HashMap<String, Arc<Live>>>,
    /// The errors of runs that cannot be resumed: their journals are damaged.
    refused: Mutex<HashMap<String, Error>>,
    /// Changed when a run is registered or refused.
    changed: watch::Sender<u64>,
    feed: Arc<Feed>,
}

impl LiveRuns {
    /// Registers a run. `None`: this process works at it already.
    pub(crate) fn register(self: &Arc<Self>, run_id: &str) -> Option<Registered> {
        let mut runs = self.runs();
        if runs.contains_key(run_id) {
            return None;
        }
        let live = Arc::new(Live::new(self.feed.clone()));
        runs.insert(run_id.to_owned(), live.clone());
        self.refusals().remove(run_id);
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        Some(Registered { runs: self.clone(), run_id: run_id.to_owned(), live })
    }

    /// The run, if this process works at it.
    pub(crate) fn get(&self, run_id: &str) -> Option<Arc<Live>> {
        self.runs().get(run_id).cloned()
    }

    /// The feed of what they commit.
    pub(crate) fn feed(&self) -> Arc<Feed> {
        self.feed.clone()
    }

    /// Remembers the error of a run whose journal is damaged and wakes its followers; cleared by the next attempt.
    pub(crate) fn record_failure<T>(&self, run_id: &str, outcome: &Result<T>) {
        match outcome {
            Ok(_) => drop(self.refusals().remove(run_id)),
            Err(error @ Error::StoreCorrupt(_)) => {
                self.refusals().insert(run_id.to_owned(), error.clone());
                self.changed.send_modify(|count| *count = count.wrapping_add(1));
            }
            Err(_) => {}
        }
    }

    /// The error of the last attempt to resume a run.
    pub(crate) fn failure(&self, run_id: &str) -> Option<Error> {
        self.refusals().get(run_id).cloned()
    }

    /// Tells of every run that is registered or refused from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusals(&self) -> MutexGuard<'_, HashMap<String, Error>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run's place in the registry, until it is dropped.
pub(crate) struct Registered {
    runs: Arc<LiveRuns>,
    run_id: String,
    pub(crate) live: Arc<Live>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.runs.runs().remove(&self.run_id);
        self.live.end();
    }
}
