//! What the fields of a text file hold, by what has been seen in them.

use crate::read::{Role, TargetRule, excerpt};
use crate::table::{DateOrder, Field, FieldKind, Marks, TargetKind, parse_date};

use super::parse::Lines;

/// What has been seen in a field.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Cells that are not missing.
    values: usize,
    numbers: usize,
    /// The first cell that is a number with a zero before it, such as 02134.
    zero: Option<String>,
    /// The first cell that is no number.
    text: Option<String>,
    /// Whether some cell cannot be a date in the order of that place in [`DateOrder::ALL`].
    not_dates: [bool; 4],
    has_time: bool,
}

impl Seen {
    /// Takes a trimmed cell into account.
    pub fn see(&mut self, cell: &[u8], marks: &Marks) {
        if marks.contain(cell) {
            return;
        }
        self.values += 1;
        let text = || excerpt(&String::from_utf8_lossy(cell));
        if fast_float2::parse::<f64, _>(cell).is_ok() {
            self.numbers += 1;
            if self.zero.is_none() && has_leading_zero(cell) {
                self.zero = Some(text());
            }
            return;
        }
        if self.text.is_none() {
            self.text = Some(text());
        }
        for (order, not) in DateOrder::ALL.into_iter().zip(&mut self.not_dates) {
            if *not {
                continue;
            }
            match parse_date(cell, order) {
                Some(moment) => self.has_time |= moment.seconds.is_some(),
                None => *not = true,
            }
        }
    }

    /// Takes into account what was seen further down.
    pub fn then(&mut self, later: Seen) {
        self.values += later.values;
        self.numbers += later.numbers;
        self.zero = self.zero.take().or(later.zero);
        self.text = self.text.take().or(later.text);
        self.not_dates.iter_mut().zip(later.not_dates).for_each(|(not, later)| *not |= later);
        self.has_time |= later.has_time;
    }

    /// What the field is, and why.
    fn kind(&self) -> (FieldKind, String) {
        let Some(text) = &self.text else {
            return match (self.values, &self.zero) {
                (0, _) => (FieldKind::Empty, String::new()),
                (_, Some(zero)) => (FieldKind::Text, format!("'{zero}' begins with a zero")),
                (_, None) => (FieldKind::Number, String::new()),
            };
        };
        if self.numbers == 0
            && let Some(order) = self.dates().next()
        {
            let both =
                order == DateOrder::MonthFirst && self.dates().any(|other| other == DateOrder::DayFirst);
            let why = match both {
                true => format!("all are such as '{text}', read month first though it could be the day"),
                false => format!("all are such as '{text}'"),
            };
            return (FieldKind::Date { order, time: self.has_time }, why);
        }
        match (self.numbers, self.has_slips_at_most()) {
            (_, true) => (FieldKind::Number, String::new()),
            (0, false) => (FieldKind::Text, format!("'{text}' is no number")),
            (numbers, false) => {
                let (others, values) = (self.values - numbers, self.values);
                (FieldKind::Text, format!("{others} of {values} cells are no numbers, such as '{text}'"))
            }
        }
    }

    /// Whether so few cells are no numbers that they must be slips: one, and at most a tenth of larger columns.
    fn has_slips_at_most(&self) -> bool {
        let others = self.values - self.numbers;
        2 * self.numbers >= self.values && others <= 1 + self.values / 10
    }

    fn dates(&self) -> impl Iterator<Item = DateOrder> {
        DateOrder::ALL.into_iter().zip(self.not_dates).filter(|(_, not)| !not).map(|(order, _)| order)
    }

    fn target_kind(&self, kind: TargetKind) -> FieldKind {
        match (kind, self.values, self.values - self.numbers) {
            (_, _, 0) => FieldKind::Number,
            (TargetKind::Classes, _, _) => FieldKind::Text,
            (_, values, _) if 2 * self.numbers >= values => FieldKind::Number,
            _ => FieldKind::Text,
        }
    }
}

/// `02134`: digits alone, and a zero that a number would not have.
pub(super) fn has_leading_zero(cell: &[u8]) -> bool {
    matches!(cell, [b'0', _, ..]) && cell.iter().all(u8::is_ascii_digit)
}

/// Looks at the first records of `text`, or at all.
pub(super) fn see_records(
    text: &[u8],
    delimiter: u8,
    skip: usize,
    fields: usize,
    marks: &Marks,
) -> Vec<Seen> {
    let mut seen = vec![Seen::default(); fields];
    let mut records = Lines::new(text, delimiter);
    for _ in 0..skip {
        records.next();
    }
    while let Some(record) = records.next() {
        seen.iter_mut().zip(record.iter()).for_each(|(seen, cell)| seen.see(cell.trim_ascii(), marks));
    }
    seen
}

/// How each field of the file is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub fields: Vec<Planned>,
    /// The fields that become cells, in the order of the file.
    pub features: Vec<Field>,
    pub target: Option<FieldKind>,
}

/// How a field is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planned {
    Skip,
    /// `settled`: a cell of another kind is an error, rather than a reason to look at the whole file.
    Feature {
        kind: FieldKind,
        settled: bool,
    },
    Target {
        kind: FieldKind,
        settled: bool,
    },
}

/// Decides by what has been seen; `whole` tells that this was all of the file.
pub(super) fn plan(names: &[String], roles: &[Role], seen: &[Seen], whole: bool) -> Plan {
    let mut plan = Plan { fields: Vec::new(), features: Vec::new(), target: None };
    for ((name, role), seen) in names.iter().zip(roles).zip(seen) {
        plan.fields.push(match role {
            Role::Skip => Planned::Skip,
            Role::Feature(given) => {
                let (kind, why) = match given {
                    Some(kind) => (*kind, "it was asked for".to_string()),
                    None => seen.kind(),
                };
                plan.features.push(Field { name: name.clone(), kind, why, asked: given.is_some() });
                Planned::Feature { kind, settled: whole || given.is_some() }
            }
            Role::Target(rule) => {
                let (kind, settled) = match rule {
                    TargetRule::Given(kind) => (*kind, true),
                    TargetRule::Found(kind) => (seen.target_kind(*kind), whole),
                };
                plan.target = Some(kind);
                Planned::Target { kind, settled }
            }
        });
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(cells: &[&str]) -> (FieldKind, String) {
        let marks = Marks::new(None);
        let (first, second) = cells.split_at(cells.len() / 2);
        let seen = |cells: &[&str]| {
            let mut seen = Seen::default();
            cells.iter().for_each(|cell| seen.see(cell.as_bytes(), &marks));
            seen
        };
        let mut all = seen(first);
        all.then(seen(second));
        assert_eq!(all.kind(), seen(cells).kind(), "in two pieces as in one");
        all.kind()
    }

    #[test]
    fn cells_decide_what_a_field_holds_and_why() {
        let date = |order, time| FieldKind::Date { order, time };
        for (cells, expected, why) in [
            (&["1", "NA", "-2.5e3", ".5"][..], FieldKind::Number, ""),
            (&["", "?"], FieldKind::Empty, ""),
            (&["10115", "02134"], FieldKind::Text, "'02134' begins with a zero"),
            (&["0", "0.5", "10"], FieldKind::Number, ""),
            (&["1", "2", "x"], FieldKind::Number, ""),
            (&["y", "x"], FieldKind::Text, "'y' is no number"),
            (&["1", "y", "x"], FieldKind::Text, "2 of 3 cells are no numbers, such as 'y'"),
            (&["1", "2", "3", "4", "y", "x"], FieldKind::Text, "2 of 6 cells are no numbers, such as 'y'"),
            (
                &["2024-01-31", "2024-02-01"],
                date(DateOrder::YearFirst, false),
                "all are such as '2024-01-31'",
            ),
            (
                &["31.1.2024 10:30", "1.2.2024"],
                date(DateOrder::DayFirst, true),
                "all are such as '31.1.2024 10:30'",
            ),
            (&["10:30", "9:15:20"], date(DateOrder::TimeOnly, true), "all are such as '10:30'"),
            (
                &["1/2/2024", "3/4/2024"],
                date(DateOrder::MonthFirst, false),
                "all are such as '1/2/2024', read month first though it could be the day",
            ),
            (&["1/2/2024", "13/4/2024"], date(DateOrder::DayFirst, false), "all are such as '1/2/2024'"),
            (&["2024-01-31", "soon"], FieldKind::Text, "'2024-01-31' is no number"),
        ] {
            assert_eq!(kind(cells), (expected, why.to_string()), "{cells:?}");
        }
    }
}
