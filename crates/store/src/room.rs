//! How much of a read still fits.

/// See the module's text.
pub(crate) struct Room(Option<u64>);

impl Room {
    pub(crate) fn new(most: u64) -> Self {
        Self(Some(most))
    }

    /// Whether a value of so many bytes still fits; then it is taken off. After the first that does not, none does.
    pub(crate) fn takes(&mut self, bytes: u64) -> bool {
        self.0 = self.0.and_then(|left| left.checked_sub(bytes));
        self.0.is_some()
    }
}
