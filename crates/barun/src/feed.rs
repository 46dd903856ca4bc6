//! From loaded data to what a step takes.

use barun_data::{BatchFeatures, BatchTargets, PreparedData};
use barun_nn::{Batch, Buffer, InputTransform};

/// What a loader gives, as what a step takes.
pub trait ToStep {
    /// Images stay bytes `[batch, height, width, channels]`, rows are `[batch, columns]`; labels are `[batch]`, shares of
    /// classes `[batch, classes]`, numbers to predict `[batch, 1]`, as a network with one output gives them.
    fn to_step(&self) -> Batch;
}

impl ToStep for barun_data::Batch {
    fn to_step(&self) -> Batch {
        let x = match &self.features {
            BatchFeatures::Images(pixels) => Buffer::new(pixels, self.shape()),
            BatchFeatures::Rows(values) => Buffer::new(values, self.shape()),
        };
        let y = match &self.targets {
            BatchTargets::Classes(labels) => Buffer::new(labels, [self.len()]),
            BatchTargets::Shares(shares) => Buffer::new(shares, [self.len(), shares.len() / self.len()]),
            BatchTargets::Values(values) => Buffer::new(values, [self.len(), 1]),
        };
        Batch { x, y }
    }
}

/// What is left to do to prepared data inside a step.
pub trait InStep {
    /// The scaling of images, which travel as bytes; none for rows, which come scaled. For
    /// [`StepOptions::input`](barun_nn::StepOptions).
    fn input_transform(&self) -> Option<InputTransform>;
}

impl InStep for PreparedData {
    fn input_transform(&self) -> Option<InputTransform> {
        let fitted = self.scaling_in_step();
        let scale: Vec<f64> = fitted.scale.iter().map(|&scale| scale.into()).collect();
        let shift =
            fitted.shift.iter().zip(&scale).map(|(&shift, scale)| -f64::from(shift) * scale).collect();
        let transform = InputTransform { scale, shift };
        (transform != InputTransform { scale: vec![1.0], shift: vec![-0.0] }).then_some(transform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_data::{Dataset, MinMax, OpenOptions, Split, Standardize};

    #[test]
    fn images_are_scaled_in_the_step_and_rows_before() {
        let options = OpenOptions { samples: Some(100), ..OpenOptions::default() };
        let open = |name| Dataset::open_with(name, &options).unwrap().split(Split::default()).unwrap();
        let images = open("digits").fit(MinMax::default()).unwrap();
        let transform = images.input_transform().unwrap();
        assert!((transform.scale[0] - 1.0 / 255.0).abs() < 1e-6 && transform.shift == [0.0], "{transform:?}");
        let rows = open("moons").fit(Standardize::default()).unwrap();
        assert_eq!(rows.input_transform(), None);
        let batch = rows.train().batches(10).next().unwrap().unwrap().to_step();
        assert_eq!((batch.x.shape(), batch.y.shape()), (&[10, 2].into(), &[10].into()));
    }
}
