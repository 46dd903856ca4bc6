//! Costly looks: further passes over the last batch, taken only while the run is in trouble. They commit nothing.

use barun_nn::{Batch, Buffer, DType, Model, Role, State, Step};
use barun_train::Result;
use barun_train::watching::Watched;

use crate::curve::deviation;
use crate::history::Probe;

/// So many times the direction is turned towards the one in which the loss bends most.
const TURNS: usize = 4;
/// How far the weights are moved along it, as a part of their own length.
const REACH: f64 = 1e-3;

type Gradients = Vec<(String, Vec<f64>)>;

/// Looks at the network after `event`; `with_sharpness` where the optimiser's steps depend on the curvature.
///
/// # Errors
/// A program that cannot be compiled for half of the batch.
pub fn probe(event: &Watched<'_>, with_sharpness: bool) -> Result<Probe> {
    let look = event.look();
    let (step, state, batch) = (look.step(), look.state(), look.batch());
    let rows = rows_of(batch);
    let mut probe = Probe { step: event.step, ..Probe::default() };
    probe.eval_loss = Some(step.evaluate(state, batch)?.loss);
    if rows > 1 {
        let exchanged = Batch { x: rolled(&batch.x), y: batch.y.clone() };
        probe.exchanged_loss = Some(step.evaluate(state, &exchanged)?.loss);
        let answers = rolled(&step.predict(state, &batch.x)?);
        probe.order_matters = difference(&answers.to_f64(), &step.predict(state, &exchanged.x)?.to_f64());
    }
    if rows >= 4 {
        let (noise, cosine) = noise(step, state, batch)?;
        (probe.noise_rows, probe.half_cosine) = (noise, cosine);
    }
    probe.at_their_bound = at_their_bound(step, state)?;
    if with_sharpness {
        probe.sharpness = sharpness(step, state, batch)?;
    }
    Ok(probe)
}

/// Weights of fewer numbers than this show nothing.
const SEVERAL: usize = 32;

/// Of the weight in the middle: the share of its numbers that are as large as its largest, and how large that is.
fn at_their_bound(step: &Step<&dyn Model>, state: &State) -> Result<Option<(f64, f64)>> {
    let mut found: Vec<(f64, f64)> = Vec::new();
    let weights = step.inventory().parameters.iter().filter(|entry| entry.role == Role::Weight);
    for entry in weights.filter(|entry| entry.count() >= SEVERAL) {
        let values = state.get(&entry.path).map_err(barun_nn::Error::from)?.to_f64();
        let largest = values.iter().map(|value| value.abs()).fold(0.0, f64::max);
        let count = |bound: f64| values.iter().filter(|value| **value == bound).count() as f64;
        let (above, below) = (count(largest), count(-largest));
        // At one end alone it may be units that are all the same.
        let share =
            if largest > 0.0 && above.min(below) > 0.0 { (above + below) / values.len() as f64 } else { 0.0 };
        found.push((share, largest));
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(found.get(found.len() / 2).copied().filter(|(_, largest)| largest.is_finite()))
}

fn rows_of(batch: &Batch) -> usize {
    batch.x.shape().first().copied().unwrap_or(0)
}

/// The root mean square of the differences over the deviation of `a`; none where all of `a` is the same.
fn difference(a: &[f64], b: &[f64]) -> Option<f64> {
    let spread = deviation(a);
    let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    (spread > 0.0).then(|| (apart / a.len().max(1) as f64).sqrt() / spread)
}

/// The inputs of other rows: each row has those of the next.
fn rolled(x: &Buffer) -> Buffer {
    let rows = x.shape().first().copied().unwrap_or(1).max(1);
    let all: Vec<usize> = (0..rows).map(|row| (row + 1) % rows).collect();
    rows_at(x, &all)
}

/// The rows at `indices`.
fn rows_at(buffer: &Buffer, indices: &[usize]) -> Buffer {
    let width = buffer.bytes().len() / buffer.shape().first().copied().unwrap_or(1).max(1);
    let mut picked = Buffer::zeros([&[indices.len()], &buffer.shape()[1..]].concat(), buffer.dtype());
    for (to, row) in picked.bytes_mut().chunks_exact_mut(width.max(1)).zip(indices) {
        to.copy_from_slice(&buffer.bytes()[row * width..(row + 1) * width]);
    }
    picked
}

fn gradients(step: &Step<&dyn Model>, state: &State, batch: &Batch) -> Result<Gradients> {
    let gradients = step.gradients(state, batch)?;
    Ok(gradients.into_iter().map(|(path, gradient)| (path, gradient.to_f64())).collect())
}

fn dot(a: &Gradients, b: &Gradients) -> f64 {
    let pairs = a.iter().zip(b).flat_map(|((_, a), (_, b))| a.iter().zip(b));
    pairs.map(|(a, b)| a * b).sum()
}

/// The simple noise scale in rows and the cosine between the gradients of two halves. With |G_b|^2 of batches of b rows and
/// |G_B|^2 of B: |G|^2 = (B |G_B|^2 - b |G_b|^2) / (B - b), tr S = (|G_b|^2 - |G_B|^2) / (1/b - 1/B). McCandlish et al., 2018.
fn noise(step: &Step<&dyn Model>, state: &State, batch: &Batch) -> Result<(Option<f64>, Option<f64>)> {
    let half = rows_of(batch) / 2;
    let part = |rows: Vec<usize>| Batch { x: rows_at(&batch.x, &rows), y: rows_at(&batch.y, &rows) };
    let first = gradients(step, state, &part((0..half).collect()))?;
    let second = gradients(step, state, &part((half..2 * half).collect()))?;
    let (squares, product) = ([dot(&first, &first), dot(&second, &second)], dot(&first, &second));
    if squares.contains(&0.0) {
        return Ok((None, None));
    }
    let cosine = product / (squares[0] * squares[1]).sqrt();
    let (small, large) = (half as f64, 2.0 * half as f64);
    let of_small = (squares[0] + squares[1]) / 2.0;
    let of_large = (squares[0] + squares[1] + 2.0 * product) / 4.0;
    let signal = (large * of_large - small * of_small) / (large - small);
    let spread = (of_small - of_large) / (1.0 / small - 1.0 / large);
    // Where the halves disagree there is no signal to be seen at all.
    let noise = if signal > 0.0 { spread / signal } else { f64::MAX };
    Ok((Some(noise), Some(cosine)))
}

/// The largest curvature of the loss of a batch, by power iteration; a product with the Hessian is the difference of two
/// gradients. None where a gradient is not finite.
fn sharpness(step: &Step<&dyn Model>, state: &State, batch: &Batch) -> Result<Option<f64>> {
    let mut direction = gradients(step, state, batch)?;
    let weights: Gradients = direction
        .iter()
        .map(|(path, _)| Ok((path.clone(), state.get(path).map_err(barun_nn::Error::from)?.to_f64())))
        .collect::<Result<_>>()?;
    let reach = REACH * dot(&weights, &weights).sqrt().max(1e-3);
    let mut curvature = None;
    for _ in 0..TURNS {
        let length = dot(&direction, &direction).sqrt();
        if !length.is_finite() || length == 0.0 {
            return Ok(curvature);
        }
        direction.iter_mut().for_each(|(_, values)| values.iter_mut().for_each(|value| *value /= length));
        let ahead = gradients(step, &moved(state, &weights, &direction, reach)?, batch)?;
        let back = gradients(step, &moved(state, &weights, &direction, -reach)?, batch)?;
        let bent: Gradients = ahead
            .into_iter()
            .zip(back)
            .map(|((path, ahead), (_, back))| {
                (path, ahead.iter().zip(back).map(|(ahead, back)| (ahead - back) / (2.0 * reach)).collect())
            })
            .collect();
        curvature = Some(dot(&bent, &direction)).filter(|curvature| curvature.is_finite());
        direction = bent;
    }
    Ok(curvature)
}

/// A copy of the state whose weights are moved by so much along a direction.
fn moved(state: &State, weights: &Gradients, direction: &Gradients, by: f64) -> Result<State> {
    let mut moved = state.clone();
    for ((path, weights), (_, direction)) in weights.iter().zip(direction) {
        let values: Vec<f64> =
            weights.iter().zip(direction).map(|(weight, along)| weight + by * along).collect();
        let old = state.get(path).map_err(barun_nn::Error::from)?;
        let new = match old.dtype() {
            DType::F64 => Buffer::new(&values, old.shape().clone()),
            _ => Buffer::new(
                &values.iter().map(|value| *value as f32).collect::<Vec<_>>(),
                old.shape().clone(),
            ),
        };
        moved.set(path, &new).map_err(barun_nn::Error::from)?;
    }
    Ok(moved)
}
