//! The doctor: sees from inside the compiled step what is wrong with a run, names one cause, and says what mends it.
//!
//! ```
//! # use barun_data::{Dataset, Split, Standardize};
//! # use barun_nn::{layers::*, losses::CrossEntropy, optimizers::AdamW, sequential};
//! use barun_doctor::Doctor;
//! use barun_train::Trainer;
//! # let data = Dataset::open("moons")?.split(Split::stratified(0.8, 0.1, 0.1).seed(7))?.fit(Standardize::per_feature())?;
//! # let model = sequential![Linear::new(2, 16), Relu::default(), Linear::new(16, 2)];
//! let trained = Trainer::new(model, CrossEntropy::default())
//!     .optimizer(AdamW { lr: 1e-2, ..AdamW::default() })
//!     .with(Doctor::advise())
//!     .fit(&data)?;
//! let diagnosis = trained.report().doctor.as_ref().unwrap();
//! assert!(diagnosis.is_healthy(), "{:?}", diagnosis.findings);
//! # Ok::<(), barun_train::Error>(())
//! ```
//!
//! # How it comes to a diagnosis
//!
//! The [`Doctor`] is a callback of the trainer. It keeps a [`History`] of bounded size: what was to be trained (the
//! [`Case`]), what the checks of the data have found, the loss of every step, what every k-th step showed from inside, the
//! evaluations. Each [rule](rules) looks at the history alone, so the same run gives the same findings, also when it was
//! interrupted and resumed, and a rule can be tried on a history that never was a run.
//!
//! * A rule *holds* when it is true in p of its last n looks; a single odd step is nobody's fault.
//! * A rule that tells of a **symptom** is only worth knowing until the run is in [trouble](gate): its loss left the finite
//!   numbers, diverges, or stands still where it began; or the network learns less than
//!   a [baseline](Baseline) does.
//! * The [root cause](ranking) comes first: what explains another finding takes it as its evidence.
//!
//! Advising changes nothing: the run ends with the same bits as without a doctor. [`Doctor::repair`] also [mends](repair), where
//! trials on copies of the run show that it is better for it.

mod acknowledge;
mod baseline;
mod case;
pub mod confident;
pub mod course;
mod curve;
mod data;
mod doctor;
pub mod gate;
mod history;
mod known_answers;
mod labels;
mod probe;
pub mod ranking;
pub mod repair;
pub mod rules;
pub mod shares;
#[cfg(test)]
mod testing;
mod vitals;

pub use acknowledge::unknown_rule;
pub use barun_train::diagnosis::{Cure, Diagnosis, Finding, Level, Watched};
pub use barun_train::repair::{Outcome, Repair, Trial};
pub use baseline::{Baseline, Stretches};
pub use case::{Call, Case, Inputs, Loss, Optimizer, Planned, Spread, Target, Weight};
pub use curve::Curve;
pub use doctor::{Doctor, diagnosis_of_log, farthest_apart};
pub use history::{ActivationCheck, Check, Evaluation, History, Modes, ParameterCheck, Probe, StepScalars};
pub use known_answers::KnownAnswers;
pub use labels::{LabelCheck, Pair, Strays, Suspect};
