//! Repairs on real, small runs: what is rescued, what is left alone to the bit, and that a resumed run is mended alike.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barun_data::{Dataset, Features, PreparedData, Scaling, Split, Standardize, Targets};
use barun_doctor::{Diagnosis, Doctor, Outcome, Repair};
use barun_engine::random::Stream;
use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::optimizers::{AdamW, AnyOptimizer, Sgd};
use barun_nn::schedules::{Constant, Schedule, Span, StepDecay};
use barun_nn::{Init, sequential};
use barun_train::callback::{Batch, Callback, Flow};
use barun_train::mending::{Mended, Mending};
use barun_train::progress::Silent;
use barun_train::request::{EvalRequest, Machine, Part, ResumeRequest, TrainRequest};
use barun_train::{Draft, Recipe, Result, Trained, Trainer, evaluate, resume, train};

/// Trials may take twice the planned steps: these runs are short.
const BUDGET: f64 = 2.0;

fn split() -> Split {
    Split::stratified(0.6, 0.2, 0.2).seed(7)
}

fn moons() -> PreparedData {
    Dataset::open("moons").unwrap().split(split()).unwrap().fit(Standardize::per_feature()).unwrap()
}

fn mlp() -> Sequential {
    sequential![Linear::new(2, 16), Relu::default(), Linear::new(16, 16), Relu::default(), Linear::new(16, 2)]
}

fn sgd(lr: f64) -> AnyOptimizer {
    Sgd { lr, ..Sgd::default() }.into()
}

/// A training of 15 epochs of 38 steps, of moons unless told otherwise.
struct Case {
    model: fn() -> Sequential,
    optimizer: AnyOptimizer,
    schedule: Box<dyn Schedule>,
    data: PreparedData,
}

impl Case {
    fn new(model: fn() -> Sequential, optimizer: AnyOptimizer) -> Case {
        Case { model, optimizer, schedule: Box::new(Constant::default()), data: moons() }
    }

    fn fit(&self, seed: u64, doctor: Doctor) -> Result<Trained<Sequential>> {
        Trainer::new((self.model)(), CrossEntropy::default())
            .optimizer(self.optimizer.clone())
            .schedule(self.schedule.clone())
            .epochs(15)
            .batch_size(16)
            .seed(seed)
            .with(doctor)
            .fit(&self.data)
    }

    /// The accuracies on unseen rows without and with repairs; 0 where the run fails.
    fn accuracies(&self, seed: u64) -> ([f64; 2], Vec<Repair>) {
        let plain = self.fit(seed, Doctor::advise());
        let mended = self.fit(seed, Doctor::repair().budget(BUDGET));
        let repairs = mended.as_ref().map_or(Vec::new(), |mended| diagnosis(mended).repairs.clone());
        let accuracy = |run: Result<Trained<Sequential>>| match run {
            Ok(run) => run.test(&self.data).unwrap().accuracy.unwrap(),
            Err(_) => 0.0,
        };
        ([accuracy(plain), accuracy(mended)], repairs)
    }

    /// In how many of three seeds repairs make a network good that stays bad without them; in none they make it worse.
    fn rescued(&self) -> usize {
        let is_rescued = |seed: u64| {
            let ([plain, mended], repairs) = self.accuracies(seed);
            assert!(mended >= plain, "seed {seed}: {plain} {mended} {repairs:#?}");
            println!("seed {seed}: {plain} becomes {mended}");
            repairs.iter().flat_map(Repair::lines).for_each(|line| println!("  {line}"));
            let is_mended = repairs.iter().any(|repair| repair.outcome == Outcome::Accepted);
            is_mended && mended > 0.85 && mended > plain + 0.05
        };
        (0..3).filter(|seed| is_rescued(*seed)).count()
    }
}

fn diagnosis(trained: &Trained<Sequential>) -> &Diagnosis {
    trained.report().doctor.as_ref().unwrap()
}

#[test]
fn a_learning_rate_far_too_small_is_rescued() {
    assert_eq!(Case::new(mlp, sgd(1e-9)).rescued(), 3);
}

#[test]
fn a_learning_rate_far_too_large_is_rescued() {
    assert_eq!(Case::new(mlp, sgd(30.0)).rescued(), 3);
    // One of these comes to light only after two thirds of the run.
    assert!(Case::new(mlp, AdamW { lr: 3.0, ..AdamW::default() }.into()).rescued() >= 2);
}

#[test]
fn first_weights_that_cannot_learn_are_drawn_anew() {
    fn dead() -> Sequential {
        let dead = |i, o| Linear { bias_init: Init::Constant(-20.0), ..Linear::new(i, o) };
        sequential![dead(2, 16), Relu::default(), dead(16, 16), Relu::default(), Linear::new(16, 2)]
    }
    fn large() -> Sequential {
        let large = |i, o| Linear { init: Init::Normal(10.0), ..Linear::new(i, o) };
        sequential![large(2, 16), Relu::default(), large(16, 16), Relu::default(), large(16, 2)]
    }
    assert_eq!(Case::new(dead, sgd(0.1)).rescued(), 3);
    assert_eq!(Case::new(large, sgd(0.1)).rescued(), 3);
}

/// The units die in an epoch of huge steps; what comes after could learn, were there anything alive. All other rules are
/// acknowledged, so that it is dead units that are mended.
#[test]
fn dead_units_get_new_weights() {
    let schedule = Box::new(StepDecay { every: Span::Epochs(1.0), gamma: 2e-3 });
    let case = Case { schedule, ..Case::new(mlp, sgd(20.0)) };
    let others: Vec<String> = barun_doctor::rules::all()
        .iter()
        .map(|rule| rule.about().id.to_string())
        .filter(|id| id != "R11")
        .collect();
    let fit = |seed: u64| {
        let trainer = Trainer::new(mlp(), CrossEntropy::default()).optimizer(case.optimizer.clone());
        let trainer = trainer.schedule(case.schedule.clone()).epochs(80).batch_size(64).seed(seed);
        trainer.with(Doctor::repair().budget(BUDGET).acknowledging(&others)).fit(&case.data)
    };
    let mended = (0..6).filter_map(|seed| fit(seed).ok());
    let repairs: Vec<Repair> = mended.flat_map(|mended| diagnosis(&mended).repairs.clone()).collect();
    let revived = repairs.iter().filter(|repair| repair.outcome == Outcome::Accepted);
    let names: Vec<&str> = revived.map(|repair| repair.confirmed.as_ref().unwrap().name.as_str()).collect();
    assert!(
        !names.is_empty() && names.iter().all(|name| name.contains("new weights for dead units")),
        "{repairs:#?}"
    );
}

#[test]
fn a_softmax_before_a_loss_that_applies_its_own_is_passed_over() {
    fn squashed() -> Sequential {
        sequential![Linear::new(2, 16), Relu::default(), Linear::new(16, 2), Softmax::default()]
    }
    let case = Case::new(squashed, sgd(0.1));
    let mended = case.fit(1, Doctor::repair().budget(BUDGET)).unwrap();
    let repairs = &diagnosis(&mended).repairs;
    assert_eq!((repairs.len(), repairs[0].step), (1, 0), "{repairs:#?}");
    assert_eq!(repairs[0].confirmed.as_ref().unwrap().name, "without Softmax (3)");
    assert!(diagnosis(&mended).is_healthy());
    let plain = case.fit(1, Doctor::advise()).unwrap();
    assert!(mended.valid().unwrap().loss < 0.7 * plain.valid().unwrap().loss);
}

/// A column in thousandths and one in thousands.
fn uneven() -> Dataset {
    let data = Dataset::open("moons").unwrap();
    let Features::Rows { values, names } = data.features() else { panic!("rows of numbers") };
    let values = values.chunks(2).flat_map(|row| [1e-3 * row[0], 3e3 * row[1] + 1e4]).collect();
    Dataset::new("uneven", Features::Rows { values, names: names.clone() }, data.targets().clone()).unwrap()
}

#[test]
fn inputs_of_wild_scales_get_a_standardising_layer_in_front() {
    let data = uneven().split(split()).unwrap().fit(Scaling::NONE).unwrap();
    let case = Case { data, ..Case::new(mlp, sgd(0.1)) };
    assert_eq!(case.rescued(), 3);
    let (_, repairs) = case.accuracies(0);
    assert_eq!(
        (repairs[0].step, &repairs[0].confirmed.as_ref().unwrap().name[..]),
        (0, "standardised inputs")
    );
}

/// A line to learn, with one training row in forty a hundred times as large as the others: its gradients undo what they have
/// taught.
#[test]
fn gradients_that_explode_are_clipped_or_followed_more_slowly() {
    let mut stream = Stream::new(5, "spikes");
    let part = |row: usize| if row.is_multiple_of(4) { "valid" } else { "train" };
    let size = |row: usize| if row % 40 == 7 { 100.0 } else { 1.0 };
    let values: Vec<f32> = (0..2400).map(|at| size(at / 2) * stream.normal() as f32).collect();
    let targets: Vec<f32> = values.chunks(2).map(|row| row[0] - 2.0 * row[1]).collect();
    let features = Features::Rows { values, names: vec!["a".into(), "b".into()] };
    let data =
        Dataset::new("spikes", features, Targets::Values { name: "y".into(), values: targets }).unwrap();
    let parts: Vec<String> = (0..1200).map(|row| part(row).to_string()).collect();
    let data = data.with_part_column("part", &parts).unwrap();
    let data = data.split(Split::random(0.8, 0.2, 0.0).seed(1)).unwrap().fit(Scaling::NONE).unwrap();
    let fit = |doctor: Doctor| {
        let model = sequential![
            Linear::new(2, 16),
            Relu::default(),
            Linear::new(16, 16),
            Relu::default(),
            Linear::new(16, 1)
        ];
        let trainer =
            Trainer::new(model, Mse::default()).optimizer(sgd(0.01)).epochs(15).batch_size(16).seed(2);
        trainer.with(doctor).fit(&data)
    };
    let mended = fit(Doctor::repair().budget(BUDGET)).expect("the run is kept alive");
    let repairs = &diagnosis(&mended).repairs;
    assert!(repairs.iter().any(|repair| repair.outcome == Outcome::Accepted), "{repairs:#?}");
    let plain = fit(Doctor::advise()).map_or(f64::INFINITY, |plain| plain.valid().unwrap().loss);
    assert!(mended.valid().unwrap().loss < 0.5 * plain, "{plain} {:?} {repairs:#?}", mended.valid());
}

#[test]
fn a_healthy_run_is_left_alone_to_the_bit() {
    let case = Case::new(mlp, AdamW { lr: 1e-2, ..AdamW::default() }.into());
    for seed in 0..3 {
        let advised = case.fit(seed, Doctor::advise()).unwrap();
        let watched = case.fit(seed, Doctor::repair().budget(BUDGET)).unwrap();
        assert_eq!(watched.state().bytes(), advised.state().bytes());
        assert!(diagnosis(&watched).is_healthy() && diagnosis(&watched).repairs.is_empty());
        assert_eq!(diagnosis(&watched).mode, "repair");
    }
}

/// Labels that have nothing to do with the inputs: nothing can be learned, whatever is tried.
#[test]
fn what_does_not_help_is_rolled_back_to_the_bit() {
    let data = Dataset::open("moons").unwrap();
    let Targets::Classes { name, labels, classes } = data.targets().clone() else { panic!("classes") };
    let mut labels = labels;
    Stream::new(3, "labels").shuffle(&mut labels);
    let targets = Targets::Classes { name, labels, classes };
    let data = Dataset::new("shuffled", data.features().clone(), targets).unwrap();
    let data = data.split(split()).unwrap().fit(Standardize::per_feature()).unwrap();
    let case = Case { data, ..Case::new(mlp, sgd(0.02)) };
    let (mut rejected, mut accepted) = (0, 0);
    for seed in 0..4 {
        let advised = case.fit(seed, Doctor::advise()).unwrap();
        let tried = case.fit(seed, Doctor::repair().budget(10.0)).unwrap();
        let repairs = &diagnosis(&tried).repairs;
        let is_mended = repairs.iter().any(|repair| repair.outcome == Outcome::Accepted);
        (rejected, accepted) = (rejected + repairs.len(), accepted + usize::from(is_mended));
        assert!(is_mended || tried.state().bytes() == advised.state().bytes(), "seed {seed}");
    }
    assert!(rejected > 0 && accepted == 0, "{rejected} tried, of which {accepted} runs were changed");
}

#[test]
fn an_edit_by_chance_is_done_once_untried_and_by_its_seed() {
    let case = Case::new(mlp, sgd(1e-9));
    let names = |seed| {
        let run = case.fit(0, Doctor::repair().by_chance(seed)).unwrap();
        let repairs = &diagnosis(&run).repairs;
        assert_eq!((repairs.len(), repairs[0].outcome, repairs[0].cost_steps), (1, Outcome::Untried, 0));
        repairs[0].trials[0].name.clone()
    };
    assert_eq!(names(1), names(1));
    let different: std::collections::BTreeSet<String> = (0..8).map(names).collect();
    assert!(different.len() > 2, "{different:?}");
}

#[test]
fn without_a_budget_the_doctor_only_advises_and_says_so() {
    let case = Case::new(mlp, sgd(1e-9));
    let run = case.fit(0, Doctor::repair().budget(0.01)).unwrap();
    assert!(diagnosis(&run).repairs.is_empty() && !diagnosis(&run).is_healthy());
    let notes = &diagnosis(&run).repair_notes;
    assert!(notes.len() == 1 && notes[0].contains("doctor.budget="), "{notes:?}");
}

fn recipe(settings: &[&str]) -> Recipe {
    let mut draft = Draft::for_source("moons");
    settings.iter().for_each(|setting| draft.set(setting).unwrap());
    draft.resolve().unwrap()
}

fn request(recipe: &Recipe, out: &Path) -> TrainRequest {
    TrainRequest {
        recipe: recipe.clone(),
        out: Some(out.to_path_buf()),
        force: false,
        memory_limit: None,
        report: false,
        machine: Machine::default(),
    }
}

fn resume_of(run: &Path) -> ResumeRequest {
    ResumeRequest {
        run: run.to_path_buf(),
        epochs: None,
        max_seconds: None,
        memory_limit: None,
        report: false,
        machine: Machine::default(),
    }
}

fn doctor_of(recipe: &Recipe) -> Doctor {
    Doctor::of(&recipe.doctor).unwrap()
}

/// Sets the flag that stops a run after so many steps.
struct StopAfter(usize, Arc<AtomicBool>);

impl Callback for StopAfter {
    fn on_batch(&mut self, _: &Batch) -> Result<Flow> {
        self.0 = self.0.saturating_sub(1);
        self.1.store(self.0 == 0, Ordering::Relaxed);
        Ok(Flow::Continue)
    }
}

/// Sets the flag as soon as a repair is due after so many steps, so that trials are broken off.
struct StopInTrials(usize, Arc<AtomicBool>);

impl Callback for StopInTrials {
    fn on_batch(&mut self, _: &Batch) -> Result<Flow> {
        self.0 = self.0.saturating_sub(1);
        Ok(Flow::Continue)
    }

    fn wants_to_mend(&self) -> bool {
        self.0 == 0
    }

    fn mend(&mut self, _: &Mending<'_>) -> Result<Option<Mended>> {
        self.1.store(true, Ordering::Relaxed);
        Ok(None)
    }
}

#[test]
fn a_run_interrupted_before_in_or_after_its_repair_ends_with_the_same_bits() {
    let recipe = too_slow();
    assert!(is_the_same_interrupted(&recipe, &|| doctor_of(&recipe), "train.lr"));
}

#[test]
fn a_run_interrupted_in_trials_before_its_first_step_is_mended_when_it_is_resumed() {
    let layers =
        "model.layers=[{type=\"linear\",units=16},\"relu\",{type=\"linear\",units=\"classes\"},\"softmax\"]";
    let settings = [layers, "train.epochs=8", "train.batch_size=16", "doctor.mode=repair", "doctor.budget=6"];
    let recipe = recipe(&settings);
    let folder = tempfile::tempdir().unwrap();
    let cut = request(&recipe, &folder.path().join("cut"));
    let stopper = StopInTrials(0, cut.machine.stop.clone());
    let mut callbacks: Vec<Box<dyn Callback>> = vec![Box::new(stopper), Box::new(doctor_of(&recipe))];
    let report = train(&cut, &mut callbacks).unwrap();
    assert!(report.interrupted && report.train.loss.is_finite(), "{report:?}");
    assert!(report.doctor.unwrap().repairs.is_empty());
    let mut callbacks: Vec<Box<dyn Callback>> = vec![Box::new(Silent), Box::new(doctor_of(&recipe))];
    let resumed = resume(&resume_of(&folder.path().join("cut")), &mut callbacks).unwrap();
    let whole = train(&request(&recipe, &folder.path().join("whole")), &mut doctor_of(&recipe)).unwrap();
    let repairs = resumed.doctor.unwrap().repairs;
    assert_eq!((repairs[0].step, repairs[0].outcome), (0, Outcome::Accepted));
    assert_eq!((repairs, resumed.valid), (whole.doctor.unwrap().repairs, whole.valid));
}

/// With another optimiser the state holds other things.
#[test]
fn a_run_whose_optimizer_was_changed_also_ends_with_the_same_bits() {
    let recipe = too_slow();
    let changes = |seed: &u64| {
        is_the_same_interrupted(&recipe, &|| doctor_of(&recipe).by_chance(*seed), "train.optimizer")
    };
    assert!((0..40).any(|seed| changes(&seed)), "no seed draws another optimiser");
}

/// A run in which a repair is due.
fn too_slow() -> Recipe {
    recipe(&[
        "train.epochs=24",
        "train.batch_size=16",
        "train.optimizer=sgd",
        "train.lr=1e-9",
        "doctor.mode=repair",
        "doctor.budget=3",
        "doctor.acknowledge=[\"R13\", \"R14\"]",
        "train.checkpoint.steps=150",
    ])
}

/// Whether a repair sets `wanted`; if so, the run ends with the same files however it is interrupted.
fn is_the_same_interrupted(recipe: &Recipe, doctor: &dyn Fn() -> Doctor, wanted: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    let report = train(&request(recipe, &whole), &mut doctor()).unwrap();
    let repairs = report.doctor.unwrap().repairs;
    let done: Vec<&Repair> = repairs.iter().filter(|repair| repair.outcome != Outcome::Rejected).collect();
    if !done.iter().any(|repair| repair.set.iter().any(|set| set.contains(wanted))) {
        return false;
    }
    let at = done[0].step;
    for stop in [at - 40, at, at + 1] {
        let cut = folder.path().join(format!("cut-{stop}"));
        let cut_request = request(recipe, &cut);
        let flag = cut_request.machine.stop.clone();
        let stopper: Box<dyn Callback> = match stop == at {
            true => Box::new(StopInTrials(stop, flag)),
            false => Box::new(StopAfter(stop, flag)),
        };
        let mut callbacks: Vec<Box<dyn Callback>> = vec![stopper, Box::new(doctor())];
        assert!(train(&cut_request, &mut callbacks).unwrap().interrupted);
        // What callbacks remember is found again by their places.
        let mut callbacks: Vec<Box<dyn Callback>> = vec![Box::new(Silent), Box::new(doctor())];
        resume(&resume_of(&cut), &mut callbacks).unwrap();
        for file in ["repairs.jsonl", "findings.jsonl", "doctor.json", "recipe-repaired.toml"] {
            let of = |run: &Path| std::fs::read_to_string(run.join(file)).unwrap();
            assert_eq!(of(&cut), of(&whole), "{file}, stopped after {stop} of {at}");
        }
        for file in ["best.safetensors", "before-repair-1.safetensors"] {
            let of = |run: &Path| std::fs::read(run.join("checkpoints").join(file)).unwrap();
            assert!(of(&cut) == of(&whole), "{file}, stopped after {stop} of {at}");
        }
    }
    true
}

#[test]
fn a_mended_model_answers_from_its_file_as_it_did_and_its_recipe_begins_mended() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("uneven.csv");
    let data = uneven();
    let (Features::Rows { values, .. }, Targets::Classes { labels, .. }) = (data.features(), data.targets())
    else {
        panic!("rows with classes")
    };
    let rows = values.chunks(2).zip(labels).map(|(row, label)| format!("{},{},c{label}\n", row[0], row[1]));
    std::fs::write(&source, format!("a,b,class\n{}", rows.collect::<String>())).unwrap();
    let mut draft = Draft::for_source(&source.to_string_lossy());
    let layers =
        "model.layers=[{type=\"linear\",units=16},\"relu\",{type=\"linear\",units=\"classes\"},\"softmax\"]";
    for setting in [
        "data.normalize=none",
        "train.epochs=15",
        "train.batch_size=16",
        "train.lr=0.01",
        "doctor.mode=repair",
        "doctor.budget=4",
        layers,
    ] {
        draft.set(setting).unwrap();
    }
    let recipe = draft.resolve().unwrap();
    let run = folder.path().join("run");
    let report = train(&request(&recipe, &run), &mut doctor_of(&recipe)).unwrap();
    let repairs = &report.doctor.as_ref().unwrap().repairs;
    assert!(
        repairs.iter().any(|repair| repair.set.iter().any(|set| set == "data.normalize=standard")),
        "{repairs:#?}"
    );
    let asked =
        EvalRequest { model: run.clone(), source: None, part: Part::Valid, machine: Machine::default() };
    assert_eq!(Some(evaluate(&asked).unwrap().metrics), report.valid);
    let mended = std::fs::read_to_string(run.join("recipe-repaired.toml")).unwrap();
    let mended = Recipe::from_toml(&mended, "recipe-repaired.toml").unwrap();
    assert_eq!(mended.data.normalize, barun_train::recipe::Normalize::Standard);
    let again = train(&request(&mended, &folder.path().join("again")), &mut doctor_of(&mended)).unwrap();
    assert!(again.doctor.unwrap().is_healthy());
    assert!(again.valid.unwrap().accuracy.unwrap() > 0.85);
    let before = std::fs::read_to_string(run.join("recipe.toml")).unwrap();
    assert_eq!(Recipe::from_toml(&before, "recipe.toml").unwrap().data.normalize, recipe.data.normalize);
}
