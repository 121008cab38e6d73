//! The patterns of names. They are a few comparisons each, and a regular expression engine is a large dependency.

/// `^[a-z][a-z0-9_-]{0,63}$`: agents, reference types, plan types, providers.
pub fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && has_length(text, 1, 64)
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
}

/// `^[A-Za-z][A-Za-z0-9_-]{0,63}$`: tools and databases.
pub fn is_tool_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && has_length(text, 1, 64)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// `^[A-Za-z_][A-Za-z0-9_]{0,127}$`: environment variables.
pub fn is_variable(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && has_length(text, 1, 128)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A model: the name of its provider, `/`, and 1 to 256 visible ASCII characters that the provider understands.
pub fn split_model(text: &str) -> Option<(&str, &str)> {
    let (provider, model) = text.split_once('/')?;
    let visible = model.bytes().all(|byte| byte.is_ascii_graphic());
    (is_name(provider) && has_length(model, 1, 256) && visible).then_some((provider, model))
}

/// `type/subtype`, possibly with `;` and parameters, in at most 255 printable ASCII characters.
pub fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = text.split_once(';').map_or((text, None), |(essence, rest)| (essence, Some(rest)));
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let printable = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    has_length(text, 3, 255) && is_token(kind) && is_token(subtype) && parameters.is_none_or(printable)
}

/// The most characters of a word that an error repeats.
const SHOWN: usize = 40;

/// Returns a word as an error repeats it: in quotes, cut, and with invisible characters escaped. Not for what may be a
/// secret.
pub fn shown(word: &str) -> String {
    match word.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", word.get(..end).unwrap_or_default()),
        None => format!("{word:?}"),
    }
}

fn is_token(text: &str) -> bool {
    let is_token_byte = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'!' | b'#' | b'$' | b'&' | b'^' | b'_' | b'.' | b'+' | b'-')
    };
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn has_length(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len())
}
