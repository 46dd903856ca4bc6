//! Batches whose gradients are mostly noise.
//!
//! The simple noise scale, the trace of the gradients' covariance over the squared gradient, says from how many rows on the mean
//! gradient is more signal than noise (McCandlish et al., 2018, "An empirical model of large-batch training"). A look taken
//! while the run is in trouble estimates it from two halves of a batch; the median of the last looks counts.
//!
//! Threshold: a batch of fewer rows than a tenth of the noise scale, in 3 of 3 looks, while the gradients of the two halves point
//! the same way in fewer than one of five: WARN. BackPACK and Cockpit (Schneider et al., 2021) measure the same.
//!
//! Cannot see: much from one look: the estimate is itself noisy.

use barun_train::diagnosis::Level;

use super::{About, Found, Kind, Rule, short};
use crate::curve::median;
use crate::history::History;

/// See the [module](self).
pub struct NoiseScale;

const LOOKS: usize = 3;
const TENTH: f64 = 0.1;
const SAME_WAY: f64 = 0.2;

impl Rule for NoiseScale {
    fn about(&self) -> About {
        About {
            id: "R23",
            name: "NOISE_SCALE",
            summary: "Batches are so small that their gradients are mostly noise.",
            kind: Kind::Symptom,
            persist: (3, 3),
            explains: &["R17"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
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
}
