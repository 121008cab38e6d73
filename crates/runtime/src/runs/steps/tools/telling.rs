//! What calls that run together tell before they have an outcome.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::runs::events::ToolRetried;

/// What a call tells.
pub(super) enum Told {
    /// How far it is: JSON.
    Progress(Vec<u8>),
    /// An attempt has failed, and another one follows.
    Retried(ToolRetried),
}

/// What was told and is not taken yet, with the place of its call. Of the progress of a call only the last is kept.
#[derive(Default)]
pub(super) struct Telling {
    told: Mutex<Vec<(usize, Told)>>,
    changed: Notify,
}

impl Telling {
    pub(super) fn tell(&self, call: usize, told: Told) {
        let mut all = self.told();
        if matches!(told, Told::Progress(_)) {
            all.retain(|(of, earlier)| *of != call || !matches!(earlier, Told::Progress(_)));
        }
        all.push((call, told));
        drop(all);
        self.changed.notify_one();
    }

    /// Waits until something was told, and takes it.
    pub(super) async fn next(&self) -> Vec<(usize, Told)> {
        loop {
            let told = std::mem::take(&mut *self.told());
            if !told.is_empty() {
                return told;
            }
            self.changed.notified().await;
        }
    }

    fn told(&self) -> MutexGuard<'_, Vec<(usize, Told)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
