//! Edits of the weights themselves: new ones for dead units, all drawn anew, a calmer last layer; and the scale of the inputs.

use barun_engine::random::combine;
use barun_nn::{Buffer, DType, Init, ParameterEntry, Role, State};
use barun_train::Result;
use barun_train::changes::Front;
use barun_train::mending::Mending;

use crate::case::{Call, Case, Target, is_normalization, is_weighted};

/// A unit is dead if it gave nothing for so many rows.
const ROWS: usize = 1000;
/// So many rows say how inputs are spread.
const INPUT_ROWS: usize = 2048;
/// By what the last layer is made smaller.
const CALM: f64 = 0.1;

/// The scaling of the inputs, as the network gets them now, to mean 0 and deviation 1.
pub fn standardizing(run: &Mending<'_>) -> Result<Front> {
    let batch = run.sample(INPUT_ROWS)?;
    let width = batch.x.shape().last().copied().unwrap_or(1).max(1);
    let mut values = batch.x.to_f64();
    if let Some(transform) = &run.step().options().input {
        for (at, value) in values.iter_mut().enumerate() {
            let (scale, shift) = transform.at(at);
            *value = *value * scale + shift;
        }
    }
    let count = (values.len() / width).max(1) as f64;
    let column = |at: usize| values.iter().skip(at).step_by(width).copied();
    let mean: Vec<f64> = (0..width).map(|at| column(at).sum::<f64>() / count).collect();
    let deviation =
        |at: usize| (column(at).map(|value| (value - mean[at]).powi(2)).sum::<f64>() / count).sqrt();
    let std: Vec<f64> = (0..width).map(deviation).collect();
    Ok(Front::standardizing(&mean, &std))
}

/// Draws new weights for the units that give 0 for every row, and forgets what the optimiser remembers of them; false where
/// there are none.
pub fn revive(run: &Mending<'_>, case: &Case, state: &mut State) -> Result<bool> {
    let mut is_any = false;
    for (at, call) in case.calls.iter().enumerate().filter(|(_, call)| call.kind == "Relu") {
        let dead = dead_units(run, state, call)?;
        if dead.is_empty() {
            continue;
        }
        for path in feeding(&case.calls[..at]) {
            for entry in entries(run, path) {
                is_any |= redraw_units(run, entry, &dead, state)?;
            }
        }
    }
    Ok(is_any)
}

/// The units, by their place in the last axis, of an activation that gave 0 for every one of a thousand rows.
fn dead_units(run: &Mending<'_>, state: &State, call: &Call) -> Result<Vec<usize>> {
    let width = call.output.last().copied().unwrap_or(0);
    let mut is_alive = vec![false; width];
    let mut rows = 0;
    for batch in run.batches(0, ROWS.div_ceil(case_rows(run)?))? {
        let Some((_, given)) = run.step().watch(state, &batch, Some(&[&call.path]))?.pop() else { break };
        let given = given.to_f64();
        for unit in given.chunks_exact(width.max(1)) {
            is_alive.iter_mut().zip(unit).for_each(|(is_alive, value)| *is_alive |= *value != 0.0);
        }
        rows += batch.x.shape().first().copied().unwrap_or(0);
    }
    let is_enough = rows > 0 && !is_alive.is_empty();
    Ok((0..width).filter(|unit| is_enough && !is_alive[*unit]).collect())
}

/// Rows of a batch.
fn case_rows(run: &Mending<'_>) -> Result<usize> {
    let first = run.batches(0, 1)?;
    let rows = first.first().and_then(|batch| batch.x.shape().first().copied());
    Ok(rows.unwrap_or(1).max(1))
}

/// The layers whose parameters decide what an activation after `calls` gets: back to the last weighted one.
fn feeding(calls: &[Call]) -> Vec<&str> {
    let mut paths = Vec::new();
    for call in calls.iter().rev() {
        let is_the_last = is_weighted(&call.kind);
        if is_the_last || is_normalization(&call.kind) {
            paths.push(call.path.as_str());
        }
        if is_the_last {
            break;
        }
    }
    paths
}

/// The parameters of the layer at `path`.
fn entries<'a>(run: &Mending<'a>, path: &str) -> Vec<&'a ParameterEntry> {
    let parameters = run.step().inventory().parameters.iter();
    parameters.filter(|entry| layer_of(&entry.path) == path).collect()
}

fn layer_of(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or("", |(layer, _)| layer)
}

/// New values for the part of a parameter that belongs to these units: what lies at their place in the last axis.
fn redraw_units(
    run: &Mending<'_>,
    entry: &ParameterEntry,
    units: &[usize],
    state: &mut State,
) -> Result<bool> {
    let width = entry.shape.last().copied().unwrap_or(0);
    if units.iter().any(|unit| *unit >= width) {
        return Ok(false);
    }
    let init = match entry.role {
        Role::Weight => Init::HeNormal,
        _ => entry_rest(entry),
    };
    let fresh: Vec<f64> = init.values(&entry.shape, fresh_seed(run), &entry.path).collect();
    let is_of_unit = |at: usize| units.contains(&(at % width));
    change(state, &entry.path, |at, value| if is_of_unit(at) { fresh[at] } else { value })?;
    for slot in slots_of(state, &entry.path) {
        change(state, &slot, |at, value| if is_of_unit(at) { 0.0 } else { value })?;
    }
    Ok(true)
}

/// The rule of what is no weight: a bias begins at 0, whatever it was; scales and shifts as they did.
fn entry_rest(entry: &ParameterEntry) -> Init {
    match entry.role {
        Role::Bias => Init::Zeros,
        _ => entry.init,
    }
}

/// Another seed than that of the first weights.
fn fresh_seed(run: &Mending<'_>) -> u64 {
    combine(run.seed(), 1 + run.taken() as u64)
}

/// Draws every weight anew by the rule for the activation after it, biases at 0, and empties what the optimiser remembers.
pub fn redraw(run: &Mending<'_>, case: &Case, state: &mut State) -> Result<bool> {
    let inventory = run.step().inventory();
    let is_trained = |entry: &&ParameterEntry| case.weights.iter().any(|weight| weight.path == entry.path);
    for entry in inventory.parameters.iter().filter(is_trained) {
        let init = match entry.role {
            Role::Weight => rule_after(case, layer_of(&entry.path)),
            _ => entry_rest(entry),
        };
        let fresh: Vec<f64> = init.values(&entry.shape, fresh_seed(run), &entry.path).collect();
        change(state, &entry.path, |at, _| fresh[at])?;
        for slot in slots_of(state, &entry.path) {
            change(state, &slot, |_, _| 0.0)?;
        }
    }
    for stat in &inventory.stats {
        change(state, &stat.path, |_, _| stat.initial)?;
    }
    Ok(true)
}

/// The rule for weights of the layer at `path`: He before what has a flat side, Xavier before sigmoids and tanhs, LeCun else.
fn rule_after(case: &Case, path: &str) -> Init {
    let after = case.calls.iter().skip_while(|call| call.path != path).skip(1);
    let next =
        after.take_while(|call| !is_weighted(&call.kind)).find(|call| crate::case::is_nonlinear(&call.kind));
    match next.map(|call| call.kind.as_str()) {
        Some("Sigmoid" | "Tanh" | "HardTanh" | "HardSigmoid" | "Softsign") => Init::XavierNormal,
        Some("Selu" | "Softmax" | "LogSoftmax") | None => Init::LecunNormal,
        Some(_) => Init::HeNormal,
    }
}

/// Makes the last weighted layer a tenth as large, and lets its bias, if it has one, say what one would say who knows nothing of
/// the inputs; false where there is no such layer.
pub fn calm_head(run: &Mending<'_>, case: &Case, state: &mut State) -> Result<bool> {
    let Some(head) = case.weighted_calls().next_back() else { return Ok(false) };
    let mut is_any = false;
    for entry in entries(run, &head.path) {
        match entry.role {
            Role::Weight => change(state, &entry.path, |_, value| CALM * value)?,
            _ => {
                let Some(answers) = base_answers(&case.target, entry.count()) else { continue };
                change(state, &entry.path, |at, _| answers[at])?;
            }
        }
        is_any = true;
    }
    Ok(is_any)
}

/// What a network of so many outputs should say that knows nothing of the inputs: the logarithms of the base rates, the
/// logit of the second class, the mean.
fn base_answers(target: &Target, outputs: usize) -> Option<Vec<f64>> {
    match target {
        Target::Classes(counts) => {
            let total = counts.iter().sum::<usize>().max(1) as f64;
            let share = |count: usize| (count as f64 / total).clamp(1e-6, 1.0 - 1e-6);
            match (outputs, counts.len()) {
                (outputs, classes) if outputs == classes => {
                    Some(counts.iter().map(|count| share(*count).ln()).collect())
                }
                (1, 2) => Some(vec![(share(counts[1]) / (1.0 - share(counts[1]))).ln()]),
                _ => None,
            }
        }
        Target::Numbers { mean, .. } => (outputs == 1).then(|| vec![*mean]),
        Target::Unknown => None,
    }
}

/// The slots in which the optimiser remembers something for each element of a parameter.
fn slots_of(state: &State, path: &str) -> Vec<String> {
    let (own, beginning) = (state.layout().position(path), format!("optimizer/{path}/"));
    let slots = state.layout().slots();
    let Some(own) = own else { return Vec::new() };
    let same = |name: &str, shape: &[usize]| name.starts_with(&beginning) && *shape == slots[own].shape[..];
    slots.iter().filter(|slot| same(&slot.name, &slot.shape)).map(|slot| slot.name.clone()).collect()
}

/// Changes the values of a slot one by one.
fn change(state: &mut State, name: &str, new: impl Fn(usize, f64) -> f64) -> Result<()> {
    let old = state.get(name).map_err(barun_nn::Error::from)?;
    let values: Vec<f64> = old.to_f64().into_iter().enumerate().map(|(at, value)| new(at, value)).collect();
    let buffer = match old.dtype() {
        DType::F64 => Buffer::new(&values, old.shape().clone()),
        _ => {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            Buffer::new(&values, old.shape().clone())
        }
    };
    Ok(state.set(name, &buffer).map_err(barun_nn::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_feeds_an_activation_goes_back_to_the_last_weighted_layer() {
        let calls = crate::testing::calls(&["Linear", "Relu", "Conv2d", "BatchNorm", "Dropout"], 4);
        assert_eq!(feeding(&calls), ["3", "2"]);
    }

    #[test]
    fn who_knows_nothing_says_the_base_rates() {
        let classes = base_answers(&Target::Classes(vec![30, 10]), 2).unwrap();
        assert!((classes[0] - 0.75f64.ln()).abs() < 1e-12);
        let binary = base_answers(&Target::Classes(vec![30, 10]), 1).unwrap();
        assert!((binary[0] + 3f64.ln()).abs() < 1e-12);
        assert_eq!(base_answers(&Target::of_numbers(vec![1.0, 3.0]), 1), Some(vec![2.0]));
        assert_eq!(base_answers(&Target::Classes(vec![1, 1, 1]), 1), None);
    }
}
