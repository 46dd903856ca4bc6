//! Bringing features to one scale, mostly by `y = (x - shift) * scale`.
//!
//! | scaling | shift | scale | result on the fitted data |
//! |---|---|---|---|
//! | [`Standardize`] | mean μ | 1 / σ (population) | mean 0, standard deviation 1 |
//! | [`MinMax`] | min | 1 / (max - min) | 0 to 1 |
//! | [`Robust`] | median | 1 / (third - first quartile) | median 0, half of the values within 1 |
//! | [`Quantile`] | - | - | normally distributed: `y = Φ⁻¹(share of values below x)` |
//!
//! One outlier decides the range and so squeezes everything else under min-max; under standardisation it does less
//! harm, under the robust scaling none, but it stays an outlier; under the quantile scaling it is only the largest. A
//! constant column carries no information: its scale is 0, so it becomes 0, also for values that were not seen when
//! fitting. [DATA-01, DATA-02, DATA-03]

use serde::{Deserialize, Serialize};

use crate::encode::quantile;
use crate::error::{Error, Result};

/// What is done to the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScalingKind {
    /// Values stay as they are.
    None,
    /// Mean 0, standard deviation 1.
    #[default]
    Standardize,
    /// 0 to 1.
    MinMax,
    /// Median 0, quartiles 1 apart.
    Robust,
    /// Normally distributed; of tables only.
    Quantile,
}

/// Over what the statistics are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Per feature for rows, global for images.
    #[default]
    Auto,
    /// Each column, or each pixel of an image, by itself.
    PerFeature,
    /// All values together.
    Global,
}

/// Which scaling to fit; turned into numbers by [`SplitData::fit`](crate::SplitData::fit).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scaling {
    /// What is done to the values.
    pub kind: ScalingKind,
    /// Over what the statistics are taken.
    pub scope: Scope,
}

impl Scaling {
    /// Values stay as they are.
    pub const NONE: Scaling = Scaling { kind: ScalingKind::None, scope: Scope::Auto };
}

/// Standardisation, `y = (x - mean) / σ`, as in `split.fit(Standardize::global())`. The default scope suits the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standardize(pub Scope);

impl Standardize {
    /// One mean and one σ for all values, as is usual for images.
    pub const fn global() -> Self {
        Standardize(Scope::Global)
    }

    /// A mean and a σ for each feature, as is usual for tables.
    pub const fn per_feature() -> Self {
        Standardize(Scope::PerFeature)
    }
}

impl From<Standardize> for Scaling {
    fn from(Standardize(scope): Standardize) -> Self {
        Scaling { kind: ScalingKind::Standardize, scope }
    }
}

/// Min-max normalisation, `y = (x - min) / (max - min)`, as in `split.fit(MinMax::per_feature())`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinMax(pub Scope);

impl MinMax {
    /// One range for all values.
    pub const fn global() -> Self {
        MinMax(Scope::Global)
    }

    /// A range for each feature.
    pub const fn per_feature() -> Self {
        MinMax(Scope::PerFeature)
    }
}

impl From<MinMax> for Scaling {
    fn from(MinMax(scope): MinMax) -> Self {
        Scaling { kind: ScalingKind::MinMax, scope }
    }
}

/// Robust scaling, `y = (x - median) / (third quartile - first quartile)`; a column whose quartiles are equal is
/// standardised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Robust(pub Scope);

impl From<Robust> for Scaling {
    fn from(Robust(scope): Robust) -> Self {
        Scaling { kind: ScalingKind::Robust, scope }
    }
}

/// Quantile scaling to a normal distribution, each column of a table by itself; see
/// [`NumberMap::Normal`](crate::NumberMap::Normal).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantile;

impl From<Quantile> for Scaling {
    fn from(Quantile: Quantile) -> Self {
        Scaling { kind: ScalingKind::Quantile, scope: Scope::PerFeature }
    }
}

/// A scaling with its numbers: `y = (x - shift) * scale`. Part of the model file.
///
/// `shift` and `scale` have one value a feature, or a single one for all.
///
/// ```
/// use barun_data::{Fitted, ScalingKind};
/// let fitted = Fitted { kind: ScalingKind::MinMax, shift: vec![10.0], scale: vec![0.05] };
/// let mut values = [10.0, 20.0, 30.0];
/// fitted.apply(&mut values)?;
/// assert_eq!(values, [0.0, 0.5, 1.0]);
/// fitted.inverse(&mut values)?;
/// assert_eq!(values, [10.0, 20.0, 30.0]);
/// # Ok::<(), barun_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// What is done to the values.
    pub kind: ScalingKind,
    /// What is subtracted.
    pub shift: Vec<f32>,
    /// What is then multiplied by; 0 where the fitted values were all the same.
    pub scale: Vec<f32>,
}

impl Fitted {
    /// Changes nothing: shift 0, scale 1.
    pub fn identity() -> Self {
        Fitted { kind: ScalingKind::None, shift: vec![0.0], scale: vec![1.0] }
    }

    /// Fits `kind` on rows of values: per feature when `width` is the length of a row, globally when it is 1.
    ///
    /// Not public: whoever wants to fit goes through a split.
    pub(crate) fn on_rows<'a, T>(
        kind: ScalingKind,
        width: usize,
        rows: impl Iterator<Item = &'a [T]> + Clone,
    ) -> Self
    where
        T: Copy + Into<f64> + 'a,
    {
        if kind == ScalingKind::None {
            return Fitted::identity();
        }
        let (shift, scale) = columns(width, rows).iter().map(|column| column.affine(kind)).unzip();
        Fitted { kind, shift, scale }
    }

    /// Scales rows of values in place: `y = (x - shift) * scale`.
    ///
    /// # Errors
    /// [`Error::ScalingWidth`] when the values are not whole rows.
    pub fn apply(&self, values: &mut [f32]) -> Result<()> {
        self.each(values, |x, shift, scale| (x - shift) * scale)
    }

    /// Undoes [`apply`](Fitted::apply): `x = y / scale + shift`. Where the fitted values were all the same, gives that
    /// value back.
    ///
    /// # Errors
    /// [`Error::ScalingWidth`] when the values are not whole rows.
    pub fn inverse(&self, values: &mut [f32]) -> Result<()> {
        self.each(values, |y, shift, scale| if scale == 0.0 { shift } else { y / scale + shift })
    }

    fn each(&self, values: &mut [f32], formula: impl Fn(f64, f64, f64) -> f64) -> Result<()> {
        let features = self.shift.len();
        if features == 0 || self.scale.len() != features || !values.len().is_multiple_of(features) {
            return Err(Error::ScalingWidth { values: values.len(), features });
        }
        for row in values.chunks_exact_mut(features) {
            for ((value, &shift), &scale) in row.iter_mut().zip(&self.shift).zip(&self.scale) {
                *value = formula(f64::from(*value), f64::from(shift), f64::from(scale)) as f32;
            }
        }
        Ok(())
    }
}

/// Of more values than this a sample is sorted for quartiles and quantiles, not all.
const MOST_SORTED: usize = 1 << 16;

/// How many rows apart the rows of a sample lie.
pub(crate) fn sample_step(rows: usize) -> usize {
    rows.div_ceil(MOST_SORTED).max(1)
}

/// What is known of the values of a column. NaN is no value.
#[derive(Clone, Debug)]
pub(crate) struct Statistics {
    pub count: f64,
    pub min: f64,
    pub max: f64,
    sum: f64,
    squares: f64,
    sample: Vec<f32>,
}

impl Statistics {
    pub const EMPTY: Statistics = Statistics {
        count: 0.0,
        min: f64::INFINITY,
        max: f64::NEG_INFINITY,
        sum: 0.0,
        squares: 0.0,
        sample: Vec::new(),
    };

    /// First pass.
    pub fn see(&mut self, x: f64) {
        if x.is_nan() {
            return;
        }
        self.count += 1.0;
        self.min = self.min.min(x);
        self.max = self.max.max(x);
        self.sum += x;
    }

    /// Second pass, around the mean that the first has found: a variance taken as E[x²] - E[x]² cancels.
    pub fn see_deviation(&mut self, x: f64, mean: f64) {
        if !x.is_nan() {
            self.squares += (x - mean).powi(2);
        }
    }

    /// One of the values from which quartiles and quantiles are taken.
    pub fn see_sample(&mut self, x: f64) {
        if !x.is_nan() {
            self.sample.push(x as f32);
        }
    }

    /// After the last pass.
    pub fn finish(&mut self) {
        self.sample.sort_unstable_by(f32::total_cmp);
    }

    /// The values of the sample, ascending.
    pub fn sample(&self) -> &[f32] {
        &self.sample
    }

    /// Of the values of several columns as one.
    pub fn together(columns: &[&Statistics]) -> Statistics {
        let mut all = Statistics::EMPTY;
        for column in columns {
            all.count += column.count;
            all.min = all.min.min(column.min);
            all.max = all.max.max(column.max);
            all.sum += column.sum;
            all.sample.extend_from_slice(&column.sample);
        }
        let mean = all.mean();
        // Around the common mean, the squares grow by the square of the way to it.
        let around = |column: &&Statistics| column.squares + column.count * (column.mean() - mean).powi(2);
        all.squares = columns.iter().map(around).sum();
        all.finish();
        all
    }

    pub fn mean(&self) -> f64 {
        self.sum / self.count
    }

    /// Shift and scale of `kind`. What is no line leaves values as they are.
    pub fn affine(&self, kind: ScalingKind) -> (f32, f32) {
        if self.count == 0.0 {
            return (0.0, 1.0);
        }
        if self.min == self.max {
            return (self.min as f32, 0.0);
        }
        let deviation = (self.squares / self.count).sqrt();
        let (shift, scale) = match kind {
            ScalingKind::None | ScalingKind::Quantile => (0.0, 1.0),
            ScalingKind::Standardize => (self.mean(), 1.0 / deviation),
            ScalingKind::MinMax => (self.min, 1.0 / (self.max - self.min)),
            ScalingKind::Robust => {
                let [first, median, third] = [0.25, 0.5, 0.75].map(|p| quantile(&self.sample, p));
                (median, if third > first { 1.0 / (third - first) } else { 1.0 / deviation })
            }
        };
        let mut scale = scale as f32;
        // Rounding must not carry the largest value past 1.
        let range = ((self.max - self.min) as f32).min(f32::MAX);
        while kind == ScalingKind::MinMax && range * scale > 1.0 && scale.is_finite() {
            scale = scale.next_down();
        }
        // A spread too small to divide by counts as none.
        (shift as f32, if scale.is_finite() { scale } else { 0.0 })
    }
}

fn columns<'a, T>(width: usize, rows: impl Iterator<Item = &'a [T]> + Clone) -> Vec<Statistics>
where
    T: Copy + Into<f64> + 'a,
{
    let mut columns = vec![Statistics::EMPTY; width];
    for row in rows.clone() {
        each_of(&mut columns, row, Statistics::see);
    }
    let step = sample_step(rows.clone().map(|row| row.len() / width.max(1)).sum());
    for row in rows.clone().step_by(step) {
        each_of(&mut columns, row, Statistics::see_sample);
    }
    let means: Vec<f64> = columns.iter().map(Statistics::mean).collect();
    let mut centred: Vec<(Statistics, f64)> = columns.into_iter().zip(means).collect();
    for row in rows {
        each_of(&mut centred, row, |(column, mean), x| column.see_deviation(x, *mean));
    }
    centred
        .into_iter()
        .map(|(mut column, _)| {
            column.finish();
            column
        })
        .collect()
}

fn each_of<C, T: Copy + Into<f64>>(columns: &mut [C], row: &[T], mut see: impl FnMut(&mut C, f64)) {
    for values in row.chunks_exact(columns.len().max(1)) {
        for (column, &value) in columns.iter_mut().zip(values) {
            see(column, value.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use barun_engine::random::Stream;

    use super::*;

    fn fit(kind: ScalingKind, width: usize, values: &[f32]) -> Fitted {
        Fitted::on_rows(kind, width, values.chunks_exact(width))
    }

    fn applied(fitted: &Fitted, values: &[f32]) -> Vec<f32> {
        let mut values = values.to_vec();
        fitted.apply(&mut values).unwrap();
        values
    }

    #[test]
    fn data_01_each_column_gets_mean_0_and_deviation_1() {
        let mut random = Stream::new(1, "data_01");
        let values: Vec<f32> =
            (0..3000).map(|i| (random.normal() * [1.0, 50.0, 5.0][i % 3] + (i % 3) as f64) as f32).collect();
        let scaled = applied(&fit(ScalingKind::Standardize, 3, &values), &values);
        for column in 0..3 {
            let column: Vec<f64> = scaled.iter().skip(column).step_by(3).map(|&y| f64::from(y)).collect();
            let mean = column.iter().sum::<f64>() / 1000.0;
            let deviation = (column.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 1000.0).sqrt();
            assert!(mean.abs() < 1e-6, "{mean}");
            assert!((deviation - 1.0).abs() < 1e-5, "{deviation}");
        }
    }

    #[test]
    fn data_01_a_constant_column_becomes_0_and_comes_back() {
        for kind in [ScalingKind::Standardize, ScalingKind::MinMax] {
            let fitted = fit(kind, 1, &[0.1; 7]);
            assert_eq!(applied(&fitted, &[0.1, 5.0]), [0.0, 0.0]);
            let mut back = [0.0];
            fitted.inverse(&mut back).unwrap();
            assert_eq!(back, [0.1]);
        }
    }

    #[test]
    fn data_02_standardise_one_two_three() {
        let fitted = fit(ScalingKind::Standardize, 1, &[1.0, 2.0, 3.0]);
        let mut values = applied(&fitted, &[1.0, 2.0, 3.0]);
        for (value, expected) in values.iter().zip([-1.2247449, 0.0, 1.2247449]) {
            assert!((value - expected).abs() < 1e-6);
        }
        fitted.inverse(&mut values).unwrap();
        assert_eq!(values, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn data_03_min_max_ten_twenty_forty() {
        let fitted = fit(ScalingKind::MinMax, 1, &[10.0, 20.0, 40.0]);
        assert_eq!(applied(&fitted, &[10.0, 20.0, 40.0]), [0.0, 1.0 / 3.0, 1.0]);
    }

    proptest::proptest! {
        #[test]
        fn data_03_min_max_stays_within_0_and_1(values in proptest::collection::vec(proptest::num::f32::NORMAL, 2..20)) {
            let fitted = fit(ScalingKind::MinMax, 1, &values);
            assert!(applied(&fitted, &values).iter().all(|y| (0.0..=1.0).contains(y)), "{fitted:?}");
        }

        #[test]
        fn standardising_any_finite_numbers_gives_finite_numbers(
            values in proptest::collection::vec(proptest::num::f32::NORMAL | proptest::num::f32::SUBNORMAL, 2..20),
        ) {
            let fitted = fit(ScalingKind::Standardize, 1, &values);
            assert!(applied(&fitted, &values).iter().all(|y| y.is_finite()), "{fitted:?}");
        }
    }

    #[test]
    fn data_04_an_outlier_squeezes_the_rest_under_min_max() {
        let mut values: Vec<f32> = (0..99).map(|i| i as f32 / 98.0).collect();
        values.push(1000.0);
        let squeezed = applied(&fit(ScalingKind::MinMax, 1, &values), &values);
        assert!(squeezed[..99].iter().all(|&y| y <= 0.001));
    }

    #[test]
    fn a_robust_scaling_puts_the_median_at_0_and_the_quartiles_1_apart_whatever_an_outlier_says() {
        let fitted = fit(ScalingKind::Robust, 1, &[1.0, 2.0, 3.0, 4.0, 1e6]);
        assert_eq!(applied(&fitted, &[1.0, 2.0, 3.0, 4.0]), [-1.0, -0.5, 0.0, 0.5]);
        let mostly_one = fit(ScalingKind::Robust, 1, &[1.0, 1.0, 1.0, 1.0, 2.0]);
        assert!((mostly_one.scale[0] - 2.5).abs() < 1e-6, "standardised where the quartiles are equal");
    }

    #[test]
    fn a_global_scaling_shares_one_mean_and_works_on_bytes() {
        let rows: [&[u8]; 2] = [&[0, 255], &[255, 0]];
        let fitted = Fitted::on_rows(ScalingKind::Standardize, 1, rows.into_iter());
        assert_eq!(fitted.shift, [127.5]);
        assert_eq!(fitted.scale, [1.0 / 127.5]);
        let fitted = Fitted::on_rows(ScalingKind::MinMax, 1, rows.into_iter());
        assert_eq!(fitted.scale, [1.0 / 255.0]);
    }

    #[test]
    fn values_that_are_not_whole_rows_are_an_error() {
        let fitted = fit(ScalingKind::MinMax, 2, &[1.0, 2.0, 3.0, 4.0]);
        assert!(matches!(fitted.apply(&mut [1.0]), Err(Error::ScalingWidth { values: 1, features: 2 })));
        let broken = Fitted { scale: vec![], ..fitted };
        assert!(broken.apply(&mut [1.0, 2.0]).is_err());
    }

    #[test]
    fn a_fitted_scaling_survives_json() {
        let fitted = fit(ScalingKind::Standardize, 2, &[0.1, 2.0, 3.3, 4.0]);
        let json = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<Fitted>(&json).unwrap(), fitted);
        assert!(json.contains("\"standardize\""), "{json}");
        assert_eq!(
            serde_json::from_str::<Scaling>(r#"{"kind":"min-max"}"#).unwrap(),
            MinMax::default().into()
        );
    }
}
