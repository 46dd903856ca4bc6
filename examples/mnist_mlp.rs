//! A network that reads handwritten digits, with the library, in six stages: data, dataset, loader, model, train, infer.
//!
//! `cargo run --release --example mnist_mlp [DATA_DIR]`: DATA_DIR (else `$BARUN_DATA`, else `data`) holds `mnist/` with
//! the four files of the data set. Compare with `mnist_from_scratch.rs` (everything by hand) and `mnist_cnn.rs`.

use std::{env, path::PathBuf, sync::Arc, time::Instant};

use barun::prelude::*;

const EPOCHS: u64 = 5;

/// Pixels -> 512 hidden units -> one number for each digit.
#[derive(Module)]
struct Mlp {
    hidden: Linear,
    head: Linear,
}

impl Mlp {
    fn new() -> Mlp {
        Mlp { hidden: Linear::new(784, 512), head: Linear::new(512, 10) }
    }
}

impl Forward for Mlp {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let hidden = self.hidden.forward(&x.flatten(1), pass)?.relu();
        self.head.forward(&hidden, pass)
    }
}

fn main() -> barun::Result<()> {
    // 1. Data: 60,000 images to learn from and 10,000 to be examined on.
    let options =
        OpenOptions { data_dir: env::args_os().nth(1).map(PathBuf::from), ..OpenOptions::default() };
    let data = Dataset::open_with("mnist", &options)?;

    // 2. Dataset: a part to choose by is put aside; the scaling is fitted on the training part alone.
    let data = data.split(Split::stratified(0.9, 0.1, 0.0).seed(1))?.fit(Standardize::global())?;

    // 3. Loader: shuffled batches, gathered ahead on a thread of their own.
    let loader = data.train().loader(LoaderOptions { batch: 100, ..LoaderOptions::default() })?;

    // 4. Model: with its loss and optimiser it becomes one compiled step over one state.
    let options = StepOptions {
        input: data.input_transform(),
        metrics: vec![Arc::new(Correct)],
        ..StepOptions::default()
    };
    let step = Step::with(Mlp::new(), &Adam::default(), &CrossEntropy::default(), options)?;
    let mut state = step.init(1)?;

    // 5. Train: predict, compare, go back, update; again and again.
    for epoch in 1..=EPOCHS {
        let start = Instant::now();
        for batch in loader.epoch(epoch) {
            step.run(&mut state, &batch?.to_step(), 1e-3)?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let accuracy = accuracy(&step, &state, data.valid().batches(500))?;
        println!("epoch {epoch}: {seconds:.1} s, accuracy on the validation part {accuracy:.4}");
    }

    // 6. Infer: the examination, and what the network says of one image.
    println!("accuracy on the test part {:.4}", accuracy(&step, &state, data.test().batches(500))?);
    let mut one = data.test().loader(LoaderOptions { batch: 1, ..LoaderOptions::default() })?.epoch(0);
    if let Some(image) = one.next() {
        let image = image?.to_step();
        let probabilities = Tensor::new(step.predict(&state, &image.x)?).softmax(-1);
        let digit = probabilities.argmax(-1).to_vec::<i64>()?[0];
        let surety = probabilities.max(-1).to_vec::<f32>()?[0];
        println!("an image of a {} is read as {digit}, {:.1} % sure", image.y.to_f64()[0], 100.0 * surety);
    }
    Ok(())
}

/// The part of all samples that is read correctly.
fn accuracy(step: &Step<Mlp>, state: &State, batches: barun::data::Batches) -> barun::Result<f64> {
    let (mut correct, mut rows) = (0.0, 0);
    for batch in batches {
        let part = step.evaluate(state, &batch?.to_step())?;
        correct += part.metrics[0].1;
        rows += part.rows;
    }
    Ok(correct / rows as f64)
}
