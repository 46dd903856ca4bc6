//! Where a network is wrong: its worst mistakes, and of numbers how predictions lie beside targets.

use barun_data::{Features, FeaturesRef, PreparedData};
use barun_view::report::Picture;
use serde::{Deserialize, Serialize};

use crate::metrics::{Predictions, argmax};
use crate::progress::figure_text;

/// So many pictures, or rows, are kept of the worst mistakes.
const PICTURES: usize = 24;
const ROWS: usize = 12;
/// The longer side of a kept picture at most.
const SIDE: usize = 128;
/// Rows with more columns than this are told by the most unusual of them.
const COLUMNS: usize = 12;
/// So many pairs of target and prediction are kept.
const PAIRS: usize = 1500;

/// Where a network is wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mistakes {
    /// On how many rows it was judged.
    pub rows: usize,
    /// Of classes: how many of them it took for another.
    pub wrong: Option<usize>,
    /// The worst, the worst first.
    pub worst: Vec<Mistake>,
    /// Of numbers: targets and predictions of rows evenly chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<(f64, Option<f64>)>,
}

/// A row and what the network said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mistake {
    /// The row, from 1 in the order of the data: of a table, the line after the header is row 1.
    pub row: usize,
    /// What it is.
    pub actual: String,
    /// What the network said.
    pub predicted: String,
    /// Of classes, how sure it was of that, and of the truth; of numbers none.
    pub sure: Option<(f64, f64)>,
    /// Of numbers, prediction minus target.
    pub error: Option<f64>,
    /// What it was asked about.
    pub input: Input,
}

/// What a network was asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A picture.
    Picture(Picture),
    /// Columns with their values; of many columns those furthest from what is usual.
    Row(Vec<(String, f64)>),
}

impl Mistakes {
    /// Of prepared data and what was said of its rows `rows`.
    pub(super) fn of(data: &PreparedData, rows: &[usize], said: &Predictions) -> Mistakes {
        match said {
            Predictions::Classes { probabilities, labels, classes } => {
                of_classes(data, rows, (probabilities, labels, classes))
            }
            Predictions::Numbers { predictions, targets } => of_numbers(data, rows, predictions, targets),
        }
    }
}

fn of_classes(
    data: &PreparedData,
    rows: &[usize],
    (probabilities, labels, classes): (&[f64], &[usize], &[String]),
) -> Mistakes {
    let answers: Vec<&[f64]> = probabilities.chunks_exact(classes.len().max(1)).collect();
    let mut wrong: Vec<usize> =
        (0..rows.len()).filter(|&at| argmax(answers[at]) != Some(labels[at])).collect();
    let count = wrong.len();
    // The less of the truth it saw, the worse; of equals the earlier row.
    wrong.sort_by(|&a, &b| answers[a][labels[a]].total_cmp(&answers[b][labels[b]]));
    let mistake = |&at: &usize| {
        let taken_for = argmax(answers[at]);
        Some(Mistake {
            row: rows[at] + 1,
            actual: classes[labels[at]].clone(),
            predicted: taken_for.map_or("no class".to_string(), |class| classes[class].clone()),
            sure: taken_for.map(|class| (answers[at][class], answers[at][labels[at]])),
            error: None,
            input: input(data, rows[at])?,
        })
    };
    let worst = wrong.iter().take(most(data)).filter_map(mistake).collect();
    Mistakes { rows: rows.len(), wrong: Some(count), worst, pairs: Vec::new() }
}

fn of_numbers(data: &PreparedData, rows: &[usize], predictions: &[f64], targets: &[f64]) -> Mistakes {
    let error = |at: usize| predictions[at] - targets[at];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // What is no number is worst of all.
    order.sort_by(|&a, &b| error(b).abs().total_cmp(&error(a).abs()));
    let mistake = |&at: &usize| {
        Some(Mistake {
            row: rows[at] + 1,
            actual: number_text(targets[at]),
            predicted: number_text(predictions[at]),
            sure: None,
            error: Some(error(at)).filter(|error| error.is_finite()),
            input: input(data, rows[at])?,
        })
    };
    let worst = order.iter().take(most(data)).filter_map(mistake).collect();
    let every = rows.len().div_ceil(PAIRS).max(1);
    let pair = |at: usize| (targets[at], Some(predictions[at]).filter(|number| number.is_finite()));
    let pairs = (0..rows.len()).step_by(every).map(pair).collect();
    Mistakes { rows: rows.len(), wrong: None, worst, pairs }
}

/// `3`, `2.1234`, `1.200e7`.
fn number_text(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e9 { format!("{number:.0}") } else { figure_text(number) }
}

fn most(data: &PreparedData) -> usize {
    match data.dataset().features() {
        Features::Images { .. } => PICTURES,
        Features::Rows { .. } => ROWS,
    }
}

/// What stands in a row of the data, as it was read.
fn input(data: &PreparedData, row: usize) -> Option<Input> {
    match (data.dataset().features(), data.dataset().features().get(row)?) {
        (Features::Images { shape, .. }, FeaturesRef::Image(pixels)) => {
            Picture::of_at_most(SIDE, *shape, pixels).map(Input::Picture)
        }
        (Features::Rows { names, .. }, FeaturesRef::Row(scaled)) => {
            let mut values = scaled.to_vec();
            data.scaling().inverse(&mut values).ok()?;
            let mut shown: Vec<usize> = (0..names.len()).collect();
            if shown.len() > COLUMNS {
                shown.sort_by(|&a, &b| scaled[b].abs().total_cmp(&scaled[a].abs()));
                shown.truncate(COLUMNS);
            }
            let usual = |numbers: &[f32], at: usize| {
                numbers.get(at).or(numbers.first()).copied().filter(|number| *number != 0.0)
            };
            let number = |at: usize| {
                let deviation = usual(&data.scaling().scale, at).map_or(0.0, |scale| 1.0 / scale);
                let center = usual(&data.scaling().shift, at).unwrap_or(0.0);
                as_read(values[at], deviation.abs().max(center.abs()))
            };
            Some(Input::Row(shown.into_iter().map(|at| (names[at].clone(), number(at))).collect()))
        }
        _ => None,
    }
}

/// `value` without what scaling and back have left of rounding, in a column whose numbers are of the order `usual`.
fn as_read(value: f32, usual: f32) -> f64 {
    let order = f64::from(value.abs().max(usual)).log10().floor();
    if !order.is_finite() {
        return f64::from(value);
    }
    let places = (5.0 - order).clamp(0.0, 12.0) as usize;
    format!("{value:.places$}").parse().unwrap_or(f64::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_data::{Dataset, Scaling, Split, Standardize, Targets};

    fn prepared(targets: Targets, scaling: impl Into<Scaling>) -> PreparedData {
        let rows = targets.len();
        let values = (0..rows).flat_map(|row| [row as f32, 0.1 * row as f32]).collect();
        let features = Features::Rows { values, names: vec!["a".into(), "b".into()] };
        let data = Dataset::new("data", features, targets).unwrap();
        data.split(Split::random(0.5, 0.2, 0.3)).unwrap().fit(scaling).unwrap()
    }

    fn classes() -> PreparedData {
        let classes = vec!["cat".to_string(), "dog".to_string()];
        let labels = (0..10).map(|row| row % 2).collect();
        prepared(Targets::Classes { name: "kind".into(), labels, classes }, Standardize::default())
    }

    #[test]
    fn numbers_are_shown_as_they_were_read() {
        assert_eq!(
            [as_read(0.019999996, 0.27), as_read(7.3e-9, 0.27), as_read(5.9999995, 15.0)],
            [0.02, 0.0, 6.0]
        );
        assert_eq!(
            [as_read(123456.7, 0.0), as_read(0.0, 0.0), as_read(1.25e-4, 1e-4)],
            [123457.0, 0.0, 1.25e-4]
        );
        assert_eq!([number_text(3.0), number_text(0.5)], ["3", "0.5000"]);
    }

    #[test]
    fn the_mistake_that_was_surest_comes_first_and_right_rows_do_not() {
        let said = Predictions::Classes {
            probabilities: vec![0.9, 0.1, 0.6, 0.4, 0.8, 0.2, f64::NAN, 0.5],
            labels: vec![0, 1, 1, 0],
            classes: vec!["cat".into(), "dog".into()],
        };
        let found = Mistakes::of(&classes(), &[2, 3, 5, 8], &said);
        assert_eq!((found.rows, found.wrong), (4, Some(3)));
        let told: Vec<_> = found.worst.iter().map(|worst| (worst.row, worst.predicted.as_str())).collect();
        assert_eq!(told, [(6, "cat"), (4, "cat"), (9, "no class")]);
        assert_eq!(found.worst[0].sure, Some((0.8, 0.2)));
        // As it was read, not as it was scaled.
        assert_eq!(found.worst[0].input, Input::Row(vec![("a".into(), 5.0), ("b".into(), 0.5)]));
    }

    #[test]
    fn of_numbers_the_largest_error_comes_first_and_what_is_no_number_before_it() {
        let targets =
            Targets::Values { name: "price".into(), values: (0..10).map(|row| row as f32).collect() };
        let data = prepared(targets, Standardize::default());
        let said =
            Predictions::Numbers { predictions: vec![1.5, 7.0, f64::NAN], targets: vec![1.0, 3.0, 2.0] };
        let found = Mistakes::of(&data, &[1, 3, 2], &said);
        let told: Vec<_> = found.worst.iter().map(|worst| (worst.row, worst.error)).collect();
        assert_eq!(told, [(3, None), (4, Some(4.0)), (2, Some(0.5))]);
        assert_eq!(found.pairs, [(1.0, Some(1.5)), (3.0, Some(7.0)), (2.0, None)]);
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<Mistakes>(&text).unwrap(), found);
    }
}
