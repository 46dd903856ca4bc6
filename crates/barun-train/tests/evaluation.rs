//! What a test part is for, and what it costs to misuse it.

use std::sync::{Arc, Mutex};

use barun_data::{Dataset, Features, Split, Standardize, Targets};
use barun_engine::random::Stream;
use barun_nn::layers::{Linear, Relu};
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::Adam;
use barun_nn::sequential;
use barun_train::Trainer;
use barun_train::callback::{Callback, EpochEnd, Flow};
use barun_train::log::EpochRecord;
use barun_train::metrics::{Confusion, Weights};

/// Chosen among 200 models that guess, the best on the test rows looks better than it is on rows to come.
#[test]
fn eval_04_choosing_by_the_test_part_overfits_to_it() {
    let mut random = Stream::new(4, "guesses");
    let mut guesses = |rows: usize| -> Vec<usize> { (0..rows).map(|_| random.below(2) as usize).collect() };
    let (test, fresh) = (guesses(200), guesses(20_000));
    let accuracy = |labels: &[usize], said: &[usize]| {
        let said: Vec<Option<usize>> = said.iter().copied().map(Some).collect();
        Confusion::of(labels, &said, 2, Weights::ONCE).accuracy()
    };
    let models: Vec<(Vec<usize>, Vec<usize>)> = (0..200).map(|_| (guesses(200), guesses(20_000))).collect();
    let best = models.iter().max_by(|a, b| accuracy(&test, &a.0).total_cmp(&accuracy(&test, &b.0))).unwrap();
    let (on_test, on_fresh) = (accuracy(&test, &best.0), accuracy(&fresh, &best.1));
    println!("best of 200: {on_test:.3} on the test rows it was chosen by, {on_fresh:.3} on fresh rows");
    assert!(on_test > 0.56 && (on_fresh - 0.5).abs() < 0.02, "{on_test} {on_fresh}");
}

/// Points in 20 dimensions; a fifth of the labels is wrong, so that nobody is right more often than four times in five
/// but by heart.
fn noisy(rows: usize, random: &mut Stream) -> (Vec<f32>, Vec<i64>) {
    let values: Vec<f32> = (0..rows * 20).map(|_| random.normal() as f32).collect();
    let labels = values.chunks(20).map(|row| {
        let label = i64::from(row[0] + row[1] > 0.0);
        if random.uniform() < 0.2 { 1 - label } else { label }
    });
    let labels = labels.collect();
    (values, labels)
}

/// What a network that learns by heart reaches on the test rows when `leaked` of them are trained on as well, and on
/// fresh rows.
fn contaminated(leaked: usize) -> (f64, f64) {
    const TRAIN: usize = 300;
    const TEST: usize = 200;
    let mut random = Stream::new(11, "contaminated");
    let (mut values, mut labels) = noisy(TRAIN, &mut random);
    let (test_values, test_labels) = noisy(TEST, &mut random);
    let (fresh_values, fresh_labels) = noisy(2_000, &mut random);
    values.extend(&test_values[..20 * leaked]);
    labels.extend(&test_labels[..leaked]);
    let train = labels.len();
    let values = [values, test_values, fresh_values].concat();
    let labels = [labels, test_labels, fresh_labels].concat();
    let total = labels.len();
    let names = (0..20).map(|column| format!("c{column}")).collect();
    let classes = vec!["no".to_string(), "yes".to_string()];
    let targets = Targets::Classes { name: "y".into(), labels, classes };
    let data = Dataset::new("noisy", Features::Rows { values, names }, targets).unwrap();
    let prepared = data
        .clone()
        .with_given_test(train..total)
        .unwrap()
        .split(Split::random(1.0, 0.0, 0.0))
        .unwrap()
        .fit(Standardize::per_feature())
        .unwrap();
    let model = sequential![Linear::new(20, 128), Relu::default(), Linear::new(128, 2)];
    let trained = Trainer::new(model, CrossEntropy::default())
        .optimizer(Adam { lr: 1e-2, ..Adam::default() })
        .epochs(60)
        .batch_size(50)
        .fit(&prepared)
        .unwrap();
    let accuracy = |rows: std::ops::Range<usize>| {
        trained.measure(&data, &rows.collect::<Vec<_>>()).unwrap().accuracy.unwrap()
    };
    (accuracy(train..train + TEST), accuracy(train + TEST..total))
}

#[test]
fn eval_07_a_contaminated_test_part_no_longer_measures() {
    let shares = [0, 50, 100, 200];
    let found: Vec<(f64, f64)> = shares.into_iter().map(contaminated).collect();
    for (leaked, (measured, fresh)) in shares.iter().zip(&found) {
        println!("{:>3} % leaked: {measured:.3} measured, {fresh:.3} on fresh rows", leaked / 2);
    }
    // What is measured rises with what leaks, to what is known by heart; what the model is worth does not.
    assert!(found.windows(2).all(|pair| pair[1].0 > pair[0].0 + 0.03), "{found:?}");
    assert!((found[0].0 - found[0].1).abs() < 0.08 && found[3].0 > 0.97, "{found:?}");
    assert!(found.iter().all(|(_, fresh)| *fresh < 0.8), "{found:?}");
}

#[derive(Clone, Default)]
struct History(Arc<Mutex<Vec<EpochRecord>>>);

impl Callback for History {
    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> barun_train::Result<Flow> {
        self.0.lock().unwrap().push(event.record.clone());
        Ok(Flow::Continue)
    }
}

/// EVAL-09, EVAL-03
#[test]
fn loss_18_each_epoch_has_a_loss_on_train_and_one_on_valid_and_the_test_part_is_not_looked_at() {
    let data =
        Dataset::open("moons").unwrap().split(Split::default()).unwrap().fit(Standardize::default()).unwrap();
    let history = History::default();
    let model = sequential![Linear::new(2, 8), Relu::default(), Linear::new(8, 2)];
    let trained =
        Trainer::new(model, CrossEntropy::default()).epochs(4).with(history.clone()).fit(&data).unwrap();
    let records = history.0.lock().unwrap();
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|record| record.train.loss > 0.0 && record.valid.unwrap().loss > 0.0));
    let keys = serde_json::to_value(&records[0]).unwrap();
    assert!(keys.get("valid").is_some() && keys.get("test").is_none(), "{keys}");
    assert_eq!(trained.test_uses(), 0);
    trained.test(&data).unwrap();
    assert_eq!(trained.test_uses(), 1);
}
