//! What the doctor costs: steps that it sees, in turns with steps that it does not, of one run.
//!
//! [`watching`](crate::watching()) tells what a watched step takes; here the whole doctor is at work as in a run: the trainer,
//! its callbacks, every k-th step watched with the doctor's own k, and its rules. Steps with it and without it belong to the
//! same run. An epoch holds a round: as many steps of either kind, with the same number of watched ones in every round, which
//! gives one ratio. The kinds take turns in slices, and the shorter these are, the more of what disturbs the machine disturbs
//! both: a slice lasts as long as it is asked to, or a step where that is longer. An epoch begins with a slice that is not counted,
//! since the first steps after an evaluation are slower, and the first steps of all, each of which is watched, come before the first
//! round.

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
    /// Rounds that were compared.
    pub rounds: usize,
    /// One for each workload.
    pub workloads: Vec<DoctorCost>,
}

/// The price for one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DoctorCost {
    /// The workload.
    pub workload: String,
    /// Steps with the doctor in a round, and as many without it.
    pub steps: usize,
    /// Steps of either kind that follow each other.
    pub slice: usize,
    /// Of all the steps with the doctor, how many were watched.
    pub watched: usize,
    /// The median microseconds of a step without the doctor, the loading of its rows included.
    pub us_per_step: f64,
    /// How much longer a round's steps take with the doctor, in per cent: the median of the rounds.
    pub overhead_percent: f64,
    /// The interval that holds the median of all rounds with 95 % confidence.
    pub overhead_interval: [f64; 2],
    /// The rules with findings above information: what is trained here is healthy, but for rows that are learned by heart (R18).
    pub alarms: Vec<String>,
}

/// The workloads of rows and images, of which a data set can be made.
pub const DOCTOR_WORKLOADS: &[&str] = &["tab32", "mlp128", "mlpbn128", "lenet64", "cnn64", "resnet18_64"];

/// Looked at from inside from the first to the last, before what is measured.
const FIRST_STEPS: usize = 50;

/// Measures `workloads` in `pace.rounds` rounds with slices of about `pace.round`. `tell` hears what is done next; it ends
/// after the step in which `stop` becomes true.
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
    let mut training = workload.training(device, Precision::F32)?;
    let turns = Turns::of(
        pace.steps(training.warm_up(pace)?),
        barun_doctor::farthest_apart(training.trainable(), workload.rows()),
    );
    drop(training);
    let before = FIRST_STEPS.div_ceil(turns.epoch());
    let data = learnable(workload, turns.epoch())?;
    let timing = Arc::new(Mutex::new(Timing::default()));
    let watching = InTurns { doctor: Doctor::advise(), before, turns, timing: Arc::clone(&timing) };
    let trained = Trainer::new(workload.network()?, CrossEntropy::default())
        .optimizer(Adam::default())
        .epochs(before + pace.rounds.max(1))
        .batch_size(workload.rows())
        .device(device.clone())
        .with(watching)
        .stop_when(Arc::clone(stop))
        .fit(&data)?;
    if stop.load(Ordering::Relaxed) {
        return Err(Error::Stopped);
    }
    let timing = lock(&timing);
    let findings = trained.report().doctor.iter().flat_map(|diagnosis| &diagnosis.findings);
    let grave = findings.filter(|finding| finding.level > Level::Info);
    let alarms = grave.map(|finding| format!("{} {}", finding.rule, finding.name)).collect();
    let rounds = timing.rounds.get(before..).unwrap_or_default();
    Ok(DoctorCost { alarms, ..DoctorCost::of(workload.name, turns, rounds) })
}

impl DoctorCost {
    /// From rounds of steps with and without the doctor.
    fn of(workload: &str, turns: Turns, rounds: &[Round]) -> DoctorCost {
        let mut plain: Vec<f64> =
            rounds.iter().map(|round| 1e6 * round.without / turns.steps as f64).collect();
        let mut overheads: Vec<f64> =
            rounds.iter().map(|round| 100.0 * (round.with / round.without - 1.0)).collect();
        let overhead_percent = median(&mut overheads);
        DoctorCost {
            workload: workload.to_string(),
            steps: turns.steps,
            slice: turns.slice,
            watched: rounds.iter().map(|round| round.watched).sum(),
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

/// How steps without the doctor and with it follow each other: a slice of these, a slice of those.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Turns {
    /// Steps of either kind in a round.
    steps: usize,
    /// Steps of either kind that follow each other; the steps of a round are a multiple.
    slice: usize,
    /// Steps with the doctor from one that is watched to the next; the steps of a round are a multiple.
    apart: usize,
}

impl Turns {
    /// With slices of at least `least` steps.
    fn of(least: usize, apart: usize) -> Turns {
        let divisor = (least..=apart).find(|&steps| apart.is_multiple_of(steps));
        let steps = least.next_multiple_of(apart);
        Turns { steps, slice: divisor.unwrap_or(steps), apart }
    }

    /// Steps of an epoch: a slice to begin with, and a round.
    fn epoch(self) -> usize {
        self.slice + 2 * self.steps
    }

    /// Of the `step`-th of an epoch, from 0, whether it is one with the doctor; none of those at the beginning.
    fn is_with(self, step: usize) -> Option<bool> {
        (step >= self.slice).then_some((step / self.slice).is_multiple_of(2))
    }
}

/// A round that was timed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Round {
    /// Seconds of the steps without the doctor.
    without: f64,
    /// Seconds of as many steps with it.
    with: f64,
    /// Of those, how many were watched.
    watched: usize,
}

/// The rounds so far, and the running one.
#[derive(Debug, Default)]
struct Timing {
    rounds: Vec<Round>,
    running: Round,
    /// When the running slice began, and whether it is one with the doctor.
    slice: Option<(Instant, bool)>,
    /// Steps with the doctor so far, in the rounds that count.
    seen: usize,
}

impl Timing {
    fn begin_slice(&mut self, is_with: Option<bool>) {
        self.end_slice();
        self.slice = is_with.map(|is_with| (Instant::now(), is_with));
    }

    fn end_slice(&mut self) {
        if let Some((began, is_with)) = self.slice.take() {
            let seconds = if is_with { &mut self.running.with } else { &mut self.running.without };
            *seconds += began.elapsed().as_secs_f64();
        }
    }

    fn end_round(&mut self) {
        self.end_slice();
        self.rounds.push(std::mem::take(&mut self.running));
    }
}

/// Nobody who holds it can fail.
fn lock(timing: &Mutex<Timing>) -> MutexGuard<'_, Timing> {
    timing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The doctor in every second slice, and all slices timed.
struct InTurns {
    doctor: Doctor,
    /// Rounds before those that count; the doctor sees them all.
    before: usize,
    turns: Turns,
    timing: Arc<Mutex<Timing>>,
}

impl InTurns {
    fn timing(&self) -> MutexGuard<'_, Timing> {
        lock(&self.timing)
    }

    /// Whether the rounds that count have not begun.
    fn is_before(&self) -> bool {
        self.timing().rounds.len() < self.before
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

    /// Asked before each step, so a slice begins where it is asked for its first step. The doctor counts its own steps alone, so
    /// that it watches as many in each round, and from the middle between two of them, so that none is a round's last step:
    /// what follows a step would fall out of the round.
    fn watches(&self, step: usize) -> bool {
        let before = (step - 1) % self.turns.epoch();
        let is_with = self.turns.is_with(before);
        if before.is_multiple_of(self.turns.slice) {
            self.timing().begin_slice(is_with);
        }
        if self.is_before() {
            return self.doctor.watches(step);
        }
        if is_with != Some(true) {
            return false;
        }
        let apart = self.turns.apart;
        let first = (self.before * self.turns.epoch()).next_multiple_of(apart);
        let mut timing = self.timing();
        timing.seen += 1;
        self.doctor.watches(first + timing.seen + apart / 2)
    }

    fn on_batch(&mut self, event: &Batch) -> barun_train::Result<Flow> {
        let sees = self.is_before() || self.timing().slice.is_some_and(|(_, is_with)| is_with);
        let flow = if sees { self.doctor.on_batch(event)? } else { Flow::Continue };
        if event.step == self.turns.epoch() {
            self.timing().end_round();
        }
        Ok(flow)
    }

    fn on_watch(&mut self, event: &Watched<'_>) -> barun_train::Result<Flow> {
        self.timing().running.watched += 1;
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
    fn the_price_is_the_median_of_the_rounds_per_step() {
        let rounds = [(1.0, 1.01), (2.0, 2.06), (1.0, 1.02)].map(|(without, with)| Round {
            without,
            with,
            watched: 2,
        });
        let cost = DoctorCost::of("tab32", Turns::of(10, 5), &rounds);
        assert!((cost.overhead_percent - 2.0).abs() < 1e-9, "{cost:?}");
        assert_eq!((cost.watched, cost.steps, cost.slice), (6, 10, 10));
        assert!((cost.us_per_step - 1e5).abs() < 1e-6);
    }

    #[test]
    fn a_slow_step_is_a_slice_of_its_own() {
        assert_eq!(Turns::of(1, 50), Turns { steps: 50, slice: 1, apart: 50 });
        assert_eq!(Turns::of(17, 50), Turns { steps: 50, slice: 25, apart: 50 });
        assert_eq!(Turns::of(60, 50), Turns { steps: 100, slice: 100, apart: 50 });
        let turns = Turns::of(2, 4);
        let kinds: Vec<Option<bool>> = (0..turns.epoch()).map(|step| turns.is_with(step)).collect();
        let (lead, plain, seen) = ([None; 2], [Some(false); 2], [Some(true); 2]);
        assert_eq!(kinds, [lead, plain, seen, plain, seen].concat());
    }
}
