//! What several seeds say together: mean and spread of every figure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::{Measure, Metrics, null_is_nan};
use crate::report::TrainReport;

/// Mean and spread of one figure over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean.
    #[serde(deserialize_with = "null_is_nan")]
    pub mean: f64,
    /// The standard deviation as an estimate for further seeds (divided by n - 1); 0 for a single run.
    #[serde(deserialize_with = "null_is_nan")]
    pub sd: f64,
    /// The smallest.
    #[serde(deserialize_with = "null_is_nan")]
    pub min: f64,
    /// The largest.
    #[serde(deserialize_with = "null_is_nan")]
    pub max: f64,
    /// Runs.
    pub runs: usize,
}

impl Spread {
    /// Of figures; none of no figures.
    pub fn of(figures: &[f64]) -> Option<Spread> {
        let runs = figures.len();
        if runs == 0 {
            return None;
        }
        let mean = figures.iter().sum::<f64>() / runs as f64;
        let scatter: f64 = figures.iter().map(|figure| (figure - mean).powi(2)).sum();
        let sd = if runs > 1 { (scatter / (runs - 1) as f64).sqrt() } else { 0.0 };
        let min = figures.iter().copied().fold(f64::INFINITY, f64::min);
        let max = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Spread { mean, sd, min, max, runs })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} +- {:.4}", self.mean, self.sd)
    }
}

/// Mean and spread of the figures by which models are judged.
pub type Spreads = BTreeMap<Measure, Spread>;

/// The figures that the judgements of all `runs` have, over the runs that have come to their end.
pub(crate) fn judged_together(runs: &[TrainReport]) -> Spreads {
    let figures = |measure: Measure| -> Option<Vec<f64>> {
        let judgements = runs.iter().filter_map(|run| run.judgement.as_ref());
        judgements.map(|judgement| judgement.evaluation.value(measure)).collect()
    };
    let first = runs.iter().find_map(|run| run.judgement.as_ref());
    let measures = first.map(|first| first.evaluation.figures.keys()).into_iter().flatten();
    measures.filter_map(|&measure| Some((measure, Spread::of(&figures(measure)?)?))).collect()
}

/// Mean and spread of every figure that a part of the data has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsSpread(Vec<(String, Spread)>);

impl MetricsSpread {
    /// Of the figures of several runs.
    pub fn of(runs: &[Metrics]) -> MetricsSpread {
        let mut names: Vec<&'static str> = Vec::new();
        for (name, _) in runs.iter().flat_map(Metrics::named) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let figures = |wanted: &str| -> Vec<f64> {
            let all = runs.iter().flat_map(Metrics::named);
            all.filter(|(name, _)| *name == wanted).map(|(_, figure)| figure).collect()
        };
        let spreads = names.iter().filter_map(|name| Some((name.to_string(), Spread::of(&figures(name))?)));
        MetricsSpread(spreads.collect())
    }

    /// The figures by name, in the order in which metrics are told.
    pub fn figures(&self) -> &[(String, Spread)] {
        &self.0
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<Spread> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, spread)| *spread)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for MetricsSpread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(|(name, spread)| format!("{name} {spread}")).collect();
        f.write_str(&texts.join("  "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_mean_and_sample_deviation() {
        let spread = Spread::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((spread.mean, spread.min, spread.max, spread.runs), (5.0, 2.0, 9.0, 8));
        assert!((spread.sd - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of(&[3.0]).unwrap().sd, 0.0);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn every_figure_that_a_run_has_is_summed_up() {
        let run = |accuracy, loss| Metrics { loss, accuracy: Some(accuracy), ..Metrics::default() };
        let spread = MetricsSpread::of(&[run(0.9, 0.5), run(0.8, 0.7)]);
        assert_eq!(spread.to_string(), "loss 0.6000 +- 0.1414  accuracy 0.8500 +- 0.0707");
        assert_eq!(spread.get("mae"), None);
        assert!(MetricsSpread::of(&[]).is_empty());
    }
}
