//! Define by run: the graph is what the program happens to do, so ordinary `while` and `if` may look at values.
//!
//! A network of two layers learns 64 random answers (1000 inputs, 100 hidden units, summed squares, steps of 1e-6). Then
//! a network whose depth depends on what it sees. The twin of `define_and_run.rs`: the same seed gives the same losses.
//!
//! `cargo run --release --example define_by_run`

use barun::engine::graph::{Graph, Leaves};
use barun::prelude::*;

const ROWS: usize = 64;
const INPUTS: usize = 1000;
const HIDDEN: usize = 100;
const OUTPUTS: usize = 10;
const RATE: f64 = 1e-6;

/// The losses of `steps` steps: each runs forward, asks for gradients, and moves the weights.
pub fn losses(seed: u64, steps: usize) -> Result<Vec<f32>> {
    let mut random = Generator::new(seed);
    let x = random.normal([ROWS, INPUTS], DType::F32);
    let y = random.normal([ROWS, OUTPUTS], DType::F32);
    let mut w1 = random.normal([INPUTS, HIDDEN], DType::F32).variable();
    let mut w2 = random.normal([HIDDEN, OUTPUTS], DType::F32).variable();
    let mut losses = Vec::new();
    for _ in 0..steps {
        let hidden = x.matmul(&w1).relu();
        let loss = (hidden.matmul(&w2) - &y).square().sum(..);
        let slopes = loss.grad(&[&w1, &w2])?;
        let (new_w1, new_w2) = (&w1 - RATE * &slopes[0], &w2 - RATE * &slopes[1]);
        Tensor::eval_all(&[&loss, &new_w1, &new_w2])?;
        losses.push(loss.item()?);
        (w1, w2) = (new_w1.variable(), new_w2.variable());
    }
    Ok(losses)
}

/// The loss of one forward pass, and how many nodes its graph has. The hidden layer is applied again until its values
/// have become small: how often depends on the input. Gradients go through whatever was done.
pub fn as_deep_as_needed(scale: f64) -> Result<(f32, usize)> {
    let mut random = Generator::new(1);
    let x = random.normal([ROWS, INPUTS], DType::F32) * scale;
    let w1 = random.normal([INPUTS, HIDDEN], DType::F32).variable();
    let again = (random.normal([HIDDEN, HIDDEN], DType::F32) * 0.1).variable();
    let mut hidden = x.matmul(&w1).relu();
    while hidden.mean(..).item::<f32>()? > 1.0 {
        hidden = hidden.matmul(&again).relu();
    }
    let loss = if scale > 1.0 { hidden.square().sum(..) } else { hidden.abs().sum(..) };
    loss.grad(&[&w1, &again])?[0].eval()?;
    let (graph, _) = Graph::trace(std::slice::from_ref(&loss), &Leaves::default())?;
    Ok((loss.item()?, graph.nodes.len()))
}

fn main() -> barun::Result<()> {
    let losses = losses(0, 500)?;
    for step in [0, 99, 199, 299, 399, 499] {
        println!("step {:3}: loss {:.4}", step + 1, losses[step]);
    }
    for scale in [0.01, 1.0, 100.0] {
        let (loss, nodes) = as_deep_as_needed(scale)?;
        println!("inputs of size {scale}: loss {loss:.3}, a graph of {nodes} nodes");
    }
    Ok(())
}
