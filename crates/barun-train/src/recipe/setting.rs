//! How a setting is read, checked, written and documented.
//!
//! Three macros declare every key once, with its type, default, rule and doc; reading, the resolved recipe, the error
//! messages and the list of keys all follow from that one declaration:
//!
//! * [`names!`] - a choice among names: `activation = "relu"`;
//! * [`section!`] - a table with fixed keys: `[train]`;
//! * [`tagged!`] - a table whose keys depend on its name: `[train.optimizer]`, a layer. `"adam"` is short for
//!   `{ name = "adam" }`.

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
        let show = |value: T| value.write().map_or("not given".to_string(), |node| node.inline());
        let (images, tables) = (show(default(&IMAGES)), show(default(&TABLES)));
        if images == tables { images } else { format!("{images} (tables: {tables})") }
    }
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

/// The table's own entries, or those that a name stands for.
pub(crate) fn tag_of(
    node: &Node,
    path: &str,
    tag: &str,
    fallback: Option<&str>,
    expects: String,
) -> Result<String> {
    match &node.value {
        Value::Text(name) => Ok(name.clone()),
        Value::Table(_) => match (node.get(tag), fallback) {
            (Some(Node { value: Value::Text(name), .. }), _) => Ok(name.clone()),
            (Some(other), _) => Err(wrong_type(other, &join(path, tag), String::expects())),
            (None, Some(name)) => Ok(name.to_string()),
            (None, None) => {
                let (place, path) = (node.place.clone(), join(path, tag));
                Err(Error::MissingKey { place, path, expected: expects })
            }
        },
        _ => Err(wrong_type(node, path, format!("a table or {expects}"))),
    }
}

/// Where a key belongs that the chosen name does not have.
pub(crate) fn belongs_to(key: &str, chosen: &str, owners: &[&str]) -> Option<String> {
    (!owners.is_empty()).then(|| format!("\"{chosen}\" has no `{key}`, it belongs to {}", owners.join(", ")))
}

macro_rules! names {
    (
        $(#[doc = $doc:literal])*
        pub enum $Enum:ident, $noun:literal {
            $( $(#[doc = $choice_doc:literal])* $Choice:ident = $name:literal, )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Enum { $( $(#[doc = $choice_doc])* $Choice, )* }

        impl $Enum {
            /// Every choice, in the order of the documentation.
            pub const ALL: &[$Enum] = &[$( $Enum::$Choice, )*];

            /// The name in a recipe.
            pub fn name(self) -> &'static str {
                match self { $( $Enum::$Choice => $name, )* }
            }

            /// What it is, in a sentence.
            pub fn doc(self) -> String {
                $crate::recipe::setting::doc_text(match self { $( $Enum::$Choice => &[$( $choice_doc, )*], )* })
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl $crate::recipe::setting::Setting for $Enum {
            fn expects() -> String {
                format!("one of {}", [$( $name, )*].join(", "))
            }
            fn read(
                node: &$crate::recipe::tree::Node,
                path: &str,
                _: &$crate::recipe::defaults::Defaults,
            ) -> $crate::error::Result<Self> {
                use $crate::recipe::setting::{unknown_name, wrong_type};
                let $crate::recipe::tree::Value::Text(name) = &node.value else {
                    return Err(wrong_type(node, path, Self::expects()));
                };
                match name.as_str() {
                    $( $name => Ok($Enum::$Choice), )*
                    other => Err(unknown_name(node, path, other, $noun, &[$( $name, )*])),
                }
            }
            fn write(&self) -> Option<$crate::recipe::tree::Node> {
                self.name().to_string().write()
            }
        }
    };
}

macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        pub struct $Struct:ident {
            $( $(#[doc = $key_doc:literal])* $key:ident: $Type:ty = $fallback:expr $(, $rule:expr)?; )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $Struct { $( $(#[doc = $key_doc])* pub $key: $Type, )* }

        impl $crate::recipe::setting::Setting for $Struct {
            fn expects() -> String {
                "a table".into()
            }
            fn read(
                node: &$crate::recipe::tree::Node,
                path: &str,
                defaults: &$crate::recipe::defaults::Defaults,
            ) -> $crate::error::Result<Self> {
                use $crate::recipe::setting::{Rule, read_key, refuse_unknown_keys, wrong_type};
                if !matches!(node.value, $crate::recipe::tree::Value::Table(_)) {
                    return Err(wrong_type(node, path, Self::expects()));
                }
                let elsewhere = |key: &str| $crate::recipe::key_elsewhere(key);
                refuse_unknown_keys(node, path, &[$( stringify!($key), )*], elsewhere)?;
                Ok($Struct { $( $key: {
                    let rule = None::<Rule<$Type>> $( .or(Some($rule)) )?;
                    read_key(node, path, stringify!($key), $fallback, rule, &[$( $key_doc, )*], defaults)?
                }, )* })
            }
            fn write(&self) -> Option<$crate::recipe::tree::Node> {
                use $crate::recipe::{setting::written_table, tree::Node};
                let values: Vec<(&str, Option<Node>)> = vec![$( (stringify!($key), self.$key.write()), )*];
                Some(written_table(values))
            }
            fn list(key: $crate::recipe::setting::Key, keys: &mut Vec<$crate::recipe::setting::Key>) {
                use $crate::recipe::setting::{Rule, list_key};
                $( {
                    let rule = None::<Rule<$Type>> $( .or(Some($rule)) )?;
                    list_key(&key, stringify!($key), &[$( $key_doc, )*], $fallback, rule, keys);
                } )*
            }
        }
    };
}

macro_rules! tagged {
    (
        $(#[doc = $doc:literal])*
        pub enum $Enum:ident, $noun:literal, $tag:literal $(or else $default:literal)? {
            $(
                $(#[doc = $choice_doc:literal])*
                $name:literal => $Choice:ident $({
                    $( $(#[doc = $key_doc:literal])* $key:ident: $Type:ty = $fallback:expr $(, $rule:expr)?; )*
                })?,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $Enum {
            $( $(#[doc = $choice_doc])* $Choice $({ $( $(#[doc = $key_doc])* $key: $Type, )* })?, )*
        }

        impl $Enum {
            /// Every name, in the order of the documentation, and what it is in a sentence.
            pub fn choices() -> Vec<(&'static str, String)> {
                vec![$( ($name, $crate::recipe::setting::doc_text(&[$( $choice_doc, )*])), )*]
            }

            /// The name in a recipe.
            #[allow(unused_variables)]
            pub fn name(&self) -> &'static str {
                match self { $( $Enum::$Choice $({ $( $key, )* })? => $name, )* }
            }

            /// The keys of each name.
            const KEYS: &[(&str, &[&str])] = &[$( ($name, &[$( $( stringify!($key), )* )?]), )*];
        }

        impl $crate::recipe::setting::Setting for $Enum {
            fn expects() -> String {
                format!("one of {}", [$( $name, )*].join(", "))
            }
            fn read(
                node: &$crate::recipe::tree::Node,
                path: &str,
                defaults: &$crate::recipe::defaults::Defaults,
            ) -> $crate::error::Result<Self> {
                #[allow(unused_imports)]
                use $crate::recipe::setting::{Rule, join, read_key, refuse_keys_of_others, tag_of, unknown_name};
                let default = None::<&str> $( .or(Some($default)) )?;
                let name = tag_of(node, path, $tag, default, Self::expects())?;
                match name.as_str() {
                    $( $name => {
                        refuse_keys_of_others(node, path, $tag, $name, Self::KEYS)?;
                        Ok($Enum::$Choice $({ $( $key: {
                            let rule = None::<Rule<$Type>> $( .or(Some($rule)) )?;
                            read_key(node, path, stringify!($key), $fallback, rule, &[$( $key_doc, )*], defaults)?
                        }, )* })?)
                    } )*
                    other => {
                        let (at, path) = match node.get($tag) {
                            Some(at) => (at, join(path, $tag)),
                            None => (node, path.to_string()),
                        };
                        Err(unknown_name(at, &path, other, $noun, &[$( $name, )*]))
                    }
                }
            }
            fn write(&self) -> Option<$crate::recipe::tree::Node> {
                use $crate::recipe::{setting::written_choice, tree::Node};
                let values: Vec<(&str, Option<Node>)> = match self {
                    $( $Enum::$Choice $({ $( $key, )* })? => vec![$( $( (stringify!($key), $key.write()), )* )?], )*
                };
                Some(written_choice($tag, self.name(), values))
            }
            fn list(key: $crate::recipe::setting::Key, keys: &mut Vec<$crate::recipe::setting::Key>) {
                #[allow(unused_imports)]
                use $crate::recipe::setting::{Key, Rule, join, list_key};
                let default = None::<&str> $( .or(Some($default)) )?;
                let default = default.map_or("required".to_string(), |name| format!("\"{name}\""));
                keys.push(Key { path: join(&key.path, $tag), default, ..key.clone() });
                $( {
                    #[allow(unused_variables)]
                    let key = Key { only_for: Some($name.to_string()), ..key.clone() };
                    $( $( {
                        let rule = None::<Rule<$Type>> $( .or(Some($rule)) )?;
                        list_key(&key, stringify!($key), &[$( $key_doc, )*], $fallback, rule, keys);
                    } )* )?
                } )*
            }
        }
    };
}

pub(crate) use {names, section, tagged};

/// Refuses keys that the chosen name does not have, saying which names do.
pub(crate) fn refuse_keys_of_others(
    node: &Node,
    path: &str,
    tag: &str,
    chosen: &str,
    keys: &[(&str, &[&str])],
) -> Result<()> {
    let own = keys.iter().find(|(name, _)| *name == chosen).map_or(&[][..], |(_, own)| own);
    let known: Vec<&str> = std::iter::once(tag).chain(own.iter().copied()).collect();
    let Value::Table(entries) = &node.value else { return Ok(()) };
    // A key that another choice has is told before a near miss: with `sgd`, `beta1` is no slip.
    for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
        let owners: Vec<&str> = keys
            .iter()
            .filter(|(_, keys)| keys.contains(&entry.key.as_str()))
            .map(|(name, _)| *name)
            .collect();
        if let Some(hint) = belongs_to(&entry.key, chosen, &owners) {
            let hint = format!("{hint}; \"{chosen}\" has {}", list_or_none(own));
            return Err(Error::UnknownKey { place: entry.place.clone(), path: join(path, &entry.key), hint });
        }
    }
    refuse_unknown_keys(node, path, &known, |_| Some(format!("\"{chosen}\" has {}", list_or_none(own))))
}

fn list_or_none(keys: &[&str]) -> String {
    if keys.is_empty() { "no keys".to_string() } else { keys.join(", ") }
}

pub(crate) fn list_key<T: Setting>(
    parent: &Key,
    name: &str,
    doc: &[&str],
    fallback: Fallback<T>,
    rule: Option<Rule<T>>,
    keys: &mut Vec<Key>,
) {
    let mut expects = T::expects();
    if let Some(rule) = rule {
        expects = format!("{expects}: {}", rule.allowed);
    }
    let key = Key {
        path: join(&parent.path, name),
        only_for: parent.only_for.clone(),
        expects,
        default: fallback.show(),
        doc: doc_text(doc),
    };
    T::list(key, keys);
}

pub(crate) fn written_table(values: Vec<(&str, Option<Node>)>) -> Node {
    let mut table = Node::default(Value::Table(Vec::new()));
    for (key, node) in values {
        if let Some(node) = node {
            table.put(key, node);
        }
    }
    table
}

/// A name alone where there is nothing else to say.
pub(crate) fn written_choice(tag: &str, name: &str, values: Vec<(&str, Option<Node>)>) -> Node {
    let name = Node::default(Value::Text(name.to_string()));
    if values.iter().all(|(_, node)| node.is_none()) {
        return name;
    }
    written_table(std::iter::once((tag, Some(name))).chain(values).collect())
}
