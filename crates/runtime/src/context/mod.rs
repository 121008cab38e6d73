//! What a model is sent of a conversation that has grown too large for it: the oldest messages are folded into an outline, and a
//! message that is too large alone is shown by its beginning. Pure; nothing that is folded is gone, and `recall` gives it back.

mod cut;
mod fold;
mod glance;
mod recall;
mod short;
#[cfg(test)]
mod tests;

pub(crate) use cut::{Budget, cut};
pub(crate) use fold::Fold;
pub(crate) use glance::{Glance, begins_group, is_users, stored_text};
pub(crate) use recall::{Found, Wanted, excerpt, page};
pub(crate) use short::{Short, shortened};

/// How many bytes of a request are taken for one token where no provider has counted.
pub(crate) const BYTES_A_TOKEN: u64 = 4;

/// The name of the tool that gives back what is folded.
pub(crate) const RECALL: &str = "recall";

/// Estimates the tokens of a text of this many bytes.
pub(crate) fn tokens(bytes: u64) -> u64 {
    bytes.div_ceil(BYTES_A_TOKEN)
}

/// Returns the beginning of a text, at most this many bytes of whole characters.
pub(crate) fn beginning(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}
