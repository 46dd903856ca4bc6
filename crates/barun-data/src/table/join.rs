//! Rows of two tables as one, for parts that lie in files of their own.

use std::collections::HashMap;

use super::store::StoreWriter;
use super::{Column, ColumnKind, Room, Store, Table};
use crate::error::Result;

/// Rows that are copied at once.
const ROWS_AT_ONCE: usize = 1 << 14;

/// Where a cell of the joined table comes from in a row of the other one.
enum From {
    /// The cell at this place.
    Cell(usize),
    /// The category at this place, by its number in the joined table.
    Category(usize, Vec<f32>),
    /// There is none.
    Nowhere,
}

impl Table {
    /// Whether `more` has, in any order, what this table's columns hold.
    pub(crate) fn is_like(&self, more: &Table) -> bool {
        let has = |column: &Column| {
            let other = more.columns.iter().find(|other| other.name == column.name);
            holds_nothing(column)
                || other.is_some_and(|other| {
                    holds_nothing(other)
                        || std::mem::discriminant(&column.kind) == std::mem::discriminant(&other.kind)
                })
        };
        self.columns.iter().all(has)
    }

    /// The rows of `more` after those of this table, under its columns; in memory where both are.
    ///
    /// # Errors
    /// A temporary file that cannot be read or written.
    pub(crate) fn joined(&self, more: &Table) -> Result<Table> {
        let mut columns = self.columns.to_vec();
        let sources: Vec<From> = columns.iter_mut().map(|column| join(column, more)).collect();
        let room = match (&self.store, &more.store) {
            (Store::Disk { scratch, .. }, _) | (_, Store::Disk { scratch, .. }) => {
                Room { most_bytes: 0, folder: scratch.folder().to_path_buf() }
            }
            _ => Room { most_bytes: usize::MAX, folder: std::env::temp_dir() },
        };
        let mut writer = StoreWriter::new(columns.len(), room);
        copy(&self.store, &mut writer, |cells, into| into.extend_from_slice(cells))?;
        copy(&more.store, &mut writer, |cells, into| {
            into.extend(sources.iter().map(|source| {
                match source {
                    From::Cell(at) => cells[*at],
                    From::Category(at, code) => code
                        .get(cells[*at] as usize)
                        .map_or(f32::NAN, |code| if cells[*at].is_nan() { f32::NAN } else { *code }),
                    From::Nowhere => f32::NAN,
                }
            }));
        })?;
        Ok(Table::new(columns, writer.finish()?))
    }
}

fn holds_nothing(column: &Column) -> bool {
    matches!(column.kind, ColumnKind::Empty | ColumnKind::Text)
}

/// Adds to `column` what `more` has under its name, and tells where that is.
fn join(column: &mut Column, more: &Table) -> From {
    let found = more.columns.iter().enumerate().find(|(_, other)| other.name == column.name);
    let Some((at, other)) = found.filter(|(_, other)| !holds_nothing(other) && !holds_nothing(column)) else {
        column.missing += more.len();
        return From::Nowhere;
    };
    column.missing += other.missing;
    let ColumnKind::Category { categories } = &column.kind else { return From::Cell(at) };
    let mut all = categories.to_vec();
    let mut code: HashMap<String, usize> = all.iter().cloned().zip(0..).collect();
    let codes = other.categories().iter().map(|category| {
        *code.entry(category.clone()).or_insert_with(|| {
            all.push(category.clone());
            all.len() - 1
        }) as f32
    });
    let codes = codes.collect();
    column.kind = ColumnKind::Category { categories: all.into() };
    From::Category(at, codes)
}

fn copy(from: &Store, to: &mut StoreWriter, row: impl Fn(&[f32], &mut Vec<f32>)) -> Result<()> {
    let rows: Vec<usize> = (0..from.len()).collect();
    let mut cells = Vec::new();
    for rows in rows.chunks(ROWS_AT_ONCE) {
        cells.clear();
        from.each(rows, |of_row| {
            row(of_row, &mut cells);
            Ok(())
        })?;
        to.append(&cells)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: Vec<Column>, cells: &[f32], folder: Option<&std::path::Path>) -> Table {
        let room = match folder {
            Some(folder) => Room { most_bytes: 0, folder: folder.to_path_buf() },
            None => Room { most_bytes: usize::MAX, folder: std::env::temp_dir() },
        };
        let mut writer = StoreWriter::new(columns.len(), room);
        writer.append(cells).unwrap();
        Table::new(columns, writer.finish().unwrap())
    }

    fn categories(name: &str, categories: &[&str]) -> Column {
        let categories = categories.iter().map(|text| text.to_string()).collect();
        Column { kind: ColumnKind::Category { categories }, ..Column::number(name) }
    }

    #[test]
    fn rows_are_joined_by_the_names_of_columns_and_of_categories() {
        let folder = tempfile::tempdir().unwrap();
        let begin = vec![Column::number("x"), categories("port", &["C", "S"])];
        let more = vec![categories("port", &["Q", "S"]), Column::number("x")];
        let nan = f32::NAN;
        for folder in [None, Some(folder.path())] {
            let one = table(begin.clone(), &[1.0, 0.0, 2.0, 1.0], None);
            let other = table(more.clone(), &[0.0, 3.0, 1.0, 4.0, nan, 5.0], folder);
            assert!(one.is_like(&other) && other.is_like(&one));
            let joined = one.joined(&other).unwrap();
            assert_eq!((joined.len(), joined.is_on_disk()), (5, folder.is_some()));
            assert_eq!(joined.columns()[1].categories(), ["C", "S", "Q"]);
            let mut cells = Vec::new();
            joined
                .each(&[0, 1, 2, 3, 4], |row| {
                    cells.extend(row.iter().map(|cell| cell.to_string()));
                    Ok(())
                })
                .unwrap();
            assert_eq!(cells, ["1", "0", "2", "1", "3", "2", "4", "1", "5", "NaN"]);
        }
        let other = table(vec![categories("x", &["a"]), categories("port", &["C"])], &[0.0, 0.0], None);
        assert!(!table(begin, &[1.0, 0.0], None).is_like(&other));
    }
}
