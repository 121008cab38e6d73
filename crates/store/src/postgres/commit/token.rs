//! Tokens: the ids of commits, by which the outcome of one is found after its connection broke.

/// One commit in this many removes old tokens.
const REMOVING: u8 = 64;

/// The id of one attempt to commit: milliseconds of the server's clock, so that old tokens are adjacent and all processes agree on them, and 8 random
/// bytes.
#[derive(Clone, Copy)]
pub(in crate::postgres) struct Token(pub(in crate::postgres) [u8; 16]);

impl Token {
    /// Returns `None` if the system has no random bytes.
    pub(in crate::postgres) fn fresh(now: u64) -> Option<Self> {
        let mut token = [0; 16];
        getrandom::fill(&mut token).ok()?;
        token.first_chunk_mut::<8>()?.copy_from_slice(&now.to_be_bytes());
        Some(Self(token))
    }

    /// Returns the shard of the usage that the commit adds to.
    pub(in crate::postgres) fn shard(&self) -> i16 {
        i16::from(self.0[15] % 16)
    }

    /// Whether this commit is one that removes old tokens.
    pub(in crate::postgres) fn removes_old_ones(&self) -> bool {
        self.0[14].is_multiple_of(REMOVING)
    }
}
