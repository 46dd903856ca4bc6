//! Small histories to try rules on.

use barun_nn::{ActivationRecord, ParameterRecord, StepRecord};
use barun_train::metrics::Metrics;

use barun_nn::Role;

use crate::case::{Call, Case, Loss, Target, Weight};
use crate::history::{Evaluation, History, StepScalars};

/// A step that was taken, of this loss.
pub fn step(loss: f64) -> StepScalars {
    StepScalars { loss, gradient_norm: 1.0, lr: 0.01, applied: true }
}

/// A record of parameters: path, weight, gradient, update.
pub fn record(parameters: &[(&str, f64, f64, f64)]) -> StepRecord {
    let parameter = |(path, weight, gradient, update): &(&str, f64, f64, f64)| ParameterRecord {
        path: path.to_string(),
        count: 100,
        weight_rms: *weight,
        gradient_rms: *gradient,
        gradient_mean_abs: 0.8 * gradient,
        update_rms: *update,
    };
    StepRecord { parameters: parameters.iter().map(parameter).collect(), ..StepRecord::default() }
}

/// What a layer gives, of this deviation.
pub fn layer(path: &str, kind: &str, std: f64) -> ActivationRecord {
    ActivationRecord {
        path: path.into(),
        kind: kind.into(),
        mean: 0.0,
        std,
        max_abs: 3.0 * std,
        ..ActivationRecord::default()
    }
}

/// Calls of layers of these kinds, the last of which gives `width` numbers.
pub fn calls(kinds: &[&str], width: usize) -> Vec<Call> {
    let call = |(at, kind): (usize, &&str)| Call {
        path: at.to_string(),
        kind: kind.to_string(),
        output: vec![width],
    };
    kinds.iter().enumerate().map(call).collect()
}

/// Ten equal classes, of which knowing nothing costs ln 10, in epochs of 100 steps.
pub fn ten_classes() -> Case {
    Case {
        target: Target::Classes(vec![100; 10]),
        loss: Loss { name: "cross_entropy".into(), ..Loss::default() },
        batch_size: 10,
        rows: 1000,
        valid_rows: 500,
        steps_per_epoch: 100,
        epochs: 20,
        ..Case::default()
    }
}

/// A history of `steps` steps whose losses `loss` gives, by the number of the step.
pub fn course(steps: usize, loss: impl Fn(usize) -> f64) -> History {
    let mut history = History::of(ten_classes(), None);
    (0..steps).for_each(|number| history.add_step(step(loss(number))));
    history
}

/// Noise between -1 and 1 that is the same in each run.
pub fn noise(at: usize) -> f64 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed >> 40) as f64) / f64::from(1u32 << 23) - 1.0
}

/// An evaluation of this loss and accuracy on the training and the validation part.
pub fn evaluation(epoch: usize, train: (f64, f64), valid: (f64, f64)) -> Evaluation {
    let metrics = |(loss, accuracy)| Metrics { loss, accuracy: Some(accuracy), ..Metrics::default() };
    Evaluation { epoch, step: 100 * epoch, train: metrics(train), valid: Some(metrics(valid)) }
}

/// A history with one check of weights whose gradients are these, from the first layer to the last.
pub fn history_of_gradients(gradients: &[f64]) -> History {
    history_of(gradients.iter().map(|gradient| (0.1, *gradient, 1e-3)))
}

/// A history with one check of weights whose updates are these times the weights.
pub fn history_of_updates(ratios: &[f64]) -> History {
    history_of(ratios.iter().map(|ratio| (0.1, 0.01, 0.1 * ratio)))
}

fn history_of(numbers: impl Iterator<Item = (f64, f64, f64)>) -> History {
    let numbers: Vec<(String, (f64, f64, f64))> =
        numbers.enumerate().map(|(at, numbers)| (format!("{at}.weight"), numbers)).collect();
    let weight = |path: &String| Weight { path: path.clone(), role: Role::Weight, count: 100, fan_in: 10 };
    let weights = numbers.iter().map(|(path, _)| weight(path)).collect();
    let optimizer = crate::case::Optimizer { lr: 0.01, ..Default::default() };
    let mut history = History::of(Case { weights, optimizer, ..ten_classes() }, None);
    let parameters: Vec<(&str, f64, f64, f64)> = numbers
        .iter()
        .map(|(path, (weight, gradient, update))| (path.as_str(), *weight, *gradient, *update))
        .collect();
    history.add_check((1, 32), step(1.0), &record(&parameters));
    history
}

/// A history whose data has these findings.
pub fn reported(kinds: &[(barun_data::integrity::Kind, barun_data::integrity::Severity)]) -> History {
    use barun_data::integrity::{Finding, Report};
    let finding = |(kind, severity): &(_, _)| Finding {
        kind: *kind,
        severity: *severity,
        message: format!("{kind:?}"),
        advice: "Mend it".into(),
        count: 3,
        of: 100,
        columns: Vec::new(),
        examples: Vec::new(),
    };
    let findings = kinds.iter().map(finding).collect();
    let report = Report { data: "x".into(), parts: [80, 10, 10], findings, sampled: Vec::new() };
    History::of(ten_classes(), Some(report))
}
