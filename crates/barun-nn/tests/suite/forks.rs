//! Forks of a run under other terms.

use barun_nn::fork::{Arm, Planned, Race, adopted};
use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::{Adam, Clip, Sgd};
use barun_nn::{Device, DeviceOptions, Options, Step, StepOptions, sequential};

use crate::common::*;

fn model() -> Sequential {
    sequential![
        Linear::new(6, 16),
        BatchNorm::new(16),
        Relu::default(),
        Dropout::new(0.2),
        Linear::new(16, 3)
    ]
}

fn planned(steps: usize, lr: f64) -> Vec<Planned> {
    (0..steps).map(|step| Planned { batch: blobs(48, 6, 3, step as u64), lr }).collect()
}

fn on_threads(threads: usize) -> StepOptions {
    let device = Device::new(DeviceOptions { threads: Some(threads), ..DeviceOptions::default() }).unwrap();
    StepOptions { engine: Options { device: Some(device), ..Options::default() }, ..StepOptions::default() }
}

#[test]
fn the_unchanged_arm_does_what_the_run_does_and_the_run_is_not_touched() {
    for threads in [1, 3] {
        let step =
            Step::with(model(), &Adam::default(), &CrossEntropy::default(), on_threads(threads)).unwrap();
        let state = step.init(1).unwrap();
        let before = state.bytes().to_vec();
        let arms = [
            Arm::unchanged(),
            Arm::lr(0.1),
            Arm::options("clipped", StepOptions { clip: Some(Clip::Norm(1e-3)), ..on_threads(threads) }),
        ];
        let race = Race::default().run(&step, &state, &planned(30, 0.02), &arms).unwrap();
        assert_eq!(state.bytes(), before);

        let mut run = state.clone();
        let losses: Vec<f64> = planned(30, 0.02)
            .iter()
            .map(|next| step.run(&mut run, &next.batch, next.lr).unwrap().loss)
            .collect();
        assert_eq!((&race.lanes[0].losses, race.lanes[0].state.bytes()), (&losses, run.bytes()));
        assert!(race.lanes[0].difference.iter().all(|difference| *difference == 0.0));
        let names: Vec<&str> = race.lanes.iter().map(|lane| lane.name.as_str()).collect();
        assert_eq!(names, ["unchanged", "learning rate / 10", "clipped"]);
        assert_ne!(race.lanes[2].state.bytes(), race.lanes[0].state.bytes(), "clipping makes a difference");
    }
}

#[test]
fn arms_on_one_core_each_have_the_bits_of_arms_one_after_the_other() {
    let arms = [Arm::unchanged(), Arm::lr(3.0), Arm::lr(0.3)];
    let lanes = |threads: usize| {
        let step =
            Step::with(model(), &Adam::default(), &CrossEntropy::default(), on_threads(threads)).unwrap();
        let race = Race::default().run(&step, &step.init(1).unwrap(), &planned(12, 0.01), &arms).unwrap();
        let one_by_one = arms.iter().map(|arm| {
            let alone = Race::default().run(
                &step,
                &step.init(1).unwrap(),
                &planned(12, 0.01),
                std::slice::from_ref(arm),
            );
            alone.unwrap().lanes.remove(0)
        });
        for (lane, alone) in race.lanes.iter().zip(one_by_one) {
            assert_eq!(lane.state.bytes(), alone.state.bytes(), "{}", lane.name);
        }
        race.lanes.iter().map(|lane| lane.state.bytes().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(lanes(1), lanes(2));
}

#[test]
fn the_cause_that_is_taken_away_shows_as_an_advantage() {
    let step = Step::compile(model(), &Sgd::default(), &CrossEntropy::default()).unwrap();
    let state = step.init(1).unwrap();
    // Far too small a rate, and what mends it.
    let race =
        Race::default().run(&step, &state, &planned(60, 1e-4), &[Arm::unchanged(), Arm::lr(1000.0)]).unwrap();
    assert!(race.lanes[1].advantage() > 0.3, "{race}");
    assert!(race.to_string().contains("learning rate x 1000  loss 0."), "{race}");
    // The same the other way round.
    let race =
        Race::default().run(&step, &state, &planned(60, 0.1), &[Arm::unchanged(), Arm::lr(1e-3)]).unwrap();
    assert!(race.lanes[1].advantage() < -0.3, "{race}");
}

#[test]
fn an_arm_that_leaves_the_finite_numbers_loses() {
    let step = Step::compile(
        sequential![Linear::new(6, 8), Linear::new(8, 3)],
        &Sgd::default(),
        &barun_nn::losses::CrossEntropy::default(),
    )
    .unwrap();
    let state = step.init(1).unwrap();
    let race =
        Race::default().run(&step, &state, &planned(40, 0.05), &[Arm::unchanged(), Arm::lr(1e30)]).unwrap();
    assert_eq!(race.lanes[1].advantage(), f64::NEG_INFINITY, "{race}");
    assert!(race.lanes[1].skipped > 0 && race.to_string().contains("steps not taken"), "{race}");
    let race =
        Race::default().run(&step, &state, &planned(40, 0.05), &[Arm::lr(1e30), Arm::unchanged()]).unwrap();
    assert_eq!(race.lanes[1].advantage(), f64::INFINITY, "{race}");
}

#[test]
fn the_last_part_of_a_race_is_annealed() {
    let step =
        Step::compile(sequential![Linear::new(6, 3)], &Sgd::default(), &CrossEntropy::default()).unwrap();
    let state = step.init(1).unwrap();
    let annealed =
        Race { anneal: 0.5, ..Race::default() }.run(&step, &state, &planned(4, 0.1), &[Arm::unchanged()]);
    let mut by_hand = state.clone();
    for (next, share) in planned(4, 0.1).iter().zip([1.0, 1.0, 1.0, 0.5]) {
        step.run(&mut by_hand, &next.batch, next.lr * share).unwrap();
    }
    assert_eq!(annealed.unwrap().lanes[0].state.bytes(), by_hand.bytes());
}

#[test]
fn another_optimizer_starts_with_the_weights_and_statistics_of_the_run() {
    let adam = Step::compile(model(), &Adam::default(), &CrossEntropy::default()).unwrap();
    let mut state = adam.init(1).unwrap();
    for next in planned(5, 0.01) {
        adam.run(&mut state, &next.batch, next.lr).unwrap();
    }
    let sgd = Step::compile(adam.model(), &Sgd::default(), &CrossEntropy::default()).unwrap();
    let taken = adopted(&state, &sgd).unwrap();
    for name in ["0.weight", "1.running_mean", "run/step", "run/seed"] {
        assert_eq!(taken.get(name).unwrap().bytes(), state.get(name).unwrap().bytes(), "{name}");
    }
    let arms = [Arm::unchanged(), Arm::optimizer("sgd", Sgd::default())];
    let race = Race::default().run(&adam, &state, &planned(5, 0.01), &arms).unwrap();
    assert_eq!(race.lanes[0].losses[0], race.lanes[1].losses[0], "the same weights, batch and dropout");
}

#[test]
fn a_race_without_arms_steps_or_sense_is_refused() {
    let step = Step::compile(model(), &Sgd::default(), &CrossEntropy::default()).unwrap();
    let state = step.init(1).unwrap();
    let refusal = |race: Race, steps: usize, arms: &[Arm]| {
        race.run(&step, &state, &planned(steps, 0.1), arms).err().unwrap().to_string()
    };
    assert!(refusal(Race::default(), 3, &[]).contains("needs arms and steps, it has 0 and 3"));
    assert!(refusal(Race::default(), 0, &[Arm::unchanged()]).contains("1 and 0"));
    assert!(
        refusal(Race { smoothing: 1.5, ..Race::default() }, 3, &[Arm::unchanged()]).contains("not 1.5 and 0")
    );
}
