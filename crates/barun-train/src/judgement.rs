//! What a trained model is worth: its figures on rows it has not seen, each with its interval, beside what one gets
//! without a network.
//!
//! Two baselines stand beside every result. *Constant* says the most frequent class, with the classes' shares as
//! probabilities, or the mean of the training part. *Linear* is a linear (logistic) model, trained on the same rows by
//! the same engine. A network that is not better than these has learnt nothing that they have not. Where it is the input that
//! is given again there is the constant alone, the mean of the training rows: a linear model without a narrow place would
//! hand on its input.

use serde::{Deserialize, Serialize};

use crate::metrics::{Evaluation, Figure, Figures, Measure};

/// A result to compare with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// `constant` or `linear`.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// Its figures on the same rows, by name.
    pub figures: Figures,
}

/// The figures of a model on one part, and what stands beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// `test`; `valid` where there is no test part.
    pub part: String,
    /// All figures of the model.
    pub evaluation: Evaluation,
    /// What others reach on the same rows.
    pub baselines: Vec<Baseline>,
    /// How often the test part of this data has been looked at before; null where nobody could count.
    pub earlier_looks: Option<usize>,
    /// What is to be said of these looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What is shown on a terminal: the figures that say most, for classes and for numbers.
const SHOWN: &[Measure] = &[
    Measure::Accuracy,
    Measure::BalancedAccuracy,
    Measure::F1Macro,
    Measure::Auroc,
    Measure::LogLoss,
    Measure::CalibrationError,
    Measure::Mae,
    Measure::Mse,
    Measure::Rmse,
    Measure::R2,
    Measure::MedianAbsoluteError,
];

impl Judgement {
    /// A table: a line a figure, with its interval and what the baselines reach.
    ///
    /// ```text
    /// test part, 30 rows  model [95 % interval]    constant  linear
    ///   accuracy          0.9667 [0.9000, 1.0000]    0.3333  0.9333
    /// ```
    pub fn table(&self) -> String {
        let mut text = table(&self.evaluation, &self.part, &self.baselines);
        text.extend(self.verdict().map(|verdict| verdict + "\n"));
        text
    }

    /// That a baseline does as well; none where the model is better than each.
    pub fn verdict(&self) -> Option<String> {
        let unbeaten = self.unbeaten();
        let which = match unbeaten.len() {
            0 => return None,
            1 => "this baseline",
            _ => "these baselines",
        };
        Some(format!("The model is not better than {which}: {}.", unbeaten.join(", ")))
    }

    /// The baselines that the model is not better than, by accuracy, or by the squared error of numbers.
    pub fn unbeaten(&self) -> Vec<&str> {
        let rank = |figures: &Figures| {
            let figure = |measure: Measure| figures.get(&measure).map(|figure| figure.value);
            figure(Measure::Accuracy).or(figure(Measure::Mse).map(|error| -error)).unwrap_or(f64::NAN)
        };
        let own = rank(&self.evaluation.figures);
        let unbeaten = |other: &&Baseline| own.is_nan() || rank(&other.figures) >= own;
        self.baselines.iter().filter(unbeaten).map(|other| other.name.as_str()).collect()
    }
}

/// The figures that say most, with their intervals, beside baselines.
pub fn table(evaluation: &Evaluation, part: &str, baselines: &[Baseline]) -> String {
    let title = format!("{part} part, {} rows", evaluation.rows);
    let drawn = format!("model [{:.0} % interval]", 100.0 * evaluation.confidence);
    let mut lines = vec![(title, drawn, baselines.iter().map(|other| other.name.clone()).collect())];
    for &measure in SHOWN {
        let Some(figure) = evaluation.figures.get(&measure) else { continue };
        // Beside R2 it says no more than its root; of inputs given again it is what people compare.
        if measure == Measure::Mse && evaluation.figures.contains_key(&Measure::R2) {
            continue;
        }
        let others = baselines.iter().map(|other| {
            other.figures.get(&measure).map_or(String::new(), |figure| figure_text(figure.value))
        });
        lines.push((format!("  {}", measure.name()), with_interval(figure), others.collect()));
    }
    aligned(&lines)
}

/// Of classes: a line for each, with how often it is found and what it is most often taken for. Nothing of numbers. [EVAL-11]
pub fn class_table(evaluation: &Evaluation) -> String {
    if evaluation.classes.is_empty() {
        return String::new();
    }
    let width = evaluation.classes.iter().map(|class| class.class.chars().count()).max().unwrap_or(0).max(5);
    let mut text = format!(
        "{:<width$}  {:>7}  {:>9}  {:>7}  {:>7}  most often taken for\n",
        "class", "rows", "precision", "recall", "f1"
    );
    for (at, class) in evaluation.classes.iter().enumerate() {
        let taken_for = |counts: &Vec<u64>| {
            let others = (0..counts.len()).filter(|&other| other != at && counts[other] > 0).rev();
            let other = others.max_by_key(|&other| counts[other])?;
            Some(format!("{} ({})", evaluation.classes[other].class, counts[other]))
        };
        let confused = evaluation.confusion.get(at).and_then(taken_for).unwrap_or_default();
        let line = format!(
            "{:<width$}  {:>7}  {:>9.4}  {:>7.4}  {:>7.4}  {confused}",
            class.class, class.rows, class.precision, class.recall, class.f1
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn with_interval(figure: &Figure) -> String {
    match figure.low.is_nan() {
        true => figure_text(figure.value),
        false => format!(
            "{} [{}, {}]",
            figure_text(figure.value),
            figure_text(figure.low),
            figure_text(figure.high)
        ),
    }
}

fn figure_text(figure: f64) -> String {
    if figure.is_nan() { "-".to_string() } else { crate::progress::figure_text(figure) }
}

fn aligned(lines: &[(String, String, Vec<String>)]) -> String {
    let width =
        |texts: &mut dyn Iterator<Item = &String>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let first = width(&mut lines.iter().map(|(name, _, _)| name));
    let second = width(&mut lines.iter().map(|(_, figure, _)| figure));
    let other = width(&mut lines.iter().flat_map(|(_, _, others)| others));
    let mut text = String::new();
    for (name, figure, others) in lines {
        let others: String = others.iter().map(|text| format!("  {text:>other$}")).collect();
        let line = format!("{name:<first$}  {figure:<second$}{others}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Predictions;

    #[test]
    fn the_table_shows_the_model_beside_what_one_gets_without_it() {
        let predictions = |probabilities: &[f64]| Predictions::Classes {
            probabilities: probabilities.to_vec(),
            labels: vec![0, 1, 1, 0],
            classes: vec!["no".into(), "yes".into()],
        };
        let judgement = Judgement {
            part: "test".into(),
            evaluation: predictions(&[0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.7, 0.3]).evaluate(0),
            baselines: vec![Baseline {
                name: "constant".into(),
                about: "the most frequent class".into(),
                figures: predictions(&[0.5; 8]).evaluate(0).figures,
            }],
            earlier_looks: Some(0),
            note: None,
        };
        let table = judgement.table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].starts_with("test part, 4 rows") && lines[0].ends_with("constant"), "{table}");
        assert!(lines[1].starts_with("  accuracy           0.7500 [0."), "{table}");
        assert!(lines[1].ends_with("0.5000"), "{table}");
        assert!(judgement.unbeaten().is_empty());
        let mut as_good = judgement.clone();
        as_good.baselines[0].figures = judgement.evaluation.figures.clone();
        assert_eq!(as_good.unbeaten(), ["constant"]);
        assert!(as_good.table().ends_with("The model is not better than this baseline: constant.\n"));
        let classes = class_table(&judgement.evaluation);
        let lines: Vec<&str> = classes.lines().collect();
        assert_eq!(lines[1], "no           2     0.6667   1.0000   0.8000");
        assert_eq!(lines[2], "yes          2     1.0000   0.5000   0.6667  no (1)");
        let text = serde_json::to_string(&judgement).unwrap();
        let back: Judgement = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }
}
