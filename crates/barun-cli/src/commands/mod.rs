//! The subcommands.

pub mod bench;
pub mod columns;
pub mod eval;
pub mod list;
pub mod memory;
pub mod predict;
pub mod train;
