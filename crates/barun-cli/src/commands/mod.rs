//! The subcommands.

pub mod bench;
pub mod eval;
pub mod explain;
pub mod list;
pub mod memory;
pub mod predict;
pub mod train;
