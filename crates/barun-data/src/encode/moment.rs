//! What a date or a time says: numbers that grow, and circles that close.
//!
//! December lies next to January and Sunday next to Monday; a sine and a cosine of the year, the week and the day say so,
//! which numbers do not.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

use crate::table::day;

/// Something that a cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The number itself.
    Itself,
    /// The year of a date.
    Year,
    /// The month of a date, 1 to 12.
    Month,
    /// The day of a date's month, 1 to 31.
    Day,
    /// The day of a date's week, 0 (Monday) to 6.
    Weekday,
    /// `sin(2π d)` of the share `d` of the year that has passed.
    YearSine,
    /// `cos(2π d)` of the share `d` of the year that has passed.
    YearCosine,
    /// `sin(2π weekday / 7)`.
    WeekSine,
    /// `cos(2π weekday / 7)`.
    WeekCosine,
    /// The hours since midnight.
    Hour,
    /// `sin(2π hour / 24)`.
    DaySine,
    /// `cos(2π hour / 24)`.
    DayCosine,
}

impl Part {
    pub(crate) const OF_NUMBER: &[Part] = &[Part::Itself];
    pub(crate) const OF_DATE: &[Part] = &[
        Part::Year,
        Part::Month,
        Part::Day,
        Part::Weekday,
        Part::YearSine,
        Part::YearCosine,
        Part::WeekSine,
        Part::WeekCosine,
    ];
    pub(crate) const OF_TIME: &[Part] = &[Part::Hour, Part::DaySine, Part::DayCosine];

    /// The name, as the end of a feature's.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Part::Itself => "",
            Part::Year => "year",
            Part::Month => "month",
            Part::Day => "day",
            Part::Weekday => "weekday",
            Part::YearSine => "year sine",
            Part::YearCosine => "year cosine",
            Part::WeekSine => "week sine",
            Part::WeekCosine => "week cosine",
            Part::Hour => "hour",
            Part::DaySine => "day sine",
            Part::DayCosine => "day cosine",
        }
    }

    /// A sine or a cosine, which has its scale already.
    pub(crate) fn is_circle(self) -> bool {
        use Part::{DayCosine, DaySine, WeekCosine, WeekSine, YearCosine, YearSine};
        matches!(self, YearSine | YearCosine | WeekSine | WeekCosine | DaySine | DayCosine)
    }

    /// What the cell says: a number, days since 1970-01-01, or seconds since midnight.
    pub(crate) fn of(self, cell: f32) -> f64 {
        // Far beyond every calendar, so that nothing overflows.
        let date = || day((cell as i32).clamp(-100_000_000, 100_000_000));
        let year = || f64::from(date().day_of_year) / f64::from(date().days_in_year) * TAU;
        let week = || f64::from(date().weekday) / 7.0 * TAU;
        let hour = f64::from(cell) / 3600.0;
        match self {
            Part::Itself => f64::from(cell),
            Part::Year => f64::from(date().year),
            Part::Month => f64::from(date().month),
            Part::Day => f64::from(date().day),
            Part::Weekday => f64::from(date().weekday),
            Part::YearSine => year().sin(),
            Part::YearCosine => year().cos(),
            Part::WeekSine => week().sin(),
            Part::WeekCosine => week().cos(),
            Part::Hour => hour,
            Part::DaySine => (hour / 24.0 * TAU).sin(),
            Part::DayCosine => (hour / 24.0 * TAU).cos(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_says_its_year_month_day_and_weekday() {
        let leap_day = 19_782.0; // 2024-02-29, a Thursday
        let says = |part: Part| part.of(leap_day);
        assert_eq!(
            (says(Part::Year), says(Part::Month), says(Part::Day), says(Part::Weekday)),
            (2024.0, 2.0, 29.0, 3.0)
        );
        assert!((says(Part::YearSine) - (59.0 / 366.0 * TAU).sin()).abs() < 1e-12);
        assert!((says(Part::WeekCosine) - (3.0 / 7.0 * TAU).cos()).abs() < 1e-12);
    }

    #[test]
    fn circles_close() {
        let (monday, sunday) = (4.0, 10.0);
        let distance = |part: Part| (part.of(monday) - part.of(sunday)).abs();
        assert!(distance(Part::WeekSine) + distance(Part::WeekCosine) < 1.2);
        assert_eq!(Part::Hour.of(45_000.0), 12.5);
        assert!((Part::DayCosine.of(43_200.0) + 1.0).abs() < 1e-12);
    }
}
