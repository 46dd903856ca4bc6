//! The catalogue of errors: each with what it means and what its message says to do. [DIAG-12]
//!
//! It is read from the definitions of the errors themselves, so that none can be forgotten or told otherwise than it is.
//! Parts of a message in braces are filled in.

/// One error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorEntry {
    /// Its name in Rust: `NotFinite`.
    pub name: String,
    /// What it is about.
    pub area: &'static str,
    /// What it means; empty where the message says it all.
    pub doc: String,
    /// Its message with what to do; empty where it is that of another error.
    pub message: String,
}

/// Where errors are defined, and what they are about.
const DEFINITIONS: &[(&str, &str)] = &[
    ("data", include_str!("../../barun-data/src/error.rs")),
    ("training", include_str!("../../barun-train/src/error.rs")),
    ("models", include_str!("../../barun-nn/src/error.rs")),
    ("tensors and programs", include_str!("../../barun-engine/src/error.rs")),
    ("the command line", include_str!("error.rs")),
];

/// Every error, by what it is about.
pub fn errors() -> Vec<ErrorEntry> {
    DEFINITIONS.iter().flat_map(|(area, source)| variants(area, source)).collect()
}

/// The variants of `pub enum Error` in a file.
fn variants(area: &'static str, source: &str) -> Vec<ErrorEntry> {
    let body = source.split_once("pub enum Error {").map_or("", |(_, body)| body);
    let mut entries = Vec::new();
    let (mut doc, mut attribute, mut is_open) = (String::new(), String::new(), false);
    for line in body.lines().take_while(|line| *line != "}") {
        let text = line.trim();
        let is_of_variant = line.starts_with("    ") && !line.starts_with("     ");
        if is_open {
            attribute.push_str(text.trim_end_matches('\\'));
            attribute.push(if text.ends_with('\\') { ' ' } else { '\n' });
            is_open = !(is_of_variant && text.ends_with(")]"));
        } else if let Some(rest) = text.strip_prefix("/// ").filter(|_| is_of_variant) {
            doc.push_str(if doc.is_empty() { "" } else { " " });
            doc.push_str(rest);
        } else if text.starts_with("#[error(") {
            attribute = text.to_string();
            is_open = !text.ends_with(")]");
        } else if is_of_variant && text.starts_with(char::is_uppercase) {
            let name: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
            let message = message_in(&attribute);
            entries.push(ErrorEntry { name, area, doc: std::mem::take(&mut doc), message });
            attribute.clear();
        }
    }
    entries
}

/// The first literal of an attribute, on one line.
fn message_in(attribute: &str) -> String {
    let Some((_, rest)) = attribute.split_once('"') else { return String::new() };
    let mut text = String::new();
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => text.extend(letters.next()),
            letter => text.push(letter),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::path::Path;

    fn page() -> String {
        let mut page = "# Errors and their cures\n\n\
            Every message says what is wrong, where, and what to do; parts in braces are filled in. `barun explain NAME` shows \
            one of them.\n\n\
            Written from the program by `BARUN_WRITE_DOCS=1 cargo test --release -p barun-cli errors`.\n"
            .to_string();
        let mut area = "";
        for error in errors().iter().filter(|error| !error.message.is_empty()) {
            if error.area != area {
                area = error.area;
                let _ = write!(page, "\n## Errors of {area}\n");
            }
            let meaning = if error.doc.is_empty() { String::new() } else { format!(": {}", error.doc) };
            let _ = write!(page, "\n**{}**{meaning}\n\n> {}\n", error.name, error.message);
        }
        page
    }

    #[test]
    fn every_error_has_a_meaning_or_a_message() {
        let errors = errors();
        assert!(errors.len() > 80, "{}", errors.len());
        for error in &errors {
            assert!(!error.doc.is_empty() || !error.message.is_empty(), "{} says nothing", error.name);
        }
        let not_finite =
            errors.iter().find(|error| error.area == "training" && error.name == "NotFinite").unwrap();
        assert!(
            not_finite.message.contains("A smaller learning rate usually helps"),
            "{}",
            not_finite.message
        );
    }

    #[test]
    fn the_page_of_errors_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
        if std::env::var_os("BARUN_WRITE_DOCS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        assert!(
            written == page(),
            "docs/errors.md is out of date; write it with BARUN_WRITE_DOCS=1 cargo test --release -p barun-cli errors"
        );
    }
}
