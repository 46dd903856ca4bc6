//! Regularisers: what keeps a network from learning its training rows by heart. [REG-28]
//!
//! Not to be mixed up with *normalisation* (bringing the activations of a layer to a common mean and scale, see
//! [`BatchNorm`](crate::layers::BatchNorm)) or *standardisation* (the same for the columns of the data, before
//! training).
//!
//! | regulariser | where |
//! |---|---|
//! | weight decay, coupled and decoupled | a setting of each optimiser |
//! | L1 and L2 penalties on the loss | [`Penalty`], in [`StepOptions`](crate::StepOptions) |
//! | noise on weights | `weight_noise` in [`StepOptions`](crate::StepOptions) |
//! | dropout | [`Dropout`](crate::layers::Dropout) |
//! | label smoothing | [`CrossEntropy`](crate::losses::CrossEntropy) |
//! | averages of weights | [`WeightAverage`](crate::WeightAverage) |
//! | ensembles | [`ensemble`](crate::ensemble) |

mod penalty;

pub use penalty::Penalty;
