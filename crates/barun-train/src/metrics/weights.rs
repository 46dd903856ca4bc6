//! How often each row counts.

/// Each row once, or as often as a bootstrap sample has drawn it.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a>(Option<&'a [u32]>);

impl<'a> Weights<'a> {
    /// Each row once.
    pub const ONCE: Weights<'static> = Weights(None);

    /// Row `i` `counts[i]` times.
    pub fn drawn(counts: &'a [u32]) -> Weights<'a> {
        Weights(Some(counts))
    }

    /// How often row `row` counts.
    pub fn of(self, row: usize) -> u64 {
        self.0.map_or(1, |counts| counts.get(row).copied().map_or(0, u64::from))
    }

    /// The mean of `values`, one a row; NaN of no rows.
    pub(super) fn mean(self, values: &[f64]) -> f64 {
        let (mut sum, mut rows) = (0.0, 0);
        for (row, value) in values.iter().enumerate() {
            let times = self.of(row);
            // A value that is not finite counts only where its row does.
            if times > 0 {
                sum += value * times as f64;
                rows += times;
            }
        }
        sum / rows as f64
    }
}
