//! Gradients grow far beyond what they were.
//!
//! Threshold: three of the last 50 steps have a gradient norm above 10 times the median of the last 200, and above the norm
//! of the first steps: WARN while the run is in trouble; above 1000 times both, whatever the loss does. Near the end of a
//! healthy run the median is tiny, so that a hard batch is many times it: therefore also against the first steps. The tuning
//! playbook (Godbole et al., 2023) clips at the 90th percentile for such spikes; TheDeepChecker has a doubling.
//!
//! Cannot see: gradients that are too large from the first step on; `UPDATE_RATIO` sees what they do.

use barun_train::diagnosis::Level;

use super::loss_diverge::goes_uphill;
use super::{About, Found, Kind, Rule, lr_times, short};
use crate::curve::median;
use crate::history::History;

/// See the [module](self).
pub struct GradExplode;

const WINDOW: usize = 200;
const LAST: usize = 50;
const SPIKES: usize = 3;
const LARGE: f64 = 10.0;
const HUGE: f64 = 1000.0;

impl Rule for GradExplode {
    fn about(&self) -> About {
        About {
            id: "R10",
            name: "GRAD_EXPLODE",
            summary: "Gradients grow far beyond what they were.",
            kind: Kind::Symptom,
            persist: (1, 1),
            explains: &["R06", "R08", "R15", "R16", "R17", "R27"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        let recent = history.recent.len();
        if recent < LAST || history.first_norms.len() < 10 || goes_uphill(history) {
            return None;
        }
        let norms: Vec<f64> =
            history.recent.iter().skip(recent.saturating_sub(WINDOW)).map(|step| step.gradient_norm).collect();
        let (usual, first) = (median(&norms), median(&history.first_norms));
        let last = &norms[norms.len().saturating_sub(LAST)..];
        let beyond = |times: f64| last.iter().filter(|norm| **norm > times * usual && **norm > first).count();
        let is_huge = last.iter().filter(|norm| **norm > HUGE * usual.max(first)).count() >= SPIKES;
        if beyond(LARGE) < SPIKES && !is_huge {
            return None;
        }
        let largest = last.iter().copied().fold(0.0, f64::max);
        let message = format!(
            "{} of the last {LAST} steps have a gradient above {LARGE} times the usual {}, the largest {}",
            beyond(LARGE).max(SPIKES),
            short(usual),
            short(largest)
        );
        let why = "One such step undoes what many have learned";
        let found = Found::new(Level::Warn, (largest / usual.max(f64::MIN_POSITIVE), LARGE), message, why);
        let mut sorted = norms.clone();
        sorted.sort_by(f64::total_cmp);
        let clip = sorted[sorted.len() * 9 / 10];
        let is_usual = (1e-3..1e5).contains(&clip);
        let clipped: Vec<String> = is_usual.then(|| format!("train.clip=norm({})", short(clip))).into_iter().collect();
        let found = found.cure("Limit the gradient to what 9 of 10 steps have", &clipped);
        let found = found.cure("Lower the learning rate", &lr_times(history, 1.0 / 3.0));
        let found = found.cure("Let the learning rate rise over the first epoch", &["train.schedule.warmup=1 epoch".to_string()]);
        Some(if is_huge { found.certain() } else { found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::StepScalars;
    use crate::testing::{course, step};

    fn with_norms(norm: impl Fn(usize) -> f64) -> History {
        let mut history = course(0, |_| 0.0);
        (0..200).for_each(|at| history.add_step(StepScalars { gradient_norm: norm(at), ..step(1.0) }));
        history
    }

    #[test]
    fn repeated_spikes_are_told_and_single_ones_are_not() {
        assert!(GradExplode.judge(&with_norms(|at| if at % 12 == 0 { 60.0 } else { 1.0 })).is_some());
        assert_eq!(GradExplode.judge(&with_norms(|at| if at == 190 { 60.0 } else { 1.0 })), None);
        // A run that has learned all but a few rows.
        let learned = with_norms(|at| if at < 50 { 2.0 } else if at % 12 == 0 { 0.5 } else { 1e-3 });
        assert_eq!(GradExplode.judge(&learned), None);
    }

    #[test]
    fn what_is_a_thousand_times_as_large_needs_no_other_sign() {
        let found = GradExplode.judge(&with_norms(|at| if at > 180 && at % 5 == 0 { 1e5 } else { 1.0 })).unwrap();
        assert!(found.is_certain);
    }
}
