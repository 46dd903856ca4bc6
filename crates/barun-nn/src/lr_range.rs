//! The learning-rate range test: which rate does a network learn fastest with?
//!
//! The rate rises from step to step, by the same factor each time, until the loss blows up. Where the loss falls steepest
//! is a good rate to train with. Smith, 2015, "Cyclical learning rates for training neural networks".

use std::fmt;

use crate::{Batch, Error, Forward, Module, Result, State, Step};

/// How the test is done.
#[derive(Clone, Debug, PartialEq)]
pub struct LrRange {
    /// The first rate.
    pub from: f64,
    /// The last rate.
    pub to: f64,
    /// Steps from one to the other.
    pub steps: usize,
    /// The part of the running mean of losses that is kept at each step.
    pub smoothing: f64,
    /// The test ends when the smoothed loss is so many times its lowest.
    pub blow_up: f64,
    /// The part of the steps at the beginning that neither ends the test nor sets the lowest loss: single bad batches
    /// there say nothing about the rate.
    pub settle: f64,
}

impl Default for LrRange {
    fn default() -> Self {
        LrRange { from: 1e-6, to: 10.0, steps: 100, smoothing: 0.9, blow_up: 3.0, settle: 0.1 }
    }
}

/// A step of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrPoint {
    /// The rate.
    pub lr: f64,
    /// The loss of the batch, before the step.
    pub loss: f64,
    /// The running mean of the losses, single outliers left out.
    pub smoothed: f64,
}

/// What the test found.
#[derive(Clone, Debug, PartialEq)]
pub struct LrRangeReport {
    /// The steps that were taken.
    pub points: Vec<LrPoint>,
    /// The rate at which the smoothed loss fell steepest; none if it never fell.
    pub suggestion: Option<f64>,
    /// The rate at which the loss blew up; none if it did not.
    pub blew_up_at: Option<f64>,
}

impl LrRange {
    /// Trains a copy of `state` on `batches`, as many as there are steps. What is given stays as it is.
    ///
    /// # Errors
    /// A range that does not rise, no batches, and what a step reports.
    pub fn run<M: Module + Forward>(
        &self,
        step: &Step<M>,
        state: &State,
        batches: impl IntoIterator<Item = Result<Batch>>,
    ) -> Result<LrRangeReport> {
        if !(self.from > 0.0 && self.to > self.from && self.to.is_finite()) || self.steps < 2 {
            return Err(Error::Model(format!(
                "the range test needs a rate that rises, from above 0 over 2 steps or more; it has {} to {} in {} steps",
                self.from, self.to, self.steps
            )));
        }
        let mut state = state.clone();
        let factor = (self.to / self.from).powf(1.0 / (self.steps - 1) as f64);
        let mut curve = Curve::new(self);
        for (index, batch) in batches.into_iter().take(self.steps).enumerate() {
            let lr = self.from * factor.powi(index as i32);
            let output = step.run(&mut state, &batch?, lr)?;
            if curve.add(lr, output.loss) {
                break;
            }
        }
        if curve.points.is_empty() {
            return Err(Error::Model("the range test got no batches; give it at least one".to_string()));
        }
        Ok(curve.report())
    }
}

/// The losses so far.
struct Curve<'a> {
    settings: &'a LrRange,
    points: Vec<LrPoint>,
    mean: Option<f64>,
    lowest: f64,
    blew_up_at: Option<f64>,
}

impl Curve<'_> {
    fn new(settings: &LrRange) -> Curve<'_> {
        Curve { settings, points: Vec::new(), mean: None, lowest: f64::INFINITY, blew_up_at: None }
    }

    /// Steps that do not count yet.
    fn settling(&self) -> usize {
        (self.settings.settle * self.settings.steps as f64) as usize
    }

    /// Whether the test is over.
    fn add(&mut self, lr: f64, loss: f64) -> bool {
        if !loss.is_finite() {
            self.blew_up_at = Some(lr);
            return true;
        }
        // The median of the last three has no single outlier in it; the mean of such medians is smooth.
        let last: Vec<f64> = self.points.iter().rev().take(2).map(|point| point.loss).collect();
        let typical = match last[..] {
            [a, b] => loss.max(a.min(b)).min(a.max(b)),
            [a] => loss.min(a),
            _ => loss,
        };
        if self.points.len() < self.settling() {
            let smoothed = self.median_with(loss);
            self.points.push(LrPoint { lr, loss, smoothed });
            return false;
        }
        // The mean begins where the settled losses lie, whatever one of them was.
        let kept = self.settings.smoothing;
        let before = self.mean.unwrap_or_else(|| self.median_with(typical));
        let smoothed = kept * before + (1.0 - kept) * typical;
        self.mean = Some(smoothed);
        self.points.push(LrPoint { lr, loss, smoothed });
        self.lowest = self.lowest.min(smoothed);
        if smoothed > self.settings.blow_up * self.lowest.abs().max(f64::MIN_POSITIVE) {
            self.blew_up_at = Some(lr);
            return true;
        }
        false
    }

    /// The median of all losses so far and `loss`.
    fn median_with(&self, loss: f64) -> f64 {
        let mut losses: Vec<f64> = self.points.iter().map(|point| point.loss).chain([loss]).collect();
        losses.sort_by(f64::total_cmp);
        losses[losses.len() / 2]
    }

    fn report(self) -> LrRangeReport {
        let first = self.settling().min(self.points.len());
        let counted = &self.points[first..];
        let lowest = (0..counted.len())
            .fold(0, |best, at| if counted[at].smoothed < counted[best].smoothed { at } else { best });
        // The slope over one step to each side, on the way down to the lowest point.
        let slope = |at: &usize| counted[at + 1].smoothed - counted[at - 1].smoothed;
        let steepest = (1..lowest).min_by(|a, b| slope(a).total_cmp(&slope(b))).filter(|at| slope(at) < 0.0);
        let suggestion = steepest.map(|at| counted[at].lr);
        LrRangeReport { suggestion, blew_up_at: self.blew_up_at, points: self.points }
    }
}

impl fmt::Display for LrRangeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for point in &self.points {
            writeln!(f, "{:>9.2e}  {:>10.4}  {:>10.4}", point.lr, point.loss, point.smoothed)?;
        }
        match (self.suggestion, self.blew_up_at) {
            (Some(lr), Some(end)) => writeln!(f, "steepest at {lr:.1e}; blows up at {end:.1e}"),
            (Some(lr), None) => writeln!(f, "steepest at {lr:.1e}; does not blow up"),
            (None, _) => writeln!(f, "the loss never fell: start lower, or look at the data"),
        }
    }
}
