//! The CPU device: run-time choice of instruction set, the thread team, the kernels, and the executor.

#[cfg(target_arch = "x86_64")]
mod amx;
pub(crate) mod board;
pub mod conv;
pub mod execute;
pub mod fused;
pub mod gemm;
mod huge_pages;
pub mod indexed;
pub mod isa;
pub mod kernel;
pub mod limits;
pub mod math;
pub mod memory;
pub mod multiversion;
pub mod native;
pub mod pool;
pub mod team;
#[cfg(test)]
pub(crate) mod testing;
pub mod tile;
