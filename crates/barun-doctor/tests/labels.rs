//! Labels that are wrong, in real, small runs: six clouds of points, of which the last two overlap.

use barun_data::{Dataset, Features, Split, Standardize, Targets};
use barun_doctor::{Doctor, Finding, Level};
use barun_engine::random::Stream;
use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::AdamW;
use barun_nn::sequential;
use barun_train::{Draft, Trainer};

const CLASSES: usize = 6;
const ROWS: usize = 1800;
const COLUMNS: usize = 4;

/// The clouds, with what somebody has made of the label of each row.
fn clouds(relabel: impl Fn(usize, &mut Stream) -> usize) -> (Dataset, Vec<bool>) {
    let mut random = Stream::new(5, "clouds");
    let truth: Vec<usize> = (0..ROWS).map(|row| row % CLASSES).collect();
    let values = truth.iter().flat_map(|&class| {
        // The last two are one and a half deviations apart.
        let centre = if class == 5 { 4.0 + 0.5 } else { class as f64 };
        let angle = centre * std::f64::consts::TAU / 6.0;
        let place = [5.0 * angle.cos(), 5.0 * angle.sin(), 0.0, 0.0];
        place.map(|place| (place + random.normal()) as f32)
    });
    let values: Vec<f32> = values.collect();
    let mut random = Stream::new(6, "labels");
    let labels: Vec<usize> = truth.iter().map(|&class| relabel(class, &mut random)).collect();
    let is_wrong = labels.iter().zip(&truth).map(|(label, class)| label != class).collect();
    let targets = Targets::Classes {
        name: "cloud".into(),
        labels: labels.iter().map(|&label| label as i64).collect(),
        classes: ["ash", "birch", "cedar", "elm", "fir", "hazel"].map(String::from).to_vec(),
    };
    let names = (0..COLUMNS).map(|at| format!("column {at}")).collect();
    (Dataset::new("clouds", Features::Rows { values, names }, targets).unwrap(), is_wrong)
}

/// What the doctor says above information, with the numbers of the rows whose label is wrong.
fn told(relabel: impl Fn(usize, &mut Stream) -> usize) -> (Vec<Finding>, Vec<bool>) {
    let (data, is_wrong) = clouds(relabel);
    let data = data.split(Split::stratified(0.6, 0.3, 0.1).seed(7)).unwrap();
    let data = data.fit(Standardize::per_feature()).unwrap();
    let model = sequential![Linear::new(COLUMNS, 24), Relu::default(), Linear::new(24, CLASSES)];
    let trained = Trainer::new(model, CrossEntropy::default())
        .optimizer(AdamW { lr: 1e-2, ..AdamW::default() })
        .epochs(12)
        .batch_size(32)
        .seed(1)
        .with(Doctor::advise())
        .fit(&data)
        .unwrap();
    let findings = trained.report().doctor.clone().unwrap().findings;
    (findings.into_iter().filter(|finding| finding.level > Level::Info).collect(), is_wrong)
}

/// The rows that a finding names, from 1.
fn rows(finding: &Finding) -> Vec<usize> {
    let named = finding.evidence[0].split_once("data: ").unwrap().1;
    named.split("), ").map(|row| row.split(' ').next().unwrap().parse().unwrap()).collect()
}

fn check(finding: &Finding, is_wrong: &[bool], names: &[&str]) {
    assert_eq!((finding.rule.as_str(), finding.level), ("R26", Level::Warn), "{finding:#?}");
    assert!(names.iter().all(|name| finding.message.contains(name)), "{}", finding.message);
    let rows = rows(finding);
    let wrong = rows.iter().filter(|row| is_wrong[**row - 1]).count();
    assert!(rows.len() >= 5 && 10 * wrong >= 9 * rows.len(), "{wrong} of {rows:?}");
    let mut draft = Draft::for_source("moons");
    finding.cure.iter().flat_map(|cure| &cure.set).for_each(|set| draft.set(set).unwrap());
    draft.resolve().unwrap();
}

#[test]
fn classes_that_are_hard_to_tell_apart_are_no_wrong_labels() {
    let (findings, _) = told(|class, _| class);
    assert_eq!(findings, []);
}

#[test]
fn a_class_that_is_often_called_by_another_name_is_told_with_the_rows() {
    let exchange = |class, random: &mut Stream| if class == 1 && random.uniform() < 0.5 { 3 } else { class };
    let (findings, is_wrong) = told(exchange);
    check(&findings[0], &is_wrong, &["'birch' is often called 'elm'"]);
}

#[test]
fn labels_at_random_are_told_with_the_rows() {
    let exchange = |class, random: &mut Stream| match random.uniform() < 0.2 {
        true => (class + 1 + random.below(CLASSES as u64 - 1) as usize) % CLASSES,
        false => class,
    };
    let (findings, is_wrong) = told(exchange);
    check(&findings[0], &is_wrong, &["of another class at random"]);
}
