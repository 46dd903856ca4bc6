//! The CPU device: run-time choice of instruction set, the thread team, and the kernels.

pub mod isa;
pub mod kernel;
pub mod math;
pub mod multiversion;
pub mod pool;
pub mod team;
