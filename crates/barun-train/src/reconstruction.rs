//! How well a network gives its input again, row by row, and how well the mean row of the training part does.
//!
//! Of each row only how far off it was is kept: as many numbers as two, whatever the size of an image.

use barun_data::Features;
use barun_engine::{Buffer, Tensor};
use barun_nn::{Forward, Module};

use crate::error::Result;
use crate::feed::Feed;
use crate::metrics::Predictions;
use crate::objective::Reconstructed;
use crate::predictor::Predictor;

/// How far rows are from what was said of them: the mean over a row's numbers.
#[derive(Default)]
struct Deviations {
    absolute: Vec<f64>,
    squared: Vec<f64>,
}

impl Deviations {
    fn add(&mut self, said: &[f64], row: &[f64]) {
        let mean = |of: fn(f64) -> f64| {
            said.iter().zip(row).map(|(said, is)| of(said - is)).sum::<f64>() / row.len() as f64
        };
        self.absolute.push(mean(f64::abs));
        self.squared.push(mean(|difference| difference * difference));
    }
}

impl From<Deviations> for Predictions {
    fn from(Deviations { absolute, squared }: Deviations) -> Predictions {
        Predictions::Inputs { absolute, squared }
    }
}

impl<M: Module + Forward> Predictor<M> {
    /// What the network gives again of prepared rows, beside what they are, in the units of the scaled input.
    pub(crate) fn reconstructions(
        &self,
        outputs: Reconstructed,
        features: &Features,
        rows: &[usize],
    ) -> Result<Predictions> {
        let mut deviations = Deviations::default();
        self.inputs(features, rows, |x, width, inputs| {
            let said: Vec<f64> = self.step.predict(&self.state, x)?.to_f64();
            let said: Vec<f64> = said.into_iter().map(|output| outputs.number(output)).collect();
            said.chunks_exact(width)
                .zip(inputs.chunks_exact(width))
                .for_each(|(said, row)| deviations.add(said, row));
            Ok(())
        })?;
        Ok(deviations.into())
    }

    /// The same of who says the mean of the rows `train` to each of `rows`.
    pub(crate) fn mean_reconstructions(
        &self,
        features: &Features,
        train: &[usize],
        rows: &[usize],
    ) -> Result<Predictions> {
        let mut mean: Vec<f64> = Vec::new();
        self.inputs(features, train, |_, width, inputs| {
            mean.resize(width, 0.0);
            for row in inputs.chunks_exact(width) {
                mean.iter_mut().zip(row).for_each(|(mean, number)| *mean += number / train.len() as f64);
            }
            Ok(())
        })?;
        let mut deviations = Deviations::default();
        self.inputs(features, rows, |_, width, inputs| {
            inputs.chunks_exact(width).for_each(|row| deviations.add(&mean, row));
            Ok(())
        })?;
        Ok(deviations.into())
    }

    /// Gives `take` prepared rows batch by batch: as the step takes them, how many numbers a row has, and as they are to be
    /// given again.
    fn inputs(
        &self,
        features: &Features,
        rows: &[usize],
        mut take: impl FnMut(&Buffer, usize, &[f64]) -> Result<()>,
    ) -> Result<()> {
        let mut feed = Feed::new(self.objective);
        for rows in rows.chunks(self.batch_size.max(1)) {
            let batch = feed.gather(features, None, rows)?;
            let x = Tensor::new(batch.x.clone());
            let inputs = self.step.options().prepare_target(&x, &x).eval()?.to_f64();
            take(&batch.x, (inputs.len() / rows.len()).max(1), &inputs)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_row_the_mean_deviation_of_its_numbers_is_kept() {
        let mut deviations = Deviations::default();
        deviations.add(&[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0, 6.0, 3.0]);
        deviations.add(&[0.5, 0.5], &[0.0, 1.0]);
        assert_eq!(deviations.absolute, [1.5, 0.5]);
        assert_eq!(deviations.squared, [3.5, 0.25]);
    }
}
