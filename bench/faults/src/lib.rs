//! The fault bench: trainings that are broken on purpose, trainings that are well, and what the doctor says of both.
//!
//! | file | what |
//! |---|---|
//! | [`sources`], [`rows`] | the data sets, as plain numbers |
//! | [`network`], [`plan`], [`bases`] | trainings that are well: a data set, an architecture, how it is trained |
//! | [`operators`], [`own`] | what breaks them, with the rules that name the cause |
//! | [`changes`] | what leaves them well |
//! | [`case`], [`run`], [`results`], [`work`] | every run by its name; carrying it out; keeping what came of it; several at once |
//! | [`score`], [`statistics`], [`table`] | harm, detection, right cause, false alarms |
//!
//! A new operator is an entry in a file of `operators/`; a new base is a line of [`bases::BASES`].

pub mod bases;
pub mod case;
pub mod changes;
mod error;
pub mod network;
pub mod operators;
pub mod own;
pub mod plan;
pub mod results;
pub mod rows;
pub mod run;
pub mod score;
pub mod sources;
pub mod statistics;
pub mod table;
pub mod work;

pub use error::{Error, Result};
