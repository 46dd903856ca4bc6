//! Times of steps: a warm-up that is not counted, then rounds, each the median of its steps.

use std::time::{Duration, Instant};

use barun_engine::{Device, DeviceOptions};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::workloads::{Precision, Training, Workload};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The least time of steps that are not counted.
    pub warm_up: Duration,
    /// Rounds of each workload.
    pub rounds: usize,
    /// About how long a round takes.
    pub round: Duration,
    /// Rest before a round of a comparison, for the threads of the one before to fall asleep.
    pub rest: Duration,
}

/// The first calls compile, and touch memory for the first time.
const WARM_UP_STEPS: usize = 3;

impl Default for Pace {
    fn default() -> Self {
        Pace {
            warm_up: Duration::from_secs(1),
            rounds: 7,
            round: Duration::from_millis(700),
            rest: Duration::from_millis(300),
        }
    }
}

impl Pace {
    /// A few steps, to see that everything works.
    pub fn glance() -> Self {
        Pace { warm_up: Duration::ZERO, rounds: 1, round: Duration::ZERO, rest: Duration::ZERO }
    }

    /// Steps of `step_us` that fill a round.
    pub(crate) fn steps(&self, step_us: f64) -> usize {
        (self.round.as_secs_f64() * 1e6 / step_us.max(1.0)).ceil().clamp(1.0, 100_000.0) as usize
    }
}

/// Hears what is done next; its error, such as [`crate::Error::Stopped`], ends the measuring there.
pub type Tell<'a> = dyn FnMut(&str) -> Result<()> + 'a;

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Threads used.
    pub threads: usize,
    /// What was computed in.
    pub precision: String,
    /// One for each workload.
    pub workloads: Vec<Measured>,
}

/// One measured workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Its name.
    pub workload: String,
    /// The median microseconds of a training step: the median round's median.
    pub us_per_step: f64,
    /// The fastest and the slowest round's median.
    pub us_per_step_range: [f64; 2],
    /// Rows a second at the median.
    pub samples_per_second: f64,
}

/// Measures `workloads` one after the other. `tell` hears what is done next.
pub fn measure(
    workloads: &[&Workload],
    threads: Option<usize>,
    precision: Precision,
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<Report> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let mut measured = Vec::new();
    for workload in workloads {
        tell(workload.name)?;
        let mut training = workload.training(&device, precision)?;
        let steps = pace.steps(training.warm_up(pace)?);
        let rounds: Result<Vec<f64>> = (0..pace.rounds.max(1)).map(|_| training.round(steps)).collect();
        measured.push(Measured::of(workload, rounds?));
    }
    Ok(Report { threads: device.threads(), precision: precision.name().to_string(), workloads: measured })
}

/// The kernels of a workload's compiled step, with their FLOPs and bytes.
pub fn describe(workload: &Workload, threads: Option<usize>, precision: Precision) -> Result<String> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    Ok(workload.training(&device, precision)?.program()?.describe())
}

/// The kernels of the step that is watched.
pub fn describe_watched(workload: &Workload, threads: Option<usize>, precision: Precision) -> Result<String> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    Ok(workload.training(&device, precision)?.watched_program()?.describe())
}

impl Measured {
    pub(crate) fn of(workload: &Workload, mut rounds: Vec<f64>) -> Self {
        let us_per_step = median(&mut rounds);
        Measured {
            workload: workload.name.to_string(),
            us_per_step,
            us_per_step_range: [rounds[0], rounds[rounds.len() - 1]],
            samples_per_second: workload.rows() as f64 / (us_per_step * 1e-6),
        }
    }
}

impl Training {
    /// Runs untimed steps, and gives about how many microseconds the last took.
    pub(crate) fn warm_up(&mut self, pace: &Pace) -> Result<f64> {
        let start = Instant::now();
        let mut last = 0.0;
        for step in 0.. {
            if step >= WARM_UP_STEPS && start.elapsed() >= pace.warm_up {
                break;
            }
            last = self.timed_step()?;
        }
        Ok(last)
    }

    /// The median microseconds of `steps` steps, each timed to its end.
    pub(crate) fn round(&mut self, steps: usize) -> Result<f64> {
        let times: Result<Vec<f64>> = (0..steps).map(|_| self.timed_step()).collect();
        Ok(median(&mut times?))
    }

    /// The mean microseconds of the steps of a round. Where a step is interrupted now and then the median would not
    /// show it.
    pub(crate) fn mean(&mut self, pace: &Pace) -> Result<f64> {
        let (start, mut steps) = (Instant::now(), 0);
        while steps == 0 || start.elapsed() < pace.round {
            self.step()?;
            steps += 1;
        }
        Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(steps))
    }

    fn timed_step(&mut self) -> Result<f64> {
        let start = Instant::now();
        self.step()?;
        Ok(start.elapsed().as_secs_f64() * 1e6)
    }
}

/// The median; leaves `values` sorted. Of an even number of values the mean of the two in the middle.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// One thread and `most`, once if they are the same.
pub(crate) fn one_and(most: usize) -> Vec<usize> {
    if most == 1 { vec![1] } else { vec![1, most] }
}

/// The value below which `share` of the `sorted` values lie, by the nearest rank.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

/// The interval between two of the `sorted` values that holds the median of all values they could have been with at least
/// 95 % confidence, whatever their distribution: from the binomial distribution of how many lie below it. All of them
/// where they are too few (below six).
pub(crate) fn median_interval(sorted: &[f64]) -> [f64; 2] {
    let count = sorted.len();
    let Some(last) = count.checked_sub(1) else { return [f64::NAN; 2] };
    // The chance that at most `rank` of the values lie below the median.
    let (mut below, mut chance, mut rank) = (0.0, 0.5f64.powi(count as i32), 0);
    while rank <= last / 2 && below + chance <= 0.025 {
        below += chance;
        chance *= (count - rank) as f64 / (rank + 1) as f64;
        rank += 1;
    }
    let rank = rank.saturating_sub(1);
    [sorted[rank], sorted[last - rank]]
}

/// How many times as long as one another, round by round: the median, and the least and the greatest.
pub(crate) fn ratio(over: &[f64], under: &[f64]) -> (f64, [f64; 2]) {
    let mut ratios: Vec<f64> = over.iter().zip(under).map(|(over, under)| over / under).collect();
    let middle = median(&mut ratios);
    (middle, [ratios.first(), ratios.last()].map(|end| end.copied().unwrap_or(f64::NAN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_interval_of_a_median_is_that_of_the_tables() {
        // Of the order statistics: 6 to 15 of 20, 1 to 6 of 6, 2 to 9 of 10.
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(median_interval(&values), [6.0, 15.0]);
        assert_eq!(median_interval(&values[..6]), [1.0, 6.0]);
        assert_eq!(median_interval(&values[..10]), [2.0, 9.0]);
        assert_eq!(median_interval(&values[..3]), [1.0, 3.0]);
        assert!(median_interval(&[])[0].is_nan());
    }

    #[test]
    fn a_quantile_is_the_nearest_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| quantile(&values, share)), [1.0, 50.0, 99.0, 100.0]);
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
        assert!(quantile(&[], 0.99).is_nan());
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        assert_eq!(ratio(&[2.0, 6.0, 4.0], &[1.0, 2.0, 1.0]), (3.0, [2.0, 4.0]));
    }

    #[test]
    fn a_round_is_filled_with_steps_but_has_one_at_least() {
        let pace = Pace { round: Duration::from_millis(1), ..Pace::default() };
        assert_eq!((pace.steps(10.0), pace.steps(1e6), pace.steps(0.0)), (100, 1, 1000));
    }
}
