//! The engine of barun: tensors, the graph, gradients, the compiler and the CPU executor.
//!
//! It knows nothing of layers.
//!
//! A [`Tensor`] is a handle to a node of a graph. The same graph serves two ways of working:
//!
//! * **by run**: reading a tensor compiles and runs what it needs; compiled programs are kept by structure;
//! * **and run**: a [`Program`] is compiled once from placeholders and slots of a state, and run many times:
//!   `state', results = program(state, feeds)`. A [`Session`] does the bookkeeping, a [`Fleet`] runs many states.
//!
//! ```
//! use barun_engine::{DType, Session, Tensor, Buffer};
//!
//! // By run: a gradient is a tensor like any other.
//! let x = Tensor::from([3.0f32, 4.0]).variable();
//! let f = x.square().sum(..);
//! assert_eq!(f.grad(&[&x])?[0].to_vec::<f32>()?, [6.0, 8.0]);
//!
//! // And run: captured once, fed many times.
//! let y = Tensor::placeholder("y", [2], DType::F32);
//! let mut session = Session::new(&[&(y.square().sum(..))], &[])?;
//! assert_eq!(session.run(&[("y", &Buffer::new(&[3.0f32, 4.0], [2]))])?[0].to_f64(), [25.0]);
//! # Ok::<(), barun_engine::Error>(())
//! ```
//!
//! | room | what lives there |
//! |---|---|
//! | `tensor/` | the handle, constructors, every operation as a method, reading back |
//! | [`graph`] | nodes, the primitives, their shape rules, printing |
//! | `autodiff` | one table: primitive to gradient rule |
//! | [`random`] | counter-based random numbers |
//! | `bfloat` | bf16, the type to keep numbers in at half the size of f32, and its rounding |
//! | `compile/` | simplify, recompute, views, fuse, lower, schedule, plan memory |
//! | `program`, `session`, `fleet`, `state`, `arenas` | what is compiled and what it runs on |
//! | [`cpu`] | instruction sets, the thread team, the tile interpreter, matrix, convolution and pooling kernels |

mod arenas;
mod autodiff;
mod bfloat;
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

pub use arenas::Arenas;
pub use autodiff::Gradients;
pub use compile::{ArenaUse, KernelInfo};
pub use device::{Device, DeviceOptions};
pub use error::{Error, NonFinite, OpError, Result};
pub use fleet::Fleet;
pub use graph::{Conv2d, Pool2d, layer_scope};
pub use half::bf16;
pub use program::{KernelTime, MemoryPlan, Options, Profile, Program, ProgramSpec};
pub use session::Session;
pub use state::{Layout, Slot, State};
pub use tensor::{Axes, Buffer, DType, Element, Generator, ScanOptions, Shape, Tensor, scan};
