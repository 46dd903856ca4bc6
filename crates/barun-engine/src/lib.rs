//! The engine of barun: tensors, the graph, gradients, the compiler and the CPU executor.
//!
//! It knows nothing of layers. See the module docs for each room.

mod autodiff;
mod by_run;
pub mod cpu;
mod error;
pub mod graph;
pub mod random;
mod tensor;

pub use autodiff::Gradients;
pub use error::{Error, NonFinite, OpError, Result};
pub use graph::{Conv2d, Pool2d, layer_scope};
pub use tensor::{Axes, Buffer, DType, Element, Generator, ScanOptions, Shape, Tensor, scan};
