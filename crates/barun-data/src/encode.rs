//! From the columns of a table to the numbers that a network takes.
//!
//! | column | features |
//! |---|---|
//! | numbers | one, scaled ([`Scaling`]) |
//! | yes or no | one: 0 or 1 |
//! | categories | one for each that training has (`port=C`), 1 where it is that one; of many the most frequent, and one for all others; or a code for a network that embeds them ([`Categories`]) |
//! | dates | year, month, day, weekday, and sine and cosine of the year and the week |
//! | times | hour, and its sine and cosine |
//!
//! **No value.** A number is replaced by the training part's median, a yes or no by what is more frequent, and where the
//! training part has gaps itself, one more feature says that there was none (`age missing`). A category that has no value
//! is none of the categories.
//!
//! **Left out**, by name and reason ([`Encoding::left_out`]): a column without values, one that never changes, text that
//! hardly repeats, whole numbers under a name such as `id` that never repeat. A category that training did not have is
//! none of the categories, and is told ([`Encoder::notes`]).
//!
//! All of this is fitted on the training part, by [`SplitData::fit`](crate::SplitData::fit), and kept with the model.

mod bind;
mod fit;
mod moment;
mod number;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use bind::Encoder;
pub use moment::Part;
pub use number::NumberMap;

pub(crate) use fit::{fit, is_id_name};
pub(crate) use number::quantile;

use crate::normalize::{MinMax, Quantile, Robust, Scaling, Standardize};
use crate::table::{DateOrder, Schema, SchemaColumn, SchemaKind, TIME_SUFFIX, date_of_time};

/// How columns become features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preprocess {
    /// How numbers are scaled.
    pub scaling: Scaling,
    /// What becomes of categories.
    pub categories: Categories,
}

/// What becomes of a column of categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Categories {
    /// A column of at most so many gets a feature for each. Default: 32.
    pub most_one_hot: usize,
    /// What becomes of one with more.
    pub beyond: Beyond,
}

/// What becomes of a column of many categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beyond {
    /// The most frequent get a feature each, and all others one together: any network takes that.
    #[default]
    Frequent,
    /// One feature holds the category's number: for networks that embed it.
    Codes,
}

impl Default for Categories {
    fn default() -> Self {
        Categories { most_one_hot: 32, beyond: Beyond::Frequent }
    }
}

impl From<Scaling> for Preprocess {
    fn from(scaling: Scaling) -> Self {
        Preprocess { scaling, ..Preprocess::default() }
    }
}

impl From<Standardize> for Preprocess {
    fn from(scaling: Standardize) -> Self {
        Scaling::from(scaling).into()
    }
}

impl From<MinMax> for Preprocess {
    fn from(scaling: MinMax) -> Self {
        Scaling::from(scaling).into()
    }
}

impl From<Robust> for Preprocess {
    fn from(scaling: Robust) -> Self {
        Scaling::from(scaling).into()
    }
}

impl From<Quantile> for Preprocess {
    fn from(scaling: Quantile) -> Self {
        Scaling::from(scaling).into()
    }
}

/// How the columns of a table become features, with the numbers fitted on the training part. Part of the model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoding {
    /// The columns that become features, in the order of these.
    pub columns: Vec<EncodedColumn>,
    /// The columns that do not.
    pub left_out: Vec<LeftOut>,
}

/// How one column becomes features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodedColumn {
    /// The name of the column.
    pub name: String,
    /// What is done.
    pub rule: Rule,
    /// Whether one more feature says that there is no value.
    pub flags_missing: bool,
}

/// What is done to the cells of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Numbers.
    Number {
        /// What is done to the number; nothing where it never changes and only its absence says something.
        map: Option<NumberMap>,
        /// What stands where there is no value: the median.
        fill: f32,
    },
    /// Yes or no.
    Boolean {
        /// What stands where there is no value: what is more frequent.
        fill: bool,
    },
    /// A feature for each category.
    OneHot {
        /// The categories, sorted by name.
        categories: Vec<String>,
        /// Whether one more feature stands for all others that training had.
        others: Option<Vec<String>>,
    },
    /// One feature: the category's place in the list, counted from 1; 0 is one that training did not have, or none.
    Code {
        /// The categories, the most frequent first.
        categories: Vec<String>,
    },
    /// Dates.
    Date {
        /// How they are written.
        order: DateOrder,
        /// What is taken from them, and how it is scaled.
        parts: Vec<(Part, NumberMap)>,
        /// The day that stands where there is none: the median.
        fill: f32,
    },
    /// Times of day.
    Time {
        /// How they are written; with the date they belong to, unless that has no time.
        order: DateOrder,
        /// What is taken from them, and how it is scaled.
        parts: Vec<(Part, NumberMap)>,
        /// The seconds that stand where there are none: the median.
        fill: f32,
    },
}

/// A column that becomes no feature, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The name of the column.
    pub name: String,
    /// Why, as a clause: `it is empty`.
    pub why: String,
}

/// One number that the network takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// What it is called: the column's name, and what of it: `port=C`, `when weekday`, `age missing`.
    pub name: String,
    /// What its values are.
    pub kind: FeatureKind,
}

/// What the values of a feature are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureKind {
    /// Scaled numbers.
    Number,
    /// 0 or 1.
    Flag,
    /// Whole numbers from 0 to `count - 1`, to be embedded.
    Code {
        /// How many there are.
        count: usize,
    },
}

impl Encoding {
    /// What a network takes, in order.
    pub fn features(&self) -> Vec<Feature> {
        self.columns.iter().flat_map(EncodedColumn::features).collect()
    }

    /// How many numbers a network takes.
    pub fn width(&self) -> usize {
        self.columns.iter().map(|column| column.features().len()).sum()
    }

    /// What is done last to each feature, as `(shift, scale)` of `(x - shift) * scale`, where that is a line; 0 and 1 for
    /// all others.
    pub fn lines(&self) -> Vec<(f32, f32)> {
        let line = |map: &NumberMap| match map {
            NumberMap::Line { shift, scale } => (*shift, *scale),
            NumberMap::Normal { .. } => (0.0, 1.0),
        };
        let of_column = |column: &EncodedColumn| {
            let mut lines = vec![(0.0, 1.0); column.features().len()];
            match &column.rule {
                Rule::Number { map, .. } => lines.iter_mut().zip(map).for_each(|(to, map)| *to = line(map)),
                Rule::Date { parts, .. } | Rule::Time { parts, .. } => {
                    lines.iter_mut().zip(parts).for_each(|(to, (_, map))| *to = line(map));
                }
                Rule::Boolean { .. } | Rule::OneHot { .. } | Rule::Code { .. } => {}
            }
            lines
        };
        self.columns.iter().flat_map(of_column).collect()
    }

    /// What becomes of the column `name`, for people.
    pub fn fate(&self, name: &str) -> String {
        if let Some(column) = self.columns.iter().find(|column| column.name == name) {
            return column.to_string();
        }
        let left_out = self.left_out.iter().find(|column| column.name == name);
        left_out.map_or_else(String::new, |column| format!("left out: {}", column.why))
    }

    /// What a file must have to be predicted.
    pub fn schema(&self, target: &str, classes: Option<Vec<String>>) -> Schema {
        let mut columns: Vec<SchemaColumn> = Vec::new();
        for column in &self.columns {
            let (name, kind) = column.source();
            SchemaColumn { name: name.to_string(), kind }.add_to(&mut columns);
        }
        let unused = self.left_out.iter().map(|column| column.name.clone()).collect();
        Schema { columns, unused, target: target.to_string(), classes }
    }
}

impl EncodedColumn {
    /// What a network takes of this column.
    pub fn features(&self) -> Vec<Feature> {
        let named = |name: String, kind| Feature { name, kind };
        let parts = |parts: &[(Part, NumberMap)]| -> Vec<Feature> {
            let base = self.name.strip_suffix(TIME_SUFFIX).unwrap_or(&self.name);
            let name = |part: &Part| format!("{base} {}", part.name());
            parts.iter().map(|(part, _)| named(name(part), FeatureKind::Number)).collect()
        };
        let mut features = match &self.rule {
            Rule::Number { map, .. } => {
                map.iter().map(|_| named(self.name.clone(), FeatureKind::Number)).collect()
            }
            Rule::Boolean { .. } => vec![named(self.name.clone(), FeatureKind::Flag)],
            Rule::OneHot { categories, others } => {
                let flag = |category: &str| named(format!("{}={category}", self.name), FeatureKind::Flag);
                let mut flags: Vec<Feature> = categories.iter().map(|category| flag(category)).collect();
                flags.extend(others.iter().map(|_| named(format!("{} other", self.name), FeatureKind::Flag)));
                flags
            }
            Rule::Code { categories } => {
                vec![named(self.name.clone(), FeatureKind::Code { count: categories.len() + 1 })]
            }
            Rule::Date { parts: all, .. } | Rule::Time { parts: all, .. } => parts(all),
        };
        if self.flags_missing {
            features.push(named(format!("{} missing", self.name), FeatureKind::Flag));
        }
        features
    }

    /// The column of the file that it comes from, and how that is read.
    fn source(&self) -> (&str, SchemaKind) {
        match &self.rule {
            Rule::Number { .. } => (&self.name, SchemaKind::Number),
            Rule::Boolean { .. } | Rule::OneHot { .. } | Rule::Code { .. } => {
                (&self.name, SchemaKind::Category)
            }
            Rule::Date { order, .. } => (&self.name, SchemaKind::Date { order: *order, time: false }),
            Rule::Time { order, .. } => {
                (date_of_time(&self.name, *order), SchemaKind::Date { order: *order, time: true })
            }
        }
    }
}

/// For people: `scaled; 28 where missing, and a flag for that`.
impl fmt::Display for EncodedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Rule::Number { map: None, .. } => write!(f, "a flag where missing; its value never changes")?,
            Rule::Number { map: Some(map), fill } => {
                let how = match map {
                    NumberMap::Line { shift, scale } if (*shift, *scale) == (0.0, 1.0) => "as it is",
                    NumberMap::Line { .. } => "scaled",
                    NumberMap::Normal { .. } => "its place among the training values",
                };
                write!(f, "{how}")?;
                if self.flags_missing {
                    write!(f, "; {fill} where missing, and a flag for that")?;
                }
                return Ok(());
            }
            Rule::Boolean { fill } => {
                write!(f, "0 or 1")?;
                if self.flags_missing {
                    write!(f, "; {} where missing, and a flag for that", u8::from(*fill))?;
                }
                return Ok(());
            }
            Rule::OneHot { categories, others: None } => write!(f, "{} flags", categories.len())?,
            Rule::OneHot { categories, others: Some(others) } => {
                write!(f, "{} flags, and one for {} that are less frequent", categories.len(), others.len())?;
            }
            Rule::Code { categories } => write!(f, "a code from 0 to {}", categories.len())?,
            Rule::Date { parts, .. } | Rule::Time { parts, .. } => {
                let names: Vec<&str> = parts.iter().map(|(part, _)| part.name()).collect();
                write!(f, "{}", names.join(", "))?;
            }
        }
        if self.flags_missing { write!(f, "; a flag where missing") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
