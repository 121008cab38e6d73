//! Tells those who look for work, in this process, that a commit has made a tenant due for it, and how far ahead they look.

use std::sync::Mutex;

use tokio::sync::Notify;

/// See the module's text.
#[derive(Default)]
pub(crate) struct WorkSignal {
    notify: Notify,
    asked: Mutex<Asked>,
}

/// What was asked last. Epoch milliseconds.
#[derive(Default)]
struct Asked {
    /// The time of the last question; 0 before the first one.
    last: u64,
    /// Everything until then counts as due, until a question has named all of it.
    ahead: u64,
}

impl WorkSignal {
    /// Wakes all that wait.
    pub(crate) fn notify(&self) {
        self.notify.notify_waiters();
    }

    /// Resolves at the next notification. One that comes after this call counts, even before it is polled.
    pub(crate) fn notified(&self) -> impl Future<Output = ()> + '_ {
        self.notify.notified()
    }

    /// Returns until when a question at `now` looks ahead. `margin`: how far the first question does. If the clock has gone back, what
    /// was recorded by the time before that must not wait until the clock is there again.
    pub(crate) fn until(&self, now: u64, margin: u64, is_exclusive: bool) -> u64 {
        let mut asked = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if asked.last == 0 && is_exclusive {
            asked.ahead = now.saturating_add(margin);
        } else if now < asked.last {
            asked.ahead = asked.ahead.max(asked.last.saturating_add(margin));
        }
        asked.last = now;
        asked.ahead.max(now)
    }

    /// Records that a question has named everything that was due.
    pub(crate) fn caught_up(&self) {
        self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner).ahead = 0;
    }
}
