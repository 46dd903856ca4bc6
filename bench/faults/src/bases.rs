//! Trainings that are well: a data set and an architecture, and how they are trained. Operators break these.
//!
//! Each belongs to one part: what thresholds are tuned on and what is scored have no data set and no architecture in common.

use barun_data::{Scaling, ScalingKind, Scope};
use barun_nn::StepOptions;
use barun_nn::losses::{BceWithLogits, CrossEntropy, Loss, Mse};
use barun_nn::optimizers::{Adam, AnyOptimizer};
use barun_nn::schedules::{Constant, CosineAnnealing, Schedule};

use crate::error::Result;
use crate::network::{Network, Recurrent, Stage};
use crate::plan::Plan;
use crate::sources::{Library, Source};

/// Which part of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// What thresholds may be tuned on.
    Tuning,
    /// What is scored, and never tuned on.
    Scored,
}

impl Part {
    /// `tuning` or `scored`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Tuning => "tuning",
            Part::Scored => "scored",
        }
    }

    /// The first seed of its runs; no run of one part has a seed of the other.
    pub fn first_seed(self) -> u64 {
        match self {
            Part::Tuning => 0,
            Part::Scored => 1000,
        }
    }
}

/// A network before it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// One hidden layer.
    Shallow,
    /// Two hidden layers.
    Mlp,
    /// Two hidden layers with batch normalisation.
    NormedMlp,
    /// Two convolutions, flattened.
    Cnn,
    /// A simple recurrent layer.
    Rnn,
    /// A gated recurrent layer.
    Gru,
    /// Four hidden layers.
    DeepMlp,
    /// Three hidden layers of falling width with dropout.
    DropMlp,
    /// A linear layer and two residual blocks with layer normalisation.
    ResidualMlp,
    /// Three hidden layers with layer normalisation.
    LayerNormMlp,
    /// Two convolutions with batch normalisation and a mean over the image.
    NormedCnn,
    /// Three convolutions with a hidden layer behind.
    DeepCnn,
    /// Long short-term memory.
    Lstm,
}

impl Architecture {
    /// What it is called in the table.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Shallow => "shallow",
            Architecture::Mlp => "mlp",
            Architecture::NormedMlp => "batch-norm-mlp",
            Architecture::Cnn => "cnn",
            Architecture::Rnn => "rnn",
            Architecture::Gru => "gru",
            Architecture::DeepMlp => "deep-mlp",
            Architecture::DropMlp => "dropout-mlp",
            Architecture::ResidualMlp => "residual-mlp",
            Architecture::LayerNormMlp => "layer-norm-mlp",
            Architecture::NormedCnn => "batch-norm-cnn",
            Architecture::DeepCnn => "deep-cnn",
            Architecture::Lstm => "lstm",
        }
    }

    /// For images or not, with so many units in a hidden layer.
    fn network(self, is_image: bool, units: usize) -> Network {
        let relu = || Stage::Activation("relu");
        let mut stages = match (self, is_image) {
            (Architecture::Rnn | Architecture::Gru | Architecture::Lstm, _) => vec![Stage::ToSequence],
            (Architecture::Cnn | Architecture::NormedCnn | Architecture::DeepCnn, _) | (_, false) => {
                Vec::new()
            }
            (_, true) => vec![Stage::Flatten],
        };
        stages.extend(match self {
            Architecture::Shallow => vec![Stage::linear(units), relu()],
            Architecture::Mlp => vec![Stage::linear(units), relu(), Stage::linear(units), relu()],
            Architecture::NormedMlp => {
                let block = || [Stage::linear(units), Stage::BatchNorm(0.1), relu()];
                [block(), block()].concat()
            }
            Architecture::Cnn => vec![
                Stage::conv(8),
                relu(),
                Stage::Pool,
                Stage::conv(16),
                relu(),
                Stage::Pool,
                Stage::Flatten,
            ],
            Architecture::Rnn => vec![Stage::recurrent(Recurrent::Rnn, units)],
            Architecture::Gru => vec![Stage::recurrent(Recurrent::Gru, units)],
            Architecture::Lstm => vec![Stage::recurrent(Recurrent::Lstm, units)],
            Architecture::DeepMlp => (0..4).flat_map(|_| [Stage::linear(units), relu()]).collect(),
            Architecture::DropMlp => [2 * units, units, units / 2]
                .into_iter()
                .flat_map(|units| [Stage::linear(units), relu(), Stage::Dropout(0.1)])
                .collect(),
            Architecture::ResidualMlp => {
                let inside = vec![Stage::LayerNorm, Stage::linear(units), relu(), Stage::linear(units)];
                vec![Stage::linear(units), relu(), Stage::Residual(inside.clone()), Stage::Residual(inside)]
            }
            Architecture::LayerNormMlp => {
                (0..3).flat_map(|_| [Stage::linear(units), Stage::LayerNorm, relu()]).collect()
            }
            Architecture::NormedCnn => {
                let block = |channels| [Stage::conv(channels), Stage::BatchNorm(0.1), relu()];
                let mut stages = block(12).to_vec();
                stages.push(Stage::Pool);
                stages.extend(block(24));
                stages.push(Stage::GlobalPool);
                stages
            }
            Architecture::DeepCnn => vec![
                Stage::conv(8),
                relu(),
                Stage::Pool,
                Stage::conv(16),
                relu(),
                Stage::Pool,
                Stage::conv(16),
                relu(),
                Stage::Flatten,
                Stage::linear(units),
                relu(),
            ],
        });
        stages.push(Stage::head());
        Network { stages }
    }
}

/// A training that is well.
#[derive(Clone, Copy, Debug)]
pub struct Base {
    /// Which part it belongs to.
    pub part: Part,
    /// What it learns from.
    pub source: Source,
    /// What it trains.
    pub architecture: Architecture,
    /// Units of a hidden layer.
    pub units: usize,
    /// Whether two classes are told apart by one output.
    pub is_binary: bool,
    /// Adam's learning rate.
    pub lr: f64,
    /// How often each row is seen.
    pub epochs: usize,
    /// Rows of a step.
    pub batch_size: usize,
    /// Whether the learning rate falls to 0.
    pub anneals: bool,
}

impl Base {
    const fn new(
        part: Part,
        source: Source,
        architecture: Architecture,
        (units, lr): (usize, f64),
        epochs: usize,
    ) -> Base {
        Base {
            part,
            source,
            architecture,
            units,
            is_binary: false,
            lr,
            epochs,
            batch_size: 32,
            anneals: false,
        }
    }

    const fn binary(self) -> Base {
        Base { is_binary: true, ..self }
    }

    const fn annealed(self) -> Base {
        Base { anneals: true, ..self }
    }

    /// `moons/mlp`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.source.name(), self.architecture.name())
    }

    /// The training with this seed.
    ///
    /// # Errors
    /// Data that cannot be read.
    pub fn plan(&self, library: &Library, seed: u64) -> Result<Plan> {
        let parts = library.parts(self.source, seed)?;
        let is_image = matches!(parts.train.form, crate::rows::Form::Image(_));
        let is_numbers = matches!(parts.train.answers, crate::rows::Answers::Numbers(_));
        let loss: Box<dyn Loss> = match (is_numbers, self.is_binary) {
            (true, _) => Box::new(Mse::default()),
            (false, true) => Box::new(BceWithLogits::default()),
            (false, false) => Box::new(CrossEntropy::default()),
        };
        let schedule: Box<dyn Schedule> = match self.anneals {
            true => Box::new(CosineAnnealing::over_run()),
            false => Box::new(Constant::default()),
        };
        Ok(Plan {
            name: self.name(),
            parts,
            scaling: Scaling { kind: ScalingKind::Standardize, scope: Scope::Auto },
            scales_target: is_numbers,
            network: self.architecture.network(is_image, self.units),
            loss,
            optimizer: AnyOptimizer::from(Adam { lr: self.lr, ..Adam::default() }),
            schedule,
            options: StepOptions::default(),
            epochs: self.epochs,
            batch_size: self.batch_size,
            seed,
        })
    }

    /// Whether it learns from images.
    pub fn is_image(&self) -> bool {
        matches!(self.source, Source::Digits | Source::Mnist | Source::Fashion | Source::Colours)
    }

    /// Whether it predicts numbers.
    pub fn is_numbers(&self) -> bool {
        matches!(
            self.source,
            Source::Sine
                | Source::Friedman
                | Source::Wine
                | Source::Bikes
                | Source::Impedance
                | Source::Ripples
                | Source::Housing
        )
    }

    /// Whether it goes through sequences.
    pub fn is_recurrent(&self) -> bool {
        matches!(self.architecture, Architecture::Rnn | Architecture::Gru | Architecture::Lstm)
    }

    /// Whether it slides over images.
    pub fn is_convolution(&self) -> bool {
        matches!(self.architecture, Architecture::Cnn | Architecture::NormedCnn | Architecture::DeepCnn)
    }

    /// Whether it normalises by batches.
    pub fn has_batch_norm(&self) -> bool {
        matches!(self.architecture, Architecture::NormedMlp | Architecture::NormedCnn)
    }
}

use Architecture as A;
use Part::{Scored, Tuning};
use Source as S;

/// Every base.
pub const BASES: &[Base] = &[
    Base::new(Tuning, S::Moons, A::Mlp, (32, 5e-3), 25),
    Base::new(Tuning, S::Moons, A::NormedMlp, (32, 5e-3), 25).annealed(),
    Base::new(Tuning, S::Xor, A::Shallow, (32, 1e-2), 25).binary(),
    Base::new(Tuning, S::Iris, A::Mlp, (16, 5e-3), 100),
    Base::new(Tuning, S::Sine, A::Mlp, (32, 5e-3), 30),
    Base::new(Tuning, S::Wine, A::Shallow, (32, 3e-3), 15),
    Base::new(Tuning, S::Wine, A::NormedMlp, (32, 3e-3), 15).annealed(),
    Base::new(Tuning, S::Digits, A::Mlp, (48, 2e-3), 10),
    Base::new(Tuning, S::Digits, A::Cnn, (32, 3e-3), 8),
    Base::new(Tuning, S::Colours, A::Cnn, (32, 3e-3), 20),
    Base::new(Tuning, S::Waves, A::Gru, (24, 1e-2), 20),
    Base::new(Tuning, S::Waves, A::Rnn, (24, 5e-3), 25),
    Base::new(Tuning, S::Friedman, A::ResidualMlp, (32, 3e-3), 30).annealed(),
    Base::new(Tuning, S::Bikes, A::ResidualMlp, (32, 3e-3), 30),
    Base::new(Scored, S::Rings, A::DeepMlp, (32, 3e-3), 25),
    Base::new(Scored, S::Rings, A::LayerNormMlp, (24, 3e-3), 25).annealed(),
    Base::new(Scored, S::Penguins, A::DeepMlp, (24, 3e-3), 50),
    Base::new(Scored, S::Penguins, A::DropMlp, (32, 3e-3), 50),
    Base::new(Scored, S::Titanic, A::DropMlp, (24, 2e-3), 15).binary(),
    Base::new(Scored, S::Titanic, A::LayerNormMlp, (16, 2e-3), 15),
    Base::new(Scored, S::Impedance, A::DeepMlp, (32, 3e-3), 30),
    Base::new(Scored, S::Ripples, A::LayerNormMlp, (32, 5e-3), 40).annealed(),
    Base::new(Scored, S::Housing, A::DropMlp, (32, 2e-3), 12),
    Base::new(Scored, S::Mnist, A::DropMlp, (48, 2e-3), 12),
    Base::new(Scored, S::Mnist, A::NormedCnn, (32, 5e-3), 8),
    Base::new(Scored, S::Fashion, A::DeepCnn, (32, 2e-3), 12),
    Base::new(Scored, S::Fashion, A::NormedCnn, (32, 5e-3), 8).annealed(),
    Base::new(Scored, S::Bumps, A::Lstm, (16, 1e-2), 20),
];

/// The base called `name`.
pub fn by_name(name: &str) -> Option<&'static Base> {
    BASES.iter().find(|base| base.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_parts_have_no_data_and_no_architecture_in_common() {
        let of = |part| BASES.iter().filter(move |base| base.part == part);
        let sources = |part| of(part).map(|base| base.source.name()).collect::<BTreeSet<_>>();
        let networks = |part| of(part).map(|base| base.architecture.name()).collect::<BTreeSet<_>>();
        assert!(sources(Tuning).is_disjoint(&sources(Scored)));
        assert!(networks(Tuning).is_disjoint(&networks(Scored)));
    }

    #[test]
    fn every_base_has_a_name_of_its_own() {
        let names: BTreeSet<String> = BASES.iter().map(Base::name).collect();
        assert_eq!(names.len(), BASES.len());
    }
}
