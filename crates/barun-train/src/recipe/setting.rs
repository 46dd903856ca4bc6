//! How the value of a key is read, checked, written and documented.

use super::defaults::{Defaults, IMAGES, TABLES};
use super::tree::{Node, Value};
use crate::error::{Error, Result};
use crate::nearest::nearest;

/// Something a key can hold.
pub(crate) trait Setting: Sized {
    /// What a value looks like, in words.
    fn expects() -> String;
    /// Reads the value at `path`.
    fn read(node: &Node, path: &str, defaults: &Defaults) -> Result<Self>;
    /// The value as it is written; `None` leaves the key out.
    fn write(&self) -> Option<Node>;
    /// Adds this key, and the keys inside it, to the list of keys.
    fn list(key: Key, keys: &mut Vec<Key>) {
        keys.push(key);
    }
}

/// One key of a recipe, for the documentation.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Key {
    /// The whole path, `train.batch_size`. A layer's keys are under `model.layers[]`.
    pub path: String,
    /// The name that must be chosen for the key to exist: `adam` for `train.optimizer.beta1`.
    pub only_for: Option<String>,
    /// What a value looks like.
    pub expects: String,
    /// The default as TOML; "required" where there is none and "not given" where it may be left out.
    pub default: String,
    /// What the value means.
    pub doc: String,
}

/// What a missing key means.
pub(crate) enum Fallback<T> {
    Required,
    Is(fn(&Defaults) -> T),
    /// A table whose keys have their own defaults.
    Inside,
}

/// What a value must fulfil besides its type.
pub(crate) struct Rule<T> {
    pub allowed: &'static str,
    pub holds: fn(&T) -> bool,
}

impl<T: Setting> Fallback<T> {
    /// The default as TOML, for images and for tables where they differ.
    pub fn show(&self) -> String {
        let default = match self {
            Fallback::Is(default) => default,
            Fallback::Required => return "required".to_string(),
            Fallback::Inside => return "its keys' defaults".to_string(),
        };
        by_kind(|defaults| default(defaults).write().map_or("not given".to_string(), |node| node.inline()))
    }
}

/// What is shown of a default, for images and for tables where they differ.
pub(crate) fn by_kind(show: impl Fn(&Defaults) -> String) -> String {
    let (images, tables) = (show(&IMAGES), show(&TABLES));
    if images == tables { images } else { format!("{images} (tables: {tables})") }
}

/// Reads the key `key` of the table at `path`.
pub(crate) fn read_key<T: Setting>(
    table: &Node,
    path: &str,
    key: &str,
    fallback: Fallback<T>,
    rule: Option<Rule<T>>,
    doc: &[&str],
    defaults: &Defaults,
) -> Result<T> {
    let path = join(path, key);
    let Some(node) = table.get(key) else {
        return match fallback {
            Fallback::Is(default) => Ok(default(defaults)),
            Fallback::Inside => T::read(&Node::table(table.place.clone()), &path, defaults),
            Fallback::Required => {
                let expected = format!("{} ({})", T::expects(), clause(&doc_text(doc)));
                Err(Error::MissingKey { place: table.place.clone(), path, expected })
            }
        };
    };
    let value = T::read(node, &path, defaults)?;
    match rule {
        Some(rule) if !(rule.holds)(&value) => Err(bad_value(node, &path, rule.allowed)),
        _ => Ok(value),
    }
}

/// Refuses a key that is not among `known`; `hint` may know better where it belongs.
pub(crate) fn refuse_unknown_keys(
    table: &Node,
    path: &str,
    known: &[&str],
    hint: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    let Value::Table(entries) = &table.value else { return Ok(()) };
    let Some(entry) = entries.iter().find(|entry| !known.contains(&entry.key.as_str())) else {
        return Ok(());
    };
    let hint = nearest(&entry.key, known.iter().copied())
        .map(|near| format!("did you mean `{}`?", join(path, near)))
        .or_else(|| hint(&entry.key))
        .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
    Err(Error::UnknownKey { place: entry.place.clone(), path: join(path, &entry.key), hint })
}

/// Refuses a name that is not among `known`.
pub(crate) fn unknown_name(node: &Node, path: &str, name: &str, noun: &'static str, known: &[&str]) -> Error {
    let known_list = known.join(", ");
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"? Known: {known_list}"),
        None => format!("known: {known_list}"),
    };
    Error::UnknownName { place: node.place.clone(), path: path.into(), name: name.into(), noun, hint }
}

pub(crate) fn wrong_type(node: &Node, path: &str, expected: impl Into<String>) -> Error {
    let mut expected = expected.into();
    if expected == String::expects() && !matches!(node.value, Value::Table(_) | Value::List(_)) {
        expected = format!("{expected}, in quotes: {}", Value::Text(node.inline()).into_inline());
    }
    Error::WrongType { place: node.place.clone(), path: path.into(), found: node.describe(), expected }
}

pub(crate) fn bad_value(node: &Node, path: &str, allowed: &str) -> Error {
    Error::BadValue {
        place: node.place.clone(),
        path: path.into(),
        value: node.inline(),
        allowed: allowed.into(),
    }
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

/// The lines of a doc comment as one text.
pub(crate) fn doc_text(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").trim().to_string()
}

/// The first sentence of a doc, to stand inside another sentence.
fn clause(doc: &str) -> String {
    let sentence = doc.split(". ").next().unwrap_or_default().trim_end_matches('.');
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

impl Value {
    fn into_inline(self) -> String {
        Node::default(self).inline()
    }
}

impl Setting for u64 {
    fn expects() -> String {
        "a whole number".into()
    }
    fn read(node: &Node, path: &str, _: &Defaults) -> Result<Self> {
        match node.value {
            Value::Whole(number) => number.try_into().map_err(|_| bad_value(node, path, "0 or more")),
            _ => Err(wrong_type(node, path, Self::expects())),
        }
    }
    fn write(&self) -> Option<Node> {
        Some(Node::default(Value::Whole(i64::try_from(*self).unwrap_or(i64::MAX))))
    }
}

impl Setting for usize {
    fn expects() -> String {
        u64::expects()
    }
    fn read(node: &Node, path: &str, defaults: &Defaults) -> Result<Self> {
        let number = u64::read(node, path, defaults)?;
        number.try_into().map_err(|_| bad_value(node, path, "within the machine's address range"))
    }
    fn write(&self) -> Option<Node> {
        (*self as u64).write()
    }
}

impl Setting for f64 {
    fn expects() -> String {
        "a number".into()
    }
    fn read(node: &Node, path: &str, _: &Defaults) -> Result<Self> {
        match node.value {
            Value::Number(number) => Ok(number),
            Value::Whole(number) => Ok(number as f64),
            _ => Err(wrong_type(node, path, Self::expects())),
        }
    }
    fn write(&self) -> Option<Node> {
        Some(Node::default(Value::Number(*self)))
    }
}

impl Setting for bool {
    fn expects() -> String {
        "true or false".into()
    }
    fn read(node: &Node, path: &str, _: &Defaults) -> Result<Self> {
        match node.value {
            Value::Switch(switch) => Ok(switch),
            _ => Err(wrong_type(node, path, Self::expects())),
        }
    }
    fn write(&self) -> Option<Node> {
        Some(Node::default(Value::Switch(*self)))
    }
}

impl Setting for String {
    fn expects() -> String {
        "text".into()
    }
    fn read(node: &Node, path: &str, _: &Defaults) -> Result<Self> {
        match &node.value {
            Value::Text(text) => Ok(text.clone()),
            _ => Err(wrong_type(node, path, Self::expects())),
        }
    }
    fn write(&self) -> Option<Node> {
        Some(Node::default(Value::Text(self.clone())))
    }
}

impl<T: Setting> Setting for Option<T> {
    fn expects() -> String {
        T::expects()
    }
    fn read(node: &Node, path: &str, defaults: &Defaults) -> Result<Self> {
        T::read(node, path, defaults).map(Some)
    }
    fn write(&self) -> Option<Node> {
        self.as_ref()?.write()
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn expects() -> String {
        format!("a list, each item {}", T::expects())
    }
    fn read(node: &Node, path: &str, defaults: &Defaults) -> Result<Self> {
        let Value::List(items) = &node.value else { return Err(wrong_type(node, path, Self::expects())) };
        let read_item = |(at, item)| T::read(item, &format!("{path}[{at}]"), defaults);
        items.iter().enumerate().map(read_item).collect()
    }
    fn write(&self) -> Option<Node> {
        Some(Node::default(Value::List(self.iter().filter_map(T::write).collect())))
    }
    fn list(key: Key, keys: &mut Vec<Key>) {
        // A list of lists of layers has the keys that have just been listed.
        let inside = Key { path: format!("{}[]", key.path), ..key.clone() };
        let nested = key.path.contains("[]");
        keys.push(key);
        if !nested {
            let first = keys.len();
            T::list(inside.clone(), keys);
            if keys[first..] == [inside] {
                keys.truncate(first);
            }
        }
    }
}
