//! Early stopping, budgets, several seeds, and runs beside each other.

mod common;

use common::{Scratch, flowers};

/// A table and a network that learns it by heart soon.
fn table() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(90));
    scratch
}

/// REG-24, ERR-27
#[test]
fn a_run_without_a_better_epoch_ends_early_with_the_weights_of_its_best() {
    let scratch = table();
    let train = ["train", "flowers.csv", "--epochs", "500", "--patience", "5", "--out", "run", "--json"];
    let report = scratch.run(&[&train[..], &["--set", "train.best_by=loss"]].concat()).json();
    let (epochs, best) = (report["epochs"].as_u64().unwrap(), report["best_epoch"].as_u64().unwrap());
    assert!(epochs < 500 && epochs == best + 5, "{report}");
    assert_eq!(report["stopped"], format!("no better epoch than {best} for 5 epochs"));
    let measured = scratch.run(&["eval", "run", "--json"]).json();
    assert_eq!(measured["loss"], report["valid"]["loss"]);
    let refused = scratch.run(&["resume", "run"]);
    assert!(
        refused.refusal().contains("run is complete: it was stopped, no better epoch than"),
        "{}",
        refused.err
    );
}

#[test]
fn early_stopping_that_cannot_be_meant_is_refused() {
    let scratch = table();
    let refusal = |settings: &[&str]| {
        let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        scratch
            .run(&[&["train", "flowers.csv", "--patience", "3"], &settings[..]].concat())
            .refusal()
            .to_string()
    };
    assert!(
        refusal(&["train.early_stopping.patience_steps=9"]).contains("say the same thing; keep one of them")
    );
    assert!(refusal(&["data.split.valid=0"]).contains("early stopping looks at the validation part"));
    assert_eq!(
        refusal(&["train.best_by=r2"]),
        "error: `train.best_by` is r2, but the target is classes, which has no such figure; choose accuracy or loss"
    );
    assert!(refusal(&["train.best_by=acc"]).contains("\"acc\", which is not a figure to choose by"));
    let usage = scratch.run(&["train", "flowers.csv", "--max-time", "soon"]);
    assert_eq!(usage.code, 2);
    assert!(usage.err.contains("write it as 90s, 10m or 1h30m"), "{}", usage.err);
}

#[test]
fn a_time_budget_ends_a_run_and_more_of_it_goes_on() {
    let scratch = table();
    let train = ["train", "flowers.csv", "--epochs", "1000000", "--max-time", "300ms", "--out", "run"];
    let first = scratch.run(&train);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.starts_with("stopped: the time of 0.3 s is up after "), "{}", first.out);
    assert!(first.out.contains("  go on   barun resume run\n"), "{}", first.out);
    let refused = scratch.run(&["resume", "run"]);
    assert!(refused.refusal().ends_with("the time of 0.3 s is up; give it more in all with --max-time"));
    let more = scratch.run(&["resume", "run", "--max-time", "600ms", "--json"]).json();
    assert_eq!((&more["is_out_of_time"], &more["interrupted"]), (&true.into(), &false.into()));
    assert!(more["seconds"].as_f64().unwrap() >= 0.6, "{more}");
    let listed = scratch.run(&["runs", "run", "--json"]).json();
    assert_eq!(listed["runs"][0]["status"]["stopped"], "the time of 0.6 s is up");
}

#[test]
fn several_seeds_give_mean_and_spread_and_a_run_folder_each() {
    let scratch = table();
    let train = ["train", "flowers.csv", "--epochs", "3", "--seed", "7", "--out", "all"];
    let report = scratch.run(&[&train[..], &["--seeds", "3", "--json"]].concat()).json();
    assert_eq!(report["seeds"], serde_json::json!([7, 8, 9]));
    let alone =
        scratch.run(&["train", "flowers.csv", "--epochs", "3", "--seed", "8", "--out", "one", "--json"]);
    assert_eq!(report["runs"][1]["valid"], alone.json()["valid"], "a seed gives what it gives alone");
    let losses: Vec<f64> = (0..3).map(|run| report["runs"][run]["test"]["loss"].as_f64().unwrap()).collect();
    let mean = losses.iter().sum::<f64>() / 3.0;
    let sd = (losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert_eq!(report["test"][0][0], "loss");
    let spread = &report["test"][0][1];
    assert!((spread["mean"].as_f64().unwrap() - mean).abs() < 1e-12, "{spread}");
    assert!((spread["sd"].as_f64().unwrap() - sd).abs() < 1e-12, "{spread}");
    for seed in 7..10 {
        assert!(scratch.path(&format!("all/seed-{seed}/checkpoints/best.safetensors")).is_file());
    }
    let refused = scratch.run(&["predict", "all", "flowers.csv"]);
    assert!(refused.refusal().contains("it holds the runs of several seeds"), "{}", refused.err);
    let refused = scratch.run(&[&train[..], &["--seeds", "2"]].concat());
    assert!(refused.refusal().contains("all already exists and is not empty"), "{}", refused.err);

    // One that is missing is trained, one that is there stays.
    std::fs::remove_dir_all(scratch.path("all/seed-9")).unwrap();
    let again = scratch.run(&["resume", "all", "--json"]);
    assert_eq!(again.err.matches("note: seed ").count(), 1, "{}", again.err);
    assert_eq!(again.json()["test"], report["test"]);
    let text = scratch.run(&[&train[..], &["--seeds", "2", "--force"]].concat());
    assert!(text.out.starts_with("done with 2 seeds in "), "{}", text.out);
    assert!(text.out.contains(" +- "), "{}", text.out);
}

#[test]
fn what_is_wrong_with_the_data_is_told_once_and_every_seed_finds_it() {
    let scratch = Scratch::new();
    let rows = (0..300).map(|row| format!("{},{}\n", row % 7, if row % 30 == 0 { "rare" } else { "often" }));
    scratch.write("rare.csv", format!("x,kind\n{}", rows.collect::<String>()));
    let train = ["train", "rare.csv", "--target", "kind", "--epochs", "1", "--seeds", "2", "--json"];
    let ran = scratch.run(&train);
    assert_eq!(ran.err.matches("'rare' only").count(), 1, "{}", ran.err);
    for run in ran.json()["runs"].as_array().unwrap() {
        let findings = run["doctor"]["findings"].as_array().unwrap();
        assert!(findings.iter().any(|finding| finding["rule"] == "R24"), "{run:#}");
    }
}

#[test]
fn runs_are_listed_and_compared() {
    let scratch = table();
    let train = |more: &[&str]| {
        scratch.run(&[&["train", "flowers.csv", "--epochs", "2", "--json"], more].concat()).json()
    };
    let report = train(&[]);
    train(&["--set", "train.lr=0.01", "--seed", "3"]);
    let listed = scratch.run(&["runs", "--json"]).json();
    let names: Vec<&str> =
        listed["runs"].as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["runs/flowers-tabular-1", "runs/flowers-tabular-2"]);
    assert_eq!((&listed["runs"][0]["status"], &listed["runs"][0]["epochs"]), (&"done".into(), &2.into()));
    assert_eq!(listed["runs"][0]["test"], report["test"]);
    let text = scratch.run(&["runs"]).out;
    assert!(
        text.lines()
            .next()
            .unwrap()
            .split_whitespace()
            .eq(["run", "data", "model", "seed", "epochs", "best", "valid", "test", "time", "status"])
    );
    let compared = scratch.run(&["runs", names[0], names[1], "--json"]).json();
    let differences: Vec<&str> =
        compared["differences"].as_array().unwrap().iter().map(|key| key["path"].as_str().unwrap()).collect();
    assert_eq!(differences, ["train.optimizer.lr", "train.seed"]);
    assert!(scratch.run(&["runs", names[0], names[1]]).out.contains("train.seed"));
    let empty = scratch.run(&["runs", "."]);
    assert_eq!(empty.out.lines().count(), 3, "{}", empty.out);
    assert!(scratch.run(&["runs", "nowhere"]).refusal().starts_with("error: cannot read nowhere"));
}

/// Whoever follows a run may go away, and its folder may be called anything.
#[test]
#[cfg(unix)]
fn a_run_needs_no_reader_and_no_plain_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let scratch = table();
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let train = ["train", "flowers.csv", "--epochs", "2", "--out"];
    let mut deaf = scratch.command(&train);
    let status = deaf.arg("deaf").stdout(gone()).stderr(gone()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(scratch.path("deaf/report.json").is_file());

    for name in
        [OsStr::new("\u{acb0}\u{acfc} (1)/a b"), OsStr::from_bytes(b"no \xff unicode"), OsStr::new("-")]
    {
        let output = scratch.command(&train).arg(name).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name:?}: {}", String::from_utf8_lossy(&output.stderr));
        let listed =
            scratch.command(&["runs"]).arg(format!("./{}", name.to_string_lossy())).output().unwrap();
        assert!(listed.status.success() || name.to_str().is_none());
        let resumed = scratch.command(&["resume", "--epochs", "3", "--"]).arg(name).output().unwrap();
        assert_eq!(resumed.status.code(), Some(0), "{name:?}: {}", String::from_utf8_lossy(&resumed.stderr));
    }
}
