//! Layers, activations, initialisers, losses, optimisers and schedules, written as their formulas, and the compiled
//! training step.
//!
//! A model is a plain description without weights; a [`State`] holds the weights, drawn from a seed. The same model
//! serves both ways of working:
//!
//! ```
//! use barun_nn::{Batch, Buffer, sequential, layers::*, losses::CrossEntropy, optimizers::Adam, Step};
//! let model = sequential![Linear::new(2, 8), Tanh::default(), Linear::new(8, 2)];
//! let step = Step::compile(&model, &Adam::default(), &CrossEntropy::default())?;
//! let mut state = step.init(1)?;
//! let x = Buffer::new(&[0.0f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], [4, 2]);
//! let y = Buffer::new(&[0i64, 1, 1, 0], [4]);
//! let batch = Batch { x, y };
//! let first = step.run(&mut state, &batch, 0.05)?.loss;
//! for _ in 0..100 {
//!     step.run(&mut state, &batch, 0.05)?;
//! }
//! assert!(step.evaluate(&state, &batch)?.loss < first);
//! # Ok::<(), barun_nn::Error>(())
//! ```

// The derives write `::barun_nn`; this lets them be used in here too.
extern crate self as barun_nn;

pub mod activations;
mod activity;
pub mod ensemble;
mod error;
pub mod fork;
pub mod gradcheck;
pub mod hyper;
mod init;
pub mod layers;
pub mod losses;
pub mod lr_range;
pub mod metrics;
pub mod models;
mod module;
pub mod optimizers;
mod param;
mod pass;
pub mod registry;
pub mod regularization;
pub mod schedules;
mod state;
mod step;
mod summary;
mod tensor_table;

pub use activity::{Activity, LayerActivity, activity};
pub use barun_engine::{
    ArenaUse, Arenas, Buffer, DType, Device, DeviceOptions, Fleet, Layout, MemoryPlan, Options, Profile,
    Program, ProgramSpec, Shape, State, Tensor,
};
pub use barun_macros::{Hyper, Module, Slots};
pub use error::{Error, Result};
pub use hyper::Hyper;
pub use init::{Fans, Init};
pub use module::{
    Feeds, Forward, Inventory, Layer, Model, Module, ParameterEntry, StatEntry, Visitor, parameters,
};
pub use optimizers::Slots;
pub use param::{Id, Param, Parameter, Role, Stat};
pub use pass::{Call, Mode, Pass};
pub use state::fresh_state;
pub use step::{
    ActivationRecord, Batch, Decay, Evaluation, Group, InputTransform, NonFinite, ParameterRecord, Passing,
    Select, StateMemory, Step, StepOptions, StepOutput, StepRecord, Way, WeightAverage, averaged,
    break_if_not_finite,
};
pub use summary::{Summary, SummaryRow, summary};
pub use tensor_table::{Column, TensorRow, TensorTable};
