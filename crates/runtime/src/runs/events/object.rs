//! One JSON object made of the members of several values.

use bailiwick_model::json;
use serde::Serialize;

/// Appends the members of values to a text, as those of one object.
pub(crate) struct ObjectWriter<'a> {
    text: &'a mut Vec<u8>,
    begin: usize,
}

impl<'a> ObjectWriter<'a> {
    /// An object behind what is in `text` already.
    pub(crate) fn new(text: &'a mut Vec<u8>) -> Self {
        let begin = text.len();
        Self { text, begin }
    }

    /// Adds the members of a value that is written as an object.
    pub(crate) fn add<T: Serialize>(&mut self, members: &T) {
        let at = self.text.len();
        json::append(self.text, members);
        // The brace at the end is that of the whole object, and the one at the beginning, too, unless members come before it.
        self.text.pop();
        if self.text.len() == at + 1 {
            self.text.truncate(at);
        } else if let Some(brace) = self.text.get_mut(at).filter(|_| at > self.begin) {
            *brace = b',';
        }
    }

    pub(crate) fn end(self) {
        if self.text.len() == self.begin {
            self.text.push(b'{');
        }
        self.text.push(b'}');
    }

    /// Ends it, if it has a member; writes nothing otherwise.
    pub(crate) fn end_unless_empty(self) {
        if self.text.len() > self.begin {
            self.text.push(b'}');
        }
    }
}
