//! Tensors as a table: what is in them, at a glance. [DIAG-09]

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::{Buffer, DType, Error, Result, Shape, State};

/// What is in a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorRow {
    /// Its name or path.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// The type of its numbers.
    pub dtype: DType,
    /// The least of its finite numbers; NaN, as all figures, where there are none.
    pub min: f64,
    /// The greatest of them.
    pub max: f64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
    /// How many numbers are NaN or infinite.
    pub not_finite: usize,
    /// Its first numbers, at most [`HEAD`].
    pub head: Vec<f64>,
}

/// How many first numbers are shown.
pub const HEAD: usize = 4;

/// A column to sort by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Column {
    /// By name, as numbers in names count: `2.weight` before `10.weight`.
    #[default]
    Name,
    /// By the number of elements, largest first.
    Size,
    /// By type, then by name.
    Dtype,
    /// By the least number, lowest first.
    Min,
    /// By the greatest number, highest first.
    Max,
    /// By the mean, highest first.
    Mean,
    /// By the standard deviation, largest first.
    Std,
    /// By how many are NaN or infinite, most first.
    NotFinite,
}

/// Tensors with what is in them.
///
/// ```
/// use barun_nn::{Buffer, TensorTable, Column};
/// let (weight, bias) = (Buffer::new(&[1.0f32, -2.0, 0.5, 0.5], [2, 2]), Buffer::new(&[0.0f32, f32::NAN], [2]));
/// let table = TensorTable::of([("weight", &weight), ("bias", &bias)]).sorted_by(Column::NotFinite);
/// assert_eq!((table.rows[0].name.as_str(), table.rows[0].not_finite), ("bias", 1));
/// println!("{table}");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorTable {
    /// One for each tensor.
    pub rows: Vec<TensorRow>,
}

impl TensorTable {
    /// Of tensors by name, in their order: what [`Step::watch`](crate::Step::watch), [`Step::observe`](crate::Step::observe)
    /// and [`Step::gradients`](crate::Step::gradients) give, with `map(|(name, value)| (name, value))`.
    pub fn of<'a, N: Into<String>>(tensors: impl IntoIterator<Item = (N, &'a Buffer)>) -> TensorTable {
        TensorTable {
            rows: tensors.into_iter().map(|(name, value)| TensorRow::of(name.into(), value)).collect(),
        }
    }

    /// Of everything a state holds, in its order: parameters, statistics, what the optimiser remembers, counters.
    pub fn of_state(state: &State) -> TensorTable {
        let slots = state.layout().slots().iter().enumerate();
        let rows = slots.map(|(index, slot)| TensorRow::of(slot.name.clone(), &state.read(index)));
        TensorTable { rows: rows.collect() }
    }

    /// The same rows in another order; equals stay as they are.
    pub fn sorted_by(mut self, column: Column) -> TensorTable {
        // Where there are no figures they come last.
        let falling = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
            (false, false) => b.total_cmp(&a),
            (a, b) => a.cmp(&b),
        };
        self.rows.sort_by(|a, b| match column {
            Column::Name => by_name(&a.name, &b.name),
            Column::Size => b.shape.elements().cmp(&a.shape.elements()),
            Column::Dtype => {
                a.dtype.to_string().cmp(&b.dtype.to_string()).then_with(|| by_name(&a.name, &b.name))
            }
            Column::Min => falling(-a.min, -b.min),
            Column::Max => falling(a.max, b.max),
            Column::Mean => falling(a.mean, b.mean),
            Column::Std => falling(a.std, b.std),
            Column::NotFinite => b.not_finite.cmp(&a.not_finite),
        });
        self
    }
}

impl TensorRow {
    fn of(name: String, value: &Buffer) -> TensorRow {
        let values = value.to_f64();
        let finite: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
        let mean_of = |sum: f64| sum / finite.len() as f64;
        let mean = mean_of(finite.iter().sum());
        let variance = mean_of(finite.iter().map(|x| (x - mean).powi(2)).sum());
        let extreme = |pick: fn(f64, f64) -> f64| finite.iter().copied().reduce(pick).unwrap_or(f64::NAN);
        TensorRow {
            name,
            shape: value.shape().clone(),
            dtype: value.dtype(),
            min: extreme(f64::min),
            max: extreme(f64::max),
            mean,
            std: variance.sqrt(),
            not_finite: values.len() - finite.len(),
            head: values.into_iter().take(HEAD).collect(),
        }
    }

    fn cells(&self) -> [String; 9] {
        let more = if self.shape.elements() > HEAD { " .." } else { "" };
        let head: Vec<String> = self.head.iter().map(|x| short(*x)).collect();
        let [min, max, mean, std] = [self.min, self.max, self.mean, self.std].map(short);
        let not_finite = if self.not_finite == 0 { String::new() } else { self.not_finite.to_string() };
        let (shape, dtype) = (self.shape.to_string(), self.dtype.to_string());
        [self.name.clone(), shape, dtype, min, max, mean, std, not_finite, head.join(" ") + more]
    }
}

impl fmt::Display for TensorTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = ["name", "shape", "dtype", "min", "max", "mean", "std", "not finite", "head"];
        let mut table = vec![titles.map(String::from)];
        table.extend(self.rows.iter().map(TensorRow::cells));
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: [usize; 9] = std::array::from_fn(width);
        for row in &table {
            let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
                // Numbers to the right.
                3..=7 => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

impl Column {
    /// Every column with the name it has for users.
    pub const ALL: [(&'static str, Column); 8] = [
        ("name", Column::Name),
        ("size", Column::Size),
        ("dtype", Column::Dtype),
        ("min", Column::Min),
        ("max", Column::Max),
        ("mean", Column::Mean),
        ("std", Column::Std),
        ("not_finite", Column::NotFinite),
    ];
}

impl FromStr for Column {
    type Err = Error;

    fn from_str(name: &str) -> Result<Column> {
        let found = Column::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, column)| *column).ok_or_else(|| Error::UnknownName {
            family: "column".to_string(),
            name: name.to_string(),
            known: Column::ALL.iter().map(|(known, _)| known.to_string()).collect(),
        })
    }
}

/// Four digits that count.
fn short(x: f64) -> String {
    match x.abs() {
        _ if x.is_nan() => "NaN".to_string(),
        0.0 => "0".to_string(),
        size if size < 1e4 && x.fract() == 0.0 => format!("{x}"),
        size if (1e-3..1e4).contains(&size) => format!("{x:.4}"),
        _ => format!("{x:.2e}"),
    }
}

/// Parts between dots one by one, numbers by their value.
fn by_name(a: &str, b: &str) -> Ordering {
    let part = |a: &str, b: &str| match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    };
    let pairs = a.split('.').zip(b.split('.'));
    let parts = pairs.map(|(a, b)| part(a, b)).find(|order| order.is_ne());
    parts.unwrap_or_else(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TensorTable {
        let values: [(&str, &[f32]); 4] = [
            ("10.weight", &[1.0, 2.0, 3.0, 4.0, 5.0]),
            ("2.weight", &[-1.0, f32::NAN, 0.25]),
            ("2.bias", &[f32::INFINITY, f32::NAN]),
            ("0.bias", &[12345.0]),
        ];
        let buffers = values.map(|(name, values)| (name, Buffer::new(values, [values.len()])));
        TensorTable::of(buffers.iter().map(|(name, buffer)| (*name, buffer)))
    }

    fn names(column: Column) -> Vec<String> {
        table().sorted_by(column).rows.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn figures_are_those_of_the_finite_numbers() {
        let row = &table().rows[1];
        assert_eq!((row.min, row.max, row.mean, row.not_finite), (-1.0, 0.25, -0.375, 1));
        assert_eq!(row.std, 0.625);
        assert!(table().rows[2].mean.is_nan());
    }

    #[test]
    fn rows_can_be_sorted_by_every_column() {
        assert_eq!(names(Column::Name), ["0.bias", "2.bias", "2.weight", "10.weight"]);
        assert_eq!(names(Column::Size)[0], "10.weight");
        assert_eq!(names(Column::Max), ["0.bias", "10.weight", "2.weight", "2.bias"]);
        assert_eq!(names(Column::Min), ["2.weight", "10.weight", "0.bias", "2.bias"]);
        assert_eq!(names(Column::NotFinite)[0], "2.bias");
        assert_eq!(names(Column::Std)[0], "10.weight");
        assert_eq!("mean".parse::<Column>().unwrap(), Column::Mean);
        let error = "maen".parse::<Column>().unwrap_err().to_string();
        assert!(error.contains("did you mean `mean`?"), "{error}");
    }

    #[test]
    fn the_table_is_aligned_and_shows_the_first_numbers() {
        let text = table().sorted_by(Column::Name).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "name       shape  dtype     min     max     mean     std  not finite  head");
        assert_eq!(lines[1], "0.bias     [1]    f32    1.23e4  1.23e4   1.23e4       0              1.23e4");
        assert_eq!(lines[2], "2.bias     [2]    f32       NaN     NaN      NaN     NaN           2  inf NaN");
        assert_eq!(
            lines[3],
            "2.weight   [3]    f32        -1  0.2500  -0.3750  0.6250           1  -1 NaN 0.2500"
        );
        assert_eq!(
            lines[4],
            "10.weight  [5]    f32         1       5        3  1.4142              1 2 3 4 .."
        );
    }
}
