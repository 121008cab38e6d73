//! Events that are not written yet: one bounded buffer for all handles of a tenant in this process.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

pub(crate) const EVENTS_A_BLOCK: usize = 64;
/// The approximate limit of a block in bytes. Engines store larger values separately, which costs a second sync.
const BLOCK_BYTES: usize = 3600;
/// The most buffered events. If the store does not keep up, later ones are dropped, so that memory is bounded.
const MOST_WAITING: usize = 4096;
/// The period in which at most one rejected request is recorded, in milliseconds.
const REJECTIONS_MS: u64 = 1000;

/// The buffer of one tenant.
#[derive(Default)]
pub(crate) struct Buffer {
    state: Mutex<State>,
    /// Locked while events are written, so that they keep their order.
    pub(crate) writing: tokio::sync::Mutex<()>,
    /// Notified when a block is full.
    pub(crate) full: Notify,
    /// Changed with every event, for followers.
    pub(crate) recorded: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    waiting: Vec<String>,
    /// A write is scheduled.
    scheduled: bool,
    rejected_at: Option<u64>,
}

/// The next step after an event was added.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: a write is scheduled.
    Wait,
    Schedule,
}

impl Buffer {
    pub(crate) fn add(&self, members: String) -> Next {
        let mut state = self.state();
        if state.waiting.len() >= MOST_WAITING {
            return Next::Wait;
        }
        state.waiting.push(members);
        if state.waiting.len() == EVENTS_A_BLOCK {
            self.full.notify_one();
        }
        let scheduled = std::mem::replace(&mut state.scheduled, true);
        drop(state);
        self.recorded.send_modify(|count| *count = count.wrapping_add(1));
        if scheduled { Next::Wait } else { Next::Schedule }
    }

    /// Returns whether a rejection at this time is recorded.
    pub(crate) fn admits_rejection(&self, now: u64) -> bool {
        let mut state = self.state();
        let admitted = state.rejected_at.is_none_or(|last| now >= last.saturating_add(REJECTIONS_MS));
        if admitted {
            state.rejected_at = Some(now);
        }
        admitted
    }

    /// Takes the next block, which is empty if no event is buffered. Later events must be scheduled again.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut state = self.state();
        state.scheduled = false;
        let mut bytes = 0;
        let fits = |event: &&String| {
            bytes += event.len() + 4;
            bytes <= BLOCK_BYTES
        };
        let count = state.waiting.iter().take(EVENTS_A_BLOCK).take_while(fits).count().max(1);
        let count = count.min(state.waiting.len());
        state.waiting.drain(..count).collect()
    }

    /// Returns the number of buffered events.
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
