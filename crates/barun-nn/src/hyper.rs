//! Hyper-parameters: the values a user sets, as opposed to the parameters that training learns. [LAYER-12]
//!
//! `#[derive(Hyper)]` gives a thing its name, its description and its settings, so that recipes, `barun list` and the
//! search over hyper-parameters know it without a second list.

use std::fmt;

use crate::{Error, Result};

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A float.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// Yes or no.
    Flag(bool),
    /// A name.
    Text(String),
    /// Several.
    List(Vec<Value>),
    /// A thing by its name, with those of its settings that are given.
    Thing(String, Vec<(String, Value)>),
    /// Left open.
    Nothing,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // 1e-8, not 0.00000001.
            Value::Number(value) if *value != 0.0 && value.abs() < 1e-4 => write!(f, "{value:e}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Whole(value) => write!(f, "{value}"),
            Value::Flag(value) => write!(f, "{value}"),
            Value::Text(value) => write!(f, "{value}"),
            Value::List(values) => {
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(f, "[{}]", values.join(", "))
            }
            Value::Thing(name, settings) => {
                let settings: Vec<String> =
                    settings.iter().map(|(setting, value)| format!("{setting} = {value}")).collect();
                write!(f, "{name} ({})", settings.join(", "))
            }
            Value::Nothing => f.write_str("none"),
        }
    }
}

/// Which numbers a setting takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    /// Whatever its type holds.
    #[default]
    Any,
    /// Above 0.
    Positive,
    /// 0 or more.
    NotNegative,
    /// From 0 to below 1: the part of something that is kept or dropped.
    BelowOne,
    /// From 0 to 1.
    Share,
    /// 1 or more.
    AtLeastOne,
}

impl Range {
    /// The numbers it allows, in words: "it must be ...".
    pub fn words(self) -> &'static str {
        match self {
            Range::Any => "anything of its type",
            Range::Positive => "a finite number above 0",
            Range::NotNegative => "a finite number, 0 or more",
            Range::BelowOne => "from 0 to below 1",
            Range::Share => "from 0 to 1",
            Range::AtLeastOne => "1 or more",
        }
    }

    /// Whether `value` lies in it; of a list, each item. What is no number is not for a range to judge.
    pub fn holds(self, value: &Value) -> bool {
        let number = match value {
            Value::Number(number) => *number,
            Value::Whole(number) => *number as f64,
            Value::List(values) => return values.iter().all(|value| self.holds(value)),
            Value::Flag(_) | Value::Text(_) | Value::Thing(..) | Value::Nothing => return true,
        };
        match self {
            Range::Any => true,
            Range::Positive => number.is_finite() && number > 0.0,
            Range::NotNegative => number.is_finite() && number >= 0.0,
            Range::BelowOne => (0.0..1.0).contains(&number),
            Range::Share => (0.0..=1.0).contains(&number),
            Range::AtLeastOne => number.is_finite() && number >= 1.0,
        }
    }
}

/// One setting of a thing: its name, its value here, and what it means.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The field's name.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// The first sentence of its documentation.
    pub about: &'static str,
    /// All of its documentation.
    pub doc: &'static str,
    /// What it takes, in words.
    pub expects: &'static str,
    /// For a setting that is a thing of a family itself, such as the activation of a network: the family's noun.
    pub family: Option<&'static str>,
    /// Which numbers it takes.
    pub range: Range,
}

impl Setting {
    /// What it takes and within which range, in words.
    pub fn takes(&self) -> String {
        match self.range {
            Range::Any => self.expects.to_string(),
            range => {
                let kind = self.expects.strip_suffix(", 0 or more").unwrap_or(self.expects);
                format!("{kind}: {}", range.words())
            }
        }
    }
}

/// A thing with a name and settings; derive it.
///
/// ```
/// use barun_nn::{Hyper, hyper::Value};
///
/// /// Divide by a constant.
/// #[derive(Hyper)]
/// struct Shrink {
///     /// The divisor.
///     #[hyper(positive)]
///     pub by: f64,
/// }
///
/// let mut shrink = Shrink { by: 2.0 };
/// assert_eq!((shrink.name(), shrink.about()), ("shrink", "Divide by a constant"));
/// shrink.set("by", &Value::Whole(4))?;
/// assert_eq!(shrink.by, 4.0);
/// assert!(shrink.set("bye", &Value::Whole(4)).unwrap_err().to_string().contains("`by`"));
/// let error = shrink.set("by", &Value::Whole(0)).unwrap_err().to_string();
/// assert_eq!(error, "shrink: `by` cannot be 0; expected a finite number above 0");
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub trait Hyper {
    /// The name recipes use.
    fn name(&self) -> &'static str;
    /// What it is, in a sentence.
    fn about(&self) -> &'static str;
    /// All of its documentation: formula, defaults, when to use it, source.
    fn doc(&self) -> &'static str;
    /// Its settings with their values.
    fn settings(&self) -> Vec<Setting>;
    /// Changes one setting.
    fn set(&mut self, setting: &str, value: &Value) -> Result<()>;
}

impl<T: Hyper + ?Sized> Hyper for Box<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn about(&self) -> &'static str {
        (**self).about()
    }
    fn doc(&self) -> &'static str {
        (**self).doc()
    }
    fn settings(&self) -> Vec<Setting> {
        (**self).settings()
    }
    fn set(&mut self, setting: &str, value: &Value) -> Result<()> {
        (**self).set(setting, value)
    }
}

/// A type a setting can have.
pub trait HyperValue: Sized {
    /// What it takes, for messages.
    const EXPECTED: &'static str;
    /// What a list of such values is, for messages.
    const LIST: &'static str = "a list";
    /// For a thing of a family: the family's noun.
    const FAMILY: Option<&'static str> = None;
    /// As a value.
    fn to_value(&self) -> Value;
    /// From a value, if it fits.
    fn from_value(value: &Value) -> Option<Self>;
}

/// Sets one field; used by the derive.
pub fn assign<T: HyperValue>(
    field: &mut T,
    owner: &str,
    setting: &str,
    value: &Value,
    range: Range,
) -> Result<()> {
    let refused = |expected: &str| Error::Setting {
        owner: owner.to_string(),
        setting: setting.to_string(),
        value: value.to_string(),
        expected: expected.to_string(),
    };
    let new = T::from_value(value).ok_or_else(|| refused(T::EXPECTED))?;
    if !range.holds(value) {
        return Err(refused(range.words()));
    }
    *field = new;
    Ok(())
}

/// The error for a setting that is not there; used by the derive.
pub fn unknown_setting(owner: &dyn Hyper, setting: &str) -> Result<()> {
    let known = owner.settings().iter().map(|setting| setting.name.to_string()).collect();
    Err(Error::UnknownName {
        family: format!("setting of {}", owner.name()),
        name: setting.to_string(),
        known,
    })
}

/// The member of `all` with `name`.
pub(crate) fn by_name<T: Hyper>(family: &str, all: Vec<T>, name: &str) -> Result<T> {
    let known = all.iter().map(|thing| thing.name().to_string()).collect();
    let unknown = || Error::UnknownName { family: family.to_string(), name: name.to_string(), known };
    all.into_iter().find(|thing| thing.name() == name).ok_or_else(unknown)
}

/// A thing as a value: its name alone where all its settings are those of `plain`, the thing of its name with the defaults.
pub(crate) fn thing_to_value(thing: &impl Hyper, plain: Option<impl Hyper>) -> Value {
    let (name, settings) = (thing.name().to_string(), thing.settings());
    if plain.is_some_and(|plain| plain.settings() == settings) {
        return Value::Text(name);
    }
    Value::Thing(
        name,
        settings.into_iter().map(|setting| (setting.name.to_string(), setting.value)).collect(),
    )
}

/// The thing that a value names, with the settings it gives; none where there is no such name, or a setting does not fit.
pub(crate) fn thing_from_value<T: Hyper>(value: &Value, by_name: impl Fn(&str) -> Result<T>) -> Option<T> {
    let (name, settings) = match value {
        Value::Text(name) => (name, &[][..]),
        Value::Thing(name, settings) => (name, &settings[..]),
        _ => return None,
    };
    let mut thing = by_name(name).ok()?;
    let set = |(setting, value): &(String, Value)| thing.set(setting, value);
    settings.iter().try_for_each(set).ok()?;
    Some(thing)
}

impl HyperValue for f64 {
    const EXPECTED: &'static str = "a number";
    fn to_value(&self) -> Value {
        Value::Number(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Some(*number),
            Value::Whole(number) => Some(*number as f64),
            _ => None,
        }
    }
}

macro_rules! whole {
    ($($type:ty),*) => { $(
        impl HyperValue for $type {
            const EXPECTED: &'static str = "a whole number, 0 or more";
            const LIST: &'static str = "a list of whole numbers";
            fn to_value(&self) -> Value {
                Value::Whole(*self as i64)
            }
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Whole(number) => <$type>::try_from(*number).ok(),
                    _ => None,
                }
            }
        }
    )* };
}
whole!(usize, u64);

impl HyperValue for i64 {
    const EXPECTED: &'static str = "a whole number";
    fn to_value(&self) -> Value {
        Value::Whole(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Whole(number) => Some(*number),
            _ => None,
        }
    }
}

impl HyperValue for bool {
    const EXPECTED: &'static str = "true or false";
    fn to_value(&self) -> Value {
        Value::Flag(*self)
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl<T: HyperValue> HyperValue for Vec<T> {
    const EXPECTED: &'static str = T::LIST;
    fn to_value(&self) -> Value {
        Value::List(self.iter().map(T::to_value).collect())
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::List(values) => values.iter().map(T::from_value).collect(),
            _ => None,
        }
    }
}

/// A pair of equal sizes may be given as one number.
impl HyperValue for [usize; 2] {
    const EXPECTED: &'static str = "a whole number, or a list of two";
    fn to_value(&self) -> Value {
        self.to_vec().to_value()
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Whole(_) => usize::from_value(value).map(|size| [size, size]),
            _ => Vec::from_value(value)?.try_into().ok(),
        }
    }
}

impl<T: HyperValue> HyperValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const FAMILY: Option<&'static str> = T::FAMILY;
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Nothing, T::to_value)
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Nothing => Some(None),
            _ => T::from_value(value).map(Some),
        }
    }
}

/// Gives an enum of plain cases the names recipes use for them; after a semicolon, what yes and no stand for.
macro_rules! named_cases {
    ($type:ident {
        $first:ident = $first_name:literal $(, $case:ident = $name:literal)*
        $(; $($flag:literal = $meant:ident),*)? $(,)?
    }) => {
        impl $crate::hyper::HyperValue for $type {
            const EXPECTED: &'static str =
                concat!("one of ", $first_name $(, ", ", $name)* $($(, ", ", stringify!($flag))*)?);
            fn to_value(&self) -> $crate::hyper::Value {
                let name = match self {
                    $type::$first => $first_name,
                    $($type::$case => $name),*
                };
                $crate::hyper::Value::Text(name.to_string())
            }
            fn from_value(value: &$crate::hyper::Value) -> Option<Self> {
                match value {
                    $crate::hyper::Value::Text(name) if name == $first_name => Some($type::$first),
                    $($crate::hyper::Value::Text(name) if name == $name => Some($type::$case),)*
                    $($($crate::hyper::Value::Flag($flag) => Some($type::$meant),)*)?
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use named_cases;
