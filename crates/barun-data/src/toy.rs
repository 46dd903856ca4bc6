//! Small drawn data sets for experiments: moons, rings, XOR, a sine, a line with outliers. [DATA-25]
//!
//! Each is a function of the number of samples, the noise (standard deviation, in the data's units) and the seed.
//! Classes alternate, so that they differ by at most one in number. Same seed, same data.

use std::f64::consts::{PI, TAU};

use barun_engine::random::Stream;

use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};

/// Samples when nothing else is asked for.
pub const DEFAULT_SAMPLES: usize = 1000;
/// Noise when nothing else is asked for.
pub const NOISE: f64 = 0.1;
const MOST_SAMPLES: usize = 100_000_000;

/// Two interleaving half circles, `[n, 2]`, two classes.
pub fn moons(samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    points("moons", samples, seed, |class, random| {
        let angle = random.between(0.0, PI);
        let (x, y) = match class {
            0 => (angle.cos(), angle.sin()),
            _ => (1.0 - angle.cos(), 0.5 - angle.sin()),
        };
        [x + noise * random.normal(), y + noise * random.normal()]
    })
}

/// Two concentric circles of radius 1 (class 0) and 0.5 (class 1), `[n, 2]`.
pub fn rings(samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    points("rings", samples, seed, |class, random| {
        let radius = if class == 0 { 1.0 } else { 0.5 };
        let angle = random.between(0.0, TAU);
        [radius * angle.cos() + noise * random.normal(), radius * angle.sin() + noise * random.normal()]
    })
}

/// Exclusive or, `[n, 2]`: clouds around the corners (0 or 1, 0 or 1); class 1 where the corners differ.
pub fn xor(samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    points("xor", samples, seed, |class, random| {
        let first = random.below(2);
        let second = first ^ class;
        [first as f64 + noise * random.normal(), second as f64 + noise * random.normal()]
    })
}

/// `y = sin(x) + noise` for x in `[-pi, pi)`, `[n, 1]`, regression.
pub fn sine(samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    curve("sine", samples, seed, |_, random| {
        let x = random.between(-PI, PI);
        (x, x.sin() + noise * random.normal())
    })
}

/// `y = 2 x + 1 + noise` for x in `[-1, 1)`, `[n, 1]`, with every tenth sample moved up by 5 to 15: what tells a
/// squared loss from a robust one.
pub fn outliers(samples: usize, noise: f64, seed: u64) -> Result<Dataset> {
    curve("outliers", samples, seed, |index, random| {
        let x = random.between(-1.0, 1.0);
        let y = 2.0 * x + 1.0 + noise * random.normal();
        let jump = random.between(5.0, 15.0);
        (x, if index % 10 == 9 { y + jump } else { y })
    })
}

fn points(
    name: &'static str,
    samples: usize,
    seed: u64,
    draw: impl Fn(u64, &mut Stream) -> [f64; 2],
) -> Result<Dataset> {
    check(name, samples)?;
    let mut random = Stream::new(seed, name);
    let values =
        (0..samples).flat_map(|i| draw(i as u64 % 2, &mut random)).map(|value| value as f32).collect();
    let features = Features::Rows { values, names: vec!["x".to_string(), "y".to_string()] };
    let targets = Targets::Classes {
        name: "class".to_string(),
        labels: (0..samples).map(|i| i as i64 % 2).collect(),
        classes: vec!["0".to_string(), "1".to_string()],
    };
    Dataset::new(name, features, targets)
}

fn curve(
    name: &'static str,
    samples: usize,
    seed: u64,
    draw: impl Fn(usize, &mut Stream) -> (f64, f64),
) -> Result<Dataset> {
    check(name, samples)?;
    let mut random = Stream::new(seed, name);
    let (inputs, outputs) =
        (0..samples).map(|i| draw(i, &mut random)).map(|(x, y)| (x as f32, y as f32)).unzip();
    let features = Features::Rows { values: inputs, names: vec!["x".to_string()] };
    Dataset::new(name, features, Targets::Values { name: "y".to_string(), values: outputs })
}

fn check(name: &'static str, samples: usize) -> Result<()> {
    match samples {
        2..=MOST_SAMPLES => Ok(()),
        _ => Err(Error::SampleCount { name, samples, least: 2, most: MOST_SAMPLES }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Target;

    type Maker = fn(usize, f64, u64) -> Result<Dataset>;

    fn row(data: &Dataset, index: usize) -> &[f32] {
        let Features::Rows { values, names } = data.features() else { panic!("toy data are rows") };
        &values[index * names.len()..][..names.len()]
    }

    #[test]
    fn data_25_the_seed_decides_the_data() {
        for make in [moons as Maker, rings, xor, sine, outliers] {
            assert_eq!(make(50, 0.1, 3).unwrap(), make(50, 0.1, 3).unwrap());
            assert_ne!(make(50, 0.1, 3).unwrap(), make(50, 0.1, 4).unwrap());
            assert!(matches!(make(0, 0.1, 3), Err(Error::SampleCount { samples: 0, .. })));
            assert!(matches!(make(usize::MAX, 0.1, 3), Err(Error::SampleCount { .. })));
        }
    }

    #[test]
    fn data_25_classes_are_balanced() {
        for make in [moons as Maker, rings, xor] {
            let data = make(101, 0.1, 1).unwrap();
            let ones = (0..101).filter(|&i| data.get(i).unwrap().target == Target::Class(1)).count();
            assert_eq!(ones, 50);
        }
    }

    #[test]
    fn data_25_without_noise_the_shapes_are_exact() {
        let (rings, xor, sine) =
            (rings(40, 0.0, 2).unwrap(), xor(40, 0.0, 2).unwrap(), sine(40, 0.0, 2).unwrap());
        for i in 0..40 {
            let [x, y] = *row(&rings, i) else { panic!("two columns") };
            assert!((x.hypot(y) - if i % 2 == 0 { 1.0 } else { 0.5 }).abs() < 1e-6);
            let [a, b] = *row(&xor, i) else { panic!("two columns") };
            assert_eq!(a != b, i % 2 == 1);
            let Target::Value(y) = sine.get(i).unwrap().target else { panic!("numbers") };
            assert!((row(&sine, i)[0].sin() - y).abs() < 1e-6);
        }
    }

    #[test]
    fn data_25_every_tenth_sample_is_an_outlier() {
        let data = outliers(100, 0.0, 5).unwrap();
        for i in 0..100 {
            let Target::Value(y) = data.get(i).unwrap().target else { panic!("numbers") };
            let error = y - (2.0 * row(&data, i)[0] + 1.0);
            assert_eq!(error > 4.9, i % 10 == 9, "sample {i}: {error}");
        }
    }
}
