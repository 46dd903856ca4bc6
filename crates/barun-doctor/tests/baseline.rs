//! What a network that is trained badly learns beside a baseline that is not trained at all, in small runs.

use barun_data::{Dataset, Features, PreparedData, Split, Standardize, Targets};
use barun_doctor::{Doctor, Finding, Level};
use barun_engine::random::Stream;
use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::AdamW;
use barun_nn::sequential;
use barun_train::Trainer;

fn prepared(data: Dataset) -> PreparedData {
    data.split(Split::stratified(0.6, 0.3, 0.1).seed(7)).unwrap().fit(Standardize::per_feature()).unwrap()
}

/// What the doctor says above information of `layers` hidden units each, trained with Adam at `lr`.
fn told(data: &PreparedData, lr: f64, epochs: usize) -> Vec<Finding> {
    let model = sequential![Linear::new(2, 16), Relu::default(), Linear::new(16, 2)];
    let trained = Trainer::new(model, CrossEntropy::default())
        .optimizer(AdamW { lr, ..AdamW::default() })
        .epochs(epochs)
        .batch_size(32)
        .seed(1)
        .with(Doctor::advise())
        .fit(data)
        .unwrap();
    let findings = trained.report().doctor.clone().unwrap().findings;
    findings.into_iter().filter(|finding| finding.level > Level::Info).collect()
}

#[test]
fn steps_that_are_too_small_are_the_cause_that_a_baseline_knows_more() {
    let data = prepared(Dataset::open("rings").unwrap());
    assert_eq!(told(&data, 1e-2, 30), []);
    let findings = told(&data, 3e-5, 10);
    let first = &findings[0];
    assert_eq!(first.rule, "R13", "{findings:#?}");
    assert!(first.evidence.iter().any(|line| line.starts_with("R27 BELOW_BASELINE")), "{first:#?}");
}

#[test]
fn labels_of_other_rows_are_told_since_a_baseline_learns_nothing_either() {
    let mut random = Stream::new(5, "points");
    let values = (0..2 * 1500).map(|_| random.normal() as f32).collect();
    let labels = (0..1500).map(|_| random.below(2) as i64).collect();
    let names = vec!["x".to_string(), "y".to_string()];
    let targets =
        Targets::Classes { name: "side".into(), labels, classes: vec!["left".into(), "right".into()] };
    let data = prepared(Dataset::new("points", Features::Rows { values, names }, targets).unwrap());
    let findings = told(&data, 3e-3, 8);
    let told =
        findings.iter().find(|finding| finding.rule == "R26").unwrap_or_else(|| panic!("{findings:#?}"));
    assert!(told.message.contains("ridge regression"), "{}", told.message);
}
