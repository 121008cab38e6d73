//! The names in one list of a spec, and what is said of one that is not among them: the same as in TypeScript
//! (ts/spec/checks/known-names.ts).

use std::collections::HashSet;

/// How many names a message says, and how many it looks through for the one that was meant.
const MOST_SHOWN: usize = 10;
const MOST_COMPARED: usize = 50;

/// Longer names are not compared: nobody mistypes them, and the work grows with their square.
const MOST_LETTERS: usize = 32;

/// The names in one list of a spec.
pub(super) struct KnownNames<'a> {
    kind: &'static str,
    all: HashSet<&'a str>,
    /// Those that can be said. Others are refused where they stand, and may be anything.
    ordinary: Vec<&'a str>,
}

impl<'a> KnownNames<'a> {
    /// None, of what is called `kind` in messages.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, all: HashSet::new(), ordinary: Vec::new() }
    }

    /// Adds a name. `false`: it is there already.
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

    /// What is said of a name that is used and is not among these.
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

/// The name that somebody most likely meant: one or two mistakes away, of a long one three; the first of several.
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

/// How many letters were left out, added, or written as others (Levenshtein).
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
