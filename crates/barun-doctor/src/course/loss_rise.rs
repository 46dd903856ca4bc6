//! Why did the loss go up? [DIAG-17]
//!
//! A loss that rises is not always a fault. Looked at are the last 128 steps, without their trend:
//!
//! | cause | how it looks |
//! |---|---|
//! | learning rate too large | each step lands higher: the logarithm of the loss rises steadily, to more than twice |
//! | momentum overshoots | waves over many steps: neighbours are alike, and half a wave later the opposite |
//! | noise of the batches | neighbours have nothing to do with each other |
//!
//! Neighbours are compared by the autocorrelation at distance 1; a wave shows as a negative one at a larger distance. Momentum b
//! remembers about 1 / (1 - b) steps, so that waves shorter than a few steps are not its doing.

use std::fmt;

use barun_train::recipe::as_arguments;

use crate::curve::{mean, stretches, trend};
use crate::history::History;
use crate::rules::{lr_times, short};

const STEPS: usize = 128;
const LEAST: usize = 32;
/// A rise of this part of what the loss swings by is one.
const RISES: f64 = 0.05;
const TWICE: f64 = 2.0;
const SURE: f64 = 3.0;
const ALIKE: f64 = 0.6;
const OPPOSITE: f64 = -0.25;

/// Why a loss rose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The learning rate is too large: each step lands higher.
    RateTooLarge,
    /// Momentum carries the weights past the bottom, and back.
    MomentumOvershoot,
    /// Batches differ.
    BatchNoise,
}

/// A rise of the loss and its cause.
#[derive(Clone, Debug, PartialEq)]
pub struct LossRise {
    /// Why.
    pub cause: Cause,
    /// How alike the losses of neighbouring steps are, from -1 to 1, without the trend.
    pub neighbours: f64,
    /// The loss before and after.
    pub from: f64,
    /// See [`from`](LossRise::from).
    pub to: f64,
    /// A setting that mends it; empty where nothing needs to be.
    pub set: Vec<String>,
}

/// Why the loss rose in the last steps; none where it did not, or too little is known.
pub fn loss_rise(history: &History) -> Option<LossRise> {
    let steps = history.recent.len();
    let losses: Vec<f64> =
        history.recent.iter().skip(steps.saturating_sub(STEPS)).map(|step| step.loss).collect();
    if losses.len() < LEAST || losses.iter().any(|loss| !loss.is_finite() || *loss >= f64::MAX) {
        return None;
    }
    let quarters = stretches(&losses, 4);
    let logs: Vec<f64> = losses.iter().map(|loss| loss.max(f64::MIN_POSITIVE).ln()).collect();
    let grows = trend(&stretches(&logs, 16)) > SURE && quarters[3] > TWICE * quarters[0];
    let rest = without_trend(&losses);
    let neighbours = autocorrelation(&rest, 1);
    let is_wave = neighbours > ALIKE
        && (2..losses.len() / 2).any(|distance| autocorrelation(&rest, distance) < OPPOSITE);
    let has_momentum = history.case.optimizer.momentum > 0.0;
    let rises = losses.windows(2).any(|pair| pair[1] > pair[0] * (1.0 + RISES));
    let cause = match () {
        () if grows => Cause::RateTooLarge,
        () if is_wave && has_momentum && rises_in_waves(&losses) => Cause::MomentumOvershoot,
        () if neighbours.abs() < ALIKE && rises => Cause::BatchNoise,
        () => return None,
    };
    let set = match cause {
        Cause::RateTooLarge => lr_times(history, 1.0 / 3.0),
        Cause::MomentumOvershoot => {
            let optimizer = &history.case.optimizer;
            vec![format!("train.optimizer.{}={}", optimizer.momentum_setting(), calmer(optimizer.momentum))]
        }
        Cause::BatchNoise => Vec::new(),
    };
    Some(LossRise { cause, neighbours, from: quarters[0], to: quarters[3], set })
}

/// A momentum that remembers half as many steps.
fn calmer(momentum: f64) -> f64 {
    ((1.0 - 2.0 * (1.0 - momentum)).max(0.0) * 100.0).round() / 100.0
}

/// Whether the swings are of a size worth a word.
fn rises_in_waves(losses: &[f64]) -> bool {
    let parts = stretches(losses, 32);
    parts.windows(2).any(|pair| pair[1] > pair[0] * (1.0 + RISES))
}

/// Without a straight line in the logarithm, which a loss that falls geometrically follows.
fn without_trend(losses: &[f64]) -> Vec<f64> {
    let logs: Vec<f64> = losses.iter().map(|loss| loss.max(f64::MIN_POSITIVE).ln()).collect();
    let (level, center) = (mean(&logs), (logs.len() as f64 - 1.0) / 2.0);
    let spread: f64 = (0..logs.len()).map(|at| (at as f64 - center).powi(2)).sum();
    let slope: f64 =
        logs.iter().enumerate().map(|(at, log)| (at as f64 - center) * (log - level)).sum::<f64>() / spread;
    logs.iter().enumerate().map(|(at, log)| log - level - slope * (at as f64 - center)).collect()
}

fn autocorrelation(values: &[f64], distance: usize) -> f64 {
    let power: f64 = values.iter().map(|value| value * value).sum();
    let product: f64 = values.iter().zip(&values[distance..]).map(|(a, b)| a * b).sum();
    if power > 0.0 { product / power } else { 0.0 }
}

impl fmt::Display for LossRise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (short(self.from), short(self.to));
        match self.cause {
            Cause::RateTooLarge => write!(
                f,
                "the loss rose from {from} to {to}, each step landing higher: the learning rate is too large"
            )?,
            Cause::MomentumOvershoot => {
                write!(
                    f,
                    "the loss goes up and down in waves over many steps: momentum carries the weights past the bottom and back"
                )?;
            }
            Cause::BatchNoise => {
                return write!(
                    f,
                    "single steps have a higher loss than those before: batches differ, and nothing is wrong with that"
                );
            }
        }
        write!(f, "; try {}", as_arguments(&self.set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::StepScalars;
    use crate::testing::{noise, ten_classes};

    /// Gradient descent with momentum on a valley of this curvature, from 1; noise moves the gradient.
    fn descend(lr: f64, momentum: f64, curvature: f64, noisy: f64) -> History {
        let mut history = History::of(ten_classes(), None);
        (history.case.optimizer.momentum, history.case.optimizer.lr) = (momentum, lr);
        let (mut place, mut speed) = (1.0f64, 0.0);
        for at in 0..200 {
            let loss = 0.5 * curvature * place * place + 0.01 + noisy * noise(at);
            history.add_step(StepScalars { loss, gradient_norm: curvature * place.abs(), lr, applied: true });
            speed = momentum * speed + curvature * place;
            place -= lr * speed;
        }
        history
    }

    /// DIAG-17
    #[test]
    fn three_runs_whose_loss_rises_have_three_causes() {
        let too_large = loss_rise(&descend(0.201, 0.0, 10.0, 0.0)).unwrap();
        assert_eq!(too_large.cause, Cause::RateTooLarge);
        assert_eq!(too_large.set, ["train.lr=0.067"]);
        let overshoot = loss_rise(&descend(0.001, 0.98, 10.0, 0.0)).unwrap();
        assert_eq!(overshoot.cause, Cause::MomentumOvershoot);
        assert_eq!(overshoot.set, ["train.optimizer.momentum=0.96"]);
        let mut history = descend(0.001, 0.98, 10.0, 0.0);
        history.case.optimizer.name = "adamw".into();
        assert_eq!(loss_rise(&history).unwrap().set, ["train.optimizer.beta1=0.96"]);
        let noisy = loss_rise(&descend(0.01, 0.0, 10.0, 0.005)).unwrap();
        assert_eq!(noisy.cause, Cause::BatchNoise);
        assert!(noisy.set.is_empty());
    }

    #[test]
    fn a_loss_that_falls_smoothly_has_not_risen() {
        assert_eq!(loss_rise(&descend(0.001, 0.0, 10.0, 0.0)), None);
    }
}
