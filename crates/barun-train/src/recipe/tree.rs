//! A recipe before it has types: TOML values that remember where they were written.

use std::fmt;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::error::{Error, Result};

/// Where a setting was written, for error messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of a file.
    Line {
        /// The file.
        origin: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
    /// The file or the data as a whole.
    Whole(Arc<str>),
    /// An argument of the command line.
    Argument(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { origin, line } => write!(f, "{origin}:{line}"),
            Place::Whole(name) | Place::Argument(name) => f.write_str(name),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Whole(i64),
    Number(f64),
    Switch(bool),
    Time(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key, where the key was written, and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub place: Place,
    pub node: Node,
}

impl Node {
    /// A value that was written nowhere: a default.
    pub fn default(value: Value) -> Node {
        Node { place: Place::Whole("the defaults".into()), value }
    }

    pub fn table(place: Place) -> Node {
        Node { place, value: Value::Table(Vec::new()) }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Table(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let Value::Table(entries) = &mut self.value else { return None };
        entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
    }

    /// The node at a dotted path.
    pub fn find(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// Puts `node` at a dotted path, making the tables on the way. A name on the way (`optimizer = "adam"`) is the
    /// short form of a table (`optimizer.name = "adam"`) and becomes one; put over a table, it replaces what a file said in
    /// it, and keeps what other arguments say, so that the order of arguments does not matter.
    pub fn put(&mut self, path: &str, node: Node) {
        let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
        let place = node.place.clone();
        let entries = self.entries_mut();
        let at = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
            let child = Node::table(place.clone());
            entries.push(Entry { key: key.to_string(), place: place.clone(), node: child });
            entries.len() - 1
        });
        match rest {
            Some(rest) => entries[at].node.put(rest, node),
            None => {
                let kept = match &node.value {
                    Value::Text(_) => entries[at].node.given_as_arguments(),
                    _ => Vec::new(),
                };
                entries[at] = Entry { key: key.to_string(), place, node };
                kept.into_iter().for_each(|entry| entries[at].node.put(&entry.key, entry.node));
            }
        }
    }

    /// The entries of a table that arguments have set, but for its name.
    fn given_as_arguments(&self) -> Vec<Entry> {
        let Value::Table(entries) = &self.value else { return Vec::new() };
        let is_argument = |entry: &&Entry| matches!(entry.place, Place::Argument(_)) && entry.key != "name";
        entries.iter().filter(is_argument).cloned().collect()
    }

    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        let Value::Table(entries) = &mut self.value else { return None };
        let at = entries.iter().position(|entry| entry.key == key)?;
        Some(entries.remove(at))
    }

    fn entries_mut(&mut self) -> &mut Vec<Entry> {
        if !matches!(self.value, Value::Table(_)) {
            let was = std::mem::replace(&mut self.value, Value::Table(Vec::new()));
            if matches!(was, Value::Text(_)) {
                let name = Node { place: self.place.clone(), value: was };
                self.put("name", name);
            }
        }
        match &mut self.value {
            Value::Table(entries) => entries,
            _ => unreachable!("made a table above"),
        }
    }

    /// The value in words, for "`train.lr` is ...".
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Text(text) => format!("the text {text:?}"),
            Value::Whole(number) => format!("the whole number {number}"),
            Value::Number(number) => format!("the number {number:?}"),
            Value::Switch(switch) => format!("{switch}"),
            Value::Time(time) => format!("the date {time}"),
            Value::List(_) => "a list".to_string(),
            Value::Table(_) => "a table".to_string(),
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Text(text) | Value::Time(text) => text.as_str().into(),
            Value::Whole(number) => (*number).into(),
            Value::Number(number) => (*number).into(),
            Value::Switch(switch) => (*switch).into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect()
            }
        }
    }

    /// The value as one line of TOML.
    pub fn inline(&self) -> String {
        match &self.value {
            Value::Text(text) => quoted(text),
            Value::Whole(number) => number.to_string(),
            Value::Number(number) if number.is_nan() => "nan".to_string(),
            Value::Number(number) => format!("{number:?}"),
            Value::Switch(switch) => switch.to_string(),
            Value::Time(time) => time.clone(),
            Value::List(items) => {
                format!("[{}]", items.iter().map(Node::inline).collect::<Vec<_>>().join(", "))
            }
            Value::Table(entries) => {
                let pairs = entries.iter().map(|entry| format!("{} = {}", entry.key, entry.node.inline()));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Reads TOML text. `origin` is the file's name, for error messages.
pub(crate) fn parse(text: &str, origin: &str) -> Result<Node> {
    let lines = Lines { text, origin: origin.into() };
    let table = DeTable::parse(text).map_err(|error| Error::Syntax {
        place: error.span().map_or(Place::Whole(origin.into()), |span| lines.place(span.start)),
        message: error.message().to_string(),
    })?;
    let value = convert_table(table.get_ref(), &|offset| lines.place(offset))?;
    Ok(Node { place: Place::Whole(origin.into()), value })
}

/// Reads the value of `--set key=value`: a TOML value, or else a bare word.
pub(crate) fn parse_value(text: &str, place: &Place) -> Result<Node> {
    let text = text.trim();
    if let Ok(value) = DeValue::parse(text) {
        return convert(&value, &|_| place.clone());
    }
    let node = |value| Ok(Node { place: place.clone(), value });
    if let Some(number) = loose_number(text) {
        return node(Value::Number(number));
    }
    if text.is_empty() || text.contains(['"', '\'', '[', ']', '{', '}', '\n']) {
        let message = format!("{text:?} is neither a TOML value nor a bare word");
        return Err(Error::Syntax { place: place.clone(), message });
    }
    node(Value::Text(text.to_string()))
}

/// What people type for a number that TOML does not take: `.5`, `1.`, `NaN`.
fn loose_number(text: &str) -> Option<f64> {
    let starts_like_one = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    (starts_like_one || text.eq_ignore_ascii_case("nan")).then(|| text.parse().ok()).flatten()
}

struct Lines<'a> {
    text: &'a str,
    origin: Arc<str>,
}

impl Lines<'_> {
    fn place(&self, offset: usize) -> Place {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Place::Line { origin: self.origin.clone(), line }
    }
}

fn convert(value: &Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place) -> Result<Node> {
    let at = place(value.span().start);
    let too_large = |digits: &str| Error::Syntax {
        place: at.clone(),
        message: format!("the number {digits} does not fit 64 bits"),
    };
    let converted = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Whole(
            i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| too_large(number.as_str()))?,
        ),
        DeValue::Float(number) => {
            Value::Number(number.as_str().parse().map_err(|_| too_large(number.as_str()))?)
        }
        DeValue::Boolean(switch) => Value::Switch(*switch),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| convert(item, place)).collect::<Result<_>>()?)
        }
        DeValue::Table(table) => convert_table(table, place)?,
    };
    Ok(Node { place: at, value: converted })
}

/// The entries in the order in which they were written, so that the first mistake in the file is the first one told.
fn convert_table(table: &DeTable<'_>, place: &dyn Fn(usize) -> Place) -> Result<Value> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let convert_entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let node = convert(value, place)?;
        Ok(Entry { key: key.get_ref().to_string(), place: place(key.span().start), node })
    };
    Ok(Value::Table(entries.into_iter().map(convert_entry).collect::<Result<_>>()?))
}

/// Writes a table as TOML: its values first, then each table in it under its own header. A list of tables has one line
/// for each.
pub(crate) fn to_toml(root: &Node) -> String {
    let mut text = String::new();
    write_table(&mut text, "", root);
    text
}

fn write_table(text: &mut String, path: &str, table: &Node) {
    let Value::Table(entries) = &table.value else { return };
    let (tables, values): (Vec<_>, Vec<_>) =
        entries.iter().partition(|entry| matches!(entry.node.value, Value::Table(_)));
    if !path.is_empty() {
        text.push_str(&format!("{}[{path}]\n", if text.is_empty() { "" } else { "\n" }));
    }
    for Entry { key, node, .. } in values {
        match &node.value {
            Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {
                text.push_str(&format!("{key} = [\n"));
                items.iter().for_each(|item| text.push_str(&format!("    {},\n", item.inline())));
                text.push_str("]\n");
            }
            _ => text.push_str(&format!("{key} = {}\n", node.inline())),
        }
    }
    for Entry { key, node, .. } in tables {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        write_table(text, &path, node);
    }
}

/// A TOML basic string on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
