//! The subcommands.

pub mod bench;
pub mod check;
pub mod eval;
pub mod list;
pub mod memory;
pub mod predict;
pub mod train;
