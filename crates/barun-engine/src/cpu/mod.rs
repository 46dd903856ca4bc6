//! The CPU device: run-time choice of instruction set, the thread team, and the kernels.

pub mod conv;
pub mod gemm;
pub mod isa;
pub mod kernel;
pub mod memory;
pub mod multiversion;
#[cfg(test)]
pub(crate) mod testing;
