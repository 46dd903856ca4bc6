//! What techniques do, in numbers: each test trains small networks with and without one and compares means over seeds.
//!
//! All figures are printed (`cargo test --release -p barun --test effects -- --nocapture`).
#![cfg(feature = "data")]

use barun::engine::random::Stream;
use barun::nn::ensemble;
use barun::prelude::*;

/// Rows to learn from and rows to judge by.
struct Digits {
    train: Batch,
    test: Batch,
}

fn digits(train: usize, test: usize) -> Digits {
    let samples = Some(train + test + 10);
    let data = Dataset::open_with("digits", &OpenOptions { samples, ..OpenOptions::default() }).unwrap();
    let (features, targets) = (data.features(), data.targets());
    let Features::Images { pixels, .. } = features else { panic!("images") };
    let Targets::Classes { labels, .. } = targets else { panic!("classes") };
    let part = |from: usize, rows: usize| Batch {
        x: Buffer::new(&pixels[784 * from..784 * (from + rows)], [rows, 784]),
        y: Buffer::new(&labels[from..from + rows], [rows]),
    };
    Digits { train: part(0, train), test: part(train, test) }
}

/// A network with hidden layers of so many units, what `between` gives after each, and ten outputs.
fn network(hidden: &[usize], init: Init, between: impl Fn(usize) -> Sequential) -> Sequential {
    let mut model = Sequential::default();
    let mut inputs = 784;
    for &units in hidden {
        model.push(Linear { init, ..Linear::new(inputs, units) });
        model.push(between(units));
        inputs = units;
    }
    model.then(Linear { init, ..Linear::new(inputs, 10) })
}

fn relu(_: usize) -> Sequential {
    sequential![Relu::default()]
}

fn normed_relu(units: usize) -> Sequential {
    sequential![BatchNorm::new(units), Relu::default()]
}

fn compiled(model: Sequential, optimizer: &impl barun::nn::optimizers::Optimizer) -> Step<Sequential> {
    // A thread each: the networks are small, and the tests run side by side.
    let device = Device::new(DeviceOptions { threads: Some(1), ..DeviceOptions::default() }).unwrap();
    let engine = barun::engine::Options { device: Some(device), ..Default::default() };
    let input = Some(InputTransform::unit_range());
    let options = StepOptions { input, engine, ..StepOptions::default() };
    Step::with(model, optimizer, &CrossEntropy::default(), options).unwrap()
}

/// How a network is trained: epochs of shuffled batches at one rate.
struct Course {
    batch: usize,
    epochs: usize,
    lr: f64,
}

impl Course {
    /// The trained state, and the mean loss of each epoch.
    fn run(&self, step: &Step<Sequential>, data: &Batch, seed: u64) -> (State, Vec<f64>) {
        let mut state = step.init(seed).unwrap();
        let mut order: Vec<usize> = (0..data.y.shape()[0]).collect();
        let mut stream = Stream::new(seed, "order");
        let epoch = |_| {
            stream.shuffle(&mut order);
            let losses = order
                .chunks(self.batch)
                .map(|picked| step.run(&mut state, &rows(data, picked), self.lr).unwrap().loss);
            mean(&losses.collect::<Vec<f64>>())
        };
        let losses = (0..self.epochs).map(epoch).collect();
        (state, losses)
    }
}

fn rows(data: &Batch, picked: &[usize]) -> Batch {
    let (pixels, labels) = (data.x.as_slice::<u8>().unwrap(), data.y.as_slice::<i64>().unwrap());
    let x: Vec<u8> = picked.iter().flat_map(|&row| &pixels[784 * row..784 * (row + 1)]).copied().collect();
    let y: Vec<i64> = picked.iter().map(|&row| labels[row]).collect();
    Batch { x: Buffer::new(&x, [picked.len(), 784]), y: Buffer::new(&y, [picked.len()]) }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn mean_of_each(runs: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|part| mean(&runs.iter().map(|run| run[part]).collect::<Vec<f64>>()))
}

/// The share of rows whose largest output is that of their class.
fn accuracy(outputs: &Buffer, data: &Batch) -> f64 {
    let labels = data.y.as_slice::<i64>().unwrap();
    let outputs = outputs.to_f64();
    let hit = |(row, label): (&[f64], &i64)| {
        let own = row[*label as usize];
        f64::from(row.iter().enumerate().all(|(at, other)| at == *label as usize || *other < own))
    };
    mean(&outputs.chunks(10).zip(labels).map(hit).collect::<Vec<f64>>())
}

fn accuracy_of(step: &Step<Sequential>, state: &State, data: &Batch) -> f64 {
    accuracy(&step.predict(state, &data.x).unwrap(), data)
}

/// Sixteen deviations of the first weights of all layers from 1 down to 0.0001: with batch normalisation a network of five
/// layers learns faster from almost each of them.
#[test]
fn norm_15_batch_norm_learns_faster_from_almost_any_first_weights() {
    let data = digits(1000, 10);
    let course = Course { batch: 100, epochs: 20, lr: 0.01 };
    let mut faster = 0;
    for at in 0..16 {
        let init = Init::Normal(10f64.powf(-4.0 * f64::from(at) / 15.0));
        let [without, with] = [relu as fn(usize) -> Sequential, normed_relu].map(|between| {
            let step = compiled(network(&[100; 5], init, between), &Sgd::default());
            let (_, losses) = course.run(&step, &data.train, 1);
            // Losses that are not finite are those of a network that does not learn.
            mean(&losses.iter().map(|loss| loss.min(10.0)).collect::<Vec<f64>>())
        });
        println!("{init}: mean loss of twenty epochs {without:.3} without, {with:.3} with");
        faster += usize::from(with < without);
    }
    println!("faster with batch norm from {faster} of 16");
    assert!(faster >= 14, "{faster}");
}

/// Trained until it has learned what it can, a network without batch normalisation knows everything or nothing, depending
/// on the first weights of its hidden layers; with it most of them lead to much the same end.
#[test]
fn norm_17_where_training_ends_depends_less_on_the_first_weights_with_batch_norm() {
    let data = digits(500, 1000);
    let course = Course { batch: 50, epochs: 40, lr: 0.1 };
    let spreads = [relu as fn(usize) -> Sequential, normed_relu].map(|between| {
        let ends: Vec<[f64; 2]> = (0..6)
            .map(|at| {
                let init = Init::Normal(10f64.powf(-0.8 * f64::from(at)));
                let mut model = network(&[50; 5], init, between);
                model.layers.pop();
                let step = compiled(model.then(Linear::new(50, 10)), &Sgd::default());
                let runs = (1..=2).map(|seed| {
                    let (state, _) = course.run(&step, &data.train, seed);
                    [&data.train, &data.test].map(|part| accuracy_of(&step, &state, part))
                });
                mean_of_each(&runs.collect::<Vec<_>>())
            })
            .collect();
        println!("accuracies on learned and new rows, from 1 down to 0.0001: {ends:.3?}");
        [0, 1].map(|part| {
            let of_part = ends.iter().map(|end| end[part]);
            of_part.clone().fold(0.0, f64::max) - of_part.fold(1.0, f64::min)
        })
    });
    let [without, with] = spreads;
    println!("spread on learned and new rows: {without:.3?} without, {with:.3?} with");
    assert!(with[0] < 0.4 * without[0] && with[1] < 0.7 * without[1], "{without:?} {with:?}");
}

/// Of rates from 0.01 to 10 the largest that still learns is several times larger with batch normalisation, and at a rate that
/// both can learn with fewer epochs lead to the same loss.
#[test]
fn norm_16_batch_norm_learns_at_higher_rates_and_in_fewer_epochs() {
    let data = digits(500, 10);
    let rates = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
    let [without, with] = [relu as fn(usize) -> Sequential, normed_relu].map(|between| {
        let step = compiled(network(&[50; 5], Init::HeNormal, between), &Sgd::default());
        let last = |lr| {
            let course = Course { batch: 50, epochs: 10, lr };
            let losses = (1..=3).map(|seed| *course.run(&step, &data.train, seed).1.last().unwrap());
            losses.fold(0.0, |worst: f64, loss| if loss.is_nan() { f64::INFINITY } else { worst.max(loss) })
        };
        let lasts = rates.map(last);
        println!("worst loss of the tenth epoch by rate: {:?}", rates.iter().zip(lasts).collect::<Vec<_>>());
        let epochs = |seed| {
            let course = Course { batch: 50, epochs: 60, lr: 0.1 };
            let (_, losses) = course.run(&step, &data.train, seed);
            losses.iter().position(|loss| *loss < 0.5).map_or(f64::INFINITY, |at| (at + 1) as f64)
        };
        let epochs = mean(&(1..=3).map(epochs).collect::<Vec<f64>>());
        println!("epochs to a loss of 0.5 at a rate of 0.1: {epochs:.1}");
        // Half of what guessing costs.
        let largest =
            rates.iter().zip(lasts).filter(|(_, last)| *last < 0.5 * 10f64.ln()).map(|(rate, _)| *rate);
        (largest.fold(0.0, f64::max), epochs)
    });
    assert!(with.0 >= 3.0 * without.0 && without.0 > 0.0, "{without:?} {with:?}");
    assert!(with.1 < without.1, "{without:?} {with:?}");
}

/// A tendency and no rule: of networks that have learned 300 rows by heart the one with batch normalisation misses fewer new
/// rows where its first weights are small, and more of them where they are those that suit the network without it.
#[test]
fn norm_18_batch_norm_narrows_the_gap_between_learned_and_new_rows_from_small_first_weights_only() {
    let data = digits(300, 2000);
    let course = Course { batch: 50, epochs: 60, lr: 0.1 };
    let gap = |name: &str, init: Init, between: fn(usize) -> Sequential| {
        let mut model = network(&[100; 3], init, between);
        model.layers.pop();
        let step = compiled(model.then(Linear::new(100, 10)), &Sgd::default());
        let run = |seed| {
            let (state, _) = course.run(&step, &data.train, seed);
            [&data.train, &data.test].map(|part| accuracy_of(&step, &state, part))
        };
        let [train, test] = mean_of_each(&(1..=5).map(run).collect::<Vec<_>>());
        println!("{name}: train {train:.4}, test {test:.4}, gap {:.4}", train - test);
        assert!(train > 0.99, "{name} has not learned all: {train}");
        train - test
    };
    let without = gap("without, from He", Init::HeNormal, relu);
    let from_he = gap("with, from He", Init::HeNormal, normed_relu);
    let from_small = gap("with, from deviations of 0.0136", Init::Normal(0.0136), normed_relu);
    assert!(from_small < without && without < from_he, "{from_small} {without} {from_he}");
}

/// Six hidden layers and 300 rows: all of them are learned by heart, many new ones are missed.
#[test]
fn reg_01_many_parameters_and_few_rows_overfit() {
    let data = digits(300, 2000);
    let course = Course { batch: 100, epochs: 201, lr: 0.01 };
    let step = compiled(network(&[100; 6], Init::HeNormal, relu), &Sgd::default());
    let run = |seed| {
        let (state, _) = course.run(&step, &data.train, seed);
        [&data.train, &data.test].map(|part| accuracy_of(&step, &state, part))
    };
    let runs: Vec<[f64; 2]> = (1..=3).map(run).collect();
    println!("accuracy on the rows learned, on new ones: {runs:?}");
    let [train, test] = mean_of_each(&runs);
    assert!(train > 0.99, "{train}");
    assert!(train - test > 0.1, "train {train}, test {test}");
}

/// Dropout trains many networks in one: by itself, and asked many times, it has about the effect of an ensemble of five, which
/// keeps five times the parameters.
#[test]
fn ens_05_one_network_with_dropout_has_about_the_effect_of_an_ensemble() {
    const MEMBERS: u64 = 5;
    const DRAWS: usize = 20;
    let data = digits(500, 2000);
    let course = Course { batch: 50, epochs: 60, lr: 1e-3 };
    let dropping = |_| sequential![Relu::default(), Dropout::new(0.4)];
    let [plain, dropped] = [&relu as &dyn Fn(usize) -> Sequential, &dropping].map(|between| {
        let step = compiled(network(&[200, 200], Init::HeNormal, between), &Adam::default());
        let states: Vec<State> = (1..=MEMBERS).map(|seed| course.run(&step, &data.train, seed).0).collect();
        (step, states)
    });
    let alone = |(step, states): &(Step<Sequential>, Vec<State>)| {
        let each = states.iter().map(|state| accuracy_of(step, state, &data.test));
        mean(&each.collect::<Vec<f64>>())
    };
    let sampled = dropped.1.iter().map(|state| {
        let draws = ensemble::dropout_samples(&dropped.0, state, &data.test.x, DRAWS).unwrap();
        accuracy(&ensemble::mean(&draws).unwrap(), &data.test)
    });
    let sampled = mean(&sampled.collect::<Vec<f64>>());
    let (single, with_dropout) = (alone(&plain), alone(&dropped));
    let together = accuracy(&ensemble::average(&plain.0, &plain.1, &data.test.x).unwrap(), &data.test);
    println!("                    accuracy  networks kept  predictions for an answer");
    for (name, accuracy, kept, predictions) in [
        ("single", single, 1, 1),
        ("dropout", with_dropout, 1, 1),
        ("dropout, 20 draws", sampled, 1, DRAWS as u64),
        ("ensemble", together, MEMBERS, MEMBERS),
    ] {
        println!("{name:<18}  {accuracy:>8.4}  {kept:>13}  {predictions:>25}");
    }
    assert!(together > single, "an ensemble helps");
    assert!(with_dropout > single && sampled > single, "so does dropout");
    assert!((sampled - with_dropout).abs() < 0.01, "scaling does what the draws do");
    assert!(with_dropout - single > 0.5 * (together - single), "at least half of what five networks gain");
}

/// `w^2` is to be the row's number and `w` to be near -1: two wells, of which that at -1 is the deeper. The numbers of the rows
/// differ, so that the gradient of a row is not that of all.
#[derive(Module)]
struct TwoWells {
    weight: Param,
}

impl Forward for TwoWells {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let w = self.weight.tensor(pass)?;
        Ok(Tensor::concat(&[&(x * w.square()), &(x * ((w + 1.0) * 0.5))], -1))
    }
}

#[test]
fn opt_08_noisy_gradients_leave_the_shallow_well_where_batch_descent_stays() {
    const ROWS: usize = 64;
    const STARTS: u64 = 40;
    let step = Step::compile(
        TwoWells { weight: Param::new([], Init::Constant(1.0)) },
        &Sgd::default(),
        &Mse::default(),
    )
    .unwrap();
    // The row's number is 1 on average; the factor beside it is 1.
    let number = |row: usize| if row.is_multiple_of(2) { 2.5f32 } else { -0.5 };
    let batch = |picked: &[usize]| Batch {
        x: Buffer::new(&vec![1.0f32; picked.len()], [picked.len(), 1]),
        y: Buffer::new(
            &picked.iter().flat_map(|&row| [number(row), 0.0]).collect::<Vec<f32>>(),
            [picked.len(), 2],
        ),
    };
    let everything = batch(&(0..ROWS).collect::<Vec<_>>());
    let loss_at = |w: f32| {
        let mut state = step.init(0).unwrap();
        state.set("weight", &Buffer::new(&[w], [])).unwrap();
        step.evaluate(&state, &everything).unwrap().loss
    };
    assert!(loss_at(-1.0) < loss_at(0.95) && loss_at(0.95) < loss_at(0.1), "two wells, the left one deeper");
    let share_in_the_deeper = |size: usize| {
        let ends = (0..STARTS).filter(|&seed| {
            let mut stream = Stream::new(seed, "rows");
            let mut state = step.init(seed).unwrap();
            let start = 0.6 + 0.8 * stream.uniform() as f32;
            state.set("weight", &Buffer::new(&[start], [])).unwrap();
            for _ in 0..300 {
                let batch = match size {
                    ROWS => everything.clone(),
                    _ => batch(&(0..size).map(|_| stream.below(ROWS as u64) as usize).collect::<Vec<_>>()),
                };
                step.run(&mut state, &batch, 0.1).unwrap();
            }
            // Down to the bottom of the well it is in.
            for _ in 0..100 {
                step.run(&mut state, &everything, 0.1).unwrap();
            }
            state.get("weight").unwrap().to_f64()[0] < 0.0
        });
        ends.count() as f64 / STARTS as f64
    };
    let shares = [ROWS, 8, 1].map(share_in_the_deeper);
    println!(
        "share in the deeper well: batch {:.2}, eight rows {:.2}, one row {:.2}",
        shares[0], shares[1], shares[2]
    );
    assert_eq!(shares[0], 0.0, "without noise no start leaves");
    assert!(shares[2] > 0.5 && shares[2] >= shares[1], "{shares:?}");
}
