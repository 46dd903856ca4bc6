//! What the doctor has seen of a run, in bounded memory: part of every checkpoint, so that a resumed run is told the same.

use std::collections::VecDeque;

use barun_data::integrity;
use barun_nn::StepRecord;
use barun_train::metrics::Metrics;
use barun_train::request::OverfitReport;
use serde::{Deserialize, Serialize};

use crate::case::Case;
use crate::curve::Curve;
use crate::labels::LabelCheck;
use crate::vitals::VitalsLog;

/// So many of the last steps, checks and evaluations are kept.
const STEPS: usize = 512;
const CHECKS: usize = 24;
const EVALUATIONS: usize = 512;
const PROBES: usize = 16;
const MODES: usize = 3;
/// A unit is dead only if it gave nothing in so many checks with so many rows.
const UNIT_CHECKS: usize = 10;
const UNIT_ROWS: usize = 1000;
/// A layer is dead without counting if it gave nothing at all in so many checks.
const SILENT_CHECKS: usize = 5;
/// A loss is smoothed over so many steps, and is no measure of anything before it knows as many: before the weights of what
/// it knows add up to 20 (1 - 0.95^20).
const SMOOTHING: f64 = 20.0;
const SETTLED: f64 = 12.8;

/// What has been seen of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct History {
    /// What is trained; known anew whenever a run begins or goes on.
    #[serde(skip)]
    pub case: Case,
    /// What the checks of the data have found; likewise.
    #[serde(skip)]
    pub data: Option<integrity::Report>,
    /// Whether a few rows could be learned by heart, where that was tried.
    #[serde(skip)]
    pub overfit: Option<OverfitReport>,
    /// Steps seen.
    pub steps: usize,
    /// The loss of every step, thinned.
    pub losses: Curve,
    /// The last steps.
    pub recent: VecDeque<StepScalars>,
    /// The losses of the first steps.
    pub first_losses: Vec<f64>,
    /// The gradients' norms in the first steps.
    pub first_norms: Vec<f64>,
    /// Of the smoothed loss: the weight of what it knows, its sum, its smallest value.
    smooth: (f64, f64, Option<f64>),
    /// Steps that were not taken, and the last of them.
    pub skipped: (usize, usize),
    /// Where the last of them left the finite numbers, as a sentence; none where nobody could say.
    pub non_finite: Option<String>,
    /// Paths of the parameters in checks.
    pub parameters: Vec<String>,
    /// Paths and kinds of the calls of layers in checks.
    pub activations: Vec<(String, String)>,
    /// The first check.
    pub first_check: Option<Check>,
    /// The last checks.
    pub checks: VecDeque<Check>,
    /// Checks in all.
    pub checked: usize,
    /// Which units have given something.
    units: Vec<Units>,
    /// The last costly looks, which are only taken while the run is in trouble.
    pub probes: VecDeque<Probe>,
    /// The last looks at a batch in both modes, which are only taken where these seem to differ.
    #[serde(default)]
    pub modes: VecDeque<Modes>,
    /// Evaluations on the validation part.
    pub evaluations: VecDeque<Evaluation>,
    /// What the best of them says of the labels of its rows; none where no classes are learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelCheck>,
    /// The vital signs of the whole run.
    pub vitals: VitalsLog,
}

/// What every step tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepScalars {
    /// Its loss; a very large number where it was not finite.
    pub loss: f64,
    /// The norm of all gradients together; likewise.
    pub gradient_norm: f64,
    /// The learning rate.
    pub lr: f64,
    /// Whether it was taken.
    pub applied: bool,
}

/// What a step showed from inside; in the order of the history's paths.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The step, from 1.
    pub step: usize,
    /// Its learning rate.
    pub lr: f64,
    /// Its loss.
    pub loss: f64,
    /// Whether it was taken.
    pub applied: bool,
    /// The parameters.
    pub parameters: Vec<ParameterCheck>,
    /// The calls of layers.
    pub activations: Vec<ActivationCheck>,
}

/// A parameter in a check; kept with the precision of an f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 4]", into = "[f32; 4]")]
pub struct ParameterCheck {
    /// The root mean square of its values.
    pub weight: f64,
    /// The root mean square of its gradient.
    pub gradient: f64,
    /// The mean absolute gradient.
    pub mean_gradient: f64,
    /// The root mean square of what the step added.
    pub update: f64,
}

/// What a layer gave in a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActivationCheck {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub std: f64,
    /// The largest absolute value.
    pub max_abs: f64,
    /// The share in the flat part of a sigmoid or tanh.
    pub saturated: Option<f64>,
    /// The share of exact zeros.
    pub zeros: f64,
    /// Whether units that should differ all reach the very same largest value.
    pub are_alike: bool,
}

/// A costly look at a state and a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The step after which it was taken.
    pub step: usize,
    /// The loss of the batch after the step, in eval mode.
    pub eval_loss: Option<f64>,
    /// The same with the inputs of the rows exchanged among them.
    pub exchanged_loss: Option<f64>,
    /// By how much the answers to the rows change, as a part of their spread, when the rows come in another order.
    pub order_matters: Option<f64>,
    /// The simple noise scale in rows, tr(S) / |G|^2; see the rule `NOISE_SCALE`.
    pub noise_rows: Option<f64>,
    /// The cosine between the gradients of two halves of the batch.
    pub half_cosine: Option<f64>,
    /// The largest curvature along which the loss bends.
    pub sharpness: Option<f64>,
    /// The share of a weight's numbers that are as large as the largest of them, to the bit, above 0 and below, and how large that
    /// is: of the weight in the middle.
    #[serde(default)]
    pub at_their_bound: Option<(f64, f64)>,
}

/// The loss of one batch in both modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Modes {
    /// The step.
    pub step: usize,
    /// In training mode, before the step.
    pub train: f64,
    /// In eval mode, after it.
    pub eval: f64,
}

/// An evaluation, after an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Steps so far.
    pub step: usize,
    /// While training.
    pub train: Metrics,
    /// On the validation part.
    pub valid: Option<Metrics>,
}

/// Which units of a layer gave something while they were counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Units {
    is_alive: Vec<bool>,
    checks: usize,
    rows: usize,
    /// Dead units of the last whole count.
    dead: Option<usize>,
}

impl From<[f32; 4]> for ParameterCheck {
    fn from(numbers: [f32; 4]) -> ParameterCheck {
        let [weight, gradient, mean_gradient, update] = numbers.map(f64::from);
        ParameterCheck { weight, gradient, mean_gradient, update }
    }
}

impl From<ParameterCheck> for [f32; 4] {
    fn from(check: ParameterCheck) -> [f32; 4] {
        [check.weight, check.gradient, check.mean_gradient, check.update].map(|number| number as f32)
    }
}

/// As an f32 keeps it, so that what is written and read again is the same.
fn single(value: f64) -> f64 {
    let value = value as f32;
    f64::from(if value.is_finite() { value } else { f32::MAX })
}

/// JSON has no word for what is not finite.
fn bounded(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::MAX }
}

impl History {
    /// Of a run that is about to begin.
    pub fn of(case: Case, data: Option<integrity::Report>) -> History {
        History { case, data, ..History::default() }
    }

    /// Of the same run after it was mended: what was seen under other terms says nothing of these.
    pub fn after_repair(&self, case: Case) -> History {
        History {
            steps: self.steps,
            losses: self.losses.clone(),
            first_losses: self.first_losses.clone(),
            first_norms: self.first_norms.clone(),
            first_check: self.first_check.clone(),
            checked: self.checked,
            vitals: self.vitals.clone(),
            // The layers that the first check is of; the next check knows better if some are passed over now.
            parameters: self.parameters.clone(),
            activations: self.activations.clone(),
            units: vec![Units::default(); self.activations.len()],
            ..History::of(case, self.data.clone())
        }
    }

    /// Adds a step.
    pub fn add_step(&mut self, step: StepScalars) {
        self.steps += 1;
        self.losses.add(step.loss);
        if self.first_losses.len() < 20 && step.loss.is_finite() {
            self.first_losses.push(step.loss);
            self.first_norms.push(bounded(step.gradient_norm));
        }
        if !step.applied {
            self.skipped = (self.skipped.0 + 1, self.steps);
        }
        if step.loss.is_finite() {
            let keep = 1.0 - 1.0 / SMOOTHING;
            let (weight, sum, least) = self.smooth;
            let (weight, sum) = (weight * keep + 1.0, sum * keep + step.loss);
            let is_settled = weight >= SETTLED;
            let least = if is_settled {
                Some(least.map_or(sum / weight, |least| least.min(sum / weight)))
            } else {
                None
            };
            self.smooth = (weight, sum, least);
        }
        if self.recent.len() == STEPS {
            self.recent.pop_front();
        }
        let (loss, gradient_norm) = (bounded(step.loss), bounded(step.gradient_norm));
        self.recent.push_back(StepScalars { loss, gradient_norm, ..step });
    }

    /// Adds what step `step` with `rows` rows showed from inside.
    pub fn add_check(&mut self, (step, rows): (usize, usize), scalars: StepScalars, record: &StepRecord) {
        let is_known = self.parameters.len() == record.parameters.len()
            && self.activations.len() == record.activations.len();
        if !is_known {
            self.parameters = record.parameters.iter().map(|parameter| parameter.path.clone()).collect();
            self.activations =
                record.activations.iter().map(|layer| (layer.path.clone(), layer.kind.clone())).collect();
            self.units = vec![Units::default(); record.activations.len()];
            // What other layers showed first says nothing of these.
            let is_of_these = |check: &Check| {
                (check.parameters.len(), check.activations.len())
                    == (record.parameters.len(), record.activations.len())
            };
            self.first_check = self.first_check.take().filter(is_of_these);
        }
        let parameters = record.parameters.iter().map(|parameter| ParameterCheck {
            weight: single(parameter.weight_rms),
            gradient: single(parameter.gradient_rms),
            mean_gradient: single(parameter.gradient_mean_abs),
            update: single(parameter.update_rms),
        });
        let activations = record.activations.iter().map(|layer| ActivationCheck {
            mean: single(layer.mean),
            std: single(layer.std),
            max_abs: single(layer.max_abs),
            saturated: layer.saturated.map(single),
            zeros: single(layer.zeros),
            are_alike: are_alike(&layer.unit_max_abs),
        });
        for (units, layer) in self.units.iter_mut().zip(&record.activations) {
            units.add(&layer.unit_max_abs, rows);
        }
        let check = Check {
            step,
            lr: scalars.lr,
            loss: bounded(scalars.loss),
            applied: scalars.applied,
            parameters: parameters.collect(),
            activations: activations.collect(),
        };
        let dead: Vec<Option<f64>> = self.units.iter().map(Units::dead_share).collect();
        self.vitals.add(&check, &dead);
        self.checked += 1;
        self.first_check.get_or_insert_with(|| check.clone());
        if self.checks.len() == CHECKS {
            self.checks.pop_front();
        }
        self.checks.push_back(check);
    }

    /// Adds a costly look.
    pub fn add_probe(&mut self, probe: Probe) {
        if self.probes.len() == PROBES {
            self.probes.pop_front();
        }
        let bounded = |value: Option<f64>| value.map(bounded);
        self.probes.push_back(Probe {
            step: probe.step,
            eval_loss: bounded(probe.eval_loss),
            exchanged_loss: bounded(probe.exchanged_loss),
            order_matters: bounded(probe.order_matters),
            noise_rows: bounded(probe.noise_rows),
            half_cosine: bounded(probe.half_cosine),
            sharpness: bounded(probe.sharpness),
            at_their_bound: probe.at_their_bound,
        });
    }

    /// Adds the loss of a batch in both modes.
    pub fn add_modes(&mut self, modes: Modes) {
        if self.modes.len() == MODES {
            self.modes.pop_front();
        }
        self.modes.push_back(Modes { train: bounded(modes.train), eval: bounded(modes.eval), ..modes });
    }

    /// Whether it is worth a pass to look at a batch in both modes: it was not done since the last evaluation, and there the
    /// validation loss was far above that of training, which may be for many reasons. Once a few looks have shown no difference no
    /// more are taken.
    pub fn modes_may_differ(&self) -> bool {
        let Some(Evaluation { step, train, valid: Some(valid), .. }) = self.evaluations.back() else {
            return false;
        };
        let is_due = self.modes.back().is_none_or(|modes| modes.step <= *step);
        let is_open = self.modes.len() < MODES
            || self.modes.iter().any(|modes| self.are_apart(modes.train, modes.eval));
        is_due && is_open && self.are_apart(train.loss, valid.loss)
    }

    /// Whether a loss is half as large again as another, and by more than a fifth of the loss of knowing nothing.
    pub fn are_apart(&self, low: f64, high: f64) -> bool {
        high > 1.5 * low && self.loss_scale().is_some_and(|scale| high - low > 0.2 * scale)
    }

    /// Adds what an epoch came to.
    pub fn add_evaluation(&mut self, evaluation: Evaluation) {
        if self.evaluations.len() == EVALUATIONS {
            self.evaluations.pop_front();
        }
        self.evaluations.push_back(evaluation);
    }

    /// Whether an evaluation with these figures has a lower loss than all before it.
    pub fn is_best_so_far(&self, valid: &Metrics) -> bool {
        let before = self.evaluations.iter().filter_map(|evaluation| Some(evaluation.valid?.loss));
        valid.loss.is_finite() && before.fold(f64::INFINITY, f64::min) > valid.loss
    }

    /// The best figure on the validation part so far - the accuracy, or the share of the variance that is explained - and how
    /// many evaluations ago it was.
    pub fn best_figure(&self) -> Option<(f64, usize)> {
        let figure = |evaluation: &Evaluation| evaluation.valid.and_then(|valid| valid.accuracy.or(valid.r2));
        let figures: Vec<f64> = self
            .evaluations
            .iter()
            .filter_map(figure)
            .map(|figure| if figure.is_nan() { f64::NEG_INFINITY } else { figure })
            .collect();
        let best = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let at = figures.iter().position(|figure| *figure == best)?;
        Some((best.max(-1.0), figures.len() - 1 - at))
    }

    /// The last `count` checks, the oldest first; none where there are not as many yet.
    pub fn last_checks(&self, count: usize) -> Option<Vec<&Check>> {
        let skip = self.checks.len().checked_sub(count)?;
        Some(self.checks.iter().skip(skip).collect())
    }

    /// The loss over the last steps, smoothed; none before there are enough.
    pub fn smooth_loss(&self) -> Option<f64> {
        let (weight, sum, least) = self.smooth;
        least.map(|_| sum / weight)
    }

    /// The smallest value the smoothed loss has had.
    pub fn least_loss(&self) -> Option<f64> {
        self.smooth.2
    }

    /// Whether the loss is still high after half of the run: above 0.3 of what knowing nothing costs.
    pub fn is_poor(&self) -> bool {
        let is_late = 2 * self.steps > self.case.total_steps();
        let loss = self.smooth_loss().zip(self.loss_scale());
        is_late && loss.is_some_and(|(loss, scale)| loss > 0.3 * scale)
    }

    /// The loss of the first step.
    pub fn first_loss(&self) -> Option<f64> {
        self.first_losses.first().copied()
    }

    /// What a loss is large or small against: that of knowing nothing; where that is not known, that of the first steps.
    pub fn loss_scale(&self) -> Option<f64> {
        let measured = (!self.first_losses.is_empty()).then(|| crate::curve::median(&self.first_losses));
        self.case.trivial_loss().or(measured.filter(|loss| *loss > 0.0))
    }

    /// Dead units of the activation at `index` and how many it has; none before enough rows were seen, or where it
    /// cannot die.
    pub fn dead_units(&self, index: usize) -> Option<(usize, usize)> {
        let units = self.units.get(index)?;
        let gives_nothing = |checks: Vec<&Check>| {
            checks.iter().all(|check| check.activations.get(index).is_some_and(|layer| layer.zeros == 1.0))
        };
        if !units.is_alive.is_empty() && self.last_checks(SILENT_CHECKS).is_some_and(gives_nothing) {
            return Some((units.is_alive.len(), units.is_alive.len()));
        }
        Some((units.dead?, units.is_alive.len()))
    }

    /// Whether the activation at `index` is of the kind that can die.
    pub fn can_die(&self, index: usize) -> bool {
        self.units.get(index).is_some_and(|units| !units.is_alive.is_empty())
    }

    /// The role of the parameter at `index` of a check.
    pub fn weight(&self, index: usize) -> Option<&crate::case::Weight> {
        let path = self.parameters.get(index)?;
        self.case.weights.iter().find(|weight| weight.path == *path)
    }

    /// Indices of the parameters that multiply inputs, in the order of the network.
    pub fn weight_indices(&self) -> Vec<usize> {
        let is_weight = |index: &usize| {
            self.weight(*index)
                .is_some_and(|weight| weight.role == barun_nn::Role::Weight && weight.count > 1)
        };
        (0..self.parameters.len()).filter(is_weight).collect()
    }
}

/// At least so many units, all of which gave the very same: they have the same weights.
fn are_alike(unit_max_abs: &[f32]) -> bool {
    const LEAST: usize = 4;
    let first = unit_max_abs.first().copied().unwrap_or(0.0);
    unit_max_abs.len() >= LEAST
        && first != 0.0
        && first.is_finite()
        && unit_max_abs.iter().all(|unit| *unit == first)
}

impl Units {
    fn add(&mut self, unit_max_abs: &[f32], rows: usize) {
        if self.is_alive.len() != unit_max_abs.len() {
            *self = Units { is_alive: vec![false; unit_max_abs.len()], ..Units::default() };
        }
        if unit_max_abs.is_empty() {
            return;
        }
        for (is_alive, unit) in self.is_alive.iter_mut().zip(unit_max_abs) {
            *is_alive |= *unit != 0.0;
        }
        (self.checks, self.rows) = (self.checks + 1, self.rows + rows);
        if self.checks >= UNIT_CHECKS && self.rows >= UNIT_ROWS {
            self.dead = Some(self.is_alive.iter().filter(|is_alive| !**is_alive).count());
            (self.checks, self.rows) = (0, 0);
            self.is_alive.fill(false);
        }
    }

    fn dead_share(&self) -> Option<f64> {
        Some(self.dead? as f64 / self.is_alive.len().max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{layer, record, step, ten_classes};

    #[test]
    fn a_history_stays_small_and_comes_back_from_json_as_it_was() {
        let mut history = History::default();
        for number in 1..5000 {
            history.add_step(step(1.0 / number as f64));
            history.add_check((number, 32), step(1.0), &record(&[("0.weight", 0.1, 0.01, 0.001)]));
        }
        history.add_step(StepScalars {
            loss: f64::NAN,
            gradient_norm: f64::INFINITY,
            lr: 0.1,
            applied: false,
        });
        let text = serde_json::to_string(&history).unwrap();
        assert!(text.len() < 200_000, "{}", text.len());
        let back: History = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        assert_eq!((back.steps, back.skipped), (5000, (1, 5000)));
    }

    #[test]
    fn a_unit_is_dead_only_after_enough_checks_and_rows() {
        let mut units = Units::default();
        for check in 0..10 {
            assert_eq!(units.dead, None);
            units.add(&[0.0, if check == 3 { 1.0 } else { 0.0 }, 2.0], 128);
        }
        assert_eq!(units.dead, Some(1));
    }

    #[test]
    fn the_smoothed_loss_follows_the_losses() {
        let mut history = History::default();
        (0..200).for_each(|at| history.add_step(step(if at < 100 { 2.0 } else { 1.0 })));
        assert!((history.smooth_loss().unwrap() - 1.0).abs() < 0.01);
        assert_eq!(history.smooth_loss(), history.least_loss());
        assert_eq!(history.loss_scale(), Some(2.0));
    }

    #[test]
    fn a_network_that_has_fewer_layers_after_a_repair_is_judged_by_what_they_show() {
        let seen = |layers: usize| StepRecord {
            activations: (0..layers).map(|at| layer(&at.to_string(), "Linear", 1.0)).collect(),
            ..record(&[("0.weight", 0.1, 0.01, 0.001)])
        };
        let mut history = History::of(ten_classes(), None);
        history.add_step(step(2.3));
        history.add_check((1, 32), step(2.3), &seen(4));
        let mut history = history.after_repair(ten_classes());
        let judge_all =
            |history: &History| crate::rules::all().iter().for_each(|rule| drop(rule.judge(history)));
        judge_all(&history);
        history.add_step(step(2.0));
        history.add_check((2, 32), step(2.0), &seen(2));
        assert_eq!(history.first_check.as_ref().unwrap().activations.len(), 2);
        judge_all(&history);
    }
}
