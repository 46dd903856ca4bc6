//! An encoding at work on one table, whose categories have numbers of their own.

use std::collections::HashMap;

use super::{EncodedColumn, Encoding, FeatureKind, NumberMap, Part, Rule};
use crate::dataset::Features;
use crate::error::{Error, Result};
use crate::suggest::Suggestion;
use crate::table::{Column, ColumnKind, Store, Table, truth};

/// How many unknown categories a note names.
const SHOWN: usize = 3;
/// Features of more bytes than this are not made ahead.
const MOST_BYTES_AHEAD: usize = 1 << 30;

/// An [`Encoding`] with the columns of one table found in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    names: Vec<String>,
    steps: Vec<Step>,
    notes: Vec<String>,
}

/// What one column gives.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    cell: usize,
    flags_missing: bool,
    action: Action,
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    /// Parts of a number, each mapped; `fill` where there is none.
    Numbers { parts: Vec<(Part, NumberMap)>, fill: f32 },
    /// A number for each code of the table; `fill` where there is none.
    Lookup { value: Vec<f32>, fill: f32 },
    /// One of `width` features is 1: that of the table's code, or none.
    Flags { place: Vec<Option<usize>>, width: usize },
}

impl Encoding {
    /// Finds the columns of a table.
    ///
    /// # Errors
    /// A column that is missing, or that holds another kind of cells.
    pub fn bind(&self, columns: &[Column]) -> Result<Encoder> {
        let mut notes = Vec::new();
        let step = |encoded: &EncodedColumn| {
            let cell = columns.iter().position(|column| column.name == encoded.name);
            let cell = cell.ok_or_else(|| {
                let known = columns.iter().map(|column| column.name.as_str());
                Error::NoSuchColumn {
                    name: encoded.name.clone(),
                    suggestion: Suggestion::nearest(&encoded.name, known),
                }
            })?;
            let action = action(encoded, &columns[cell], &mut notes)?;
            Ok(Step { cell, flags_missing: encoded.flags_missing, action })
        };
        let steps = self.columns.iter().map(step).collect::<Result<Vec<Step>>>()?;
        Ok(Encoder { names: self.features().into_iter().map(|feature| feature.name).collect(), steps, notes })
    }

    /// The features of a table's rows - made now, or row by row where they are many - and what is to be said of them.
    ///
    /// # Errors
    /// As [`bind`](Encoding::bind); rows on disk that cannot be read.
    pub fn apply(&self, table: &Table) -> Result<(Features, Vec<String>)> {
        let encoder = self.bind(table.columns())?;
        let notes = encoder.notes().to_vec();
        if table.is_on_disk() || 4 * table.len() * encoder.width() > MOST_BYTES_AHEAD {
            return Ok((Features::Table(table.encoded(encoder)), notes));
        }
        let values = encoder.encode_all(table.store())?;
        Ok((Features::Rows { values, names: encoder.names() }, notes))
    }

    /// Whether a feature is the code of a category, which a network has to embed.
    pub fn has_codes(&self) -> bool {
        self.features().iter().any(|feature| matches!(feature.kind, FeatureKind::Code { .. }))
    }
}

fn action(encoded: &EncodedColumn, column: &Column, notes: &mut Vec<String>) -> Result<Action> {
    let mismatch = |expected| Error::OtherColumn { name: encoded.name.clone(), expected };
    match (&encoded.rule, &column.kind) {
        (Rule::Number { map, fill }, ColumnKind::Number | ColumnKind::Empty) => {
            let parts = map.iter().map(|map| (Part::Itself, map.clone())).collect();
            Ok(Action::Numbers { parts, fill: *fill })
        }
        (Rule::Date { parts, fill, .. }, ColumnKind::Date { .. } | ColumnKind::Empty)
        | (Rule::Time { parts, fill, .. }, ColumnKind::Time { .. } | ColumnKind::Empty) => {
            Ok(Action::Numbers { parts: parts.clone(), fill: *fill })
        }
        (Rule::Boolean { fill }, ColumnKind::Category { .. } | ColumnKind::Empty) => {
            let fill = f32::from(u8::from(*fill));
            let words = column.categories();
            let unknown: Vec<&String> = words.iter().filter(|word| truth(word).is_none()).collect();
            note_unknown(encoded, &unknown, notes);
            let value = words.iter().map(|word| truth(word).map_or(fill, |yes| f32::from(u8::from(yes))));
            Ok(Action::Lookup { value: value.collect(), fill })
        }
        (Rule::Code { categories }, ColumnKind::Category { .. } | ColumnKind::Empty) => {
            let places = places(encoded, column, categories, None, notes);
            let value = places.iter().map(|place| place.map_or(0.0, |place| (place + 1) as f32)).collect();
            Ok(Action::Lookup { value, fill: 0.0 })
        }
        (Rule::OneHot { categories, others }, ColumnKind::Category { .. } | ColumnKind::Empty) => {
            let place = places(encoded, column, categories, others.as_deref(), notes);
            Ok(Action::Flags { place, width: categories.len() + usize::from(others.is_some()) })
        }
        (Rule::Number { .. }, _) => Err(mismatch("numbers")),
        (Rule::Date { .. }, _) => Err(mismatch("dates")),
        (Rule::Time { .. }, _) => Err(mismatch("times of day")),
        (Rule::Boolean { .. } | Rule::Code { .. } | Rule::OneHot { .. }, _) => Err(mismatch("categories")),
    }
}

/// The place of each of the table's categories among those of the encoding; the others share the place after them.
fn places(
    encoded: &EncodedColumn,
    column: &Column,
    categories: &[String],
    others: Option<&[String]>,
    notes: &mut Vec<String>,
) -> Vec<Option<usize>> {
    let mut place: HashMap<&str, usize> = categories.iter().map(String::as_str).zip(0..).collect();
    for other in others.unwrap_or_default() {
        place.insert(other, categories.len());
    }
    let found: Vec<Option<usize>> =
        column.categories().iter().map(|category| place.get(category.as_str()).copied()).collect();
    let unknown: Vec<&String> = column
        .categories()
        .iter()
        .zip(&found)
        .filter(|(_, place)| place.is_none())
        .map(|(text, _)| text)
        .collect();
    note_unknown(encoded, &unknown, notes);
    found
}

fn note_unknown(encoded: &EncodedColumn, unknown: &[&String], notes: &mut Vec<String>) {
    if unknown.is_empty() {
        return;
    }
    let mut shown: Vec<String> =
        unknown.iter().take(SHOWN).map(|text| format!("'{}'", crate::read::excerpt(text))).collect();
    if unknown.len() > SHOWN {
        shown.push("...".to_string());
    }
    notes.push(format!(
        "column '{}' has {} that training did not have ({}); {}",
        encoded.name,
        if unknown.len() == 1 { "a value".to_string() } else { format!("{} values", unknown.len()) },
        shown.join(", "),
        match encoded.rule {
            Rule::Boolean { .. } => "taken for missing",
            _ => "taken for none of the known",
        },
    ));
}

impl Encoder {
    /// How many features a row gives.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// What the features are called.
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// What is to be said of this table's categories.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Appends the features of a row of cells.
    pub(crate) fn encode(&self, cells: &[f32], features: &mut Vec<f32>) {
        for step in &self.steps {
            let cell = cells[step.cell];
            match &step.action {
                Action::Numbers { parts, fill } => {
                    let value = if cell.is_nan() { *fill } else { cell };
                    features.extend(parts.iter().map(|(part, map)| map.apply(part.of(value))));
                }
                Action::Lookup { value, fill } => {
                    features.push(code(cell).and_then(|code| value.get(code)).copied().unwrap_or(*fill));
                }
                Action::Flags { place, width } => {
                    let first = features.len();
                    features.resize(first + width, 0.0);
                    if let Some(Some(place)) = code(cell).and_then(|code| place.get(code)) {
                        features[first + place] = 1.0;
                    }
                }
            }
            if step.flags_missing {
                features.push(f32::from(u8::from(cell.is_nan())));
            }
        }
    }

    /// The features of all rows, row after row.
    pub(crate) fn encode_all(&self, store: &Store) -> Result<Vec<f32>> {
        let rows: Vec<usize> = (0..store.len()).collect();
        let mut features = Vec::with_capacity(rows.len() * self.width());
        store.each(&rows, |cells| {
            self.encode(cells, &mut features);
            Ok(())
        })?;
        Ok(features)
    }
}

fn code(cell: f32) -> Option<usize> {
    (!cell.is_nan()).then_some(cell as usize)
}
