//! How fast a training step is: the fixed workloads, their times, and the same times of other programs.
//!
//! A step's absolute time says little: machines differ, and one machine differs from hour to hour. So speed is a ratio,
//! the peer's time over Barun's, on the same work, with the same threads, in the same minute; [`compare()`] measures it.
//!
//! ```
//! use barun_bench::{Pace, Precision, measure, workloads};
//! let workload = workloads::by_name("tab32")?;
//! let report = measure(&[workload], Some(1), Precision::F32, &Pace::glance(), &mut |_| Ok(()))?;
//! assert_eq!(report.workloads[0].workload, "tab32");
//! # Ok::<(), barun_bench::Error>(())
//! ```

mod compare;
mod error;
mod measure;
mod peer;
mod profile;
pub mod workloads;

pub use compare::{Compared, Comparison, PeerResult, PeerVersion, compare};
pub use error::{Error, Result};
pub use measure::{Measured, Pace, Report, Tell, describe, measure};
pub use profile::{Bandwidth, KernelProfile, StepProfile, profile};
pub use workloads::{Precision, Training, Workload};
