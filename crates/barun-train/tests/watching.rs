//! What a run tells whoever watches it, and that watching changes nothing. [DIAG-07, DIAG-14]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barun_data::{Dataset, PreparedData, Split, Standardize};
use barun_engine::{Buffer, DType};
use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::AdamW;
use barun_nn::schedules::CosineAnnealing;
use barun_nn::sequential;
use barun_train::callback::{Batch, Callback, Flow};
use barun_train::checkpoint::Checkpoint;
use barun_train::progress::Silent;
use barun_train::request::{Machine, ResumeRequest, TrainRequest};
use barun_train::watching::{Skipped, WatchEvery, Watched};
use barun_train::{Error, Recipe, Result, Trainer};

fn moons() -> PreparedData {
    let split = Dataset::open("moons").unwrap().split(Split::stratified(0.8, 0.1, 0.1).seed(7)).unwrap();
    split.fit(Standardize::per_feature()).unwrap()
}

fn model() -> Sequential {
    sequential![Linear::new(2, 8), BatchNorm::new(8), Relu::default(), Dropout::new(0.2), Linear::new(8, 2)]
}

fn trainer(callback: impl Callback + 'static) -> Trainer<Sequential> {
    Trainer::new(model(), CrossEntropy::default())
        .optimizer(AdamW { lr: 1e-2, ..AdamW::default() })
        .schedule(CosineAnnealing::over_run())
        .epochs(3)
        .batch_size(48)
        .seed(5)
        .with(callback)
}

/// Watches as it is told, looks at everything there is, and trains forks.
struct Curious {
    watch: WatchEvery,
    seen: Arc<std::sync::Mutex<Vec<(usize, f64)>>>,
    stop_at: Option<(usize, Arc<AtomicBool>)>,
}

impl Curious {
    fn new(watch: WatchEvery) -> Curious {
        Curious { watch, seen: Arc::default(), stop_at: None }
    }
}

impl Callback for Curious {
    fn watches(&self, step: usize) -> bool {
        self.watch.is_due(step)
    }

    fn on_batch(&mut self, _: &Batch) -> Result<Flow> {
        if let Some((left, stop)) = &mut self.stop_at {
            *left -= 1;
            stop.fetch_or(*left == 0, Ordering::Relaxed);
        }
        Ok(Flow::Continue)
    }

    fn on_watch(&mut self, event: &Watched<'_>) -> Result<Flow> {
        self.watch.learn(event);
        let look = event.look();
        let mut fork = look.state().clone();
        for next in look.ahead(3)? {
            look.step().run(&mut fork, &next.batch, 0.1 * next.lr)?;
        }
        look.step().evaluate(look.state(), look.batch())?;
        look.step().gradients(look.state(), look.batch())?;
        let weight = &event.record.parameters[0];
        assert!(event.applied && event.gradient_norm > 0.0 && weight.update_rms > 0.0, "{weight:?}");
        assert_eq!((weight.path.as_str(), event.record.activations.len()), ("0.weight", 5));
        self.seen.lock().unwrap().push((event.step, event.loss));
        Ok(Flow::Continue)
    }
}

#[test]
fn a_run_that_is_watched_and_forked_ends_with_the_same_bits() {
    let data = moons();
    let plain = trainer(Silent).fit(&data).unwrap();
    let curious = Curious::new(WatchEvery { first: 4, ..WatchEvery::steps(5) });
    let seen = Arc::clone(&curious.seen);
    let watched = trainer(curious).fit(&data).unwrap();
    assert_eq!(plain.state().bytes(), watched.state().bytes());
    let steps: Vec<usize> = seen.lock().unwrap().iter().map(|(step, _)| *step).collect();
    assert_eq!(steps[..6], [1, 2, 3, 4, 5, 10], "the steps of all epochs are counted through");
    assert!(steps.len() > 7, "{steps:?}");
}

/// What a run will do is what it then does.
struct Foresight {
    expected: Vec<(Vec<u8>, u64)>,
    met: usize,
}

impl Callback for Foresight {
    fn watches(&self, _: usize) -> bool {
        true
    }

    fn on_watch(&mut self, event: &Watched<'_>) -> Result<Flow> {
        if event.step == 2 {
            let ahead = event.look().ahead(20)?;
            self.expected =
                ahead.iter().map(|next| (next.batch.x.bytes().to_vec(), next.lr.to_bits())).collect();
        } else if let Some(expected) = event.step.checked_sub(3).and_then(|index| self.expected.get(index)) {
            assert_eq!(
                *expected,
                (event.look().batch().x.bytes().to_vec(), event.lr.to_bits()),
                "{}",
                event.step
            );
            self.met += 1;
        }
        if event.step == 22 {
            assert_eq!(self.met, 20, "over the end of an epoch");
        }
        Ok(Flow::Continue)
    }
}

#[test]
fn what_lies_ahead_is_what_comes() {
    trainer(Foresight { expected: Vec::new(), met: 0 }).epochs(4).fit(&moons()).unwrap();
}

fn tensors(run: &Path) -> Vec<u8> {
    let path = run.join("checkpoints/last.safetensors");
    let file = Checkpoint::read(&path).unwrap();
    file.tensors.iter().flat_map(|tensor| tensor.bytes.to_vec()).collect()
}

#[test]
fn a_watched_run_that_is_interrupted_and_resumed_ends_with_the_bits_of_one_that_is_not_watched() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "data.source = \"moons\"\nmodel.name = \"mlp\"\nmodel.hidden = [8]\nmodel.batch_norm = true\nmodel.dropout = 0.2\ntrain.epochs = 3\ntrain.batch_size = 40\n";
    let recipe = Recipe::from_toml(lines, "r.toml").unwrap();
    let request = |name: &str, stop: Arc<AtomicBool>| TrainRequest {
        recipe: recipe.clone(),
        out: Some(folder.path().join(name)),
        force: false,
        memory_limit: None,
        report: false,
        machine: Machine { threads: Some(1), stop, ..Machine::default() },
    };
    barun_train::train(&request("plain", Arc::default()), &mut Silent).unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let watch = WatchEvery { first: 3, ..WatchEvery::steps(4) };
    let mut curious = Curious { stop_at: Some((17, Arc::clone(&stop))), ..Curious::new(watch) };
    let report = barun_train::train(&request("watched", stop), &mut curious).unwrap();
    assert!(report.interrupted);
    let again = ResumeRequest {
        run: folder.path().join("watched"),
        epochs: None,
        max_seconds: None,
        memory_limit: None,
        report: false,
        machine: Machine { threads: Some(2), ..Machine::default() },
    };
    let mut resumed = Curious::new(watch);
    barun_train::resume(&again, &mut resumed).unwrap();
    assert_eq!(resumed.seen.lock().unwrap()[0].0, 20, "steps are counted on");
    assert_eq!(tensors(&folder.path().join("plain")), tensors(&folder.path().join("watched")));
}

/// Puts a NaN into the rows it is given by making the weights overflow: asks where it came from.
#[derive(Default)]
struct Asks(Arc<std::sync::Mutex<Vec<String>>>);

impl Callback for Asks {
    fn on_skip(&mut self, event: &Skipped<'_>) -> Result<Flow> {
        let found = event.locate()?.expect("a step that was not taken has a reason");
        self.0.lock().unwrap().push(format!("{} {} {found}", event.step, event.in_a_row));
        Ok(Flow::Continue)
    }
}

#[test]
fn a_run_that_leaves_the_finite_numbers_says_which_layer_did() {
    let asks = Asks::default();
    let told = Arc::clone(&asks.0);
    let model = sequential![
        Linear { init: barun_nn::Init::Constant(1e30), ..Linear::new(2, 8) },
        Relu::default(),
        Linear { init: barun_nn::Init::Constant(1e30), ..Linear::new(8, 2) }
    ];
    let run = Trainer::new(model, CrossEntropy::default()).epochs(1).batch_size(48).with(asks).fit(&moons());
    let Err(error) = run else { panic!("the run must end with an error") };
    let message = error.to_string();
    assert!(matches!(error, Error::NotFinite { .. }), "{message}");
    assert!(message.contains("What came first: on the way to the loss, 2: matmul made inf"), "{message}");
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 4, "the fifth ends the run: {told:?}");
    assert!(told[0].starts_with("1 1 on the way to the loss, 2: matmul"), "{told:?}");
}

/// Every kind of number a network may work in can be watched.
#[test]
fn watching_works_in_every_precision() {
    for precision in [DType::F32, DType::F64, DType::BF16] {
        let curious = Curious::new(WatchEvery { first: 2, ..WatchEvery::steps(10) });
        let seen = Arc::clone(&curious.seen);
        trainer(curious).precision(precision).epochs(1).fit(&moons()).unwrap();
        assert!(seen.lock().unwrap().iter().all(|(_, loss)| loss.is_finite()), "{precision}");
        assert!(seen.lock().unwrap().len() >= 2);
    }
}

#[test]
fn a_look_offers_what_a_step_of_a_known_model_offers() {
    struct Looks(Arc<AtomicBool>);
    impl Callback for Looks {
        fn watches(&self, step: usize) -> bool {
            step == 1
        }
        fn on_watch(&mut self, event: &Watched<'_>) -> Result<Flow> {
            let look = event.look();
            let zeros = Buffer::zeros(look.batch().x.shape().clone(), look.batch().x.dtype());
            let answers = look.step().predict(look.state(), &zeros)?.to_f64();
            assert!(answers.chunks(2).all(|row| row == &answers[..2]), "equal rows have equal answers");
            assert_eq!(look.step().inventory().parameters.len(), 6);
            self.0.store(true, Ordering::Relaxed);
            Ok(Flow::Stop("seen enough".into()))
        }
    }
    let looked = Arc::new(AtomicBool::new(false));
    let trained = trainer(Looks(Arc::clone(&looked))).fit(&moons()).unwrap();
    assert!(looked.load(Ordering::Relaxed));
    assert_eq!(trained.report().stopped.as_deref(), Some("seen enough"));
}

#[test]
fn the_tensors_of_a_run_can_be_seen_without_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "data.source = \"moons\"\nmodel.name = \"mlp\"\nmodel.hidden = [8]\ntrain.epochs = 1\n";
    let request = TrainRequest {
        recipe: Recipe::from_toml(lines, "r.toml").unwrap(),
        out: Some(folder.path().join("run")),
        force: false,
        memory_limit: None,
        report: false,
        machine: Machine { threads: Some(1), ..Machine::default() },
    };
    barun_train::train(&request, &mut Silent).unwrap();
    let table = barun_train::tensors::tensors(&folder.path().join("run")).unwrap();
    let row = table.rows.iter().find(|row| row.name == "0.weight").unwrap();
    assert_eq!((row.shape.to_vec(), row.dtype, row.not_finite), (vec![2, 8], DType::F32, 0));
    assert!(row.min < row.mean && row.mean < row.max && row.std > 0.0);
    let error = barun_train::tensors::tensors(&folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("there is nothing of that name"), "{error}");
}
