//! What divides rows and is not learned from: groups that must stay together, and times.

use std::collections::HashMap;

use crate::error::{Error, Result};

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
    /// Numbers, or dates such as `2024-05-31` and `2024-05-31 18:30:00`.
    pub(crate) fn new(column: &str, cells: &[String]) -> Result<Times> {
        let time_of = |(row, cell): (usize, &String)| {
            let number = || cell.trim().parse().ok().filter(|number: &f64| number.is_finite());
            number().or_else(|| seconds(cell.trim())).ok_or_else(|| Error::NotATime {
                column: column.to_string(),
                row: row + 1,
                value: cell.clone(),
            })
        };
        let of = cells.iter().enumerate().map(time_of).collect::<Result<_>>()?;
        Ok(Times { column: column.to_string(), of })
    }
}

/// Seconds from 1970 to an ISO 8601 date, with or without a time of day. A zone is left aside: a column has one.
fn seconds(text: &str) -> Option<f64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, "0:0"),
    };
    let mut numbers = date.split(['-', '/']).map(|number| number.parse::<i64>().ok());
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if numbers.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 100 {
        return None;
    }
    let time = time.trim_end_matches('Z').split('+').next().unwrap_or_default();
    let mut clock = time.split(':').map(|number| number.parse::<f64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next().unwrap_or(Some(0.0))?);
    Some(days_since_1970(year, month, day) as f64 * 86_400.0 + hour * 3_600.0 + minute * 60.0 + second)
}

/// Days of the proleptic Gregorian calendar, counting years from March so that the leap day comes last (Hinnant, 2013,
/// "chrono-compatible low-level date algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
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
