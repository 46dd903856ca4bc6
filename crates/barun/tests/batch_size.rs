//! What a small batch costs. [DEV-14]

#![cfg(feature = "data")]

use barun::prelude::*;

/// All gradients in one row.
fn gradient(step: &Step<Sequential>, state: &State, batch: &Batch) -> Vec<f64> {
    let gradients = step.gradients(state, batch).unwrap();
    gradients.iter().flat_map(|(_, gradient)| gradient.to_f64()).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// DEV-14: a batch is a sample of the data; the smaller it is, the less its gradient points where that of all the data
/// does, so single updates are not always good ones.
#[test]
fn the_gradient_of_a_small_batch_reflects_the_data_less() {
    let rows = 2048;
    let data = Dataset::open("digits").unwrap();
    let data = data.split(Split::stratified(0.8, 0.1, 0.1).seed(7)).unwrap();
    let part = data.fit(Standardize::global()).unwrap().train().first(rows);
    let model = sequential![Flatten::default(), Linear::new(784, 32), Relu::default(), Linear::new(32, 10)];
    let options = StepOptions { input: Some(InputTransform::unit_range()), ..StepOptions::default() };
    let step = Step::with(model, &Sgd::default(), &CrossEntropy::default(), options).unwrap();
    let mut state = step.init(1).unwrap();
    let batches = |size| part.batches(size).map(|batch| batch.unwrap().to_step()).collect::<Vec<Batch>>();
    // Half learned: at the very beginning all rows pull the same way.
    for batch in batches(64) {
        step.run(&mut state, &batch, 0.1).unwrap();
    }
    let whole = gradient(&step, &state, &batches(rows)[0]);
    let mean_cosine = |size| {
        let cosines: Vec<f64> = batches(size)
            .iter()
            .take(32)
            .map(|batch| cosine(&gradient(&step, &state, batch), &whole))
            .collect();
        cosines.iter().sum::<f64>() / cosines.len() as f64
    };
    let sizes = [1, 4, 16, 64, 256, 1024];
    let found = sizes.map(mean_cosine);
    println!(
        "mean cosine with the whole gradient, by batch size: {:?}",
        sizes.iter().zip(found).collect::<Vec<_>>()
    );
    assert!(found.is_sorted(), "{found:?}");
    assert!(found[0] < 0.5 && found[5] > 0.8, "{found:?}");
}
