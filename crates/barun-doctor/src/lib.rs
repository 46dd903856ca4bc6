//! The doctor: sees from inside the compiled step what is wrong with a run, names one cause, and says what mends it.

mod finding;

pub use finding::{Cure, Finding, Level};
