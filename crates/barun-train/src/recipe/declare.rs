//! Three macros declare every key of a recipe once, with its type, default, rule and doc; reading, the resolved recipe,
//! the error messages and the list of keys all follow from that one declaration:
//!
//! * `names!` - a choice among names: `activation = "relu"`;
//! * `section!` - a table with fixed keys: `[train]`;
//! * `tagged!` - a table whose keys depend on its name: `[model]`, a layer. `"mlp"` is short for `{ name = "mlp" }`. With
//!   `otherwise`, names of the library's that are not ours are taken too (see `chosen`).

use super::defaults::Defaults;
use super::setting::{Fallback, Key, Rule, Setting, doc_text, join, refuse_unknown_keys, wrong_type};
use super::tree::{Node, Value};
use crate::error::{Error, Result};

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
                use $crate::recipe::{declare::written_table, tree::Node};
                let values: Vec<(&str, Option<Node>)> = vec![$( (stringify!($key), self.$key.write()), )*];
                Some(written_table(values))
            }
            fn list(key: $crate::recipe::setting::Key, keys: &mut Vec<$crate::recipe::setting::Key>) {
                use $crate::recipe::{declare::list_key, setting::Rule};
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
        pub enum $Enum:ident, $noun:literal, $tag:literal
        $(or else ($default:expr))? $(otherwise $Other:ident($OtherType:ty))? {
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
            $(
                /// One of the library's, by its name there.
                $Other($OtherType),
            )?
            $( $(#[doc = $choice_doc])* $Choice $({ $( $(#[doc = $key_doc])* $key: $Type, )* })?, )*
        }

        impl $Enum {
            /// Every name, in the order of the documentation, and what it is in a sentence.
            pub fn choices() -> Vec<(&'static str, String)> {
                let own = [$( ($name, $crate::recipe::setting::doc_text(&[$( $choice_doc, )*])), )*];
                own.into_iter() $( .chain(<$OtherType>::choices()) )? .collect()
            }

            /// The name in a recipe.
            #[allow(unused_variables)]
            pub fn name(&self) -> &'static str {
                match self {
                    $( $Enum::$Other(other) => barun_nn::Hyper::name(&**other), )?
                    $( $Enum::$Choice $({ $( $key, )* })? => $name, )*
                }
            }

            fn names() -> Vec<&'static str> {
                Self::choices().into_iter().map(|(name, _)| name).collect()
            }

            /// The keys of each name.
            const KEYS: &[(&str, &[&str])] = &[$( ($name, &[$( $( stringify!($key), )* )?]), )*];
        }

        impl $crate::recipe::setting::Setting for $Enum {
            fn expects() -> String {
                format!("one of {}", Self::names().join(", "))
            }
            fn read(
                node: &$crate::recipe::tree::Node,
                path: &str,
                defaults: &$crate::recipe::defaults::Defaults,
            ) -> $crate::error::Result<Self> {
                #[allow(unused_imports)]
                use $crate::recipe::declare::{DefaultName, refuse_keys_of_others, tag_of};
                #[allow(unused_imports)]
                use $crate::recipe::setting::{Rule, join, read_key, unknown_name};
                let default = None::<DefaultName> $( .or(Some($default)) )?;
                let default = default.map(|name| name(defaults));
                let name = tag_of(node, path, $tag, default, Self::expects())?;
                match name.as_str() {
                    $( $name => {
                        refuse_keys_of_others(node, path, $tag, $name, Self::KEYS)?;
                        Ok($Enum::$Choice $({ $( $key: {
                            let rule = None::<Rule<$Type>> $( .or(Some($rule)) )?;
                            read_key(node, path, stringify!($key), $fallback, rule, &[$( $key_doc, )*], defaults)?
                        }, )* })?)
                    } )*
                    $( other if <$OtherType>::names().contains(&other) => {
                        Ok($Enum::$Other(<$OtherType>::read_as(other, node, path, ($tag, &[]), Self::KEYS, defaults)?))
                    } )?
                    other => {
                        let (at, path) = match node.get($tag) {
                            Some(at) => (at, join(path, $tag)),
                            None => (node, path.to_string()),
                        };
                        Err(unknown_name(at, &path, other, $noun, &Self::names()))
                    }
                }
            }
            fn write(&self) -> Option<$crate::recipe::tree::Node> {
                use $crate::recipe::{declare::written_choice, tree::Node};
                let values: Vec<(&str, Option<Node>)> = match self {
                    $( $Enum::$Other(other) => other.written(), )?
                    $( $Enum::$Choice $({ $( $key, )* })? => vec![$( $( (stringify!($key), $key.write()), )* )?], )*
                };
                Some(written_choice($tag, self.name(), values))
            }
            fn list(key: $crate::recipe::setting::Key, keys: &mut Vec<$crate::recipe::setting::Key>) {
                #[allow(unused_imports)]
                use $crate::recipe::declare::{DefaultName, list_key};
                #[allow(unused_imports)]
                use $crate::recipe::setting::{Key, Rule, by_kind, join};
                let default = None::<DefaultName> $( .or(Some($default)) )?;
                let default = default.map_or("required".to_string(), |name| by_kind(|d| format!("{:?}", name(d))));
                keys.push(Key { path: join(&key.path, $tag), default, ..key.clone() });
                $( {
                    #[allow(unused_variables)]
                    let key = Key { only_for: Some($name.to_string()), ..key.clone() };
                    $( $( {
                        let rule = None::<Rule<$Type>> $( .or(Some($rule)) )?;
                        list_key(&key, stringify!($key), &[$( $key_doc, )*], $fallback, rule, keys);
                    } )* )?
                } )*
                $( <$OtherType>::list_settings(&key, keys); )?
            }
        }
    };
}

pub(crate) use {names, section, tagged};

/// Which name is meant where none is given.
pub(crate) type DefaultName = fn(&Defaults) -> &'static str;

/// The name that is chosen: under the key `tag`, or the name alone in place of the table.
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
