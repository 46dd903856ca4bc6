//! Dates and times of day, as they are written in tables.
//!
//! | order | written |
//! |---|---|
//! | year first | `2024-03-01`, `2024/3/1`; also with a time: `2024-03-01T12:30`, `2024-03-01 12:30:05.25Z` |
//! | day first | `1.3.2024`, `01/03/2024`, `1-3-2024`, with or without a time |
//! | month first | `3/1/2024`, with or without a time |
//! | time alone | `12:30`, `12:30:05` |
//!
//! A date is kept as days since 1970-01-01 and a time as seconds since midnight, both exact in 32 bits. The clock is
//! that of the cell: an offset such as `+09:00` is accepted and not applied, since the hour that people live by says more
//! than the hour in Greenwich.

use serde::{Deserialize, Serialize};

/// In which order the parts of a date stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateOrder {
    /// 2024-03-01.
    YearFirst,
    /// 3/1/2024.
    MonthFirst,
    /// 1.3.2024.
    DayFirst,
    /// 12:30, no date at all.
    TimeOnly,
}

impl DateOrder {
    /// In the order of preference where a column can be read in several ways.
    pub(crate) const ALL: [DateOrder; 4] =
        [DateOrder::YearFirst, DateOrder::MonthFirst, DateOrder::DayFirst, DateOrder::TimeOnly];
}

/// A date, a time, or both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// Days since 1970-01-01.
    pub days: Option<i32>,
    /// Seconds since midnight.
    pub seconds: Option<f32>,
}

/// Reads a cell whose parts stand in the order `order`; `None` where it is not such a date.
pub(crate) fn parse(cell: &[u8], order: DateOrder) -> Option<Moment> {
    if order == DateOrder::TimeOnly {
        return Some(Moment { days: None, seconds: Some(time(cell)?) });
    }
    let end = cell.iter().position(|byte| matches!(byte, b'T' | b' ')).unwrap_or(cell.len());
    let (date, rest) = cell.split_at(end);
    let seconds = if rest.is_empty() { None } else { Some(time(without_zone(&rest[1..]))?) };
    Some(Moment { days: Some(days(date, order)?), seconds })
}

fn days(date: &[u8], order: DateOrder) -> Option<i32> {
    let separator = *date.iter().find(|byte| !byte.is_ascii_digit())?;
    let fits = match order {
        DateOrder::YearFirst => matches!(separator, b'-' | b'/' | b'.'),
        DateOrder::MonthFirst => separator == b'/',
        _ => matches!(separator, b'-' | b'/' | b'.'),
    };
    let mut parts = date.split(|&byte| byte == separator);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if !fits || parts.next().is_some() {
        return None;
    }
    let (year, month, day) = match order {
        DateOrder::YearFirst => (first, second, third),
        DateOrder::MonthFirst => (third, first, second),
        _ => (third, second, first),
    };
    if year.len() != 4 {
        return None;
    }
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    ((1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day))
        .then(|| days_from_civil(year, month, day))
}

/// `12:30`, `12:30:05`, `12:30:05.25`.
fn time(text: &[u8]) -> Option<f32> {
    let mut parts = text.split(|&byte| byte == b':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = match parts.next() {
        None => 0.0,
        Some(seconds) if seconds.first().is_some_and(u8::is_ascii_digit) => {
            fast_float2::parse::<f32, _>(seconds).ok()?
        }
        Some(_) => return None,
    };
    let whole = hour < 24 && minute < 60 && (0.0..61.0).contains(&seconds) && parts.next().is_none();
    whole.then_some((hour * 3600 + minute * 60) as f32 + seconds)
}

fn without_zone(time: &[u8]) -> &[u8] {
    let time = time.trim_ascii();
    let time = time.strip_suffix(b"Z").unwrap_or(time);
    match time.iter().rposition(|byte| matches!(byte, b'+' | b'-')) {
        Some(sign) if time[sign + 1..].iter().all(|byte| byte.is_ascii_digit() || *byte == b':') => {
            time[..sign].trim_ascii()
        }
        _ => time,
    }
}

fn number(digits: &[u8], most: usize) -> Option<i32> {
    let fits = !digits.is_empty() && digits.len() <= most && digits.iter().all(u8::is_ascii_digit);
    fits.then(|| digits.iter().fold(0, |number, digit| 10 * number + i32::from(digit - b'0')))
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. The year is counted from March, so that the leap day comes
/// last; 400 years have 146,097 days.
pub(crate) fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub year: i32,
    /// 1 to 12.
    pub month: i32,
    /// 1 to 31.
    pub day: i32,
    /// 0 is Monday.
    pub weekday: i32,
    /// 0 is the first of January.
    pub day_of_year: i32,
    pub days_in_year: i32,
}

/// The day that is `days` after 1970-01-01, a Thursday.
pub(crate) fn day(days: i32) -> Day {
    let shifted = i64::from(days) + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * from_march + 2) / 153;
    let day = (from_march - (153 * month_from_march + 2) / 5 + 1) as i32;
    let month = (if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 }) as i32;
    let year = (year_of_era + era * 400) as i32 + i32::from(month <= 2);
    Day {
        year,
        month,
        day,
        weekday: (i64::from(days) + 3).rem_euclid(7) as i32,
        day_of_year: days - days_from_civil(year, 1, 1),
        days_in_year: if is_leap(year) { 366 } else { 365 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str, order: DateOrder) -> Option<(i32, i32, i32)> {
        let day = day(parse(text.as_bytes(), order)?.days?);
        Some((day.year, day.month, day.day))
    }

    #[test]
    fn days_and_calendar_lead_back_to_each_other() {
        for days in (-800_000..800_000).step_by(7919).chain(-400..400) {
            let day = day(days);
            assert_eq!(days_from_civil(day.year, day.month, day.day), days);
        }
        let first = day(0);
        assert_eq!(
            (first.year, first.month, first.day, first.weekday, first.day_of_year),
            (1970, 1, 1, 3, 0)
        );
        let leap = day(days_from_civil(2024, 12, 31));
        assert_eq!((leap.weekday, leap.day_of_year, leap.days_in_year), (1, 365, 366));
    }

    #[test]
    fn each_order_reads_its_own() {
        assert_eq!(date("2011-01-31", DateOrder::YearFirst), Some((2011, 1, 31)));
        assert_eq!(date("2011/1/3", DateOrder::YearFirst), Some((2011, 1, 3)));
        assert_eq!(date("1/31/2011", DateOrder::MonthFirst), Some((2011, 1, 31)));
        assert_eq!(date("31.1.2011", DateOrder::DayFirst), Some((2011, 1, 31)));
        assert_eq!(date("1/31/2011", DateOrder::DayFirst), None);
        for bad in
            ["2011-02-29", "2011-13-01", "11-01-01", "2011-01", "2011-01-01-01", "x", "", "2011-01-0a", "5.1"]
        {
            assert!(DateOrder::ALL.iter().all(|&order| date(bad, order).is_none()), "{bad}");
        }
    }

    #[test]
    fn a_time_may_follow_or_stand_alone() {
        let seconds = |text: &str, order| parse(text.as_bytes(), order).and_then(|moment| moment.seconds);
        for text in ["2011-01-31T12:30:05.5Z", "2011-01-31 12:30:05.5+09:00", "2011-01-31 12:30:05.5 -0800"] {
            assert_eq!(seconds(text, DateOrder::YearFirst), Some(45_005.5), "{text}");
        }
        assert_eq!(seconds("12:30", DateOrder::TimeOnly), Some(45_000.0));
        assert_eq!(seconds("2011-01-31", DateOrder::YearFirst), None);
        for bad in ["24:00", "12:60", "12", "12:30:61.5", "12:30:05:01", "12:30:nan", "1:2:"] {
            assert_eq!(seconds(bad, DateOrder::TimeOnly), None, "{bad}");
        }
    }
}
