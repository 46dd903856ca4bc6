//! Schedules and the range test. [SCHED]

use barun_nn::hyper::Value;
use barun_nn::layers::{Linear, Sequential};
use barun_nn::losses::Mse;
use barun_nn::lr_range::LrRange;
use barun_nn::optimizers::{Sgd, ToAny};
use barun_nn::schedules::*;
use barun_nn::{Batch, Hyper, Step, StepOptions, sequential};

use crate::common::{assert_close, f64s};

fn rates(schedule: &dyn Schedule, base: f64, epochs: u64) -> Vec<f64> {
    (0..epochs).map(|epoch| schedule.lr(base, &Moment::epoch(epoch, epochs))).collect()
}

#[test]
fn sched_01_steps_fall_by_the_factor_every_so_many_epochs() {
    let step = StepDecay { every: Span::Epochs(2.0), gamma: 0.1 };
    assert_close(&rates(&step, 0.1, 6), &[0.1, 0.1, 0.01, 0.01, 0.001, 0.001], 1e-12, "by epoch");
    // In steps of an epoch of four: the same rates, four times each.
    let by_step: Vec<f64> = (0..24).map(|at| step.lr(0.1, &Moment::new(at, 24, 4))).collect();
    assert_close(&by_step[6..10], &[0.1, 0.1, 0.01, 0.01], 1e-12, "by step");
}

#[test]
fn sched_02_exponential_is_a_power_of_the_epoch() {
    let exponential = Exponential { gamma: 0.9, ..Exponential::default() };
    let expected: Vec<f64> = (0..5).map(|t| 0.1 * 0.9f64.powi(t)).collect();
    assert_close(&rates(&exponential, 0.1, 5), &expected, 1e-12, "powers");
}

#[test]
fn sched_03_cosine_starts_at_the_rate_halves_and_ends_at_the_least() {
    let cosine = CosineAnnealing { min_lr: 0.01, ..CosineAnnealing::over_run() };
    let at = |step| cosine.lr(0.1, &Moment::epoch(step, 100));
    assert_close(
        &[at(0), at(50), at(100), at(150)],
        &[0.1, 0.055, 0.01, 0.01],
        1e-12,
        "start, middle, end, after",
    );
}

#[test]
fn sched_04_constant_stays_and_warm_up_rises_to_what_follows() {
    assert_eq!(Constant::default().lr(0.1, &Moment::epoch(77, 100)), 0.1);
    let warmup = Warmup::new(Span::Steps(4), CosineAnnealing::over_run());
    let rates: Vec<f64> = (0..5).map(|step| warmup.lr(0.1, &Moment::epoch(step, 24))).collect();
    assert_close(&rates, &[0.025, 0.05, 0.075, 0.1, 0.1], 1e-12, "rise");
    assert_eq!(warmup.lr(0.1, &Moment::epoch(24, 24)), 0.0);
}

#[test]
fn sched_06_a_schedule_is_a_function_of_the_moment_so_a_resumed_run_has_the_same_rates() {
    let losses: Vec<f64> = (0..40).map(|epoch| 1.0 / (1.0 + epoch.min(8) as f64)).collect();
    for schedule in all() {
        let all_at_once: Vec<f64> = (0..40).map(|epoch| rate(&schedule, epoch, &losses)).collect();
        // A copy made in the middle, as after a resume, asked in another order.
        let resumed = schedule.clone();
        let later: Vec<f64> = (20..40).rev().map(|epoch| rate(&resumed, epoch, &losses)).collect();
        assert!(later.iter().rev().eq(&all_at_once[20..]), "{}", schedule.name());
        assert!(
            all_at_once.iter().all(|lr| lr.is_finite() && *lr >= 0.0 && *lr <= 0.1 + 1e-12),
            "{}",
            schedule.name()
        );
    }
}

fn rate(schedule: &dyn Schedule, epoch: u64, losses: &[f64]) -> f64 {
    let losses = &losses[..epoch as usize];
    schedule.lr(0.1, &Moment { losses, ..Moment::new(epoch * 3, 120, 3) })
}

#[test]
fn sched_06_every_schedule_drives_every_optimizer() {
    let batch = Batch { x: f64s(&[1.0, 2.0, -1.0, 0.5], [2, 2]), y: f64s(&[1.0, -1.0], [2, 1]) };
    for optimizer in barun_nn::optimizers::all() {
        let step = Step::compile(Linear::new(2, 1), &optimizer, &Mse::default()).unwrap();
        for schedule in all() {
            let mut state = step.init(1).unwrap();
            for at in 0..4 {
                let lr = schedule.lr(optimizer.lr(), &Moment::new(at, 4, 2));
                assert!(step.run(&mut state, &batch, lr).unwrap().applied, "{optimizer:?} {schedule:?}");
            }
        }
    }
}

#[test]
fn schedules_take_their_lengths_in_words() {
    let mut step = by_name("step").unwrap();
    step.set("every", &Value::Text("3 epochs".into())).unwrap();
    assert_eq!(step.lr(1.0, &Moment::new(5, 20, 2)), 1.0);
    assert_close(&[step.lr(1.0, &Moment::new(6, 20, 2))], &[0.1], 1e-12, "after three epochs of two steps");
    let error = step.set("every", &Value::Whole(3)).unwrap_err().to_string();
    assert_eq!(
        error,
        "step: `every` cannot be 3; expected a length such as \"5 epochs\", \"500 steps\" or \"10 %\""
    );
}

/// A line to fit in batches of four rows; the targets of batch `bad` are a hundred times as large: a loss of ten thousand
/// times, and a step that at the rates of the beginning (up to 5e-4) still moves no weight by more than about a tenth.
fn batches(bad: Option<usize>) -> impl Iterator<Item = barun_nn::Result<Batch>> {
    (0..).map(move |index| {
        let size = if Some(index) == bad { 100.0 } else { 1.0 };
        let x: Vec<f64> = (0..8).map(|at| ((index * 8 + at) as f64 * 0.77).sin()).collect();
        let y: Vec<f64> = x.chunks(2).map(|row| size * (2.0 * row[0] - 3.0 * row[1])).collect();
        Ok(Batch { x: f64s(&x, [4, 2]), y: f64s(&y, [4, 1]) })
    })
}

fn line() -> Step<Sequential> {
    let options = StepOptions { precision: barun_nn::DType::F64, ..StepOptions::default() };
    Step::with(sequential![Linear::new(2, 1)], &Sgd::default().to_any(), &Mse::default(), options).unwrap()
}

#[test]
fn the_range_test_finds_a_rate_that_learns_below_the_one_that_blows_up() {
    let step = line();
    let state = step.init(1).unwrap();
    let report =
        LrRange { from: 1e-4, to: 100.0, ..LrRange::default() }.run(&step, &state, batches(None)).unwrap();
    let (lr, end) = (report.suggestion.unwrap(), report.blew_up_at.unwrap());
    assert!((0.01..1.0).contains(&lr) && end > 2.0 * lr && end < 20.0, "{report}");
    // The state it was given is as before.
    assert_eq!(state.bytes(), step.init(1).unwrap().bytes());
    let mut trained = state.clone();
    let losses: Vec<f64> = batches(None)
        .take(100)
        .map(|batch| step.run(&mut trained, &batch.unwrap(), lr).unwrap().loss)
        .collect();
    assert!(losses[99] < 1e-3 * losses[0], "{} {}", losses[0], losses[99]);
}

#[test]
fn the_range_test_is_not_misled_by_single_bad_batches_at_the_start() {
    let step = line();
    let state = step.init(1).unwrap();
    let range = LrRange { from: 1e-4, to: 100.0, ..LrRange::default() };
    let clean = range.run(&step, &state, batches(None)).unwrap();
    for bad in [0, 3, 12] {
        let report = range.run(&step, &state, batches(Some(bad))).unwrap();
        let ratio = report.suggestion.unwrap() / clean.suggestion.unwrap();
        // The rates rise by 1.15 a step: the same place, or the one beside it.
        assert!((0.8..1.25).contains(&ratio), "bad batch {bad}: {ratio}\n{report}");
        assert!(report.points.len() > 40, "it went on");
    }
}

#[test]
fn a_range_that_does_not_rise_is_refused() {
    let step = line();
    let state = step.init(1).unwrap();
    let error =
        LrRange { from: 1.0, to: 0.1, ..LrRange::default() }.run(&step, &state, batches(None)).unwrap_err();
    assert!(error.to_string().contains("1 to 0.1 in 100 steps"), "{error}");
    let error = LrRange::default().run(&step, &state, []).unwrap_err().to_string();
    assert!(error.contains("no batches"), "{error}");
}
