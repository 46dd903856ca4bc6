//! Honest evaluation through the binary: checks before training, splits, intervals, baselines, counted looks.

mod common;

use common::{Scratch, flowers};
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Rides of which two columns add up to the target, with an honest column and a number for each row.
fn rides(rows: usize) -> String {
    let mut text = String::from("instant,heat,casual,registered,cnt\n");
    for row in 0..rows {
        let (heat, casual, registered) = (row * 7 % 31, row * 11 % 47 + row * 7 % 31, row * 13 % 101);
        text.push_str(&format!("{},{heat},{casual},{registered},{}\n", row + 1, casual + registered));
    }
    text
}

fn kinds(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
}

#[test]
fn a_leak_is_told_before_training_and_dropping_its_columns_cures_it() {
    let scratch = Scratch::new();
    scratch.write("rides.csv", rides(400));
    let checked = scratch.run(&["check", "rides.csv", "--json"]).json();
    assert_eq!(kinds(&checked), ["target-leak", "identifier"]);
    let mut columns: Vec<&str> = checked["findings"][0]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    columns.sort();
    assert_eq!(columns, ["casual", "registered"]);
    assert_eq!(checked["columns"][1]["name"], "heat");
    assert!(scratch.holds_only(&["rides.csv"]), "checking writes nothing");

    let ran = scratch.run(&["train", "rides.csv", "--epochs", "2", "--json"]);
    let (leak, epoch) = (ran.err.find("give the target 'cnt' away: cnt = "), ran.err.find("epoch 1/2"));
    assert!(leak.unwrap() < epoch.unwrap(), "{}", ran.err);
    assert!(ran.err.contains("--drop casual") && ran.err.contains("--drop instant"), "{}", ran.err);
    assert_eq!(kinds(&ran.json()), ["target-leak", "identifier"]);
    let kept = std::fs::read_to_string(scratch.path("runs/rides-tabular-1/report.json")).unwrap();
    assert_eq!(kinds(&serde_json::from_str(&kept).unwrap()), ["target-leak", "identifier"]);

    let drop = ["check", "rides.csv", "--drop", "casual", "--drop", "registered", "--drop", "instant"];
    let cured = scratch.run(&drop);
    assert!(!cured.out.contains("error:") && !cured.out.contains("warning:"), "{}", cured.out);
}

#[test]
fn a_result_has_intervals_and_baselines_and_each_look_at_the_test_part_is_counted() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(300));
    let train = ["train", "flowers.csv", "--epochs", "5", "--json"];
    let first = scratch.run(&train);
    assert!(!first.err.contains("has been looked at"), "{}", first.err);
    let judgement = &first.json()["judgement"];
    assert_eq!((&judgement["part"], &judgement["earlier_looks"]), (&"test".into(), &0.into()));
    let accuracy = &judgement["evaluation"]["figures"]["accuracy"];
    assert!(number(&accuracy["low"]) <= number(&accuracy["value"]));
    assert!(number(&accuracy["value"]) <= number(&accuracy["high"]));
    assert_eq!(accuracy["value"], first.json()["test"]["accuracy"]);
    let names: Vec<&str> =
        judgement["baselines"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["constant", "linear"]);
    let guess = number(&judgement["baselines"][0]["figures"]["accuracy"]["value"]);
    assert!((guess - 1.0 / 3.0).abs() < 0.05, "{guess}");
    let kept = std::fs::read_to_string(scratch.path("runs/flowers-tabular-1/report.json")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&kept).unwrap()["judgement"], *judgement);

    // Another model, and then the same again: both have looked.
    let second = scratch.run(&train);
    assert!(
        second.err.contains(
            "the test part of flowers has been looked at once before, first by runs/flowers-tabular-1."
        ),
        "{}",
        second.err
    );
    let third = scratch.run(&["eval", "runs/flowers-tabular-1", "--part", "test"]);
    assert!(third.err.contains("has been looked at 2 times before"), "{}", third.err);
    assert!(third.out.contains("balanced_accuracy"), "{}", third.out);
    // The valid part may be looked at as often as one likes, and columns left out make no other data of it.
    assert_eq!(scratch.run(&["eval", "runs/flowers-tabular-1"]).err, "");
    let without = scratch.run(&["train", "flowers.csv", "--epochs", "1", "--drop", "noise"]);
    assert!(without.err.contains("has been looked at 3 times before"), "{}", without.err);
    assert!(without.out.contains("model [95 % interval]"), "{}", without.out);
    let checked = scratch.run(&["check", "flowers.csv"]);
    assert!(
        checked.out.contains("The test part of this data has been looked at 4 times."),
        "{}",
        checked.out
    );
}

#[test]
fn rows_are_divided_by_group_by_time_and_by_a_column() {
    let scratch = Scratch::new();
    let rows = |row: usize| {
        let part = if row < 70 { "train" } else { "test" };
        format!(
            "p{},2024-{:02}-{:02},{part},{},{}\n",
            row / 5,
            1 + row / 28,
            1 + row % 28,
            row * 37 % 101,
            ["a", "b"][row % 2]
        )
    };
    let text = "who,day,part,x,y\n".to_string() + &(0..100).map(rows).collect::<String>();
    scratch.write("visits.csv", text);
    let check = |options: &[&str]| scratch.run(&[&["check", "visits.csv", "--json"][..], options].concat());
    let parts = |options: &[&str]| {
        let report = check(options).json();
        let columns: Vec<String> = report["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["name"].as_str().unwrap().to_string())
            .collect();
        assert_eq!(columns, ["x"], "what divides is not learned from");
        serde_json::from_value::<Vec<usize>>(report["parts"].clone()).unwrap()
    };
    assert_eq!(parts(&["--group", "who", "--drop", "day", "--drop", "part"]), [70, 10, 20]);
    assert_eq!(parts(&["--time", "day", "--drop", "who", "--drop", "part"]), [70, 10, 20]);
    assert_eq!(parts(&["--part-column", "part", "--drop", "who", "--drop", "day"])[2], 30);
    let refused = |options: &[&str]| check(options).refusal().to_string();
    assert_eq!(
        refused(&["--group", "who", "--time", "day", "--drop", "part"]),
        "error: --time day: `data.split.group` and `data.split.time` cannot both divide the rows, as a group may reach from \
         the past into the future; keep one of them"
    );
    assert_eq!(
        refused(&["--time", "who", "--drop", "day", "--drop", "part"]),
        "error: column 'who', row 1: 'p0' is neither a number nor a date like 2024-05-31 or 2024-05-31 18:30:00; correct \
         it, or divide by another column"
    );
    assert!(refused(&["--split", "time"]).contains("needs `data.split.time`, the column of times"));
    assert!(refused(&["--split", "stratified-ish"]).contains("which is not a way to divide"));
    assert!(
        refused(&["--group", "y", "--drop", "who", "--drop", "day", "--drop", "part"])
            .contains("it is the target")
    );
    assert!(refused(&["--set", "data.split.fold=3"]).contains("needs `data.split.folds`"));
    assert!(refused(&["--folds", "1"]).contains("0, or 2 and more"));
}

#[test]
fn parts_may_come_from_files_of_their_own() {
    let scratch = Scratch::new();
    let all = flowers(400);
    let (header, rows) = all.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let file = |rows: &[&str]| format!("{header}\n{}\n", rows.join("\n"));
    scratch.write("train.csv", file(&rows[..250]));
    scratch.write("test.csv", file(&rows[300..400]));
    let check = |options: &[&str]| scratch.run(&[&["check", "train.csv", "--json"][..], options].concat());
    let report = check(&["--test-data", "test.csv"]).json();
    assert_eq!(report["parts"], serde_json::json!([219, 31, 100]));
    // Rows of the test file that are in the training file too are told, by their numbers over both files.
    scratch.write("tainted.csv", file(&[&rows[..20], &rows[300..380]].concat()));
    let report = check(&["--test-data", "tainted.csv"]).json();
    let copies = &report["findings"][0];
    assert_eq!(
        (copies["kind"].as_str(), number(&copies["count"])),
        (Some("copies-across-parts"), 20.0),
        "{report}"
    );
    assert_eq!(copies["severity"], "error");
    assert_eq!(copies["examples"][0], serde_json::json!([251, 1]));

    scratch.write("other.csv", "length,kind\n1,rose\n");
    assert!(check(&["--test-data", "other.csv"]).refusal().contains("there is no column 'width'"));
    scratch.write("unknown.csv", format!("{header}\n1,2,3,oak\n"));
    assert!(
        check(&["--valid-data", "unknown.csv"])
            .refusal()
            .contains("class 'oak' was not in the training data")
    );
    assert!(check(&["--test-data", "moons"]).refusal().contains("not like those of 'train'"));
}

#[test]
fn cross_validation_trains_and_judges_once_for_each_fold() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(150));
    let ran = scratch.run(&["train", "flowers.csv", "--epochs", "20", "--folds", "3", "--json"]);
    assert!(!ran.err.contains("has been looked at"), "all folds are one look: {}", ran.err);
    let report = ran.json();
    assert_eq!(
        (&report["run"], report["folds"].as_array().unwrap().len()),
        (&"runs/flowers-tabular-folds-1".into(), 3)
    );
    let accuracies: Vec<f64> =
        report["folds"].as_array().unwrap().iter().map(|fold| number(&fold["test"]["accuracy"])).collect();
    let mean = accuracies.iter().sum::<f64>() / 3.0;
    assert!((number(&report["judged"]["accuracy"]["mean"]) - mean).abs() < 1e-12);
    assert!(number(&report["judged"]["accuracy"]["sd"]) >= 0.0);
    for fold in 1..=3 {
        // A fold is measured again by its run's own recipe.
        let run = format!("runs/flowers-tabular-folds-1/fold-{fold}");
        let again = scratch.run(&["eval", &run, "--part", "test", "--json"]).json();
        assert_eq!(number(&again["accuracy"]), accuracies[fold - 1]);
    }
}
