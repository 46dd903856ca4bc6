//! Ensembles. [ENS]

use barun_nn::ensemble::{self, Snapshots};
use barun_nn::layers::*;
use barun_nn::losses::{BceWithLogits, CrossEntropy, Mse};
use barun_nn::optimizers::{Adam, Sgd};
use barun_nn::schedules::{CosineRestarts, Moment, Schedule, Span};
use barun_nn::{Batch, Buffer, DType, Mode, State, Step, sequential};

use crate::common::*;

fn trained(seeds: std::ops::Range<u64>, dropout: f64) -> (Step<Sequential>, Vec<State>) {
    let model = sequential![Linear::new(4, 16), Relu::default(), Dropout::new(dropout), Linear::new(16, 3)];
    let step = Step::compile(model, &Adam::default(), &CrossEntropy::default()).unwrap();
    let states = seeds.map(|seed| {
        let mut state = step.init(seed).unwrap();
        for at in 0..60 {
            step.run(&mut state, &blobs(24, 4, 3, 100 * seed + at), 0.01).unwrap();
        }
        state
    });
    let states = states.collect();
    (step, states)
}

fn entropy(probabilities: &Buffer, labels: &Buffer) -> f64 {
    let labels = labels.as_slice::<i64>().unwrap();
    let rows = probabilities.to_f64();
    let losses: Vec<f64> =
        rows.chunks(3).zip(labels).map(|(row, label)| -row[*label as usize].ln()).collect();
    mean(&losses)
}

#[test]
fn ens_01_and_02_the_average_sums_to_1_and_is_never_worse_than_its_members_on_average() {
    let (step, states) = trained(0..5, 0.0);
    for seed in 900..905 {
        let test = blobs(60, 4, 3, seed);
        let together = ensemble::average(&step, &states, &test.x).unwrap();
        assert!(together.to_f64().chunks(3).all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-6));
        let alone = states.iter().map(|state| {
            entropy(&ensemble::average(&step, std::slice::from_ref(state), &test.x).unwrap(), &test.y)
        });
        assert!(entropy(&together, &test.y) <= mean(&alone.collect::<Vec<_>>()) + 1e-9);
    }
    let none = ensemble::average(&step, &[], &blobs(3, 4, 3, 1).x).unwrap_err().to_string();
    assert!(none.contains("at least one member"), "{none}");
}

#[test]
fn an_ensemble_answers_as_its_loss_asks() {
    let x = Buffer::new(&[0.5f32, -1.0, 2.0, 0.3], [2, 2]);
    let numbers = Step::compile(Linear::new(2, 1), &Sgd::default(), &Mse::default()).unwrap();
    let states: Vec<State> = (0..3).map(|seed| numbers.init(seed).unwrap()).collect();
    let outputs: Vec<f64> =
        states.iter().flat_map(|state| numbers.predict(state, &x).unwrap().to_f64()).collect();
    let expected: Vec<f64> =
        (0..2).map(|row| (outputs[row] + outputs[2 + row] + outputs[4 + row]) / 3.0).collect();
    assert_close(&ensemble::average(&numbers, &states, &x).unwrap().to_f64(), &expected, 1e-6, "numbers");
    let two = Step::compile(Linear::new(2, 1), &Sgd::default(), &BceWithLogits::default()).unwrap();
    let answer = ensemble::average(&two, &[two.init(1).unwrap()], &x).unwrap().to_f64();
    let logits = two.predict(&two.init(1).unwrap(), &x).unwrap().to_f64();
    let expected: Vec<f64> = logits.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect();
    assert_close(&answer, &expected, 1e-6, "one output for two classes");
}

#[test]
fn ens_03_every_draw_of_dropout_is_another_network() {
    let (step, states) = trained(0..1, 0.5);
    let x = blobs(5, 4, 3, 7).x;
    let draws = ensemble::dropout_samples(&step, &states[0], &x, 20).unwrap();
    let distinct: std::collections::HashSet<Vec<u64>> =
        draws.iter().map(|draw| draw.to_f64().iter().map(|p| p.to_bits()).collect()).collect();
    assert_eq!(distinct.len(), 20);
    let again = ensemble::dropout_samples(&step, &states[0], &x, 20).unwrap();
    assert!(draws.iter().zip(&again).all(|(a, b)| a.bytes() == b.bytes()), "the same state, the same draws");
    let (without, states) = trained(0..1, 0.0);
    let same = ensemble::dropout_samples(&without, &states[0], &x, 3).unwrap();
    assert!(same.iter().all(|draw| draw.bytes() == same[0].bytes()));
}

#[test]
fn ens_04_scaling_is_the_exact_average_over_all_masks_of_a_linear_unit() {
    let (inputs, rate) = (10usize, 0.3f64);
    let values: Vec<f64> = (0..inputs).map(|i| (i as f64 * 1.3).sin() + 0.2).collect();
    let weights: Vec<f64> = (0..inputs).map(|i| (i as f64 * 0.7).cos()).collect();
    let average: f64 = (0..1usize << inputs)
        .map(|mask| {
            let kept = mask.count_ones() as i32;
            let chance = (1.0 - rate).powi(kept) * rate.powi(inputs as i32 - kept);
            let sum: f64 = (0..inputs).filter(|i| mask >> i & 1 == 1).map(|i| values[i] * weights[i]).sum();
            chance * sum
        })
        .sum();
    // What inference gives, whether it scales itself or training has: then each kept value counts 1 / (1 - rate).
    for (scaling, kept) in
        [(DropoutScaling::AtInference, 1.0), (DropoutScaling::InTraining, 1.0 / (1.0 - rate))]
    {
        let unit = Linear { bias: false, ..Linear::new(inputs, 1) };
        let model = sequential![Dropout { scaling, ..Dropout::new(rate) }, unit];
        let given = [("1.weight".to_string(), f64s(&weights, [inputs, 1]))].into();
        let ran = run_model(&model, Mode::Eval, &given, &f64s(&values, [1, inputs]), None).unwrap();
        assert!((average * kept - ran.output.to_f64()[0]).abs() < 1e-12, "{scaling:?}");
    }
    // Of a deep network it is close, not exact.
    let (step, states) = trained(0..1, 0.3);
    let x = blobs(40, 4, 3, 11).x;
    let draws = ensemble::dropout_samples(&step, &states[0], &x, 200).unwrap();
    let sampled = ensemble::mean(&draws).unwrap().to_f64();
    let scaled = ensemble::average(&step, &states, &x).unwrap().to_f64();
    let apart = sampled.iter().zip(&scaled).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < 0.15 && apart > 0.0, "{apart}");
}

#[test]
fn ens_06_members_of_other_seeds_disagree_on_some_rows() {
    let (step, states) = trained(0..4, 0.0);
    let x = blobs(300, 4, 3, 5).x;
    let outputs: Vec<Buffer> = states.iter().map(|state| step.predict(state, &x).unwrap()).collect();
    let answers = ensemble::answers(&step, &outputs).unwrap();
    let disagreement = ensemble::disagreement(&answers);
    assert!(disagreement > 0.0 && disagreement < 0.5, "{disagreement}");
    assert_eq!(ensemble::disagreement(&[answers[0].clone(), answers[0].clone()]), 0.0);
    let opposite = [[0.9f32, 0.1], [0.2, 0.8]].map(|row| Buffer::new(&row, [1, 2]));
    assert_eq!(ensemble::disagreement(&opposite), 1.0);
}

#[test]
fn snapshots_are_taken_where_the_rounds_of_a_run_end() {
    let schedule = CosineRestarts { first: Span::Epochs(2.0), growth: 2.0, min_lr: 0.0 };
    let step =
        Step::compile(sequential![Linear::new(2, 2)], &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    let mut snapshots = Snapshots::new(schedule);
    let mut taken_after = Vec::new();
    let batch = Batch { x: Buffer::new(&[1.0f32, 2.0], [1, 2]), y: Buffer::new(&[1i64], [1]) };
    for at in 0..70 {
        let moment = Moment::new(at, 70, 5);
        let lr = snapshots.schedule.lr(0.1, &moment);
        step.run(&mut state, &batch, lr).unwrap();
        let before = snapshots.states.len();
        snapshots.after(&moment, &state);
        if snapshots.states.len() > before {
            taken_after.push(at + 1);
        }
    }
    assert_eq!(taken_after, [10, 30, 70]);
    let last = snapshots.states[2].get("0.weight").unwrap();
    assert_eq!(last.bytes(), state.get("0.weight").unwrap().bytes());
    assert_eq!(last.dtype(), DType::F32);
}
