//! Short trainings before the long one. [R06]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use barun_nn::lr_range::LrRange;
use barun_train::Recipe;
use barun_train::request::{CheckRequest, Machine, OverfitReport, find_lr, overfit_batch};

fn request(lines: &str) -> CheckRequest {
    let recipe = Recipe::from_toml(lines, "r.toml").unwrap();
    CheckRequest { recipe, machine: Machine { threads: Some(1), ..Machine::default() } }
}

fn overfit(lines: &str) -> OverfitReport {
    overfit_batch(&request(lines)).unwrap().unwrap()
}

fn table(folder: &Path, name: &str, row: impl Fn(usize) -> String) -> String {
    let path = folder.join(name);
    let rows: String = (0..120).map(|at| format!("{}\n", row(at))).collect();
    std::fs::write(&path, format!("a,b,y\n{rows}")).unwrap();
    format!("data.source = {:?}\ndata.target = \"y\"\nmodel = \"mlp\"\n", path.display().to_string())
}

#[test]
fn a_sound_network_learns_a_batch_by_heart_whatever_regularisation_the_recipe_has() {
    let plain =
        "data.source = \"digits\"\nmodel.hidden = [64]\ntrain.optimizer = { name = \"adamw\", lr = 0.003 }\n";
    let report = overfit(plain);
    assert!(report.learned && report.steps < 300 && report.rows == 16, "{report:?}");
    assert_eq!(report.error_rate, Some(0.0));
    // Sixteen rows of ten classes: six of them twice.
    assert!((2.2..2.31).contains(&report.loss_of_guessing), "{}", report.loss_of_guessing);
    assert_eq!(report.losses.len(), report.steps + 1);

    let smothered = "data.source = \"digits\"\nmodel = { hidden = [64], dropout = 0.9 }\ndata.augment = \"digits\"\n\
                     train.optimizer = { name = \"adamw\", lr = 0.003, weight_decay = 5.0 }\ntrain.l2 = 1.0\n\
                     train.weight_noise = 0.5\ntrain.loss = { name = \"cross_entropy\", label_smoothing = 0.3 }\n";
    let smothered = overfit(smothered);
    assert!(smothered.learned && smothered.loss_of_guessing == report.loss_of_guessing, "{smothered:?}");
}

#[test]
fn what_cannot_be_learned_is_told_after_all_steps() {
    let report = overfit("data.source = \"digits\"\nmodel.hidden = [64]\ntrain.lr = 1e-7\n");
    assert!(!report.learned, "{report:?}");
    assert_eq!((report.steps, report.most_steps), (300, 300));
    assert!(report.error_rate.unwrap() > 0.05 && report.loss > 0.1 * report.loss_of_guessing);

    // Inputs that say nothing: the labels cannot be told apart.
    let folder = tempfile::tempdir().unwrap();
    let lines =
        table(folder.path(), "alike.csv", |row| format!("{},1,{}", row % 2, ["yes", "no"][row / 2 % 2]));
    let report = overfit(&lines);
    assert!(!report.learned && report.loss > 0.2 * report.loss_of_guessing, "{report:?}");
}

#[test]
fn numbers_are_learned_by_heart_too() {
    let folder = tempfile::tempdir().unwrap();
    let lines =
        table(folder.path(), "line.csv", |row| format!("{row},{},{}", row * 7 % 31, 3 * row + row * 7 % 31));
    let report = overfit(&(lines + "train.lr = 0.01\n"));
    assert!(report.learned && report.error_rate.is_none(), "{report:?}");
    assert!((0.5..2.0).contains(&report.loss_of_guessing), "of a scaled target: {}", report.loss_of_guessing);
}

#[test]
fn the_rate_that_is_suggested_lies_between_too_slow_and_too_fast() {
    let lines = "data.source = \"digits\"\nmodel.hidden = [32]\ntrain.batch_size = 64\ntrain.lr = 1e-5\n";
    let report = find_lr(&request(lines), &LrRange::default()).unwrap().unwrap();
    let suggestion = report.suggestion.unwrap();
    assert!((1e-4..1.0).contains(&suggestion), "{suggestion}");
    assert!(report.blew_up_at.is_none_or(|end| end > suggestion), "{report:?}");
    assert_eq!(report.recipe_lr, 1e-5);
    assert!(report.points.windows(2).all(|pair| pair[1].lr > pair[0].lr));
    assert_eq!(find_lr(&request(lines), &LrRange::default()).unwrap().unwrap(), report, "the same each time");
}

#[test]
fn more_steps_than_an_epoch_has_go_on_with_the_next() {
    let lines = "data.source = \"moons\"\nmodel.hidden = [8]\ntrain.batch_size = 100\n";
    let range = LrRange { to: 1e-3, steps: 40, ..LrRange::default() };
    assert_eq!(find_lr(&request(lines), &range).unwrap().unwrap().points.len(), 40);
}

#[test]
fn whoever_wants_to_stop_is_heard() {
    let mut asked = request("data.source = \"moons\"\nmodel.hidden = [8]\n");
    asked.machine.stop = Arc::new(AtomicBool::new(true));
    assert_eq!(overfit_batch(&asked).unwrap(), None);
    assert_eq!(find_lr(&asked, &LrRange::default()).unwrap(), None);
}
