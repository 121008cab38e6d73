//! The bytes of a read that are left.

/// See the module.
pub(crate) struct Room(Option<u64>);

impl Room {
    pub(crate) fn new(most: u64) -> Self {
        Self(Some(most))
    }

    /// Takes this many bytes if they are left. After the first value that does not fit, none does.
    pub(crate) fn takes(&mut self, bytes: u64) -> bool {
        self.0 = self.0.and_then(|left| left.checked_sub(bytes));
        self.0.is_some()
    }
}
