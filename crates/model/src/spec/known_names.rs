//! The names in one list of a spec, and the message for an unknown one: the same as in TypeScript
//! (ts/spec/checks/known-names.ts).

use std::collections::HashSet;

/// The most names that a message lists, and that are searched for a similar one.
const MOST_SHOWN: usize = 10;
const MOST_COMPARED: usize = 50;

/// The longest name that is compared: longer ones are rarely mistyped, and the work grows with the square.
const MOST_LETTERS: usize = 32;

/// The names in one list of a spec.
pub(super) struct KnownNames<'a> {
    kind: &'static str,
    all: HashSet<&'a str>,
    /// Valid names. Invalid ones are refused elsewhere, and are never repeated.
    ordinary: Vec<&'a str>,
}

impl<'a> KnownNames<'a> {
    /// Returns an empty list of what messages call `kind`.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, all: HashSet::new(), ordinary: Vec::new() }
    }

    /// Adds a name. `false`: it exists already.
    pub(super) fn add(&mut self, name: &'a str) -> bool {
        let is_new = self.all.insert(name);
        if is_new && is_ordinary(name) {
            self.ordinary.push(name);
        }
        is_new
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all.contains(name)
    }

    /// Returns the message for a name that is not in the list.
    pub(super) fn without(&self, name: &str) -> String {
        let (said, meant) = if is_ordinary(name) {
            (format!("\"{name}\""), nearest(name, self.ordinary.iter().take(MOST_COMPARED).copied()))
        } else {
            ("of this name".to_owned(), None)
        };
        let question = meant.map_or_else(String::new, |meant| format!(" Did you mean \"{meant}\"?"));
        let shown: Vec<_> = self.ordinary.iter().take(MOST_SHOWN).map(|name| format!("\"{name}\"")).collect();
        let rest = match self.ordinary.len().saturating_sub(MOST_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let missing = format!("No {} {said} is registered", self.kind);
        if shown.is_empty() {
            return format!("{missing}: there are none.");
        }
        format!("{missing}.{question} Registered are {}{rest}.", shown.join(", "))
    }
}

fn is_ordinary(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Returns the most similar name: at most two edits away, three of a long one; the first of several.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = name.to_ascii_lowercase();
    let mut best: Option<(&str, usize)> = None;
    for other in known {
        if given.len() > MOST_LETTERS || other.len() > MOST_LETTERS {
            continue;
        }
        let distance = mistakes(given.as_bytes(), other.to_ascii_lowercase().as_bytes());
        let most = (given.len().max(other.len()).saturating_add(2) / 3).min(3);
        let shortest = given.len().min(other.len());
        if distance <= most && distance < shortest && best.is_none_or(|(_, least)| distance < least) {
            best = Some((other, distance));
        }
    }
    best.map(|(name, _)| name)
}

/// Returns the edit distance of two names (Levenshtein).
fn mistakes(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.iter().enumerate() {
        let mut last = index.saturating_add(1);
        let mut next = vec![last];
        for ((diagonal, above), other) in row.iter().zip(row.iter().skip(1)).zip(right) {
            let replaced = diagonal.saturating_add(usize::from(letter != other));
            last = replaced.min(above.saturating_add(1)).min(last.saturating_add(1));
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
