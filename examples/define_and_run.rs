//! Define and run: the graph is built once over placeholders and variables, compiled, and fed many times.
//!
//! A network of two layers learns 64 random answers (1000 inputs, 100 hidden units, summed squares, steps of 1e-6). The
//! twin of `define_by_run.rs`: the same seed gives the same losses.
//!
//! `cargo run --release --example define_and_run`

use barun::prelude::*;

const ROWS: usize = 64;
const INPUTS: usize = 1000;
const HIDDEN: usize = 100;
const OUTPUTS: usize = 10;
const RATE: f64 = 1e-6;

/// The losses of `steps` runs of one compiled graph.
pub fn losses(seed: u64, steps: usize) -> Result<Vec<f32>> {
    // Define: nothing is computed here but the first values.
    let mut random = Generator::new(seed);
    let batch_x = random.normal([ROWS, INPUTS], DType::F32).eval()?;
    let batch_y = random.normal([ROWS, OUTPUTS], DType::F32).eval()?;
    let x = Tensor::placeholder("x", [ROWS, INPUTS], DType::F32);
    let y = Tensor::placeholder("y", [ROWS, OUTPUTS], DType::F32);
    let w1 = random.normal([INPUTS, HIDDEN], DType::F32).variable();
    let w2 = random.normal([HIDDEN, OUTPUTS], DType::F32).variable();
    let hidden = x.matmul(&w1).relu();
    let loss = (hidden.matmul(&w2) - &y).square().sum(..);
    let slopes = loss.grad(&[&w1, &w2])?;
    let (new_w1, new_w2) = (&w1 - RATE * &slopes[0], &w2 - RATE * &slopes[1]);

    // And run: forward, backward and update are one program; the new weights stay in the session.
    let mut session = Session::new(&[&loss], &[(&w1, &new_w1), (&w2, &new_w2)])?;
    let mut losses = Vec::new();
    for _ in 0..steps {
        let outputs = session.run(&[("x", &*batch_x), ("y", &*batch_y)])?;
        losses.push(outputs[0].as_slice::<f32>()?[0]);
    }
    Ok(losses)
}

fn main() -> barun::Result<()> {
    let losses = losses(0, 500)?;
    for step in [0, 99, 199, 299, 399, 499] {
        println!("step {:3}: loss {:.4}", step + 1, losses[step]);
    }
    Ok(())
}
