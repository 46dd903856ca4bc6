//! What a training run looks like: on a page, in TensorBoard, on a terminal.
//!
//! This crate knows nothing of networks or of how they are trained. It takes plain data - numbers, names, pixels - and
//! draws it, so it builds in seconds and anyone may hand it something: a run, an experiment, a diagnosis.
//!
//! | module | what | feature |
//! |---|---|---|
//! | [`chart`] | curves, bars, histograms, matrices, clouds of points as SVG | `report` |
//! | [`report`] | a page of them, one HTML file that needs nothing else | `report` |
//! | [`tensorboard`] | event files that TensorBoard opens | `tensorboard` |
//! | [`terminal`] | a run as it goes, on a terminal | `terminal` |
//! | [`histogram`] | how numbers are distributed, for all of them | |
//! | [`thinned`] | a curve of any length in a few hundred points | |
//!
//! **Whose words they are.** Names of classes and columns come from users' files. Whatever becomes part of a page goes
//! through one function that escapes it; nothing in a page comes from elsewhere than this crate and the data.

#[cfg(feature = "report")]
pub mod chart;
pub mod histogram;
#[cfg(feature = "report")]
mod markup;
#[cfg(any(feature = "report", feature = "terminal"))]
mod number;
#[cfg(feature = "report")]
pub mod report;
#[cfg(any(feature = "report", feature = "terminal"))]
mod scale;
#[cfg(feature = "tensorboard")]
pub mod tensorboard;
#[cfg(feature = "terminal")]
pub mod terminal;
pub mod thinned;

pub use histogram::Histogram;
#[cfg(any(feature = "report", feature = "terminal"))]
pub use scale::Scale;
pub use thinned::Thinned;
