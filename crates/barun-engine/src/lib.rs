//! The engine of barun: tensors, the graph, gradients, the compiler and the CPU executor.
//!
//! It knows nothing of layers. See the module docs for each room.

mod autodiff;
mod by_run;
mod compile;
pub mod cpu;
mod device;
mod error;
mod fleet;
pub mod graph;
mod program;
pub mod random;
mod session;
mod state;
mod tensor;

pub use autodiff::Gradients;
pub use compile::KernelInfo;
pub use device::{Device, DeviceOptions};
pub use error::{Error, NonFinite, OpError, Result};
pub use fleet::Fleet;
pub use graph::{Conv2d, Pool2d, layer_scope};
pub use program::{Options, Program, ProgramSpec};
pub use session::Session;
pub use state::{Layout, Slot, State};
pub use tensor::{Axes, Buffer, DType, Element, Generator, ScanOptions, Shape, Tensor, scan};
