//! What the library knows by name - optimisers, schedules, losses, activations, initialisers - as values of a recipe.
//!
//! Names, settings, defaults, ranges and words come from the thing itself (its derive of `Hyper`), so that a new one in the library is one in
//! recipes too, without a line here.

use std::fmt;
use std::ops::Deref;

use barun_nn::activations::{self, Activation};
use barun_nn::hyper::{self, HyperValue};
use barun_nn::losses::{self, Loss, Outputs, Task};
use barun_nn::models::{self, Architecture};
use barun_nn::optimizers::{self, AnyOptimizer, Clip};
use barun_nn::schedules::{self, Schedule, Span};
use barun_nn::{Hyper, Init, WeightAverage};

use super::declare::{DefaultName, refuse_keys_of_others, tag_of, written_choice};
use super::defaults::{Defaults, IMAGES, TABLES};
use super::setting::{Key, Setting, bad_value, by_kind, join, unknown_name, wrong_type};
use super::tree::{Node, Value};
use crate::error::Result;

/// A family of things that recipes choose from by name.
pub trait Vocabulary: Hyper + Clone + fmt::Debug {
    /// One of them, for messages: "an optimizer".
    const NOUN: &'static str;
    /// The name where a table gives settings alone.
    const DEFAULT: Option<DefaultName> = None;
    /// Whether it is a table of the recipe, with each setting a key that is written out and listed. Else it is a name,
    /// and a table only where a setting is not the default.
    const IS_TABLE: bool;

    /// All of them, with the library's defaults.
    fn all() -> Vec<Self>;
}

impl Vocabulary for AnyOptimizer {
    const NOUN: &'static str = "an optimizer";
    const DEFAULT: Option<DefaultName> = Some(|defaults| defaults.optimizer);
    const IS_TABLE: bool = true;

    fn all() -> Vec<Self> {
        optimizers::all()
    }
}

impl Vocabulary for Box<dyn Schedule> {
    const NOUN: &'static str = "a schedule";
    const DEFAULT: Option<DefaultName> = Some(|_| "cosine");
    const IS_TABLE: bool = true;

    /// Warming up is a key of every schedule, see [`Scheduled`].
    fn all() -> Vec<Self> {
        schedules::all().into_iter().filter(|schedule| schedule.name() != "warmup").collect()
    }
}

impl Vocabulary for Box<dyn Loss> {
    const NOUN: &'static str = "a loss";
    const IS_TABLE: bool = false;

    /// Those whose network can be made from the data: it gives scores, of classes or numbers.
    fn all() -> Vec<Self> {
        let suits = |loss: &Self| {
            matches!(
                loss.task(),
                Task::Classes(Outputs::Scores) | Task::TwoClasses(Outputs::Scores) | Task::Numbers
            )
        };
        losses::all().into_iter().filter(suits).collect()
    }
}

impl Vocabulary for Box<dyn Activation> {
    const NOUN: &'static str = "an activation";
    const IS_TABLE: bool = false;

    fn all() -> Vec<Self> {
        activations::all()
    }
}

impl Vocabulary for Box<dyn Architecture> {
    const NOUN: &'static str = "a model";
    const IS_TABLE: bool = true;

    fn all() -> Vec<Self> {
        models::all()
    }
}

/// A thing of the library, chosen by name, with its settings.
#[derive(Clone, Debug)]
pub struct Chosen<T>(T);

impl<T> Deref for Chosen<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Hyper> PartialEq for Chosen<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name() && self.0.settings() == other.0.settings()
    }
}

impl<T> From<T> for Chosen<T> {
    fn from(thing: T) -> Self {
        Chosen(thing)
    }
}

impl Chosen<Box<dyn Activation>> {
    /// This activation.
    pub fn of(activation: impl Activation + 'static) -> Self {
        Chosen(Box::new(activation))
    }
}

impl<T: Vocabulary> Chosen<T> {
    /// Every name, in the library's order, and what it is in a sentence.
    pub fn choices() -> Vec<(&'static str, String)> {
        T::all().iter().map(|thing| (thing.name(), format!("{}.", thing.about()))).collect()
    }

    pub(crate) fn names() -> Vec<&'static str> {
        T::all().iter().map(|thing| thing.name()).collect()
    }

    /// The one called `name`, with the defaults of recipes for this kind of data.
    pub(crate) fn named(name: &str, defaults: &Defaults) -> Option<Self> {
        let mut thing = T::all().into_iter().find(|thing| thing.name() == name)?;
        for (_, setting, value) in defaults.settings.iter().filter(|(owner, ..)| *owner == name) {
            // A default that the library refuses would be our mistake; the tests resolve every one of them.
            thing.set(setting, &value.to_hyper()).ok()?;
        }
        Some(Chosen(thing))
    }

    /// The one called `name`, with the settings in the table `node`, where `tag` and the keys in `further` mean something
    /// else; `others` are the keys of names beside the library's.
    pub(crate) fn read_as(
        name: &str,
        node: &Node,
        path: &str,
        (tag, further): (&str, &[&str]),
        others: &[(&str, &[&str])],
        defaults: &Defaults,
    ) -> Result<Self> {
        let all = T::all();
        let Some(Chosen(mut thing)) = Self::named(name, defaults) else {
            let (at, path) = match node.get(tag) {
                Some(at) => (at, join(path, tag)),
                None => (node, path.to_string()),
            };
            return Err(unknown_name(at, &path, name, T::NOUN, &Self::names()));
        };
        let keys_of = |thing: &T| {
            let own = thing.settings().into_iter().map(|setting| setting.name);
            own.chain(further.iter().copied()).collect::<Vec<_>>()
        };
        let keys: Vec<(&str, Vec<&str>)> = all.iter().map(|thing| (thing.name(), keys_of(thing))).collect();
        let keys = keys.iter().map(|(name, keys)| (*name, &keys[..]));
        let keys: Vec<(&str, &[&str])> = keys.chain(others.iter().copied()).collect();
        refuse_keys_of_others(node, path, tag, name, &keys)?;
        for setting in thing.settings() {
            if let Some(value) = node.get(setting.name) {
                let path = join(path, setting.name);
                let given = given_value(&setting, value, &path, defaults)?;
                let fits = given.as_ref().is_some_and(|given| thing.set(setting.name, given).is_ok());
                match given {
                    _ if fits => {}
                    Some(hyper::Value::List(items))
                        if !setting.range.holds(&hyper::Value::List(items.clone())) =>
                    {
                        let allowed = format!("{}, each {}", setting.expects, setting.range.words());
                        return Err(bad_value(value, &path, &allowed));
                    }
                    Some(given) if !setting.range.holds(&given) => {
                        return Err(bad_value(value, &path, setting.range.words()));
                    }
                    _ => return Err(wrong_type(value, &path, setting.expects)),
                }
            }
        }
        Ok(Chosen(thing))
    }

    /// Its settings as they are written: all of a table, else none where all are the default.
    pub(crate) fn written(&self) -> Vec<(&'static str, Option<Node>)> {
        if !T::IS_TABLE && self.is_plain() {
            return Vec::new();
        }
        self.0.settings().into_iter().map(|setting| (setting.name, from_hyper(&setting.value))).collect()
    }

    /// Whether all its settings are the library's own defaults.
    fn is_plain(&self) -> bool {
        T::all().into_iter().any(|thing| Chosen(thing) == *self)
    }

    /// The name and, for those that are tables, each setting.
    fn list_with(key: Key, further: &[Key], keys: &mut Vec<Key>) {
        if !T::IS_TABLE {
            keys.push(key);
            return;
        }
        let default = T::DEFAULT.map_or("required".to_string(), |name| by_kind(|d| format!("{:?}", name(d))));
        keys.push(Key { path: join(&key.path, "name"), default, ..key.clone() });
        keys.extend(further.iter().map(|more| Key { path: join(&key.path, &more.path), ..more.clone() }));
        Self::list_settings(&key, keys);
    }

    /// Each setting of each name, where `key` is that of the name.
    pub(crate) fn list_settings(key: &Key, keys: &mut Vec<Key>) {
        for name in Self::names() {
            let of =
                |defaults| Self::named(name, defaults).map(|thing| thing.0.settings()).unwrap_or_default();
            for (images, tables) in of(&IMAGES).into_iter().zip(of(&TABLES)) {
                let shown = [&images.value, &tables.value]
                    .map(|value| from_hyper(value).map_or("not given".to_string(), |node| node.inline()));
                let [image, table] = &shown;
                keys.push(Key {
                    path: join(&key.path, images.name),
                    only_for: Some(name.to_string()),
                    expects: expected(&images),
                    default: if image == table {
                        image.clone()
                    } else {
                        format!("{image} (tables: {table})")
                    },
                    doc: format!("{}.", images.about),
                });
            }
        }
    }
}

impl<T: Vocabulary> Setting for Chosen<T> {
    fn expects() -> String {
        let names = Self::names().join(", ");
        if T::IS_TABLE {
            format!("one of {names}")
        } else {
            format!("one of {names}; or a table of its name and settings")
        }
    }

    fn read(node: &Node, path: &str, defaults: &Defaults) -> Result<Self> {
        let default = T::DEFAULT.map(|name| name(defaults));
        let name = tag_of(node, path, "name", default, Self::expects())?;
        Self::read_as(&name, node, path, ("name", &[]), &[], defaults)
    }

    fn write(&self) -> Option<Node> {
        Some(written_choice("name", self.0.name(), self.written()))
    }

    fn list(key: Key, keys: &mut Vec<Key>) {
        Self::list_with(key, &[], keys);
    }
}

/// A schedule, and the rise to where it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// The schedule.
    pub schedule: Chosen<Box<dyn Schedule>>,
    /// The length of the rise before it.
    pub warmup: Span,
}

/// No rise.
const NO_WARMUP: Span = Span::Steps(0);

impl Scheduled {
    /// Every name, in the library's order, and what it is in a sentence.
    pub fn choices() -> Vec<(&'static str, String)> {
        Chosen::<Box<dyn Schedule>>::choices()
    }
}

impl Setting for Scheduled {
    fn expects() -> String {
        Chosen::<Box<dyn Schedule>>::expects()
    }

    fn read(node: &Node, path: &str, defaults: &Defaults) -> Result<Self> {
        let default = <Box<dyn Schedule>>::DEFAULT.map(|name| name(defaults));
        let name = tag_of(node, path, "name", default, Self::expects())?;
        let schedule = Chosen::read_as(&name, node, path, ("name", &["warmup"]), &[], defaults)?;
        let warmup = match node.get("warmup") {
            Some(given) => Span::read(given, &join(path, "warmup"), defaults)?,
            None => NO_WARMUP,
        };
        Ok(Scheduled { schedule, warmup })
    }

    fn write(&self) -> Option<Node> {
        let mut settings = self.schedule.written();
        settings.push(("warmup", self.warmup.write()));
        Some(written_choice("name", self.schedule.name(), settings))
    }

    fn list(key: Key, keys: &mut Vec<Key>) {
        let warmup = Key {
            path: "warmup".into(),
            only_for: None,
            expects: Span::expects(),
            default: NO_WARMUP.write().map_or(String::new(), |node| node.inline()),
            doc: "The length over which the rate first rises in a line from almost 0.".into(),
        };
        Chosen::<Box<dyn Schedule>>::list_with(key, &[warmup], keys);
    }
}

/// What is minimised: chosen by name, or by what the target is.
#[derive(Clone, Debug, PartialEq)]
pub enum LossChoice {
    /// `cross_entropy` for classes, `mse` for numbers.
    Auto,
    /// This one.
    Named(Chosen<Box<dyn Loss>>),
}

const AUTO: &str = "auto";

impl LossChoice {
    /// Every name, in the library's order, and what it is in a sentence.
    pub fn choices() -> Vec<(&'static str, String)> {
        let auto = (AUTO, "Cross_entropy for classes, mse for numbers.".to_string());
        std::iter::once(auto).chain(Chosen::<Box<dyn Loss>>::choices()).collect()
    }
}

impl Setting for LossChoice {
    fn expects() -> String {
        Chosen::<Box<dyn Loss>>::expects().replacen("one of ", &format!("one of {AUTO}, "), 1)
    }

    fn read(node: &Node, path: &str, defaults: &Defaults) -> Result<Self> {
        match &node.value {
            Value::Text(name) if name == AUTO => Ok(LossChoice::Auto),
            Value::Text(_) | Value::Table(_) => Chosen::read(node, path, defaults).map(LossChoice::Named),
            _ => Err(wrong_type(node, path, Self::expects())),
        }
    }

    fn write(&self) -> Option<Node> {
        match self {
            LossChoice::Auto => AUTO.to_string().write(),
            LossChoice::Named(loss) => loss.write(),
        }
    }
}

/// A value of the library as a recipe writes it, and back.
macro_rules! library_value {
    ($($Type:ty),*) => { $(
        impl Setting for $Type {
            fn expects() -> String {
                <$Type as HyperValue>::EXPECTED.to_string()
            }
            fn read(node: &Node, path: &str, _: &Defaults) -> Result<Self> {
                let read = to_hyper(node).and_then(|value| Self::from_value(&value));
                read.ok_or_else(|| wrong_type(node, path, Self::expects()))
            }
            fn write(&self) -> Option<Node> {
                from_hyper(&self.to_value())
            }
        }
    )* };
}
library_value!(Span, Init, Clip, WeightAverage);

/// What a recipe gives for a setting, as the library takes it; a thing of a family is read as that family is, with its
/// defaults and its words. None for what the library cannot take.
fn given_value(
    setting: &hyper::Setting,
    node: &Node,
    path: &str,
    defaults: &Defaults,
) -> Result<Option<hyper::Value>> {
    if setting.family != <Box<dyn Activation>>::FAMILY {
        return Ok(to_hyper(node));
    }
    let activation = Chosen::<Box<dyn Activation>>::read(node, path, defaults)?;
    Ok(Some(activation.to_value()))
}

/// What a setting takes, in words.
fn expected(setting: &hyper::Setting) -> String {
    match setting.family == <Box<dyn Activation>>::FAMILY {
        true => Chosen::<Box<dyn Activation>>::expects(),
        false => setting.takes(),
    }
}

/// A value of a recipe as the library takes it; none for tables and dates.
fn to_hyper(node: &Node) -> Option<hyper::Value> {
    Some(match &node.value {
        Value::Text(text) => hyper::Value::Text(text.clone()),
        Value::Whole(number) => hyper::Value::Whole(*number),
        Value::Number(number) => hyper::Value::Number(*number),
        Value::Switch(switch) => hyper::Value::Flag(*switch),
        Value::List(items) => hyper::Value::List(items.iter().map(to_hyper).collect::<Option<_>>()?),
        Value::Time(_) | Value::Table(_) => return None,
    })
}

/// A value of the library as a recipe writes it; none is left out.
fn from_hyper(value: &hyper::Value) -> Option<Node> {
    Some(Node::default(match value {
        hyper::Value::Number(number) => Value::Number(*number),
        hyper::Value::Whole(number) => Value::Whole(*number),
        hyper::Value::Flag(flag) => Value::Switch(*flag),
        hyper::Value::Text(text) => Value::Text(text.clone()),
        hyper::Value::List(values) => Value::List(values.iter().filter_map(from_hyper).collect()),
        hyper::Value::Thing(name, settings) => {
            let settings = settings.iter().map(|(setting, value)| (setting.as_str(), from_hyper(value)));
            return Some(written_choice("name", name, settings.collect()));
        }
        hyper::Value::Nothing => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Vocabulary>() {
        for name in Chosen::<T>::names() {
            let chosen = Chosen::<T>::named(name, &IMAGES).unwrap();
            let written = chosen.write().unwrap();
            assert_eq!(Chosen::<T>::read(&written, "x", &IMAGES).unwrap(), chosen, "{}", written.inline());
        }
    }

    #[test]
    fn the_defaults_of_recipes_are_settings_of_the_library() {
        for defaults in [&IMAGES, &TABLES] {
            for (name, setting, value) in defaults.settings {
                let of_optimizer =
                    Chosen::<AnyOptimizer>::named(name, defaults).map(|chosen| chosen.settings());
                let of_model =
                    || Chosen::<Box<dyn Architecture>>::named(name, defaults).map(|chosen| chosen.settings());
                let settings = of_optimizer.or_else(of_model).unwrap_or_else(|| panic!("{name}"));
                let is_set = |s: &hyper::Setting| s.name == *setting && s.value == value.to_hyper();
                assert!(settings.iter().any(is_set), "{name}.{setting}");
            }
        }
    }

    #[test]
    fn everything_the_library_has_by_name_is_written_and_reads_back() {
        check::<AnyOptimizer>();
        check::<Box<dyn Schedule>>();
        check::<Box<dyn Loss>>();
        check::<Box<dyn Activation>>();
        check::<Box<dyn Architecture>>();
        for &init in Init::ALL {
            assert_eq!(Init::read(&init.write().unwrap(), "x", &IMAGES).unwrap(), init);
        }
    }
}
