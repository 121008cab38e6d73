//! Writes JSON as `JSON.stringify` does, with keys in their own order or in that of RFC 8785.

use std::cmp::Ordering;

use super::Json;

/// Returns the text that JavaScript's `JSON.stringify` prints for this value, keys in their order. (A JavaScript object
/// moves keys like `"7"` to its front; a [`Json`] does not.) A number that is not finite prints as `null`.
pub fn write(value: &Json) -> String {
    let mut writer = Writer { out: String::new(), keys: Keys::AsTheyAre, most: usize::MAX };
    writer.value(value);
    writer.out
}

/// Returns the canonical form of RFC 8785 in UTF-8: as [`write()`], with keys sorted by their UTF-16 code units.
pub fn canonical(value: &Json) -> Vec<u8> {
    let mut writer = Writer { out: String::new(), keys: Keys::Sorted, most: usize::MAX };
    writer.value(value);
    writer.out.into_bytes()
}

/// As [`write`], but `None` for more than `most` bytes. The time is bounded by `most` and the longest single string.
pub(crate) fn write_at_most(value: &Json, most: usize) -> Option<String> {
    let mut writer = Writer { out: String::new(), keys: Keys::AsTheyAre, most };
    writer.value(value);
    (writer.out.len() <= most).then_some(writer.out)
}

#[derive(Clone, Copy)]
enum Keys {
    AsTheyAre,
    Sorted,
}

pub(super) struct Writer {
    pub(super) out: String,
    keys: Keys,
    /// Writing stops soon after this many bytes.
    most: usize,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: String::with_capacity(bytes), keys: Keys::Sorted, most: usize::MAX }
    }

    fn value(&mut self, value: &Json) {
        match value {
            Json::Null => self.out.push_str("null"),
            Json::Bool(true) => self.out.push_str("true"),
            Json::Bool(false) => self.out.push_str("false"),
            Json::Number(number) => self.number(*number),
            Json::String(text) => self.string(text),
            Json::Array(elements) => self.array(elements),
            Json::Object(members) => self.object(members),
        }
    }

    fn full(&self) -> bool {
        self.out.len() > self.most
    }

    pub(super) fn number(&mut self, number: f64) {
        if number.is_finite() {
            // Prints negative zero as 0.
            self.out.push_str(ryu_js::Buffer::new().format_finite(number));
        } else {
            self.out.push_str("null");
        }
    }

    fn array(&mut self, elements: &[Json]) {
        self.out.push('[');
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.value(element);
            if self.full() {
                return;
            }
        }
        self.out.push(']');
    }

    fn object(&mut self, members: &[(String, Json)]) {
        let sorted = match self.keys {
            Keys::AsTheyAre => true,
            Keys::Sorted => members.is_sorted_by(|(a, _), (b, _)| by_utf16(a, b).is_le()),
        };
        if sorted {
            self.members(members.iter());
        } else {
            let mut order: Vec<&(String, Json)> = members.iter().collect();
            order.sort_by(|(a, _), (b, _)| by_utf16(a, b));
            self.members(order.into_iter());
        }
    }

    fn members<'a>(&mut self, members: impl Iterator<Item = &'a (String, Json)>) {
        self.out.push('{');
        for (index, (key, value)) in members.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.string(key);
            self.out.push(':');
            self.value(value);
            if self.full() {
                return;
            }
        }
        self.out.push('}');
    }

    pub(super) fn string(&mut self, text: &str) {
        self.out.push('"');
        let mut rest = text;
        // Everything that is escaped is one byte long, so both halves are whole characters.
        while let Some(at) = rest.bytes().position(is_escaped) {
            let Some((plain, tail)) = rest.split_at_checked(at) else { break };
            self.out.push_str(plain);
            let mut characters = tail.chars();
            if let Some(character) = characters.next() {
                self.escape(character);
            }
            rest = characters.as_str();
        }
        self.out.push_str(rest);
        self.out.push('"');
    }

    fn escape(&mut self, character: char) {
        match character {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\u{8}' => self.out.push_str("\\b"),
            '\t' => self.out.push_str("\\t"),
            '\n' => self.out.push_str("\\n"),
            '\u{c}' => self.out.push_str("\\f"),
            '\r' => self.out.push_str("\\r"),
            other => {
                self.out.push_str("\\u00");
                for shift in [4, 0] {
                    self.out.extend(char::from_digit((u32::from(other) >> shift) & 0xf, 16));
                }
            }
        }
    }
}

/// Returns the bytes that a character takes between the quotes of a written string.
pub(crate) const fn escaped_length(character: char) -> usize {
    match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..'\u{20}' => 6,
        other => other.len_utf8(),
    }
}

const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Compares as UTF-16 without encoding. UTF-8 sorts by code point. UTF-16 differs in one way only: the characters from
/// U+10000 on (first byte F0 to F4) come before those from U+E000 to U+FFFF (first byte EE or EF).
pub(super) fn by_utf16(a: &str, b: &str) -> Ordering {
    fn weight(byte: u8) -> u8 {
        if byte == 0xee || byte == 0xef { byte | 0x10 } else { byte }
    }
    fn rank(text: &str) -> impl Iterator<Item = u8> {
        text.bytes().map(weight)
    }
    rank(a).cmp(rank(b))
}
