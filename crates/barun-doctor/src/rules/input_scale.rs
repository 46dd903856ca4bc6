//! Inputs, or a target of numbers, of a size that first weights are not made for.
//!
//! Initialisers expect inputs with a spread near 1: then what layers give keeps that spread. Raw pixels from 0 to 255 or
//! prices in thousands make it hundreds of times as large, and the first steps as well; inputs scaled twice make it vanish.
//!
//! Of the first 512 training rows, as the network gets them:
//! - all but the largest hundredth of the numbers reach beyond 10: WARN; beyond 100: ERROR;
//! - one column is 100 times as wide as another, and wider than 10: WARN;
//! - all but the largest twentieth of the numbers that are not 0 are below 0.05: WARN; below 0.005: ERROR (scaled twice:
//!   pixels over 255 over 255; scaled by a far value that squashes all others);
//! - the lowest or highest number of a column stands in a hundredth of the rows or more, and lies farther from all others than
//!   these from each other: it seems to stand for what is missing, such as -999: WARN;
//! - in most columns, and two at least, half of the rows lie within a 300th of what all but the outermost hundredths span: some
//!   rows seem to be in another unit: WARN;
//! - a target of numbers whose deviation is beyond 100, or below 0.001; or in which a number stands for what is missing, as in a
//!   column; or some of which lie close together and the others 20 times as far away, with next to none between, as if they were in
//!   another unit: WARN.
//!
//! Threshold: ours, on quantiles and never on the maximum, which calls every feature-wise standardised image and every
//! table with one far value an error. SageMaker Debugger and TheDeepChecker use mean and variance with a margin of 0.2.
//!
//! Cannot see: a wrong scale within these bounds, such as an offset of 3 deviations.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, percent, short};
use crate::case::{Spread, Target};
use crate::curve::median;
use crate::history::History;

/// See the [module](self).
pub struct InputScale;

const FAR: f64 = 10.0;
const VERY_FAR: f64 = 100.0;
const UNEVEN: f64 = 100.0;
const TINY: f64 = 0.05;
const VERY_TINY: f64 = 0.005;
/// Half of the rows within so small a part of the rest, in so many columns and most of all.
const TWO_UNITS: f64 = 300.0;
const LEAST_TORN: usize = 2;
const TORN: f64 = 20.0;
const TARGET_FAR: f64 = 100.0;
const TARGET_TINY: f64 = 1e-3;

impl Rule for InputScale {
    fn about(&self) -> About {
        About {
            id: "R01",
            name: "INPUT_SCALE",
            summary: "Inputs, or the numbers to predict, are far larger, smaller or more uneven than networks expect.",
            kind: Kind::Data,
            persist: (1, 1),
            explains: &["R03", "R04", "R06", "R07", "R08", "R09", "R10", "R11", "R12", "R13", "R14", "R15", "R16", "R17", "R18", "R20", "R21", "R22", "R23", "R26", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let of_inputs = inputs(history).or_else(|| marks(history)).or_else(|| two_units(history));
        of_inputs.or_else(|| answers(history)).or_else(|| target(history))
    }
}

const WHY: &str = "First weights and learning rates are made for inputs with a spread near 1";

fn inputs(history: &History) -> Option<Found> {
    let inputs = &history.case.inputs;
    if inputs.max_abs == 0.0 {
        return None;
    }
    let found = |level, value: f64, threshold: f64, message: String| {
        let found = Found::new(level, (value, threshold), message, WHY);
        Some(found.cure("Standardise the inputs", &["data.normalize=standard".to_string()]))
    };
    if inputs.most > FAR {
        let level = if inputs.most > VERY_FAR { Level::Error } else { Level::Warn };
        let message = format!("1 % of all numbers of the inputs are larger than {} in size", short(inputs.most));
        return found(level, inputs.most, FAR, message);
    }
    let usual = inputs.most_of_nonzero;
    if usual < TINY {
        let level = if usual < VERY_TINY { Level::Error } else { Level::Warn };
        let message = match inputs.max_abs < TINY {
            true => format!("no input is larger than {}, as if they had been scaled twice", short(inputs.max_abs)),
            false => format!(
                "nearly all inputs are below {}, and the largest is {}: they seem to be scaled by a few far values",
                short(usual),
                short(inputs.max_abs)
            ),
        };
        return found(level, usual, TINY, message);
    }
    let widths = || inputs.columns.iter().map(Spread::width).filter(|width| *width > 0.0);
    let (widest, narrowest) = (widths().fold(0.0, f64::max), widths().fold(f64::INFINITY, f64::min));
    if widest > FAR && widest > UNEVEN * narrowest {
        let message = format!("one column of the inputs is {} times as wide as another", short(widest / narrowest));
        return found(Level::Warn, widest / narrowest, UNEVEN, message);
    }
    None
}

/// Columns whose one half is nothing beside the other.
fn two_units(history: &History) -> Option<Found> {
    let varied = || history.case.inputs.columns.iter().filter(|column| column.core > 0.0);
    let ratio = |column: &Spread| column.width() / column.core;
    let torn: Vec<f64> = varied().map(ratio).filter(|ratio| *ratio > TWO_UNITS).collect();
    let all = varied().count();
    if torn.len() < LEAST_TORN || 2 * torn.len() <= all {
        return None;
    }
    let ratio = median(&torn);
    let message = format!(
        "in {} of {all} columns half of the rows lie within a {}th of what the others span, as if these were in another unit",
        torn.len(),
        short(ratio.round())
    );
    let why = "Beside the large numbers the small ones all look the same, and nothing is learned of them";
    let found = Found::new(Level::Warn, (ratio, TWO_UNITS), message, why);
    Some(found.cure("Look where these rows come from, and bring all to the same unit", &[]))
}

/// Columns in which a number stands for what is missing.
fn marks(history: &History) -> Option<Found> {
    let columns = &history.case.inputs.columns;
    let marks = columns.iter().enumerate().filter_map(|(at, column)| Some((at, column.mark?)));
    let (at, (value, share)) = marks.clone().max_by(|a, b| a.1.1.total_cmp(&b.1.1))?;
    let message = format!(
        "{} of {} columns have a number far from all others again and again, such as {} in {} of the rows of column {}",
        marks.count(),
        columns.len(),
        short(value),
        percent(share),
        at + 1
    );
    let why = "What stands for a missing value is taken for a very low or high one, and squeezes all others together";
    let found = Found::new(Level::Warn, (share, 0.01), message, why);
    let advice = "Name the mark as missing (`data.table.missing`), so that the gap is filled and noted, or leave these rows out";
    Some(found.cure(advice, &[]))
}

/// Numbers to predict that are no answers, or not in the unit of the others.
fn answers(history: &History) -> Option<Found> {
    let Target::Numbers { spread, .. } = history.case.target else { return None };
    if let Some((value, share)) = spread.mark {
        let message = format!(
            "{} of the numbers to predict are one and the same, far from all others, as if nobody knew them ({} as the network gets them)",
            percent(share),
            short(value)
        );
        let why = "What stands for a missing answer is learned as if it were one, and counts more than all others";
        let found = Found::new(Level::Warn, (share, 0.01), message, why);
        return Some(found.cure("Leave out the rows whose answer is not known, in all parts of the data", &[]));
    }
    let (share, times) = spread.torn.filter(|(_, times)| *times > TORN)?;
    let message = format!(
        "{} of the numbers to predict lie close together, the others about {} times as far away, and next to none between, as if \
         they were in another unit",
        percent(share),
        short(times.round())
    );
    let why = "Beside the large errors of the ones the small ones of the others count for nothing";
    let found = Found::new(Level::Warn, (times, TORN), message, why);
    Some(found.cure("Look where these rows come from, and bring all answers to the same unit", &[]))
}

fn target(history: &History) -> Option<Found> {
    let Target::Numbers { std, .. } = history.case.target else { return None };
    let threshold = match std {
        std if std > TARGET_FAR => TARGET_FAR,
        std if std > 0.0 && std < TARGET_TINY => TARGET_TINY,
        _ => return None,
    };
    let message = format!("the numbers to predict have a deviation of {}", short(std));
    let why = "Losses and gradients grow with its square, so that usual learning rates are far too large or too small";
    let found = Found::new(Level::Warn, (std, threshold), message, why);
    Some(found.cure("Standardise the target: `PreparedData::standardize_target`; a recipe does it by itself", &[]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Case, Inputs};

    fn judge(values: Vec<f32>, columns: usize) -> Option<Found> {
        let case = Case { inputs: Inputs::of(vec![columns], &values), ..Case::default() };
        InputScale.judge(&History::of(case, None))
    }

    fn wave(at: usize) -> f32 {
        ((at * 7919) % 1000) as f32 / 500.0 - 1.0
    }

    #[test]
    fn raw_pixels_and_inputs_scaled_twice_are_errors() {
        let pixels: Vec<f32> = (0..5000).map(|at| 127.0 * (wave(at) + 1.0)).collect();
        assert_eq!(judge(pixels.clone(), 10).unwrap().level, Level::Error);
        let twice = pixels.iter().map(|pixel| pixel / 255.0 / 255.0).collect();
        assert_eq!(judge(twice, 10).unwrap().level, Level::Error);
        let once = pixels.iter().map(|pixel| pixel / 255.0).collect();
        assert_eq!(judge(once, 10), None);
    }

    #[test]
    fn standardised_inputs_with_a_few_far_values_are_well() {
        let mut values: Vec<f32> = (0..5000).map(|at| 1.7 * wave(at)).collect();
        values[17] = 245.0;
        values[1234] = -74.0;
        assert_eq!(judge(values, 10), None);
    }

    #[test]
    fn answers_that_nobody_knew_and_those_in_another_unit_are_told() {
        let judge = |answer: &dyn Fn(usize) -> f64| {
            let target = Target::of_numbers((0..1000).map(answer).collect());
            InputScale.judge(&History::of(Case { target, ..Case::default() }, None))
        };
        let own = |at: usize| f64::from(wave(at));
        assert_eq!(judge(&own), None);
        let missing = judge(&|at| if at % 5 == 0 { -99.0 } else { own(at) }).unwrap();
        assert!(missing.message.starts_with("20 % of the numbers to predict are one and the same"), "{}", missing.message);
        let units = judge(&|at| if at % 2 == 0 { own(at) } else { 1e-3 * own(at) }).unwrap();
        assert!(units.message.ends_with("in another unit"), "{}", units.message);
    }

    #[test]
    fn inputs_that_a_far_value_squashes_are_told() {
        let mut values: Vec<f32> = (0..5000).map(|at| 1e-5 * (wave(at) + 1.0)).collect();
        values[17] = 1.0;
        let found = judge(values, 10).unwrap();
        assert!(found.message.contains("a few far values"), "{}", found.message);
        // Yes and no, mostly no.
        let sparse = (0..5000).map(|at| if at % 300 == 0 { 1.0 } else { 0.0 }).collect();
        assert_eq!(judge(sparse, 10), None);
    }

    #[test]
    fn columns_of_very_different_width_are_told() {
        let mut values: Vec<f32> = (0..50_000).map(wave).collect();
        values.iter_mut().step_by(200).for_each(|value| *value *= 500.0);
        let found = judge(values, 200).unwrap();
        assert!(found.message.starts_with("one column"), "{}", found.message);
    }

    #[test]
    fn rows_in_another_unit_are_told() {
        let of = |factor: f32| {
            let values: Vec<f32> = (0..5000).map(|at| wave(at) * if at / 10 % 3 == 0 { factor } else { 1.0 } / factor).collect();
            judge(values, 10)
        };
        let found = of(1000.0).unwrap();
        assert!(found.message.contains("another unit"), "{}", found.message);
        assert_eq!(of(10.0), None);
    }

    #[test]
    fn a_target_in_thousands_is_told() {
        let target = Target::of_numbers((0..100).map(|at| 5000.0 * f64::from(wave(at))).collect());
        let history = History::of(Case { target, ..Case::default() }, None);
        assert_eq!(InputScale.judge(&history).unwrap().level, Level::Warn);
    }
}
