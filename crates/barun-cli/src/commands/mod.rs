//! The subcommands.

pub mod bench;
pub mod check;
pub mod doctor;
pub mod eval;
pub mod explain;
pub mod export;
pub mod gallery;
pub mod list;
pub mod memory;
pub mod predict;
pub mod report;
pub mod resume;
pub mod runs;
pub mod train;
