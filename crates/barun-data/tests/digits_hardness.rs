//! The drawn digits must be neither trivial nor hopeless: a linear model learns them, but stays below 95 %.

use barun_data::{BatchFeatures, BatchTargets, Dataset, LoaderOptions, Part, Split, Standardize};

const PIXELS: usize = 784;
const CLASSES: usize = 10;

/// Softmax regression by stochastic gradient descent: a weight for each pixel and class, a bias a class.
struct Softmax {
    weights: Vec<[f32; CLASSES]>,
    bias: [f32; CLASSES],
}

impl Softmax {
    fn logits(&self, image: &[f32]) -> [f32; CLASSES] {
        let mut logits = self.bias;
        for (weights, x) in self.weights.iter().zip(image) {
            logits.iter_mut().zip(weights).for_each(|(logit, w)| *logit += w * x);
        }
        logits
    }

    fn learn(&mut self, image: &[f32], label: usize, rate: f32) {
        let logits = self.logits(image);
        let top = logits.iter().copied().fold(f32::MIN, f32::max);
        let exponentials = logits.map(|logit| (logit - top).exp());
        let sum: f32 = exponentials.iter().sum();
        let mut step = exponentials.map(|exponential| rate * exponential / sum);
        step[label] -= rate;
        self.bias.iter_mut().zip(step).for_each(|(b, step)| *b -= step);
        for (weights, x) in self.weights.iter_mut().zip(image) {
            weights.iter_mut().zip(step).for_each(|(w, step)| *w -= step * x);
        }
    }
}

/// All samples of a part in the order of `epoch`, standardised.
fn samples(part: &Part, epoch: u64, shift: f32, scale: f32) -> Vec<(Vec<f32>, usize)> {
    let loader = part.loader(LoaderOptions { batch: 100, ..LoaderOptions::default() }).unwrap();
    let mut samples = Vec::new();
    for batch in loader.epoch(epoch) {
        let batch = batch.unwrap();
        let (BatchFeatures::Images(pixels), BatchTargets::Classes(labels)) =
            (&batch.features, &batch.targets)
        else {
            panic!("images with classes")
        };
        for (image, &label) in pixels.chunks_exact(PIXELS).zip(labels) {
            let image = image.iter().map(|&pixel| (f32::from(pixel) - shift) * scale).collect();
            samples.push((image, label as usize));
        }
    }
    samples
}

#[test]
fn data_25_a_linear_model_learns_the_digits_but_stays_below_95_percent() {
    let split = Split::stratified(0.8, 0.0, 0.2);
    let data = Dataset::open("digits").unwrap().split(split).unwrap().fit(Standardize::global()).unwrap();
    let (shift, scale) = (data.scaling().shift[0], data.scaling().scale[0]);
    let mut model = Softmax { weights: vec![[0.0; CLASSES]; PIXELS], bias: [0.0; CLASSES] };
    for epoch in 0..5 {
        let rate = 1e-3 / (1.0 + epoch as f32);
        for (image, label) in samples(&data.train(), epoch, shift, scale) {
            model.learn(&image, label, rate);
        }
    }
    let test = samples(&data.test(), 0, shift, scale);
    let right = test.iter().filter(|(image, label)| {
        let logits = model.logits(image);
        (0..CLASSES).all(|class| logits[class] <= logits[*label])
    });
    let accuracy = right.count() as f64 / test.len() as f64;
    println!("softmax regression on digits: {:.1} %", 100.0 * accuracy);
    assert!((0.85..0.95).contains(&accuracy), "{accuracy}");
}
