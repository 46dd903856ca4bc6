//! Deep learning, trained right: write a network as its formula, train it as one compiled program.
//!
//! ```
//! use barun::prelude::*;
//!
//! #[derive(Module)] // a description: no weights inside; names parameters by path
//! struct Mlp { hidden: Linear, norm: BatchNorm, drop: Dropout, head: Linear }
//!
//! impl Forward for Mlp {
//!     fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
//!         let h = self.norm.forward(&self.hidden.forward(x, pass)?, pass)?.relu();
//!         self.head.forward(&self.drop.forward(&h, pass)?, pass)
//!     }
//! }
//!
//! # #[cfg(feature = "train")]
//! fn main() -> barun::Result<()> {
//!     let data = Dataset::open("moons")?
//!         .split(Split::stratified(0.8, 0.1, 0.1).seed(7))?
//!         .fit(Standardize::per_feature())?;
//!     let model = Mlp {
//!         hidden: Linear::new(2, 32),
//!         norm: BatchNorm::new(32),
//!         drop: Dropout::new(0.1),
//!         head: Linear::new(32, 2),
//!     };
//!     let trained = Trainer::new(model, CrossEntropy::default())
//!         .optimizer(AdamW { lr: 1e-2, ..AdamW::default() })
//!         .schedule(CosineAnnealing::over_run())
//!         .epochs(20)
//!         .fit(&data)?;
//!     println!("valid {:?} | test {:?}", trained.valid(), trained.test(&data)?);
//! #   assert!(trained.valid().unwrap().accuracy.unwrap() > 0.8);
//!     Ok(())
//! }
//! # #[cfg(not(feature = "train"))]
//! # fn main() {}
//! ```
//!
//! A loop written by hand has the same compiled step:
//!
//! ```
//! # #[cfg(feature = "data")] {
//! use barun::prelude::*;
//!
//! let data = Dataset::open("moons")?.split(Split::default())?.fit(Standardize::per_feature())?;
//! let model = sequential![Linear::new(2, 32), Relu::default(), Linear::new(32, 2)];
//! let step = Step::compile(&model, &Adam::default(), &CrossEntropy::default())?;
//! let mut state = step.init(7)?; // the weights, and what Adam remembers
//! for batch in data.train().batches(32) {
//!     let output = step.run(&mut state, &batch?.to_step(), 1e-2)?;
//!     assert!(output.applied); // a gradient that is not finite would not have touched the weights
//! }
//! # }
//! # Ok::<(), barun::Error>(())
//! ```
//!
//! # Where things are
//!
//! | module | what | from |
//! |---|---|---|
//! | [`prelude`] | what most programs need | |
//! | [`engine`] | tensors, gradients, the compiler, sessions | `barun-engine` |
//! | [`nn`] | layers, activations, initialisers, losses, optimisers, schedules, the compiled step | `barun-nn` |
//! | `data` | reading, splitting, checks of integrity, scaling, augmenting, loading (feature `data`; `parquet` and `npz` read more files, `images` folders of images, `download` fetches known sets) | `barun-data` |
//! | `train` | recipes, the trainer, metrics, run folders (feature `train`) | `barun-train` |
//! | `doctor` | what is wrong with a run: rules, evidence, root cause (feature `train`) | `barun-doctor` |
//! | `view` | charts, reports, event files, a terminal view (features `report`, `tensorboard`, `terminal`) | `barun-view` |
//!
//! # Two ways of working, one graph
//!
//! **By run**: calling an operation builds a node, reading a value runs what it needs, so loops and branches may depend
//! on values ([`engine::Tensor`], [`nn::Pass::by_run`]). **And run**: the graph is built once, compiled, and fed many
//! times ([`engine::Session`], [`nn::Step`]). `examples/define_by_run.rs` and `examples/define_and_run.rs` are twins.
//!
//! # Rules to rely on
//!
//! - Operators never fail, boundaries do: a wrong shape is returned as an `Err` by `forward`, a read or a compile, with
//!   the layer's path, both shapes and the source line.
//! - The same seed and data give the same bits with any number of threads.
//! - A gradient that is not finite never reaches the weights.
//! - What is fitted to data (scaling) can be fitted on split data only, and sees the training part only.

mod error;
#[cfg(feature = "data")]
mod feed;

#[cfg(feature = "data")]
pub use barun_data as data;
#[cfg(feature = "train")]
pub use barun_doctor as doctor;
pub use barun_engine as engine;
pub use barun_nn as nn;
pub use barun_nn::sequential;
#[cfg(feature = "train")]
pub use barun_train as train;
#[cfg(any(feature = "report", feature = "tensorboard", feature = "terminal"))]
pub use barun_view as view;
pub use error::{Error, Result};
#[cfg(feature = "data")]
pub use feed::{InStep, ToStep};

/// What most programs need: `use barun::prelude::*`.
///
/// `Result` is that of a model's `forward`; a program's `main` returns [`barun::Result`](crate::Result), which takes
/// the errors of every part.
pub mod prelude {
    pub use barun_engine::{Generator, Gradients, Session};
    pub use barun_nn::layers::*;
    pub use barun_nn::losses::{self, CrossEntropy, Loss, Mse};
    pub use barun_nn::metrics::{Correct, Metric};
    pub use barun_nn::optimizers::{Adam, AdamW, Momentum, Nesterov, Sgd};
    pub use barun_nn::schedules::{Constant, CosineAnnealing, Schedule, Warmup};
    pub use barun_nn::{
        Batch, Buffer, DType, Device, DeviceOptions, Forward, Init, InputTransform, Mode, Module, Param,
        Pass, Result, Shape, State, Step, StepOptions, Tensor, sequential,
    };

    #[cfg(feature = "data")]
    pub use crate::feed::{InStep, ToStep};
    #[cfg(feature = "data")]
    pub use barun_data::{
        Augment, Dataset, Features, LoaderOptions, MinMax, OpenOptions, PreparedData, Preprocess, Quantile,
        Robust, Split, Standardize, TableOptions, Targets,
    };

    #[cfg(feature = "train")]
    pub use barun_doctor::Doctor;
    #[cfg(feature = "train")]
    pub use barun_train::{EarlyStopping, Recipe, Trained, Trainer, metrics::Metrics};
}

#[cfg(all(doctest, feature = "train"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
