//! What divides rows and is not learned from: groups that must stay together, and times.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::table::{DateOrder, Moment, parse_date};

/// The group of each row: patients, sites, sessions. A group is never divided between parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Groups {
    /// The column they come from.
    pub column: String,
    /// The name of each group, in the order of their first rows.
    pub names: Vec<String>,
    /// The group of each row, an index into `names`.
    pub of: Vec<u32>,
}

impl Groups {
    /// One group for each different cell.
    pub(crate) fn new(column: &str, cells: &[String]) -> Groups {
        let mut index: HashMap<&str, u32> = HashMap::new();
        let mut names = Vec::new();
        let of = cells.iter().map(|cell| {
            *index.entry(cell).or_insert_with(|| {
                names.push(cell.clone());
                (names.len() - 1) as u32
            })
        });
        let of = of.collect();
        Groups { column: column.to_string(), names, of }
    }
}

/// The moment of each row. Only their order counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// The column they come from.
    pub column: String,
    /// Numbers as they are; dates as seconds since 1970.
    pub of: Vec<f64>,
}

impl Times {
    /// Numbers, or dates such as `2024-05-31` and `2024-05-31 18:30:00`; all cells of a column are written in one way.
    pub(crate) fn new(column: &str, cells: &[String]) -> Result<Times> {
        let numbers = |cell: &str| cell.parse().ok().filter(|number: &f64| number.is_finite());
        let mut best = read(cells, numbers);
        for order in DateOrder::ALL {
            let other = read(cells, |cell| seconds(cell, order));
            if other.len() > best.len() {
                best = other;
            }
        }
        match cells.get(best.len()) {
            None => Ok(Times { column: column.to_string(), of: best }),
            Some(value) => {
                Err(Error::NotATime { column: column.to_string(), row: best.len() + 1, value: value.clone() })
            }
        }
    }
}

/// The moments of the cells up to the first that is none.
fn read(cells: &[String], moment: impl Fn(&str) -> Option<f64>) -> Vec<f64> {
    cells.iter().map_while(|cell| moment(cell.trim())).collect()
}

/// Seconds from 1970 to a date, or from midnight where there is only a time.
fn seconds(cell: &str, order: DateOrder) -> Option<f64> {
    let Moment { days, seconds } = parse_date(cell.as_bytes(), order)?;
    Some(f64::from(days.unwrap_or(0)) * 86_400.0 + f64::from(seconds.unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn dates_and_numbers_become_moments_in_order() {
        let times = |texts: &[&str]| Times::new("t", &cells(texts)).unwrap().of;
        assert_eq!(
            times(&["1970-01-01", "1970-01-02T01:00", "2000-03-01 00:00:01Z"]),
            [0.0, 90_000.0, 951_868_801.0]
        );
        assert_eq!(times(&["3", "-1.5", "2019"]), [3.0, -1.5, 2019.0]);
    }

    #[test]
    fn a_cell_that_is_no_moment_is_named() {
        let message = |text: &str| Times::new("day", &cells(&["1", text])).unwrap_err().to_string();
        for text in ["yesterday", "", "2024-13-01", "NaN", "1-2"] {
            assert_eq!(
                message(text),
                format!(
                    "column 'day', row 2: '{text}' is neither a number nor a date like 2024-05-31 or 2024-05-31 18:30:00; \
                     correct it, or divide by another column"
                )
            );
        }
    }

    #[test]
    fn equal_cells_are_one_group() {
        let groups = Groups::new("site", &cells(&["a", "b", "a"]));
        assert_eq!((groups.of, groups.names), (vec![0, 1, 0], cells(&["a", "b"])));
    }
}
