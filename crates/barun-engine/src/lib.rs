//! The engine of barun: tensors, the graph, gradients, the compiler and the CPU executor.
//!
//! It knows nothing of layers. See the module docs for each room.

pub mod cpu;
pub mod random;
