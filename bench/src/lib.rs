//! How fast and how frugal training is: the fixed workloads, their times, and the same figures of other programs.
//!
//! A step's absolute time says little: machines differ, and one machine differs from hour to hour. So speed is a ratio,
//! the peer's time over Barun's, on the same work, with the same threads, in the same minute; [`compare()`] measures it. Beside the step
//! there are fleets of small models, the latency of a prediction, compiling, memory, what more threads bring, optimisers, the
//! loader, and crowded cores: a module each.
//!
//! ```
//! use barun_bench::{Pace, Precision, measure, workloads};
//! let workload = workloads::by_name("tab32")?;
//! let report = measure(&[workload], Some(1), Precision::F32, &Pace::glance(), &mut |_| Ok(()))?;
//! assert_eq!(report.workloads[0].workload, "tab32");
//! # Ok::<(), barun_bench::Error>(())
//! ```

mod compare;
mod compile_time;
mod doctor;
mod error;
mod fleet;
pub mod latency;
mod loader;
mod measure;
mod memory;
mod optimizers;
pub mod oversubscription;
mod peer;
mod profile;
pub mod scaling;
mod watching;
pub mod workloads;

pub use compare::{Compared, Comparison, PeerResult, PeerVersion, compare};
pub use compile_time::{CompileReport, CompileTime, Growth, compile_time};
pub use doctor::{DOCTOR_WORKLOADS, DoctorCost, DoctorReport, doctor};
pub use error::{Error, Result};
pub use fleet::{FleetReport, FleetTime, MODELS, fleet};
pub use latency::{Latency, LatencyReport, PeerLatency};
pub use loader::{LoaderReport, LoaderSettings, loader};
pub use measure::{Measured, Pace, Report, Tell, describe, describe_watched, measure};
pub use memory::{MemoryReport, MemoryUse, OwnMemory, PeerMemory, memory, own_memory};
pub use optimizers::{OptimizerReport, OptimizerTime, optimizers};
pub use oversubscription::{Crowded, OversubscriptionReport};
pub use profile::{Bandwidth, KernelProfile, StepProfile, profile};
pub use scaling::{Scaling, ScalingReport};
pub use watching::{Watching, WatchingReport, watching};
pub use workloads::{Precision, Training, Workload};
