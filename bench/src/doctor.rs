//! What the doctor costs: epochs that it watches, in turns with epochs that it does not, of one run.
//!
//! [`watching`](crate::watching()) tells what a watched step takes; here the whole doctor is at work as in a run: the trainer,
//! its callbacks, every k-th step watched with the doctor's own k, and its rules. Both kinds of epochs belong to the same run
//! and go through the same batches, and each pair of them gives one ratio. The first steps, all of which are watched, come
//! before the first pair. Epochs are as short as they can be with the same number of watched steps in each: the sooner the one
//! kind follows the other, the more of what disturbs the machine disturbs both.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use barun_data::{Dataset, Features, PreparedData, Split, Standardize, Targets, integrity};
use barun_doctor::{Diagnosis, Doctor, Level};
use barun_engine::random::Stream;
use barun_engine::{Device, DeviceOptions};
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::Adam;
use barun_train::Trainer;
use barun_train::answers::Answers;
use barun_train::callback::{Batch, Callback, EpochEnd, Flow, Start};
use barun_train::subject::Subject;
use barun_train::watching::Watched;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::measure::{Pace, Tell, median, median_interval};
use crate::workloads::{Precision, Workload};

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoctorReport {
    /// Threads used.
    pub threads: usize,
    /// Pairs of epochs.
    pub rounds: usize,
    /// One for each workload.
    pub workloads: Vec<DoctorCost>,
}

/// The price for one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoctorCost {
    /// The workload.
    pub workload: String,
    /// Steps of an epoch.
    pub steps: usize,
    /// Of the steps of the watched epochs, how many were watched.
    pub watched: usize,
    /// The median microseconds of a step without the doctor, the loading of its rows included.
    pub us_per_step: f64,
    /// How much longer an epoch takes with the doctor, in per cent: the median of the pairs.
    pub overhead_percent: f64,
    /// The interval that holds the median of all pairs with 95 % confidence.
    pub overhead_interval: [f64; 2],
    /// The rules with findings above information: what is trained here is healthy, but for rows that are learned by heart (R18).
    pub alarms: Vec<String>,
}

/// The workloads of rows and images, of which a data set can be made.
pub const DOCTOR_WORKLOADS: &[&str] = &["tab32", "mlp128", "mlpbn128", "lenet64", "cnn64", "resnet18_64"];

/// Looked at from inside from the first to the last, before what is measured.
const FIRST_STEPS: usize = 50;

/// Measures `workloads` in `pace.rounds` pairs of epochs that take about `pace.round` each. `tell` hears what is done next; it
/// ends after the step in which `stop` becomes true.
///
/// # Errors
/// [`Error::Stopped`], what `tell` says, a device or a network that cannot be made.
pub fn doctor(
    workloads: &[&Workload],
    threads: Option<usize>,
    pace: &Pace,
    stop: &Arc<AtomicBool>,
    tell: &mut Tell<'_>,
) -> Result<DoctorReport> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let mut found = Vec::new();
    for workload in workloads {
        tell(workload.name)?;
        found.push(cost(workload, &device, pace, stop)?);
    }
    Ok(DoctorReport { threads: device.threads(), rounds: pace.rounds.max(1), workloads: found })
}

fn cost(workload: &Workload, device: &Device, pace: &Pace, stop: &Arc<AtomicBool>) -> Result<DoctorCost> {
    let us_per_step = workload.training(device, Precision::F32)?.warm_up(pace)?;
    let trainable = workload.step(device)?.inventory().trainable();
    let apart = barun_doctor::farthest_apart(trainable, workload.rows());
    let steps = pace.steps(us_per_step).next_multiple_of(apart);
    // Epochs in pairs: those before the first measured one hold the first steps.
    let before = FIRST_STEPS.div_ceil(steps).next_multiple_of(2);
    let data = learnable(workload, steps)?;
    let timing = Arc::new(Mutex::new(Timing::default()));
    let turns = InTurns { doctor: Doctor::advise(), before, steps, apart, timing: Arc::clone(&timing) };
    let trained = Trainer::new(workload.network()?, CrossEntropy::default())
        .optimizer(Adam::default())
        .epochs(before + 2 * pace.rounds.max(1))
        .batch_size(workload.rows())
        .device(device.clone())
        .with(turns)
        .stop_when(Arc::clone(stop))
        .fit(&data)?;
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Stopped);
    }
    let timing = lock(&timing);
    let findings = trained.report().doctor.iter().flat_map(|diagnosis| &diagnosis.findings);
    let grave = findings.filter(|finding| finding.level > Level::Info);
    let alarms = grave.map(|finding| format!("{} {}", finding.rule, finding.name)).collect();
    Ok(DoctorCost {
        alarms,
        ..DoctorCost::of(workload.name, timing.epochs.get(before..).unwrap_or_default())
    })
}

impl DoctorCost {
    /// From epochs with and without the doctor in turns.
    fn of(workload: &str, epochs: &[Epoch]) -> DoctorCost {
        let pairs = epochs.chunks_exact(2);
        let seconds = |epoch: &Epoch| epoch.seconds / epoch.steps.max(1) as f64;
        let mut plain: Vec<f64> = pairs.clone().map(|pair| 1e6 * seconds(&pair[0])).collect();
        let mut overheads: Vec<f64> =
            pairs.clone().map(|pair| 100.0 * (seconds(&pair[1]) / seconds(&pair[0]) - 1.0)).collect();
        let overhead_percent = median(&mut overheads);
        DoctorCost {
            workload: workload.to_string(),
            steps: epochs.first().map_or(0, |epoch| epoch.steps),
            watched: pairs.map(|pair| pair[1].watched).sum(),
            us_per_step: median(&mut plain),
            overhead_percent,
            overhead_interval: median_interval(&overheads),
            alarms: Vec::new(),
        }
    }
}

/// Rows of the shape of a workload's batches, enough for `steps` of them, with classes that can be learned.
fn learnable(workload: &Workload, steps: usize) -> Result<PreparedData> {
    let (rows, classes) = (steps * workload.rows(), workload.classes);
    let (sample, width) = (&workload.input[1..], workload.input[1..].iter().product::<usize>());
    let mut stream = Stream::new(0, workload.name);
    // One batch more to judge by.
    let count = rows + workload.rows();
    let labels: Vec<i64> = (0..count).map(|_| stream.below(classes as u64) as i64).collect();
    let features = match *sample {
        [height, width, channels] => {
            let mut pixels: Vec<u8> =
                (0..count * height * width * channels).map(|_| stream.below(200) as u8).collect();
            for (row, label) in pixels.chunks_exact_mut(height * width * channels).zip(&labels) {
                let band = row.len() / classes;
                row[*label as usize * band..][..band].iter_mut().for_each(|pixel| *pixel += 55);
            }
            Features::Images { pixels, shape: [height, width, channels] }
        }
        _ => {
            let mut values: Vec<f32> = (0..count * width).map(|_| stream.normal() as f32).collect();
            for (row, label) in values.chunks_exact_mut(width).zip(&labels) {
                row[*label as usize] += 2.0;
            }
            Features::Rows { values, names: (0..width).map(|at| format!("x{at}")).collect() }
        }
    };
    let classes = (0..classes).map(|class| class.to_string()).collect();
    let targets = Targets::Classes { name: "class".into(), labels, classes };
    let valid = workload.rows() as f64 / count as f64;
    let split = Split::random(1.0 - valid, valid, 0.0);
    let scaling = if sample.len() == 3 { Standardize::global() } else { Standardize::per_feature() };
    Ok(Dataset::new(workload.name, features, targets)?.split(split)?.fit(scaling)?)
}

/// An epoch that was timed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Epoch {
    seconds: f64,
    steps: usize,
    watched: usize,
}

/// The epochs so far, and when the running one began.
#[derive(Debug, Default)]
struct Timing {
    epochs: Vec<Epoch>,
    began: Option<Instant>,
    watched: usize,
    /// Steps so far in epochs that the doctor sees.
    seen: usize,
}

impl Timing {
    fn begin(&mut self) {
        (self.began, self.watched) = (Some(Instant::now()), 0);
    }

    fn end(&mut self, steps: usize) {
        let seconds = self.began.take().map_or(f64::NAN, |began| began.elapsed().as_secs_f64());
        self.epochs.push(Epoch { seconds, steps, watched: self.watched });
    }
}

/// Nobody who holds it can fail.
fn lock(timing: &Mutex<Timing>) -> MutexGuard<'_, Timing> {
    timing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The doctor in every second epoch, and all epochs timed from the first step's beginning to the last one's end.
struct InTurns {
    doctor: Doctor,
    /// Epochs before those that count; the doctor sees them all.
    before: usize,
    /// Steps of an epoch.
    steps: usize,
    /// Steps from one that is watched to the next.
    apart: usize,
    timing: Arc<Mutex<Timing>>,
}

impl InTurns {
    fn timing(&self) -> MutexGuard<'_, Timing> {
        lock(&self.timing)
    }

    fn is_watching(&self) -> bool {
        let done = self.timing().epochs.len();
        done < self.before || (done - self.before) % 2 == 1
    }
}

impl Callback for InTurns {
    fn on_check(&mut self, report: &integrity::Report) -> barun_train::Result<()> {
        self.doctor.on_check(report)
    }

    fn on_start(&mut self, event: &Start<'_>) -> barun_train::Result<()> {
        self.doctor.on_start(event)
    }

    fn on_subject(&mut self, subject: &Subject<'_>) -> barun_train::Result<()> {
        self.doctor.on_subject(subject)
    }

    /// Asked before each step: that of an epoch's first step is its beginning. The doctor counts the steps of its own epochs,
    /// so that each of these has the same number of watched ones, and from the middle between two of them, so that none is an
    /// epoch's last step: what follows a step would fall out of the epoch.
    fn watches(&self, step: usize) -> bool {
        if (step - 1).is_multiple_of(self.steps) {
            self.timing().begin();
        }
        if !self.is_watching() {
            return false;
        }
        let mut timing = self.timing();
        timing.seen += 1;
        let is_first = timing.epochs.len() < self.before;
        self.doctor.watches(if is_first { step } else { timing.seen + self.apart / 2 })
    }

    fn on_batch(&mut self, event: &Batch) -> barun_train::Result<Flow> {
        let flow = if self.is_watching() { self.doctor.on_batch(event)? } else { Flow::Continue };
        if event.step == self.steps {
            self.timing().end(self.steps);
        }
        Ok(flow)
    }

    fn on_watch(&mut self, event: &Watched<'_>) -> barun_train::Result<Flow> {
        self.timing().watched += 1;
        self.doctor.on_watch(event)
    }

    fn wants_answers(&self, epoch: usize) -> bool {
        self.doctor.wants_answers(epoch)
    }

    fn on_answers(&mut self, event: &Answers<'_>) -> barun_train::Result<()> {
        self.doctor.on_answers(event)
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> barun_train::Result<Flow> {
        self.doctor.on_epoch_end(event)
    }

    fn diagnosis(&self) -> Option<Diagnosis> {
        self.doctor.diagnosis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_workload_data_can_be_made() {
        for name in DOCTOR_WORKLOADS {
            let data = learnable(crate::workloads::by_name(name).unwrap(), 2).unwrap();
            assert!(!data.valid().is_empty(), "{name}");
        }
    }

    #[test]
    fn the_price_is_the_median_of_the_pairs_per_step() {
        let epoch = |seconds| Epoch { seconds, steps: 10, watched: 2 };
        let epochs = [1.0, 1.01, 2.0, 2.06, 1.0, 1.02].map(epoch);
        let cost = DoctorCost::of("tab32", &epochs);
        assert!((cost.overhead_percent - 2.0).abs() < 1e-9, "{cost:?}");
        assert_eq!((cost.watched, cost.steps), (6, 10));
        assert!((cost.us_per_step - 1e5).abs() < 1e-6);
    }
}
