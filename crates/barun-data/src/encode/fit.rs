//! Fitting an encoding: three passes over the training rows, then a decision for each column.

use super::{Beyond, EncodedColumn, Encoding, LeftOut, NumberMap, Part, Preprocess, Rule};
use crate::error::{Error, Result};
use crate::normalize::{ScalingKind, Scope, Statistics, sample_step};
use crate::table::{Column, ColumnKind, Table, truth};

/// Endings of names under which rows are numbered, in small letters.
const ID_NAMES: [&str; 4] = ["id", "index", "key", "uuid"];

/// Fits how the columns of `table` become features on the rows `train`.
///
/// # Errors
/// When no column says anything.
pub(crate) fn fit(table: &Table, train: &[usize], preprocess: &Preprocess) -> Result<Encoding> {
    let seen = Seen::of(table, train)?;
    let mut encoding = Encoding { columns: Vec::new(), left_out: Vec::new() };
    let global = match preprocess.scaling.scope {
        Scope::Global => Some(seen.all_numbers(table)),
        Scope::Auto | Scope::PerFeature => None,
    };
    for (cell, column) in table.columns().iter().enumerate() {
        let decision = match &column.kind {
            ColumnKind::Empty => Err("it is empty".to_string()),
            ColumnKind::Text => Err("it is text that hardly repeats".to_string()),
            _ if seen.rows == seen.missing[cell] => Err("it has no value in the training part".to_string()),
            ColumnKind::Number | ColumnKind::Date { .. } | ColumnKind::Time { .. } => {
                numbers(column, &seen, cell, preprocess.scaling.kind, global.as_ref())
            }
            ColumnKind::Category { .. } => categories(column, &seen.counts[cell], preprocess),
        };
        let flags_missing = seen.missing[cell] > 0;
        let name = column.name.clone();
        match decision {
            Ok(rule) => encoding.columns.push(EncodedColumn {
                name,
                flags_missing: flags_missing && !matches!(rule, Rule::Code { .. }),
                rule,
            }),
            Err(why) => encoding.left_out.push(LeftOut { name, why }),
        }
    }
    match encoding.columns.is_empty() {
        true => Err(Error::NothingToLearnFrom {
            reasons: encoding
                .left_out
                .iter()
                .map(|column| format!("'{}': {}", column.name, column.why))
                .collect(),
        }),
        false => Ok(encoding),
    }
}

/// What the training rows have shown.
struct Seen {
    rows: usize,
    /// Of each cell, how many rows have none.
    missing: Vec<usize>,
    /// Of each cell, how many rows have each category.
    counts: Vec<Vec<usize>>,
    /// Of each cell, of each of its parts.
    statistics: Vec<Vec<Statistics>>,
    /// Of each cell: the values themselves, of a sample.
    cells: Vec<Statistics>,
}

impl Seen {
    fn of(table: &Table, train: &[usize]) -> Result<Seen> {
        let columns = table.columns();
        let mut seen = Seen {
            rows: train.len(),
            missing: vec![0; columns.len()],
            counts: columns.iter().map(|column| vec![0; column.categories().len()]).collect(),
            statistics: columns
                .iter()
                .map(|column| vec![Statistics::EMPTY; parts_of(column).len()])
                .collect(),
            cells: vec![Statistics::EMPTY; columns.len()],
        };
        table.each(train, |cells| {
            seen.take(columns, cells);
            Ok(())
        })?;
        let sample: Vec<usize> = train.iter().copied().step_by(sample_step(train.len())).collect();
        table.each(&sample, |cells| {
            seen.take_sample(columns, cells);
            Ok(())
        })?;
        let means: Vec<Vec<f64>> =
            seen.statistics.iter().map(|parts| parts.iter().map(Statistics::mean).collect()).collect();
        table.each(train, |cells| {
            seen.take_deviations(columns, cells, &means);
            Ok(())
        })?;
        seen.statistics.iter_mut().flatten().chain(&mut seen.cells).for_each(Statistics::finish);
        Ok(seen)
    }

    fn take(&mut self, columns: &[Column], cells: &[f32]) {
        for (at, (column, &cell)) in columns.iter().zip(cells).enumerate() {
            if cell.is_nan() {
                self.missing[at] += 1;
                continue;
            }
            if let Some(count) = self.counts[at].get_mut(cell as usize) {
                *count += 1;
            }
            let parts = parts_of(column).iter().zip(&mut self.statistics[at]);
            parts.for_each(|(part, statistics)| statistics.see(part.of(cell)));
        }
    }

    fn take_sample(&mut self, columns: &[Column], cells: &[f32]) {
        for (at, (column, &cell)) in
            columns.iter().zip(cells).enumerate().filter(|(_, (_, cell))| !cell.is_nan())
        {
            self.cells[at].see_sample(f64::from(cell));
            let parts = parts_of(column).iter().zip(&mut self.statistics[at]);
            parts.for_each(|(part, statistics)| statistics.see_sample(part.of(cell)));
        }
    }

    fn take_deviations(&mut self, columns: &[Column], cells: &[f32], means: &[Vec<f64>]) {
        for (at, (column, &cell)) in
            columns.iter().zip(cells).enumerate().filter(|(_, (_, cell))| !cell.is_nan())
        {
            for ((part, statistics), mean) in
                parts_of(column).iter().zip(&mut self.statistics[at]).zip(&means[at])
            {
                statistics.see_deviation(part.of(cell), *mean);
            }
        }
    }

    /// The numbers of all columns as one.
    fn all_numbers(&self, table: &Table) -> Statistics {
        let of_numbers = |(column, parts): &(&Column, &Vec<Statistics>)| {
            column.kind == ColumnKind::Number && parts.iter().all(|part| part.count > 0.0)
        };
        let columns: Vec<&Statistics> = table
            .columns()
            .iter()
            .zip(&self.statistics)
            .filter(of_numbers)
            .flat_map(|(_, parts)| parts)
            .collect();
        Statistics::together(&columns)
    }
}

/// What is taken from the cells of a column.
fn parts_of(column: &Column) -> &'static [Part] {
    match column.kind {
        ColumnKind::Number => Part::OF_NUMBER,
        ColumnKind::Date { .. } => Part::OF_DATE,
        ColumnKind::Time { .. } => Part::OF_TIME,
        _ => &[],
    }
}

/// The rule for a column of numbers, dates or times, or why it is left out.
fn numbers(
    column: &Column,
    seen: &Seen,
    cell: usize,
    kind: ScalingKind,
    global: Option<&Statistics>,
) -> Result<Rule, String> {
    if counts_rows(column, &seen.cells[cell], &seen.statistics[cell]) {
        return Err("it numbers the rows: its name says so, and no value comes twice".to_string());
    }
    let fill = median(seen.cells[cell].sample());
    let mut parts = Vec::new();
    for (part, statistics) in parts_of(column).iter().zip(&seen.statistics[cell]) {
        if statistics.min == statistics.max {
            continue;
        }
        let map = match (part.is_circle(), part, global) {
            (true, _, _) => NumberMap::IDENTITY,
            (false, Part::Itself, Some(global)) => NumberMap::fit(kind, global),
            (false, _, _) => NumberMap::fit(kind, statistics),
        };
        parts.push((*part, map));
    }
    let is_constant = parts.is_empty();
    if is_constant && (seen.missing[cell] == 0 || !matches!(column.kind, ColumnKind::Number)) {
        return Err("it never changes".to_string());
    }
    Ok(match column.kind {
        ColumnKind::Date { order } => Rule::Date { order, parts, fill },
        ColumnKind::Time { order } => Rule::Time { order, parts, fill },
        _ => Rule::Number { map: parts.pop().map(|(_, map)| map), fill },
    })
}

/// Of an even number the lower, so that it is one of the values: 30 February is none.
fn median(ascending: &[f32]) -> f32 {
    ascending.get(ascending.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// Whether whole numbers that never repeat stand under a name such as `PassengerId`.
fn counts_rows(column: &Column, sample: &Statistics, statistics: &[Statistics]) -> bool {
    let ascending = sample.sample();
    let whole = ascending.iter().all(|value| value.fract() == 0.0);
    let repeats = ascending.windows(2).any(|pair| pair[0] == pair[1]);
    column.kind == ColumnKind::Number
        && !column.asked
        && is_id_name(&column.name)
        && whole
        && !repeats
        && ascending.len() > 1
        && statistics.iter().any(|part| part.count > 1.0)
}

/// Whether a name says that a column numbers the rows.
pub(crate) fn is_id_name(name: &str) -> bool {
    let small = name.to_lowercase();
    let mut words = small.split(|c: char| !c.is_alphanumeric());
    words.any(|word| ID_NAMES.contains(&word)) || name.ends_with("Id")
}

/// The rule for a column of categories, or why it is left out.
fn categories(column: &Column, counts: &[usize], preprocess: &Preprocess) -> Result<Rule, String> {
    let texts = column.categories();
    let mut present: Vec<usize> = (0..texts.len()).filter(|&code| counts[code] > 0).collect();
    let values: usize = counts.iter().sum();
    if let ([only], true) = (&present[..], column.missing == 0) {
        return Err(format!(
            "it is '{}' in every row of the training part",
            crate::read::excerpt(&texts[*only])
        ));
    }
    if column.is_boolean() {
        let says = |yes: bool| -> usize {
            present.iter().filter(|&&code| truth(&texts[code]) == Some(yes)).map(|&code| counts[code]).sum()
        };
        return Ok(Rule::Boolean { fill: says(true) > says(false) });
    }
    if 2 * present.len() > values && present.len() > 2 && !column.asked {
        return Err(format!(
            "it is text that hardly repeats: {} different in {values} rows (name it in data.table.categorical to keep it)",
            present.len()
        ));
    }
    // The most frequent first, of equals by name.
    present.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then_with(|| texts[a].cmp(&texts[b])));
    let named = |codes: &[usize]| codes.iter().map(|&code| texts[code].clone()).collect::<Vec<String>>();
    let most = preprocess.categories.most_one_hot;
    if present.len() > most {
        match preprocess.categories.beyond {
            Beyond::Codes => return Ok(Rule::Code { categories: named(&present) }),
            Beyond::Frequent => {
                let (frequent, others) = present.split_at(most.saturating_sub(1));
                let mut categories = named(frequent);
                categories.sort();
                return Ok(Rule::OneHot { categories, others: Some(named(others)) });
            }
        }
    }
    let mut categories = named(&present);
    categories.sort();
    Ok(Rule::OneHot { categories, others: None })
}
