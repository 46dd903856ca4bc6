//! A deep network without normalisation or residual connections, whose gradients show it.
//!
//! Threshold: ten weighted layers or more, and `BAD_INIT`, `GRAD_VANISH`, `GRAD_EXPLODE`, or layers that learn at speeds which
//! differ by more than two decades: WARN while the run is in trouble, or `GRAD_VANISH` finds it poor. The depth alone is no fault. After AutoTrainer and the
//! tuning playbook.
//!
//! Cannot see: shallower networks, which rarely need it.

use barun_train::diagnosis::Level;

use super::{About, BadInit, Found, GradExplode, GradVanish, Kind, Rule, short};
use crate::history::History;

/// See the [module](self).
pub struct MissingNorm;

const DEEP: usize = 10;
const DECADES: f64 = 100.0;

impl Rule for MissingNorm {
    fn about(&self) -> About {
        About {
            id: "R22",
            name: "MISSING_NORM",
            summary: "A deep network without normalisation or residual connections, whose gradients show it.",
            kind: Kind::Symptom,
            persist: (3, 5),
            explains: &["R06", "R07", "R09", "R10", "R12", "R13", "R16", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let case = &history.case;
        let depth = case.weighted_calls().count();
        if depth < DEEP || case.has_normalization() || case.has_residual() {
            return None;
        }
        let signs: [&dyn Rule; 3] = [&GradVanish, &GradExplode, &BadInit];
        let sign = signs.iter().find_map(|rule| rule.judge(history)).map(|found| found.message);
        let speeds = speeds(history).filter(|ratio| *ratio > DECADES);
        let sign = sign.or(speeds.map(|ratio| format!("layers learn at speeds that differ {} times", short(ratio))))?;
        let message = format!("{depth} weighted layers follow each other without normalisation or residual connections");
        let why = "What passes through many layers fades or grows, and so do the gradients on their way back";
        let found = Found::new(Level::Warn, (depth as f64, DEEP as f64), message, why).evidence(sign);
        let fades = GradVanish.judge(history).is_some_and(|sign| sign.is_certain);
        let found = if fades { found.certain() } else { found };
        let found = found.cure("Put batch normalisation after each weighted layer", &["model.batch_norm=true".to_string()]);
        Some(found.cure("Add each stage's input to its output: x + f(norm(x))", &[]))
    }
}

/// How many times faster the fastest layer learns than the slowest.
fn speeds(history: &History) -> Option<f64> {
    let check = history.checks.back()?;
    let ratios = history.weight_indices().into_iter().filter_map(|at| {
        let parameter = check.parameters.get(at)?;
        (parameter.weight > 0.0 && parameter.update > 0.0).then(|| parameter.update / parameter.weight)
    });
    let (least, most) = ratios.fold((f64::INFINITY, 0.0f64), |(least, most), ratio| (least.min(ratio), most.max(ratio)));
    (most > 0.0).then(|| most / least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{calls, history_of_gradients, history_of_updates};

    fn deep(kinds: &[&str], history: History) -> Option<Found> {
        let mut history = history;
        history.case.calls = calls(kinds, 10);
        MissingNorm.judge(&history)
    }

    #[test]
    fn depth_is_a_fault_only_with_a_sign_of_it_and_without_a_cure() {
        let plain = ["Linear"; 12];
        let fading = || history_of_gradients(&[1e-9, 1e-6, 1e-2]);
        assert!(deep(&plain, fading()).unwrap().evidence[0].contains("gradient"));
        assert!(deep(&plain, history_of_updates(&[1e-6, 1e-3])).is_some());
        assert_eq!(deep(&plain, history_of_gradients(&[1e-2, 1e-2])), None);
        assert_eq!(deep(&["Linear", "BatchNorm"].repeat(12), fading()), None);
        assert_eq!(deep(&["Linear"; 4], fading()), None);
    }
}
