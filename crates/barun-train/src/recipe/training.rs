//! `[train]`: how the network learns.

use super::declare::{names, section, tagged};
use super::rules::{AT_LEAST_ONE_IF_GIVEN, BELOW_ONE, NOT_NEGATIVE, POSITIVE, POSITIVE_IF_GIVEN};
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
        /// What is minimised.
        loss: Loss = Is(|_| Loss::Auto);
        /// The seed of everything random in training: first weights, shuffles, dropout.
        seed: u64 = Is(|_| 0);
        /// The type of the weights and of all arithmetic; in bf16 that of what layers take.
        precision: Precision = Is(|_| Precision::F32);
        /// How a gradient becomes a step.
        optimizer: Optimizer = Inside;
        /// How the learning rate changes over the run.
        schedule: Schedule = Inside;
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
    /// What is minimised; always the mean over rows.
    pub enum Loss, "a loss" {
        /// `cross_entropy` for classes, `mse` for numbers.
        Auto = "auto",
        /// Softmax and negative log likelihood, for classes.
        CrossEntropy = "cross_entropy",
        /// Sigmoid and binary cross-entropy, for two classes with one output.
        BceWithLogits = "bce_with_logits",
        /// Mean squared error, for numbers.
        Mse = "mse",
        /// Mean absolute error, for numbers.
        Mae = "mae",
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

tagged! {
    /// `[train.optimizer]`: how a gradient becomes a step. Formulas and defaults as in PyTorch.
    pub enum Optimizer, "an optimizer", "name" or else (|d| d.optimizer) {
        /// Gradient descent: `p <- p - lr g`.
        "sgd" => Sgd {
            /// The learning rate.
            lr: f64 = Is(|_| 0.1), POSITIVE;
            /// Pulls the weights to 0: adds `weight_decay p` to the gradient.
            weight_decay: f64 = Is(|_| 0.0), NOT_NEGATIVE;
        },
        /// Gradient descent with momentum: `v <- momentum v + g; p <- p - lr v`.
        "momentum" => Momentum {
            /// The learning rate.
            lr: f64 = Is(|_| 0.01), POSITIVE;
            /// The share of the last step's velocity that is kept.
            momentum: f64 = Is(|_| 0.9), BELOW_ONE;
            /// Pulls the weights to 0: adds `weight_decay p` to the gradient.
            weight_decay: f64 = Is(|_| 0.0), NOT_NEGATIVE;
        },
        /// Nesterov's momentum: `v <- momentum v + g; p <- p - lr (g + momentum v)`.
        "nesterov" => Nesterov {
            /// The learning rate.
            lr: f64 = Is(|_| 0.01), POSITIVE;
            /// The share of the last step's velocity that is kept.
            momentum: f64 = Is(|_| 0.9), BELOW_ONE;
            /// Pulls the weights to 0: adds `weight_decay p` to the gradient.
            weight_decay: f64 = Is(|_| 0.0), NOT_NEGATIVE;
        },
        /// Adam: the running mean of the gradient over the root of that of its square.
        "adam" => Adam {
            /// The learning rate.
            lr: f64 = Is(|d| d.adam_lr), POSITIVE;
            /// The share kept in the running mean of the gradient.
            beta1: f64 = Is(|_| 0.9), BELOW_ONE;
            /// The share kept in the running mean of its square.
            beta2: f64 = Is(|_| 0.999), BELOW_ONE;
            /// Keeps the division finite.
            eps: f64 = Is(|_| 1e-8), POSITIVE;
            /// Pulls the weights to 0: adds `weight_decay p` to the gradient.
            weight_decay: f64 = Is(|_| 0.0), NOT_NEGATIVE;
        },
        /// Adam with decoupled weight decay.
        "adamw" => AdamW {
            /// The learning rate.
            lr: f64 = Is(|d| d.adam_lr), POSITIVE;
            /// The share kept in the running mean of the gradient.
            beta1: f64 = Is(|_| 0.9), BELOW_ONE;
            /// The share kept in the running mean of its square.
            beta2: f64 = Is(|_| 0.999), BELOW_ONE;
            /// Keeps the division finite.
            eps: f64 = Is(|_| 1e-8), POSITIVE;
            /// Pulls the weights to 0 apart from the gradient: `p <- p - lr weight_decay p`.
            weight_decay: f64 = Is(|d| d.adamw_decay), NOT_NEGATIVE;
        },
    }
}

impl Optimizer {
    /// The learning rate before the schedule.
    pub fn lr(&self) -> f64 {
        match self {
            Optimizer::Sgd { lr, .. }
            | Optimizer::Momentum { lr, .. }
            | Optimizer::Nesterov { lr, .. }
            | Optimizer::Adam { lr, .. }
            | Optimizer::AdamW { lr, .. } => *lr,
        }
    }
}

tagged! {
    /// `[train.schedule]`: how the learning rate changes over the run.
    pub enum Schedule, "a schedule", "name" or else (|_| "cosine") {
        /// The same learning rate throughout.
        "constant" => Constant,
        /// Half a cosine from the learning rate down to `min_lr` over the run, after a linear warm-up.
        "cosine" => Cosine {
            /// The learning rate at the end.
            min_lr: f64 = Is(|_| 0.0), NOT_NEGATIVE;
            /// Epochs over which the learning rate first rises from 0.
            warmup_epochs: usize = Is(|_| 0);
            /// The same in steps; only one of the two may be given.
            warmup_steps: usize = Is(|_| 0);
        },
    }
}
