//! The state of a model: its parameters and statistics, the seed and the count of steps.

use std::sync::Arc;

use crate::{Buffer, DType, Inventory, Layout, Module, Result, Shape, State};

/// The slot of the seed. The slash keeps it apart from the paths of a model.
pub(crate) const SEED: &str = "run/seed";
/// The slot that counts the steps taken.
pub(crate) const STEP: &str = "run/step";

/// A state for using `model` by run, with first values drawn from `seed`; see [`Pass::by_run`](crate::Pass::by_run). For
/// bf16 it is f32, as the weights of a pass in bf16 are.
pub fn fresh_state<M: Module + ?Sized>(model: &M, seed: u64, dtype: DType) -> Result<State> {
    let inventory = Inventory::of(model)?;
    let layout = layout(&inventory, dtype.computed(), Vec::new())?;
    first_values(&inventory, &layout, seed)
}

/// Parameters, statistics, `further` slots, seed and step.
pub(crate) fn layout(
    inventory: &Inventory,
    dtype: DType,
    further: Vec<(String, Shape, DType)>,
) -> Result<Arc<Layout>> {
    let parameters =
        inventory.parameters.iter().map(|entry| (entry.path.clone(), entry.shape.clone(), dtype));
    let stats = inventory.stats.iter().map(|entry| (entry.path.clone(), entry.shape.clone(), dtype));
    let counters = [SEED, STEP].map(|name| (name.to_string(), Shape::from([]), DType::I64));
    Ok(Layout::new(parameters.chain(stats).chain(further).chain(counters).collect())?)
}

/// A state with the first values of everything the model has; further slots are 0.
pub(crate) fn first_values(inventory: &Inventory, layout: &Arc<Layout>, seed: u64) -> Result<State> {
    let mut state = State::zeros(layout);
    let mut fill = |path: &str, values: &mut dyn Iterator<Item = f64>| -> Result<()> {
        let index = crate::pass::position(layout, path)?;
        let slot = &layout.slots()[index];
        state.write(index, &buffer(values, &slot.shape, slot.dtype))?;
        Ok(())
    };
    for entry in &inventory.parameters {
        fill(&entry.path, &mut entry.init.values(&entry.shape, seed, &entry.path))?;
    }
    for entry in &inventory.stats {
        fill(&entry.path, &mut std::iter::repeat(entry.initial))?;
    }
    let index = crate::pass::position(layout, SEED)?;
    state.write(index, &Buffer::new(&[seed as i64], []))?;
    Ok(state)
}

/// The first of `values` as a buffer of a float type.
pub(crate) fn buffer(values: impl Iterator<Item = f64>, shape: &Shape, dtype: DType) -> Buffer {
    let mut buffer = Buffer::zeros(shape.clone(), dtype);
    if let Ok(elements) = buffer.as_mut_slice::<f64>() {
        elements.iter_mut().zip(values).for_each(|(element, value)| *element = value);
    } else if let Ok(elements) = buffer.as_mut_slice::<f32>() {
        elements.iter_mut().zip(values).for_each(|(element, value)| *element = value as f32);
    }
    buffer
}
