//! Tokens: the numbers of calls and callbacks. Those of one environment are unique and never used twice: they count to 2^53,
//! JavaScript's largest safe integer, and stop there.

use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::{Error, Result};

/// JavaScript's largest safe integer.
const LAST: u64 = (1 << 53) - 1;

/// The number of one call or callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token(u64);

impl Token {
    /// As it crosses to JavaScript; exact.
    pub(crate) fn to_number(self) -> f64 {
        self.0 as f64
    }

    /// As it stands among fetched answers: `u64le`.
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    /// The token that JavaScript names. A number that is no token matches no call.
    pub(crate) fn from_number(number: f64) -> Self {
        Self(number as u64)
    }
}

pub(crate) struct Tokens {
    next: AtomicU64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { next: AtomicU64::new(1) }
    }
}

impl Tokens {
    /// Returns the next token.
    ///
    /// # Errors
    /// `Internal` once all are used, which takes thousands of years.
    pub(crate) fn next(&self) -> Result<Token> {
        let following = |next: u64| (next < LAST).then_some(next + 1);
        let given = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, following);
        given
            .map(Token)
            .map_err(|_| Error::Internal("This thread has no call numbers left. Start a new one.".to_owned()))
    }

    #[cfg(feature = "faults")]
    pub(crate) fn skip_to(&self, next: Token) {
        self.next.store(next.0, Ordering::Relaxed);
    }
}
