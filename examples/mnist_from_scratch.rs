//! A neural network that reads handwritten digits, from scratch: no framework, only `std` (and `flate2` to unzip).
//!
//! ```text
//! pixels [batch, 784] -> x W1 + b1 -> ReLU -> [batch, 50] -> h W2 + b2 -> softmax -> probabilities [batch, 10]
//! ```
//!
//! Training shows the network 100 images at a time and repeats three things: *forward* computes the probabilities,
//! *backward* computes how the loss would change with every weight (the chain rule, from the last layer to the first),
//! and the *update* moves every weight a little downhill. After 15 epochs it reads 97 of 100 new digits correctly.
//!
//! `cargo run --release --example mnist_from_scratch [DATA_DIR]`: under a hundred lines of code, some seconds.
//! DATA_DIR (else `$BARUN_DATA`, else `../shared/data`) holds `mnist/` with the four `.gz` files of the data set.

use std::{array, env, fs::File, io::Read, path::Path, process};

const EPOCHS: usize = 15;
const BATCH: usize = 100;
const LEARNING_RATE: f32 = 0.1;

/// A list of rows. A bias is a matrix with one row.
pub type Matrix = Vec<Vec<f32>>;

/// The matrix product: out\[i\]\[j\] = sum over k of a\[i\]\[k\] * b\[k\]\[j\].
fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut out = vec![vec![0.0; b[0].len()]; a.len()];
    for (a_row, out_row) in a.iter().zip(&mut out) {
        for (a_value, b_row) in a_row.iter().zip(b) {
            // Most pixels are black: skipping their products makes the program several times faster.
            if *a_value != 0.0 {
                out_row.iter_mut().zip(b_row).for_each(|(out, b_value)| *out += a_value * b_value);
            }
        }
    }
    out
}

fn transposed(a: &Matrix) -> Matrix {
    (0..a[0].len()).map(|column| a.iter().map(|row| row[column]).collect()).collect()
}

fn column_sums(a: &Matrix) -> Matrix {
    product(&vec![vec![1.0; a.len()]], a)
}

/// f(x, y) for every x in a and its partner y in b; a single row of b serves every row of a.
fn each(a: &Matrix, b: &Matrix, f: impl Fn(f32, f32) -> f32) -> Matrix {
    let each_in_row = |(a, b): (&Vec<f32>, &Vec<f32>)| a.iter().zip(b).map(|(&x, &y)| f(x, y)).collect();
    a.iter().zip(b.iter().cycle()).map(each_in_row).collect()
}

/// The parameters: weights and biases of the first layer, then of the second. Their slopes have the same shapes.
pub type Network = [Matrix; 4];

/// The values of the hidden layer, and the probability of each digit.
fn forward([w1, b1, w2, b2]: &Network, images: &Matrix) -> (Matrix, Matrix) {
    let hidden = each(&product(images, w1), b1, |h, b| (h + b).max(0.0)); // ReLU
    let mut probabilities = each(&product(&hidden, w2), b2, |z, b| z + b);
    for row in &mut probabilities {
        // Softmax. Subtracting the largest value changes nothing, but keeps exp() from overflowing.
        let largest = row.iter().copied().fold(f32::MIN, f32::max);
        row.iter_mut().for_each(|z| *z = (*z - largest).exp());
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|z| *z /= sum);
    }
    (hidden, probabilities)
}

/// The slope of the mean cross-entropy with respect to every parameter: the chain rule, from the end to the start.
pub fn backward(network: &Network, images: &Matrix, truth: &Matrix) -> Network {
    let (hidden, probabilities) = forward(network, images);
    // Softmax and cross-entropy together have a simple slope.
    let slope = each(&probabilities, truth, |p, t| (p - t) / BATCH as f32);
    let w2_slope = product(&transposed(&hidden), &slope);
    let b2_slope = column_sums(&slope);
    // Back through the second layer's weights; ReLU lets the slope through where it let the value through.
    let [_, _, w2, _] = network;
    let slope = product(&slope, &transposed(w2));
    let slope = each(&slope, &hidden, |s, h| if h > 0.0 { s } else { 0.0 });
    let w1_slope = product(&transposed(images), &slope);
    let b1_slope = column_sums(&slope);
    [w1_slope, b1_slope, w2_slope, b2_slope]
}

/// The bytes of one file of the data set, unzipped and without the header; ends the program if they cannot be had.
fn read(file: &str, header: usize, bytes: usize) -> Vec<u8> {
    let data = env::args_os().nth(1).or(env::var_os("BARUN_DATA")).unwrap_or("../shared/data".into());
    let path = Path::new(&data).join("mnist").join(file);
    let mut content = Vec::new();
    let result = File::open(&path).and_then(|f| flate2::read::GzDecoder::new(f).read_to_end(&mut content));
    let problem = match result {
        Ok(length) if length == header + bytes => return content.split_off(header),
        Ok(length) => format!("{length} bytes unzipped instead of {}", header + bytes),
        Err(error) => error.to_string(),
    };
    eprintln!("error: {}: {problem}; put MNIST's file there or name another DATA_DIR", path.display());
    process::exit(1)
}

fn main() {
    let scaled = |image: &[u8]| image.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let images: Matrix =
        read("train-images-idx3-ubyte.gz", 16, 60_000 * 784).chunks(784).map(scaled).collect();
    let labels = read("train-labels-idx1-ubyte.gz", 8, 60_000);
    let test_images = read("t10k-images-idx3-ubyte.gz", 16, 10_000 * 784).chunks(784).map(scaled).collect();
    let test_labels = read("t10k-labels-idx1-ubyte.gz", 8, 10_000);
    // The truth as probabilities: 1 for the right digit, 0 for the nine others.
    let one_hot = |label| (0..10).map(|digit| f32::from(u8::from(digit == label))).collect();

    // A small random number generator with a fixed start, so that every run gives the same network.
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32 // at least 0, below 1
    };
    // He's rule, a variance of 2 / inputs, keeps the values' size through ReLU. Uniform in +-a has variance a^2 / 3.
    let mut weights = |inputs: usize, outputs: usize| -> Matrix {
        let a = (6.0 / inputs as f32).sqrt();
        (0..inputs).map(|_| (0..outputs).map(|_| a * (2.0 * random() - 1.0)).collect()).collect()
    };
    let mut network = [weights(784, 50), vec![vec![0.0; 50]], weights(50, 10), vec![vec![0.0; 10]]];

    let mut order: Vec<usize> = (0..labels.len()).collect();
    for epoch in 1..=EPOCHS {
        order.sort_by_cached_key(|_| (random() * 1e9) as u32); // shuffle
        for batch in order.chunks(BATCH) {
            let batch_images = batch.iter().map(|&i| images[i].clone()).collect();
            let truth = batch.iter().map(|&i| one_hot(labels[i])).collect();
            let slopes = backward(&network, &batch_images, &truth);
            network = array::from_fn(|i| each(&network[i], &slopes[i], |p, slope| p - LEARNING_RATE * slope));
        }
        let (_, probabilities) = forward(&network, &test_images);
        let surest = |row: &Vec<f32>| (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b]));
        let right = |(row, label): &(&Vec<f32>, &u8)| surest(row) == Some(usize::from(**label));
        let correct = probabilities.iter().zip(&test_labels).filter(right).count();
        println!("epoch {epoch:2}: test accuracy {:.4}", correct as f64 / test_labels.len() as f64);
    }
}
