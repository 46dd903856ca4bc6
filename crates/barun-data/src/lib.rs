//! Data for training: reading, splitting, scaling and loading.
//!
//! Data takes one way through this crate, and each step is a type, so that a step cannot be skipped or taken twice:
//!
//! ```text
//! Dataset --split--> SplitData --fit--> PreparedData --train()/valid()/test()--> Part --loader--> Batch
//! ```
//!
//! Statistics (means, ranges) can be fitted only on [`SplitData`], and only its training part is looked at: leaking
//! the test set into the preprocessing does not type-check.
//!
//! ```
//! use barun_data::{Dataset, Split, Standardize};
//!
//! let data = Dataset::open("moons")?.split(Split::stratified(0.8, 0.1, 0.1).seed(7))?.fit(Standardize::per_feature())?;
//! for batch in data.train().batches(128) {
//!     let batch = batch?;
//!     assert_eq!(batch.shape()[1..], [2]);
//! }
//! # Ok::<(), barun_data::Error>(())
//! ```

mod dataset;
pub mod digits;
mod divide;
mod error;
pub mod idx;
mod input;
pub mod integrity;
mod keys;
mod loader;
mod mnist;
mod normalize;
mod open;
mod prepared;
mod split;
mod suggest;
pub mod table;
pub mod toy;

pub use dataset::{Dataset, Features, FeaturesRef, Sample, Target, Targets, one_hot};
pub use divide::{DividingColumns, GivenPart};
pub use error::{Error, Result};
pub use input::STANDARD_INPUT;
pub use keys::{Groups, Times};
pub use loader::{Batch, BatchFeatures, BatchTargets, Batches, LastBatch, Loader, LoaderOptions, Order};
pub use normalize::{Fitted, MinMax, Scaling, ScalingKind, Scope, Standardize};
pub use open::{OpenOptions, SOURCES, about};
pub use prepared::{Part, PreparedData};
pub use split::{Copies, Method, Split, SplitData};
pub use suggest::Suggestion;
pub use table::{PredictionRows, Schema, TargetKind};
