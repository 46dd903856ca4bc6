//! Batches whose gradients are mostly noise, or so large that there are hardly any steps.
//!
//! The simple noise scale, the trace of the gradients' covariance over the squared gradient, says from how many rows on the mean
//! gradient is more signal than noise (McCandlish et al., 2018, "An empirical model of large-batch training"). A look taken
//! while the run is in trouble estimates it from two halves of a batch; the median of the last looks counts.
//!
//! Threshold: a batch of fewer rows than a tenth of the noise scale, in 3 of 3 looks, while the gradients of the two halves point
//! the same way in fewer than one of five: WARN. BackPACK and Cockpit (Schneider et al., 2021) measure the same.
//!
//! Batches of fewer than 4 rows cannot be halved: WARN while the run is in trouble. And of a run of fewer than 150 steps in
//! all, of which each takes a quarter of the rows or more, in one batch or in several that make one update, whose loss still falls after three fifths of it and is above 0.3 of
//! the trivial one: WARN, whatever else the loss does.
//!
//! Cannot see: much from one look: the estimate is itself noisy.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, lr_times, short};
use crate::curve::{median, stretches};
use crate::history::History;

/// See the [module](self).
pub struct NoiseScale;

const FEW_STEPS: usize = 150;
/// A batch has one of so many parts of the rows.
const LARGE_PART: usize = 4;
const FALLING: f64 = 0.02;
const HIGH: f64 = 0.3;
const LEAST_ROWS: usize = 4;
const LOOKS: usize = 3;
const TENTH: f64 = 0.1;
const SAME_WAY: f64 = 0.2;

impl Rule for NoiseScale {
    fn about(&self) -> About {
        About {
            id: "R23",
            name: "NOISE_SCALE",
            summary: "Batches are so small that their gradients are mostly noise, or so large that there are few steps.",
            kind: Kind::Symptom,
            persist: (3, 3),
            explains: &["R06", "R10", "R16", "R17", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        few_steps(history).or_else(|| few_rows(history)).or_else(|| noisy(history))
    }
}

fn few_steps(history: &History) -> Option<Found> {
    let case = &history.case;
    let (batches, accumulate) = (case.total_steps(), case.accumulate.max(1));
    let (total, batch) = (batches / accumulate, case.batch_size * accumulate);
    if total >= FEW_STEPS || LARGE_PART * batch < case.rows || 5 * history.steps < 3 * batches {
        return None;
    }
    let [before, now] = stretches(history.losses.last(history.steps.div_ceil(2)), 2)[..] else { return None };
    if now >= (1.0 - FALLING) * before || now < HIGH * history.loss_scale()? {
        return None;
    }
    let message = format!("the run takes {total} steps in all, of {batch} rows each, and the loss still falls (now {})", short(now));
    let why = "What counts is how many steps are taken; from a few dozen rows on more make each hardly better";
    let found = Found::new(Level::Warn, (total as f64, FEW_STEPS as f64), message, why);
    let smaller = match accumulate {
        1 => found.cure("Take smaller batches", &["train.batch_size=32".to_string()]),
        _ => found.cure("Let each batch make an update", &["train.accumulate=1".to_string()]),
    };
    let found = smaller.certain();
    Some(found.cure("Train for more epochs", &[format!("train.epochs={}", 10 * case.epochs)]))
}

fn few_rows(history: &History) -> Option<Found> {
    let rows = history.case.batch_size * history.case.accumulate.max(1);
    let message = format!("a step is made from {rows} rows, and nothing is learned");
    let why = "The gradient of so few rows is mostly noise: steps must be tiny, or they are a random walk";
    let found = Found::new(Level::Warn, (rows as f64, LEAST_ROWS as f64), message, why);
    let found = found.cure("Take larger batches", &["train.batch_size=32".to_string()]);
    (1..LEAST_ROWS).contains(&rows).then(|| found.cure("Lower the learning rate", &lr_times(history, 0.1)))
}

fn noisy(history: &History) -> Option<Found> {
        let rows: Vec<f64> = history.probes.iter().filter_map(|probe| probe.noise_rows).collect();
        let cosines: Vec<f64> = history.probes.iter().filter_map(|probe| probe.half_cosine).collect();
        if rows.len() < LOOKS || cosines.is_empty() {
            return None;
        }
        let (noise, batch) = (median(&rows), history.case.batch_size as f64);
        let same = cosines.iter().filter(|cosine| **cosine > 0.0).count() as f64 / cosines.len() as f64;
        if batch >= TENTH * noise || same >= SAME_WAY {
            return None;
        }
        let message = format!("a batch has {batch} rows, and its gradient is more signal than noise from {} on", short(noise));
        let why = "Such steps are a random walk";
        let found = Found::new(Level::Warn, (batch / noise, TENTH), message, why);
        let found = found.cure("Take larger batches", &[format!("train.batch_size={}", 8 * history.case.batch_size.max(1))]);
        Some(found.cure("Let several batches make one update", &["train.accumulate=8".to_string()]))
    }

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::history::Probe;
    use crate::testing::ten_classes;

    #[test]
    fn batches_far_below_the_noise_scale_are_told() {
        let judge = |rows: f64, cosine: f64| {
            let mut history = History::of(Case { batch_size: 16, ..ten_classes() }, None);
            let probe = Probe { noise_rows: Some(rows), half_cosine: Some(cosine), ..Probe::default() };
            (0..3).for_each(|_| history.add_probe(probe));
            NoiseScale.judge(&history).is_some()
        };
        assert!(judge(5000.0, -0.1));
        assert!(!judge(5000.0, 0.2) && !judge(100.0, -0.1));
    }

    #[test]
    fn a_step_of_one_row_and_a_run_of_a_few_steps_are_told() {
        let of_rows = |batch_size| NoiseScale.judge(&History::of(Case { batch_size, ..ten_classes() }, None));
        assert!(of_rows(1).unwrap().message.contains("from 1 rows"));
        assert_eq!(of_rows(8), None);
        let run_of = |steps: usize| {
            let mut history = crate::testing::course(steps, |at| 2.3 - 0.5 * at as f64 / steps as f64);
            history.case = Case { batch_size: 1000, steps_per_epoch: 1, epochs: steps, ..ten_classes() };
            NoiseScale.judge(&history)
        };
        let few = run_of(20).unwrap();
        assert!(few.is_certain && few.message.contains("20 steps in all"), "{}", few.message);
        assert_eq!(run_of(200), None);
        let mut accumulated = crate::testing::course(200, |at| 2.3 - 0.5 * at as f64 / 200.0);
        accumulated.case = Case { batch_size: 32, accumulate: 16, steps_per_epoch: 32, epochs: 8, ..ten_classes() };
        let found = NoiseScale.judge(&accumulated).unwrap();
        assert_eq!(found.cure[0].set, ["train.accumulate=1"]);
    }
}
