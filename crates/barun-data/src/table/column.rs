//! What a column of a table holds, and why it was taken for that.

use std::fmt;
use std::sync::Arc;

use super::calendar::DateOrder;

/// The most different texts that are told apart in a column; one with more is text and nothing to learn from by itself.
pub(crate) const MOST_CATEGORIES: usize = 1 << 20;

/// Pairs of words that say no and yes, in small letters.
const TRUTH: [[&str; 2]; 5] = [["false", "true"], ["no", "yes"], ["n", "y"], ["f", "t"], ["off", "on"]];

/// A column as it was read. One cell of a row belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its cells mean.
    pub kind: ColumnKind,
    /// Why it was taken for that, as the end of a sentence; empty where nothing else was possible.
    pub why: String,
    /// Whether it was asked for, so that nobody need doubt it.
    pub asked: bool,
    /// How many rows have no value.
    pub missing: usize,
}

/// What the cells of a column mean. A cell without a value is NaN in every kind.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnKind {
    /// Numbers.
    Number,
    /// Indices into the categories, which stand in the order of their first appearance.
    Category {
        /// The different texts.
        categories: Arc<[String]>,
    },
    /// Text with so many different values that they were not kept. The cells mean nothing.
    Text,
    /// Days since 1970-01-01.
    Date {
        /// How they were written.
        order: DateOrder,
    },
    /// Seconds since midnight. The time of a date stands in the column after it and has that column's name and
    /// [`TIME_SUFFIX`].
    Time {
        /// How they were written.
        order: DateOrder,
    },
    /// No row has a value.
    Empty,
}

/// What the name of a date's column of times ends in.
pub const TIME_SUFFIX: &str = " (time)";

impl Column {
    /// A column of numbers.
    pub fn number(name: impl Into<String>) -> Column {
        Column { name: name.into(), kind: ColumnKind::Number, why: String::new(), asked: false, missing: 0 }
    }

    /// The texts of a column of categories; none for the others.
    pub fn categories(&self) -> &[String] {
        match &self.kind {
            ColumnKind::Category { categories } => categories,
            _ => &[],
        }
    }

    /// What its cells are, in a word or two.
    pub fn holds(&self) -> &'static str {
        match self.kind {
            ColumnKind::Number => "numbers",
            ColumnKind::Category { .. } if self.is_boolean() => "yes or no",
            ColumnKind::Category { .. } => "categories",
            ColumnKind::Text => "text",
            ColumnKind::Date { .. } => "dates",
            ColumnKind::Time { .. } => "times of day",
            ColumnKind::Empty => "empty",
        }
    }

    /// Whether the categories are words for no and yes.
    pub fn is_boolean(&self) -> bool {
        let categories = self.categories();
        let among = |pair: &[&str; 2]| {
            categories.iter().all(|text| pair.iter().any(|word| text.eq_ignore_ascii_case(word)))
        };
        // `yes` and `Yes` would be two categories of one meaning.
        (1..=2).contains(&categories.len())
            && TRUTH.iter().any(among)
            && (categories.len() == 1 || !categories[0].eq_ignore_ascii_case(&categories[1]))
    }
}

/// What a word says: yes, no, or neither.
pub(crate) fn truth(word: &str) -> Option<bool> {
    let among = |at: usize| TRUTH.iter().any(|pair| word.eq_ignore_ascii_case(pair[at]));
    if among(1) { Some(true) } else { among(0).then_some(false) }
}

/// One line for people: `zip: categories, 120 different, because '02134' begins with a zero; 3 missing`.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.holds())?;
        match &self.kind {
            ColumnKind::Category { .. } if self.is_boolean() => {
                write!(f, " ({})", self.categories().join(", "))?;
            }
            ColumnKind::Category { categories } => write!(f, ", {} different", categories.len())?,
            ColumnKind::Text => write!(f, ", more than {MOST_CATEGORIES} different")?,
            _ => {}
        }
        if !self.why.is_empty() {
            write!(f, ", because {}", self.why)?;
        }
        match self.missing {
            0 => Ok(()),
            _ if self.kind == ColumnKind::Empty => Ok(()),
            missing => write!(f, "; {missing} missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn category(categories: &[&str]) -> Column {
        let categories = categories.iter().map(|text| text.to_string()).collect();
        Column { kind: ColumnKind::Category { categories }, ..Column::number("c") }
    }

    #[test]
    fn words_for_yes_and_no_are_recognised_and_others_are_not() {
        for words in [&["yes", "no"][..], &["TRUE", "False"], &["t"], &["N", "y"]] {
            assert!(category(words).is_boolean(), "{words:?}");
        }
        for words in [&["yes", "true"][..], &["yes", "Yes"], &["yes", "no", "maybe"], &[]] {
            assert!(!category(words).is_boolean(), "{words:?}");
        }
        assert_eq!([truth("Yes"), truth("OFF"), truth("maybe")], [Some(true), Some(false), None]);
    }

    #[test]
    fn a_column_describes_itself_in_a_line() {
        assert_eq!(Column { missing: 3, ..Column::number("age") }.to_string(), "age: numbers; 3 missing");
        let zip = Column { why: "'02134' begins with a zero".into(), ..category(&["02134", "10115"]) };
        assert_eq!(zip.to_string(), "c: categories, 2 different, because '02134' begins with a zero");
        assert_eq!(category(&["yes", "no"]).to_string(), "c: yes or no (yes, no)");
    }
}
