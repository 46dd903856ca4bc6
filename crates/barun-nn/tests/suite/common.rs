//! Running models and formulas on given values.

use std::collections::HashMap;
use std::sync::Arc;

use barun_nn::{
    Buffer, DType, Forward, Inventory, Layout, Mode, Module, Options, Pass, Program, ProgramSpec, Result,
    Shape, State, Tensor,
};

pub fn f64s(values: &[f64], shape: impl Into<Shape>) -> Buffer {
    Buffer::new(values, shape)
}

/// `value` in another float type; integers as they are.
pub fn in_type(value: &Buffer, dtype: DType) -> Buffer {
    match (value.dtype().is_float(), dtype) {
        (true, DType::F32) => {
            let values: Vec<f32> = value.to_f64().iter().map(|&x| x as f32).collect();
            Buffer::new(&values, value.shape().clone())
        }
        (true, _) => Buffer::new(&value.to_f64(), value.shape().clone()),
        (false, _) => value.clone(),
    }
}

/// Compiles `f` over inputs like `values` and runs it.
pub fn compute(values: &[&Buffer], f: impl FnOnce(&[Tensor]) -> Result<Vec<Tensor>>) -> Result<Vec<Buffer>> {
    let inputs: Vec<Tensor> = values
        .iter()
        .enumerate()
        .map(|(index, value)| Tensor::placeholder(&format!("{index}"), value.shape().clone(), value.dtype()))
        .collect();
    let outputs = f(&inputs)?;
    let layout = Layout::new(Vec::new())?;
    let spec = ProgramSpec { layout: &layout, inputs: &inputs, outputs: &outputs, updates: &[] };
    let program = Program::compile(&spec, &Options::default())?;
    Ok(program.evaluate(&State::zeros(&layout), values)?)
}

/// One function of f64 values, as f64 values.
pub fn apply(x: &[f64], f: impl Fn(&Tensor) -> Tensor) -> Vec<f64> {
    let value = f64s(x, [x.len()]);
    compute(&[&value], |inputs| Ok(vec![f(&inputs[0])])).unwrap()[0].to_f64()
}

/// The derivative of an element-wise function.
pub fn derivative(x: &[f64], f: impl Fn(&Tensor) -> Tensor) -> Vec<f64> {
    let value = f64s(x, [x.len()]);
    let gradient = |inputs: &[Tensor]| Ok(f(&inputs[0]).sum(..).grad(&[&inputs[0]])?);
    compute(&[&value], gradient).unwrap()[0].to_f64()
}

/// What a model gives and changes, with gradients of `sum(output * upstream)`.
pub struct Ran {
    pub output: Buffer,
    pub grad_input: Buffer,
    pub grads: HashMap<String, Buffer>,
    pub updates: HashMap<String, Buffer>,
}

/// Runs `model` on given parameters and statistics.
pub fn run_model<M: Module + Forward>(
    model: &M,
    mode: Mode,
    values: &HashMap<String, Buffer>,
    x: &Buffer,
    upstream: Option<&Buffer>,
) -> Result<Ran> {
    let inventory = Arc::new(Inventory::of(model)?);
    let paths: Vec<&String> = inventory
        .parameters
        .iter()
        .map(|entry| &entry.path)
        .chain(inventory.stats.iter().map(|entry| &entry.path))
        .collect();
    let count = inventory.parameters.len();
    let mut fed: Vec<&Buffer> = paths.iter().map(|path| &values[*path]).collect();
    fed.push(x);
    fed.extend(upstream);
    let mut updated = Vec::new();
    let outputs = compute(&fed, |inputs| {
        let zero = Tensor::scalar(0.0, DType::I64);
        let mut pass = Pass::new(&inventory, mode, zero.clone(), zero, |path| {
            let index = paths.iter().position(|known| *known == path).expect("a path of the model");
            Ok(inputs[index].clone())
        })?;
        let input = &inputs[paths.len()];
        let output = model.forward(input, &mut pass)?;
        let weighed = match upstream {
            Some(_) => &output * &inputs[paths.len() + 1],
            None => output.clone(),
        };
        let mut wrt: Vec<&Tensor> = inputs[..count].iter().collect();
        wrt.push(input);
        let gradients = weighed.sum(..).grad(&wrt)?;
        let mut outputs = vec![output];
        outputs.extend(gradients);
        for (path, value) in pass.updates() {
            updated.push(path.to_string());
            outputs.push(value.clone());
        }
        Ok(outputs)
    })?;
    let mut outputs = outputs.into_iter();
    let output = outputs.next().expect("an output");
    let grads = inventory.parameters.iter().map(|entry| entry.path.clone()).zip(outputs.by_ref()).collect();
    let grad_input = outputs.next().expect("an input gradient");
    Ok(Ran { output, grad_input, grads, updates: updated.into_iter().zip(outputs).collect() })
}

/// First values of a model's parameters and statistics, by path.
pub fn first_values<M: Module>(model: &M, seed: u64, dtype: DType) -> HashMap<String, Buffer> {
    let state = barun_nn::fresh_state(model, seed, dtype).unwrap();
    let inventory = Inventory::of(model).unwrap();
    let paths = inventory.parameters.iter().map(|entry| entry.path.clone());
    let paths = paths.chain(inventory.stats.iter().map(|entry| entry.path.clone()));
    paths.map(|path| (path.clone(), state.get(&path).unwrap())).collect()
}

/// Panics unless `actual` is within `tolerance * max|expected|` (at least `tolerance * 1e-3`) everywhere.
#[track_caller]
pub fn assert_close(actual: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}: number of elements");
    let size = expected.iter().fold(1e-3f64, |size, value| size.max(value.abs()));
    for (index, (a, b)) in actual.iter().zip(expected).enumerate() {
        let near = (a - b).abs() <= tolerance * size;
        assert!(near, "{what}: element {index} is {a}, expected {b} (tolerance {tolerance} of {size})");
    }
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64
}

/// The eight corners of a small problem that a line cannot separate, with labels.
pub fn xor() -> barun_nn::Batch {
    barun_nn::Batch {
        x: Buffer::new(&[0.0f32, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], [4, 2]),
        y: Buffer::new(&[0i64, 1, 1, 0], [4]),
    }
}

/// `rows` rows of random features in f32 with labels that depend on them.
pub fn blobs(rows: usize, features: usize, classes: usize, seed: u64) -> barun_nn::Batch {
    let mut stream = barun_engine::random::Stream::new(seed, "blobs");
    let labels: Vec<i64> = (0..rows).map(|row| (row % classes) as i64).collect();
    let x: Vec<f32> = labels
        .iter()
        .flat_map(|&label| {
            let center = |feature: usize| if feature % classes == label as usize { 2.0 } else { 0.0 };
            (0..features).map(|feature| (center(feature) + stream.normal()) as f32).collect::<Vec<_>>()
        })
        .collect();
    barun_nn::Batch { x: Buffer::new(&x, [rows, features]), y: Buffer::new(&labels, [rows]) }
}
