//! Data for training: reading, splitting, scaling and loading.
//!
//! Data takes one way through this crate, and each step is a type, so that a step cannot be skipped or taken twice:
//!
//! ```text
//! Dataset --split--> SplitData --fit--> PreparedData --train()/valid()/test()--> Part --loader--> Batch
//! ```
//!
//! A table keeps its columns as they were read - numbers, categories, dates, gaps - until the fit, which decides what a
//! network takes of them ([`encode`]). Statistics (means, ranges, which categories there are) can be fitted only on [`SplitData`], and only its training part is looked at: leaking
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
//!
//! Images are bytes all the way. Those of a folder (feature `images`) are decoded when they are asked for, see
//! [`LazyImages`]; those of the training part are varied on the loader's threads, see [`augment`]. Known data sets that
//! are not there are fetched with the feature `download`.

pub mod augment;
mod cholesky;
mod dataset;
pub mod digits;
mod divide;
pub mod encode;
mod error;
pub mod idx;
#[cfg(feature = "images")]
pub mod images;
mod input;
pub mod integrity;
mod keys;
mod lazy;
mod loader;
mod named;
mod normalize;
mod open;
mod prepared;
mod read;
mod split;
mod suggest;
pub mod table;
pub mod toy;

pub use augment::Augment;
pub use cholesky::Cholesky;
pub use dataset::{Dataset, Features, FeaturesRef, Sample, Target, Targets, one_hot};
pub use divide::{DividingColumns, GivenPart};
pub use encode::{
    Beyond, Categories, EncodedColumn, Encoder, Encoding, Feature, FeatureKind, LeftOut, NumberMap,
    Preprocess,
};
pub use error::{Error, Place, Result};
pub use input::STANDARD_INPUT;
pub use keys::{Groups, Times};
pub use lazy::{ImageSource, LazyImages};
pub use loader::{Batch, BatchFeatures, BatchTargets, Batches, LastBatch, Loader, LoaderOptions, Order};
pub use normalize::{Fitted, MinMax, Quantile, Robust, Scaling, ScalingKind, Scope, Standardize};
pub use open::{Colour, OpenOptions, SOURCES, about};
pub use prepared::{Part, PreparedData};
pub use read::image_arrays;
pub use split::{Copies, Method, Split, SplitData};
pub use suggest::Suggestion;
pub use table::{Column, ColumnKind, PredictionRows, Reading, Schema, Table, TableOptions, TargetKind};
