//! Rows in memory, as plain numbers: what operators break.

use barun_data::{Dataset, Features, Targets};
use barun_engine::random::Stream;

use crate::error::Result;

/// What a row's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Columns of a table.
    Columns,
    /// An image `[height, width, channels]` of numbers from 0 to 255.
    Image([usize; 3]),
}

/// What is to be predicted of each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// One of so many classes.
    Classes {
        /// The class of each row.
        labels: Vec<usize>,
        /// How many there are.
        classes: usize,
    },
    /// A number.
    Numbers(Vec<f32>),
}

/// Rows with their answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// What the numbers are.
    pub form: Form,
    /// How many numbers a row has.
    pub width: usize,
    /// All of them, row after row.
    pub values: Vec<f32>,
    /// What is to be predicted.
    pub answers: Answers,
}

impl Answers {
    /// Those at `indices`, in that order.
    pub fn only(&self, indices: &[usize]) -> Answers {
        match self {
            Answers::Classes { labels, classes } => {
                let labels = indices.iter().map(|&at| labels[at]).collect();
                Answers::Classes { labels, classes: *classes }
            }
            Answers::Numbers(values) => Answers::Numbers(indices.iter().map(|&at| values[at]).collect()),
        }
    }

    fn extend(&mut self, other: &Answers) {
        match (self, other) {
            (Answers::Classes { labels, .. }, Answers::Classes { labels: more, .. }) => labels.extend(more),
            (Answers::Numbers(values), Answers::Numbers(more)) => values.extend(more),
            _ => {}
        }
    }
}

impl Rows {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows at `indices`, in that order.
    pub fn only(&self, indices: &[usize]) -> Rows {
        let values = indices.iter().flat_map(|&at| self.row(at).iter().copied()).collect();
        Rows { values, answers: self.answers.only(indices), ..*self }
    }

    /// The numbers of row `at`.
    pub fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..][..self.width]
    }

    /// Adds the rows of `other`, which have the same width and kind of answer.
    pub fn extend(&mut self, other: &Rows) {
        self.values.extend_from_slice(&other.values);
        self.answers.extend(&other.answers);
    }

    /// Changes each number, knowing its column.
    pub fn map(&mut self, change: impl Fn(usize, f32) -> f32) {
        let width = self.width;
        self.values.iter_mut().enumerate().for_each(|(at, value)| *value = change(at % width, *value));
    }

    /// With a column more, whose numbers `of` gives by the row.
    pub fn add_column(&mut self, mut of: impl FnMut(usize) -> f32) {
        let rows = (0..self.len()).map(|at| (at, self.row(at).to_vec()));
        self.values =
            rows.flat_map(|(at, row)| row.into_iter().chain([of(at)]).collect::<Vec<_>>()).collect();
        self.width += 1;
    }

    /// Mean and deviation of each column.
    pub fn moments(&self) -> Vec<(f32, f32)> {
        let count = self.len().max(1) as f64;
        let column =
            |at: usize| self.values.iter().skip(at).step_by(self.width).map(|value| f64::from(*value));
        let of = |at: usize| {
            let mean = column(at).sum::<f64>() / count;
            let variance = column(at).map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            (mean as f32, variance.sqrt().max(1e-6) as f32)
        };
        (0..self.width).map(of).collect()
    }

    /// How many classes there are; 0 of numbers.
    pub fn classes(&self) -> usize {
        match &self.answers {
            Answers::Classes { classes, .. } => *classes,
            Answers::Numbers(_) => 0,
        }
    }

    /// The classes; none of numbers.
    pub fn labels_mut(&mut self) -> Option<(&mut Vec<usize>, usize)> {
        match &mut self.answers {
            Answers::Classes { labels, classes } => Some((labels, *classes)),
            Answers::Numbers(_) => None,
        }
    }

    /// A class more, which no row has.
    pub fn add_class(&mut self) {
        if let Answers::Classes { classes, .. } = &mut self.answers {
            *classes += 1;
        }
    }

    /// In another order, the answers with their rows.
    pub fn shuffled(&self, random: &mut Stream) -> Rows {
        let mut order: Vec<usize> = (0..self.len()).collect();
        random.shuffle(&mut order);
        self.only(&order)
    }

    /// As the library takes data.
    ///
    /// # Errors
    /// Numbers that are not finite, labels that are no classes.
    pub fn dataset(&self, name: &str) -> Result<Dataset> {
        let features = match self.form {
            Form::Image(shape) => Features::Images {
                pixels: self.values.iter().map(|value| value.round().clamp(0.0, 255.0) as u8).collect(),
                shape,
            },
            Form::Columns => Features::Rows {
                values: self.values.clone(),
                names: (0..self.width).map(|at| format!("column {at}")).collect(),
            },
        };
        let name_of = |class: usize| format!("class {class}");
        let targets = match &self.answers {
            Answers::Classes { labels, classes } => Targets::Classes {
                name: "answer".into(),
                labels: labels.iter().map(|&label| label as i64).collect(),
                classes: (0..*classes).map(name_of).collect(),
            },
            Answers::Numbers(values) => Targets::Values { name: "answer".into(), values: values.clone() },
        };
        Ok(Dataset::new(name, features, targets).map_err(barun_train::Error::from)?)
    }
}

/// Rows by what they are for.
#[derive(Clone, Debug)]
pub struct Parts {
    /// To learn from.
    pub train: Rows,
    /// To choose by.
    pub valid: Rows,
    /// To report.
    pub test: Rows,
    /// What comes in use, and nobody had before: by these a run is scored.
    pub fresh: Rows,
}

impl Parts {
    /// Rows in a random order, the first `sizes` for train, valid, test, fresh.
    pub fn of(rows: &Rows, sizes: [usize; 4], random: &mut Stream) -> Parts {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        random.shuffle(&mut order);
        let mut rest = order.as_slice();
        let mut take = |size: usize| {
            let (taken, left) = rest.split_at(size.min(rest.len()));
            rest = left;
            rows.only(taken)
        };
        let [train, valid, test, fresh] = sizes.map(&mut take);
        Parts { train, valid, test, fresh }
    }

    /// What the user has: all but what comes in use.
    pub fn known_mut(&mut self) -> [&mut Rows; 3] {
        [&mut self.train, &mut self.valid, &mut self.test]
    }

    /// All parts.
    pub fn all_mut(&mut self) -> [&mut Rows; 4] {
        [&mut self.train, &mut self.valid, &mut self.test, &mut self.fresh]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let labels = (0..10).map(|at| at % 2).collect();
        Rows {
            form: Form::Columns,
            width: 2,
            values: (0..20).map(|at| at as f32).collect(),
            answers: Answers::Classes { labels, classes: 2 },
        }
    }

    #[test]
    fn parts_have_every_row_once() {
        let parts = Parts::of(&rows(), [4, 2, 2, 2], &mut Stream::new(1, "parts"));
        let mut all = parts.train.clone();
        [&parts.valid, &parts.test, &parts.fresh].into_iter().for_each(|part| all.extend(part));
        let mut firsts: Vec<f32> = (0..all.len()).map(|at| all.row(at)[0]).collect();
        firsts.sort_by(f32::total_cmp);
        assert_eq!(firsts, (0..10).map(|at| 2.0 * at as f32).collect::<Vec<_>>());
    }

    #[test]
    fn answers_stay_with_their_rows() {
        let shuffled = rows().shuffled(&mut Stream::new(3, "order"));
        let Answers::Classes { labels, .. } = &shuffled.answers else { panic!() };
        for (at, label) in labels.iter().enumerate() {
            assert_eq!(*label, (shuffled.row(at)[0] as usize / 2) % 2);
        }
    }

    #[test]
    fn a_column_more_widens_each_row() {
        let mut rows = rows();
        rows.add_column(|at| at as f32 + 0.5);
        assert_eq!((rows.len(), rows.row(3)), (10, &[6.0, 7.0, 3.5][..]));
    }
}
