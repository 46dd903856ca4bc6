//! `[train]`: how the network learns.

use barun_nn::WeightAverage;
use barun_nn::optimizers::{AnyOptimizer, Clip};

use super::chosen::{Chosen, LossChoice, Scheduled};
use super::declare::{names, section};
use super::rules::{AT_LEAST_ONE, AT_LEAST_ONE_IF_GIVEN, NOT_NEGATIVE, POSITIVE_IF_GIVEN};
use super::running::{BestBy, Checkpoint, EarlyStopping};
use super::setting::Fallback::{Inside, Is};

section! {
    /// `[train]`: how the network learns. `train.lr` is short for `train.optimizer.lr`.
    pub struct Train {
        /// How many times each training row is seen. Not given: as many as the rows of a table ask for, 100 for up to
        /// 10,000, then fewer, down to 10.
        epochs: Option<usize> = Is(|d| d.epochs), AT_LEAST_ONE_IF_GIVEN;
        /// How many rows one step learns from. Not given: as many as the training rows ask for, from 16 to 128 images, or
        /// to 256 rows of a table.
        batch_size: Option<usize> = Is(|_| None), AT_LEAST_ONE_IF_GIVEN;
        /// What is minimised: `auto` is `cross_entropy` for classes and `mse` for numbers.
        loss: LossChoice = Is(|_| LossChoice::Auto);
        /// The seed of everything random in training: first weights, shuffles, dropout.
        seed: u64 = Is(|_| 0);
        /// The type of the weights and of all arithmetic; in bf16 that of what layers take.
        precision: Precision = Is(|_| Precision::F32);
        /// How a gradient becomes a step.
        optimizer: Chosen<AnyOptimizer> = Inside;
        /// How the learning rate changes over the run.
        schedule: Scheduled = Inside;
        /// How gradients are made smaller before the update: all together, each number, or each unit in proportion to its
        /// weights. Not given: they are not.
        clip: Option<Clip> = Is(|_| None);
        /// Batches whose mean gradient makes one update: `batch_size` times as many rows for the memory of one batch.
        accumulate: usize = Is(|_| 1), AT_LEAST_ONE;
        /// An average of the weights along the run, which is what is validated and kept. Not given: the weights themselves.
        average: Option<WeightAverage> = Is(|_| None);
        /// Whether batch normalisations get the exact mean and variance over the training part, in what is validated and kept,
        /// instead of running ones: a pass over that part for each of them after each epoch.
        exact_statistics: bool = Is(|_| false);
        /// What the size of each weight costs, added to the loss; biases and normalisations are exempt.
        l1: f64 = Is(|_| 0.0), NOT_NEGATIVE;
        /// What half the square of each weight costs, added to the loss; biases and normalisations are exempt.
        l2: f64 = Is(|_| 0.0), NOT_NEGATIVE;
        /// The deviation of noise that is added to the weights in each training step, and not kept.
        weight_noise: f64 = Is(|_| 0.0), NOT_NEGATIVE;
        /// By which figure on the validation part the best epoch is chosen, whose weights are kept.
        best_by: BestBy = Is(|d| d.best_by);
        /// End after so many seconds of training in all, also in the middle of an epoch. Not given: train all epochs.
        max_seconds: Option<f64> = Is(|_| None), POSITIVE_IF_GIVEN;
        /// When to end before all epochs are over.
        early_stopping: EarlyStopping = Inside;
        /// How often the state is written.
        checkpoint: Checkpoint = Inside;
    }
}

names! {
    /// The type of the weights and of all arithmetic.
    pub enum Precision, "a precision" {
        /// 32 bits.
        F32 = "f32",
        /// 32 bits for weights and sums, 16 for what contractions multiply and what is kept between layers: less memory.
        Bf16 = "bf16",
        /// 64 bits: several times slower; for checking.
        F64 = "f64",
    }
}
