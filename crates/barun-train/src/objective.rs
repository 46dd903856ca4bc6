//! What is learned - a class, a number, the input itself - and what follows from it: the shape of a target, the metrics, the answer.

use barun_data::{ScalingKind, Targets};
use barun_engine::{DType, Tensor};
use barun_nn::Learns;
use barun_nn::losses::{Loss, Outputs, Task};
use barun_nn::metrics::{Aggregate, Correct, Metric};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::metrics::{Errors, Mean, Metrics, argmax};
use crate::preparation::Preparation;
use crate::report::Answer;

/// What is learned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Objective {
    /// One of several classes: an output for each, the largest speaks.
    Classes,
    /// One of two classes: one output, above 0 it speaks for the second.
    Binary,
    /// A number; one output, in units of `unit`.
    Numbers {
        /// What an output of 1 is in the target's own unit.
        unit: f64,
    },
    /// The input itself: as many outputs as a row has numbers, in the units of the scaled input.
    Input {
        /// What the data has beside it.
        aside: Aside,
        /// What the outputs are.
        outputs: Reconstructed,
    },
}

/// What the outputs are of a network that gives its input again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reconstructed {
    /// The numbers themselves.
    Numbers,
    /// Scores, whose sigmoid is a number from 0 to 1.
    Scores,
}

impl Reconstructed {
    /// The number that an output stands for.
    pub(crate) fn number(self, output: f64) -> f64 {
        match self {
            Reconstructed::Numbers => output,
            Reconstructed::Scores => sigmoid(output),
        }
    }
}

/// The target of data whose target is not learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aside {
    /// Labels of classes.
    Labels,
    /// Numbers.
    Numbers,
}

impl Objective {
    /// What `loss` learns from `targets`, or why it cannot. `unit` is what a target of 1 stands for.
    pub fn of(loss: &dyn Loss, targets: &Targets, unit: f64) -> Result<Objective> {
        let refuse = |needs: &'static str, has: String, fix: &'static str| {
            Err(Error::Loss { loss: loss.name(), needs, target: targets.name().into(), has, fix })
        };
        let count = |classes: &[String]| format!("{} classes", classes.len());
        match (loss.task(), targets.classes()) {
            (Task::Similarity, _) => {
                let fix = "use it in a program of your own, or use another loss";
                refuse("an embedding to compare rows by", "something to predict".into(), fix)
            }
            (_, Some([only])) => {
                refuse("two classes or more", format!("only one, '{only}'"), "give it other rows")
            }
            (Task::Numbers, Some(classes)) => {
                refuse("numbers", count(classes), "use cross_entropy, or another target")
            }
            (Task::TwoClasses(_), Some([_, _])) => Ok(Objective::Binary),
            (Task::TwoClasses(_), Some(classes)) => {
                refuse("two classes", count(classes), "use cross_entropy")
            }
            (Task::Classes(_), Some(_)) => Ok(Objective::Classes),
            (Task::Classes(_) | Task::TwoClasses(_), None) => {
                refuse("classes", "numbers".into(), "use mse or mae, or another target")
            }
            (Task::Numbers, None) => Ok(Objective::Numbers { unit }),
        }
    }

    /// What `loss` learns from the inputs alone, or why it cannot. `scaling` is that of the inputs.
    ///
    /// # Errors
    /// A loss of classes; a loss of shares where the inputs are no shares.
    pub fn of_input(
        loss: &dyn Loss,
        targets: &Targets,
        scaling: ScalingKind,
        is_image: bool,
    ) -> Result<Objective> {
        let aside = if targets.classes().is_some() { Aside::Labels } else { Aside::Numbers };
        let is_share = scaling == ScalingKind::MinMax || (scaling == ScalingKind::None && is_image);
        match loss.task() {
            Task::Numbers => Ok(Objective::Input { aside, outputs: Reconstructed::Numbers }),
            Task::TwoClasses(Outputs::Scores) if is_share => {
                Ok(Objective::Input { aside, outputs: Reconstructed::Scores })
            }
            Task::TwoClasses(Outputs::Scores) => Err(Error::Setting {
                path: "train.loss",
                value: loss.name().to_string(),
                but: "it compares numbers from 0 to 1, which the scaled inputs are not".to_string(),
                fix: "use mse, or --set data.normalize=minmax".to_string(),
            }),
            _ => Err(Error::Setting {
                path: "train.loss",
                value: loss.name().to_string(),
                but: "the network gives its input again, which are no classes".to_string(),
                fix: "use mse, mae, huber, or bce_with_logits for inputs from 0 to 1".to_string(),
            }),
        }
    }

    /// The objective that a loss makes of data: of its targets or of its inputs.
    ///
    /// # Errors
    /// When the loss does not suit them.
    pub fn for_data(
        learns: Learns,
        loss: &dyn Loss,
        targets: &Targets,
        preparation: &Preparation,
    ) -> Result<Objective> {
        match learns {
            Learns::Target => Objective::of(loss, targets, preparation.unit_and_offset().0),
            Learns::Input => {
                let is_image = preparation.columns.is_none();
                Objective::of_input(loss, targets, preparation.scaling.kind, is_image)
            }
        }
    }

    /// How many outputs the network must have, for rows of shape `input`.
    pub fn outputs(self, targets: &Targets, input: &[usize]) -> usize {
        match self {
            Objective::Classes => targets.classes().map_or(1, <[String]>::len),
            Objective::Binary | Objective::Numbers { .. } => 1,
            Objective::Input { .. } => input.iter().product(),
        }
    }

    /// Whether it is one of several classes that is learned.
    pub fn is_classes(self) -> bool {
        matches!(self, Objective::Classes | Objective::Binary)
    }

    /// The shape of the targets of `rows` rows.
    pub(crate) fn target_shape(self, rows: usize) -> Vec<usize> {
        match self {
            Objective::Classes | Objective::Input { .. } => vec![rows],
            Objective::Binary | Objective::Numbers { .. } => vec![rows, 1],
        }
    }

    /// The type of the targets.
    pub(crate) fn target_dtype(self) -> DType {
        match self {
            Objective::Classes | Objective::Binary | Objective::Input { aside: Aside::Labels, .. } => {
                DType::I64
            }
            Objective::Numbers { .. } | Objective::Input { aside: Aside::Numbers, .. } => DType::F32,
        }
    }

    /// The shape and type of the targets of `rows` mixed rows: shares of `classes` in place of labels.
    pub(crate) fn mixed_target(self, rows: usize, classes: usize) -> (Vec<usize>, DType) {
        match self {
            Objective::Classes | Objective::Input { aside: Aside::Labels, .. } => {
                (vec![rows, classes], DType::F32)
            }
            Objective::Binary
            | Objective::Numbers { .. }
            | Objective::Input { aside: Aside::Numbers, .. } => (self.target_shape(rows), DType::F32),
        }
    }

    /// What the compiled step sums up beside the loss; [`Tally::add`] reads it.
    pub(crate) fn metrics(self) -> Vec<Arc<dyn Metric>> {
        match self {
            Objective::Classes | Objective::Binary => vec![Arc::new(Correct)],
            Objective::Input { outputs: Reconstructed::Scores, .. } => {
                vec![Arc::new(OfScores(Deviation::Absolute)), Arc::new(OfScores(Deviation::Squared))]
            }
            Objective::Numbers { .. } | Objective::Input { .. } => {
                vec![Arc::new(Deviation::Absolute), Arc::new(Deviation::Squared)]
            }
        }
    }

    /// What a row of outputs says. `offset` is the number that an output of 0 stands for.
    pub(crate) fn answer(self, outputs: &[f64], classes: &[String], offset: f64) -> Answer {
        if let Objective::Numbers { unit } = self {
            return Answer::Number { prediction: outputs[0] * unit + offset };
        }
        if let Objective::Input { outputs: form, .. } = self {
            let reconstruction = outputs.iter().map(|output| form.number(*output)).collect();
            return Answer::Row { reconstruction };
        }
        let probabilities = self.probabilities(outputs);
        // Of two equal probabilities the first class wins, as in the accuracy; an output of 0 is not above 0.
        let class = argmax(&probabilities).unwrap_or(0);
        Answer::Class { prediction: classes[class].clone(), probability: probabilities[class], probabilities }
    }

    /// The probability of each class that a row of outputs speaks for; none where the target is a number.
    pub(crate) fn probabilities(self, outputs: &[f64]) -> Vec<f64> {
        match self {
            Objective::Classes => softmax(outputs),
            Objective::Binary => {
                let yes = sigmoid(outputs[0]);
                vec![1.0 - yes, yes]
            }
            Objective::Numbers { .. } | Objective::Input { .. } => Vec::new(),
        }
    }

    /// The same as tensors, for programs that compute without this one, after the logits.
    #[cfg(feature = "onnx")]
    pub(crate) fn results(self, outputs: &Tensor, offset: f64) -> Vec<Tensor> {
        match self {
            Objective::Classes => vec![outputs.clone(), outputs.softmax(-1)],
            Objective::Binary => {
                let yes = outputs.sigmoid();
                vec![outputs.clone(), Tensor::concat(&[&(yes.like(1.0) - &yes), &yes], -1)]
            }
            Objective::Numbers { unit } => vec![outputs * unit + offset],
            Objective::Input { outputs: Reconstructed::Numbers, .. } => vec![outputs.clone()],
            Objective::Input { outputs: Reconstructed::Scores, .. } => vec![outputs.sigmoid()],
        }
    }

    /// Name and meaning of each of the [`results`](Objective::results).
    #[cfg(feature = "onnx")]
    pub(crate) fn result_names(self) -> &'static [(&'static str, &'static str)] {
        const PROBABILITIES: (&str, &str) =
            ("probabilities", "the probability of each class, in the order of the metadata's `classes`");
        match self {
            Objective::Classes => &[("logits", "a score for each class before softmax"), PROBABILITIES],
            Objective::Binary => &[("logits", "a score for the second class before sigmoid"), PROBABILITIES],
            Objective::Numbers { .. } => &[("prediction", "the number, in the target's own unit")],
            Objective::Input { .. } => &[("reconstruction", "the input again, as it was scaled, in a row")],
        }
    }
}

fn sigmoid(score: f64) -> f64 {
    1.0 / (1.0 + (-score).exp())
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// The sum over rows of `|prediction - target|` or its square; of rows of several numbers, their mean.
#[derive(Clone, Copy, Debug)]
enum Deviation {
    Absolute,
    Squared,
}

impl Metric for Deviation {
    fn name(&self) -> &str {
        match self {
            Deviation::Absolute => "absolute_deviation",
            Deviation::Squared => "squared_deviation",
        }
    }

    fn metric(&self, prediction: &Tensor, target: &Tensor) -> barun_nn::Result<Tensor> {
        let deviation = prediction - target.cast(prediction.dtype());
        Ok(match self {
            Deviation::Absolute => deviation.abs().mean(-1).sum(..),
            Deviation::Squared => deviation.square().mean(-1).sum(..),
        })
    }

    fn aggregate(&self) -> Aggregate {
        Aggregate::Sum
    }
}

/// The same of scores, whose sigmoid is compared.
#[derive(Clone, Copy, Debug)]
struct OfScores(Deviation);

impl Metric for OfScores {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn metric(&self, prediction: &Tensor, target: &Tensor) -> barun_nn::Result<Tensor> {
        self.0.metric(&prediction.sigmoid(), target)
    }

    fn aggregate(&self) -> Aggregate {
        self.0.aggregate()
    }
}

/// The figures of one pass, batch by batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    objective: Objective,
    loss: Mean,
    accuracy: Mean,
    errors: Errors,
}

impl Tally {
    pub fn new(objective: Objective) -> Tally {
        Tally { objective, loss: Mean::default(), accuracy: Mean::default(), errors: Errors::default() }
    }

    /// Adds a batch: its mean loss, what [`Objective::metrics`] gave, and its targets.
    pub fn add(&mut self, loss: f64, metrics: &[(String, f64)], rows: usize, targets: &barun_nn::Buffer) {
        self.loss.add(loss, rows);
        let figure = |index: usize| metrics.get(index).map_or(f64::NAN, |(_, figure)| *figure);
        match self.objective {
            Objective::Classes | Objective::Binary => self.accuracy.add(figure(0) / rows as f64, rows),
            Objective::Numbers { unit } => {
                let targets = targets.to_f64().into_iter().map(|target| target * unit);
                self.errors.add_sums(figure(0) * unit, figure(1) * unit * unit, targets);
            }
            // There is no one target whose scatter could be explained.
            Objective::Input { .. } => {
                self.errors.add_sums(figure(0), figure(1), std::iter::repeat_n(0.0, rows));
            }
        }
    }

    pub fn loss(&self) -> f64 {
        self.loss.value()
    }

    pub fn accuracy(&self) -> Option<f64> {
        self.objective.is_classes().then(|| self.accuracy.value())
    }

    pub fn metrics(&self) -> Metrics {
        match self.objective {
            Objective::Classes | Objective::Binary => Metrics::of_classes(&self.loss, &self.accuracy),
            Objective::Numbers { .. } => Metrics::of_numbers(&self.loss, &self.errors),
            Objective::Input { .. } => Metrics { r2: None, ..Metrics::of_numbers(&self.loss, &self.errors) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_nn::losses::by_name;

    fn classes(names: &[&str]) -> Targets {
        let classes = names.iter().map(|name| name.to_string()).collect();
        Targets::Classes { name: "kind".into(), labels: vec![0], classes }
    }

    fn numbers() -> Targets {
        Targets::Values { name: "price".into(), values: vec![1.0] }
    }

    fn of(loss: &str, targets: &Targets) -> Result<Objective> {
        Objective::of(&*by_name(loss).unwrap(), targets, 2.0)
    }

    #[test]
    fn a_loss_says_what_is_learned() {
        assert_eq!(of("cross_entropy", &classes(&["a", "b"])).unwrap(), Objective::Classes);
        assert_eq!(of("bce_with_logits", &classes(&["a", "b"])).unwrap(), Objective::Binary);
        assert_eq!(of("mae", &numbers()).unwrap(), Objective::Numbers { unit: 2.0 });
    }

    #[test]
    fn a_loss_that_does_not_suit_the_target_says_so_and_what_does() {
        let message = |loss, targets| of(loss, &targets).unwrap_err().to_string();
        assert_eq!(
            message("cross_entropy", numbers()),
            "the loss cross_entropy needs classes, but the target 'price' has numbers; use mse or mae, or another target"
        );
        assert_eq!(
            message("mse", classes(&["a", "b", "c"])),
            "the loss mse needs numbers, but the target 'kind' has 3 classes; use cross_entropy, or another target"
        );
        assert_eq!(
            message("bce_with_logits", classes(&["a", "b", "c"])),
            "the loss bce_with_logits needs two classes, but the target 'kind' has 3 classes; use cross_entropy"
        );
        assert_eq!(
            message("cross_entropy", classes(&["a"])),
            "the loss cross_entropy needs two classes or more, but the target 'kind' has only one, 'a'; \
             give it other rows"
        );
    }

    #[test]
    fn the_input_is_learned_by_a_loss_of_numbers_or_where_it_lies_from_0_to_1_of_shares() {
        let of = |loss: &str, scaling, is_image| {
            Objective::of_input(&*by_name(loss).unwrap(), &classes(&["a", "b"]), scaling, is_image)
        };
        let input = Objective::Input { aside: Aside::Labels, outputs: Reconstructed::Numbers };
        let shares = Objective::Input { aside: Aside::Labels, outputs: Reconstructed::Scores };
        assert_eq!(of("mse", ScalingKind::Standardize, true).unwrap(), input);
        assert_eq!(of("bce_with_logits", ScalingKind::None, true).unwrap(), shares);
        assert_eq!(of("bce_with_logits", ScalingKind::MinMax, false).unwrap(), shares);
        let answer = shares.answer(&[0.0, 1000.0], &[], 0.0);
        assert_eq!(answer, Answer::Row { reconstruction: vec![0.5, 1.0] });
        assert_eq!(input.outputs(&classes(&["a", "b"]), &[4, 3, 1]), 12);
        let message = of("bce_with_logits", ScalingKind::None, false).unwrap_err().to_string();
        assert_eq!(
            message,
            "`train.loss` is bce_with_logits, but it compares numbers from 0 to 1, which the scaled inputs are not; \
             use mse, or --set data.normalize=minmax"
        );
        let message = of("cross_entropy", ScalingKind::Standardize, true).unwrap_err().to_string();
        assert!(message.contains("which are no classes; use mse"), "{message}");
    }

    #[test]
    fn outputs_become_probabilities_or_a_number_in_the_targets_unit() {
        let names = ["a".to_string(), "b".to_string()];
        let Answer::Class { prediction, probability, probabilities } =
            Objective::Classes.answer(&[1000.0, 1000.0], &names, 0.0)
        else {
            panic!("a class")
        };
        assert_eq!((prediction.as_str(), probability), ("a", 0.5));
        assert_eq!(probabilities, [0.5, 0.5]);
        let Answer::Class { prediction, probability, .. } = Objective::Binary.answer(&[800.0], &names, 0.0)
        else {
            panic!("a class")
        };
        assert_eq!((prediction.as_str(), probability), ("b", 1.0));
        let number = Objective::Numbers { unit: 2.0 }.answer(&[1.5], &[], 10.0);
        assert_eq!(number, Answer::Number { prediction: 13.0 });
    }
}
