//! What is in the tensors of a run, without its data and without building its network. [DIAG-09]

use std::path::Path;

use barun_nn::TensorTable;

use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::run::model_file;

/// The tensors of a model file, or of the best epoch of a run folder, as a table: weights, statistics and, where the file has
/// them, what the optimiser remembers. `checkpoints/last.safetensors` has the whole state.
///
/// # Errors
/// No run, or a damaged file.
pub fn tensors(path: &Path) -> Result<TensorTable> {
    let file = Checkpoint::read(&model_file(path)?)?;
    let buffers: Vec<_> = file.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.buffer())).collect();
    Ok(TensorTable::of(buffers.iter().map(|(name, buffer)| (*name, buffer))))
}
