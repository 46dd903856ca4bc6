//! `barun memory`.

use barun_data::{PreparedData, Targets};

use super::MemoryRequest;
use super::train::{divided, prepare, trainer};
use crate::build;
use crate::error::Result;
use crate::memory::{Found, Limit, Textbook};
use crate::report::{BatchMemory, MemoryReport};

/// Tells what a training would take, with other batch sizes too, and the largest that fits. Trains nothing.
pub fn memory_of(request: &MemoryRequest) -> Result<MemoryReport> {
    let recipe = &request.recipe;
    let data = prepare(recipe, divided(recipe, &request.machine)?)?;
    let setup = trainer(recipe, &data, &request.machine)?.set_up(&data)?;
    let rows = data.train().len();
    let batch_size = recipe.batch_size(rows);
    let memory = setup.memory(batch_size)?;
    let batches = around(batch_size, rows)
        .into_iter()
        .map(|size| Ok(BatchMemory::of(&setup.memory(size)?)))
        .collect::<Result<Vec<BatchMemory>>>()?;
    let limit = Limit::or_machine(request.memory_limit);
    let found = limit.map(|limit| setup.largest_batch(limit.bytes(), rows)).transpose()?;
    let (largest_batch, next_batch) = match found {
        Some(Found::Fits(fits, beyond)) => (Some(fits), beyond),
        Some(Found::Nothing(_)) | None => (None, None),
    };
    let inputs = data.dataset().features().width();
    let number = build::precision(recipe.train.precision).size();
    let params = setup.step.inventory().trainable();
    Ok(MemoryReport {
        model: recipe.model.name().to_string(),
        data: data.dataset().name().to_string(),
        params,
        textbook: Textbook::of(params, inputs, number, batch_size),
        bytes_per_further_sample: slope(&batches),
        batches,
        limit,
        largest_batch: largest_batch.as_ref().map(BatchMemory::of),
        next_batch: next_batch.as_ref().map(BatchMemory::of),
        data_bytes: bytes_of(&data),
        memory,
    })
}

/// Sizes from a quarter of `batch_size` to four times as much, as far as the training part goes.
fn around(batch_size: usize, rows: usize) -> Vec<usize> {
    let sizes = [batch_size / 4, batch_size / 2, batch_size, 2 * batch_size, 4 * batch_size];
    sizes.into_iter().filter(|size| (1..=rows).contains(size)).collect()
}

/// What one more row takes, on average over the sizes.
fn slope(batches: &[BatchMemory]) -> Option<f64> {
    let (first, last) = (batches.first()?, batches.last()?);
    let rows = last.batch_size.checked_sub(first.batch_size).filter(|&rows| rows > 0)?;
    Some((last.total_bytes as f64 - first.total_bytes as f64) / rows as f64)
}

/// What features and targets come to take in memory.
fn bytes_of(data: &PreparedData) -> usize {
    let targets = match data.dataset().targets() {
        Targets::Classes { labels, .. } => size_of_val(&labels[..]),
        Targets::Values { values, .. } => size_of_val(&values[..]),
    };
    data.dataset().features().bytes() + targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_around_a_batch_are_those_that_the_data_allows() {
        assert_eq!(around(128, 9600), [32, 64, 128, 256, 512]);
        assert_eq!(around(2, 5), [1, 2, 4]);
        assert_eq!(around(1, 1), [1]);
    }

    #[test]
    fn a_further_row_takes_the_mean_rise_over_the_sizes() {
        let batch = |batch_size, total_bytes| BatchMemory { batch_size, total_bytes };
        assert_eq!(slope(&[batch(32, 1000), batch(64, 1900), batch(132, 2500)]), Some(15.0));
        assert_eq!(slope(&[batch(1, 10)]), None);
    }
}
