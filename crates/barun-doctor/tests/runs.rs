//! The doctor on real, small runs: what it changes (nothing), what a resumed run is told, what it says of sick ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barun_data::{Dataset, PreparedData, Split, Standardize};
use barun_doctor::{Diagnosis, Doctor, Finding, Level};
use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::{AdamW, AnyOptimizer, Sgd};
use barun_nn::{Init, sequential};
use barun_train::callback::{Batch, Callback, Flow};
use barun_train::request::{Machine, ResumeRequest, TrainRequest};
use barun_train::{Draft, Trained, Trainer, resume, train};

fn moons() -> PreparedData {
    let split = Split::stratified(0.8, 0.1, 0.1).seed(7);
    Dataset::open("moons").unwrap().split(split).unwrap().fit(Standardize::per_feature()).unwrap()
}

fn fit(
    model: Sequential,
    optimizer: AnyOptimizer,
    epochs: usize,
    doctor: Option<Doctor>,
) -> Trained<Sequential> {
    let mut trainer = Trainer::new(model, CrossEntropy::default())
        .optimizer(optimizer)
        .epochs(epochs)
        .batch_size(16)
        .seed(3);
    if let Some(doctor) = doctor {
        trainer = trainer.with(doctor);
    }
    trainer.fit(&moons()).unwrap()
}

fn mlp() -> Sequential {
    sequential![
        Linear::new(2, 16),
        Relu::default(),
        Dropout::new(0.1),
        Linear::new(16, 16),
        Relu::default(),
        Linear::new(16, 2)
    ]
}

fn adamw(lr: f64) -> AnyOptimizer {
    AdamW { lr, ..AdamW::default() }.into()
}

fn diagnosis(trained: &Trained<Sequential>) -> &Diagnosis {
    trained.report().doctor.as_ref().unwrap()
}

#[test]
fn advising_changes_no_bit() {
    let with = fit(mlp(), adamw(1e-2), 4, Some(Doctor::advise()));
    let without = fit(mlp(), adamw(1e-2), 4, None);
    assert_eq!(with.state().bytes(), without.state().bytes());
    assert_eq!(with.valid(), without.valid());
    assert!(without.report().doctor.is_none());
}

/// In trouble the doctor also takes costly looks.
#[test]
fn looking_closely_changes_no_bit_either() {
    let with = fit(mlp(), Sgd { lr: 1e-9, ..Sgd::default() }.into(), 12, Some(Doctor::advise()));
    let without = fit(mlp(), Sgd { lr: 1e-9, ..Sgd::default() }.into(), 12, None);
    assert!(!diagnosis(&with).is_healthy());
    assert_eq!(with.state().bytes(), without.state().bytes());
}

#[test]
fn a_healthy_run_is_told_what_was_watched() {
    for seed in 0..3 {
        let trained = Trainer::new(mlp(), CrossEntropy::default())
            .optimizer(adamw(1e-2))
            .epochs(8)
            .batch_size(16)
            .seed(seed)
            .with(Doctor::advise())
            .fit(&moons())
            .unwrap();
        let diagnosis = diagnosis(&trained);
        assert!(diagnosis.is_healthy(), "{:#?}", diagnosis.findings);
        assert!(
            diagnosis.watched.checks > 50 && diagnosis.watched.parameters == 6,
            "{:?}",
            diagnosis.watched
        );
        assert!(diagnosis.lines()[0].starts_with("doctor: nothing wrong found"));
    }
}

/// The rule of the first finding.
fn root(trained: &Trained<Sequential>) -> String {
    let findings = &diagnosis(trained).findings;
    let first = findings.first().filter(|finding| finding.level > Level::Info);
    first.map(|finding| finding.rule.clone()).unwrap_or_else(|| format!("none of {findings:#?}"))
}

/// What a cure sets can be set.
fn settle(finding: &Finding) {
    for set in finding.cure.iter().flat_map(|cure| &cure.set) {
        let mut draft = Draft::for_source("moons");
        draft
            .set(set)
            .and_then(|()| draft.resolve().map(drop))
            .unwrap_or_else(|error| panic!("{set}: {error}"));
    }
}

#[test]
fn sick_runs_are_told_their_root_cause_first() {
    let softmax = sequential![Linear::new(2, 16), Relu::default(), Linear::new(16, 2), Softmax::default()];
    assert_eq!(root(&fit(softmax, adamw(1e-2), 2, Some(Doctor::advise()))), "R02");

    let zero = || Linear { init: Init::Zeros, ..Linear::new(16, 16) };
    let constant =
        sequential![Linear::new(2, 16), Relu::default(), zero(), Relu::default(), Linear::new(16, 2)];
    assert_eq!(root(&fit(constant, adamw(1e-2), 12, Some(Doctor::advise()))), "R04");

    let slow = fit(mlp(), Sgd { lr: 1e-9, ..Sgd::default() }.into(), 12, Some(Doctor::advise()));
    assert_eq!(root(&slow), "R13");
    for finding in &diagnosis(&slow).findings {
        settle(finding);
    }
    let symptoms = &diagnosis(&slow).findings[0].evidence;
    assert!(symptoms.iter().any(|symptom| symptom.starts_with("R16 PLATEAU")), "{symptoms:?}");
}

/// Sets the flag that stops a run after so many steps.
struct StopAfter(usize, Arc<AtomicBool>);

impl Callback for StopAfter {
    fn on_batch(&mut self, event: &Batch) -> barun_train::Result<Flow> {
        self.0 = self.0.saturating_sub(1);
        self.1.store(self.0 == 0 && event.step > 0, Ordering::Relaxed);
        Ok(Flow::Continue)
    }
}

#[test]
fn a_resumed_run_is_told_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut draft = Draft::for_source("moons");
    for assignment in ["train.epochs=6", "train.batch_size=16", "train.optimizer.name=sgd", "train.lr=1e-9"] {
        draft.set(assignment).unwrap();
    }
    let request = |name: &str| TrainRequest {
        recipe: draft.resolve().unwrap(),
        out: Some(folder.path().join(name)),
        force: false,
        memory_limit: None,
        report: false,
        machine: Machine::default(),
    };
    train(&request("whole"), &mut Doctor::advise()).unwrap();
    let cut = request("cut");
    let stop = StopAfter(170, cut.machine.stop.clone());
    let mut callbacks: Vec<Box<dyn Callback>> = vec![Box::new(Doctor::advise()), Box::new(stop)];
    assert!(train(&cut, &mut callbacks).unwrap().interrupted);
    let resumed = ResumeRequest {
        run: folder.path().join("cut"),
        epochs: None,
        max_seconds: None,
        memory_limit: None,
        report: false,
        machine: Machine::default(),
    };
    let mut callbacks: Vec<Box<dyn Callback>> = vec![Box::new(Doctor::advise())];
    resume(&resumed, &mut callbacks).unwrap();
    let of = |name: &str, file: &str| std::fs::read_to_string(folder.path().join(name).join(file)).unwrap();
    assert_eq!(of("cut", "findings.jsonl"), of("whole", "findings.jsonl"));
    assert_eq!(of("cut", "doctor.json"), of("whole", "doctor.json"));
    assert!(of("whole", "findings.jsonl").lines().count() > 0);
}

/// HPO-09
#[test]
fn hpo_09_hopeless_rates_are_given_up_early_and_the_best_result_is_the_same() {
    const EPOCHS: usize = 20;
    let search = |doctor: fn() -> Doctor| {
        let trials = [1e-3, 1e-2, 0.3, 10.0, 100.0].map(|lr| {
            let trained = fit(mlp(), adamw(lr), EPOCHS, Some(doctor()));
            let report = trained.report();
            (report.epochs, trained.valid().unwrap().loss, report.stopped.clone())
        });
        let epochs: usize = trials.iter().map(|(epochs, ..)| epochs).sum();
        let best = trials.iter().map(|(_, loss, _)| *loss).fold(f64::INFINITY, f64::min);
        (epochs, best, trials)
    };
    let (whole, best, _) = search(Doctor::advise);
    let (part, same, trials) = search(|| Doctor::advise().abandoning());
    assert_eq!(whole, 5 * EPOCHS);
    assert!(part < whole - EPOCHS / 2 && same == best, "{part} {same} {best} {trials:?}");
    let told = trials.iter().filter_map(|(.., stopped)| stopped.as_ref());
    assert!(told.clone().count() > 0 && told.clone().all(|reason| reason.contains("the doctor gives it up")));
    assert!(trials[..3].iter().all(|(_, _, stopped)| stopped.is_none()), "{trials:?}");
}
