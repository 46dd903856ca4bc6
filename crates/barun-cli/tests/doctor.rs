//! The doctor as a user meets it: in training, before it, after it, in the report. [ACT-15, OPT-32, DIAG-12, DIAG-16]

mod common;

use common::{Scratch, bytes_of, flowers};

/// A rate at which nothing is learned.
const TOO_SLOW: [&str; 2] = ["--set", "train.lr=1e-9"];

fn train<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "digits", "--epochs", "2", "--out", out][..], more].concat()
}

#[test]
fn a_healthy_run_ends_with_one_line_and_off_leaves_the_same_weights_and_no_diagnosis() {
    let scratch = Scratch::new();
    let watched = scratch.run(&train("watched", &[]));
    assert_eq!(watched.code, 0, "{}", watched.err);
    let said: Vec<&str> = watched.out.lines().filter(|line| line.starts_with("doctor:")).collect();
    assert_eq!(said.len(), 1, "{}", watched.out);
    assert!(said[0].starts_with("doctor: nothing wrong found by"), "{}", said[0]);
    let alone = scratch.run(&train("alone", &["--doctor", "off", "--json"])).json();
    assert!(alone.get("doctor").is_none());
    assert!(!scratch.path("alone/doctor.json").exists() && scratch.path("watched/doctor.json").exists());
    let weights = |run: &str| {
        let file = bytes_of(&scratch.path(run).join("checkpoints/best.safetensors"));
        let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        file[8 + header..].to_vec()
    };
    assert!(weights("watched") == weights("alone"));
}

#[test]
fn a_sick_run_is_told_its_cause_first_on_the_way_at_the_end_and_afterwards() {
    let scratch = Scratch::new();
    let ran = scratch.run(&train("run", &[&TOO_SLOW[..], &["--json"]].concat()));
    let json = ran.json();
    let first = &json["doctor"]["findings"][0];
    assert_eq!((&first["rule"], &first["name"]), (&"R13".into(), &"UPDATE_RATIO".into()), "{json:#}");
    assert!(first["cure"][0]["set"][0].as_str().unwrap().starts_with("train.lr="));
    assert!(first["evidence"].as_array().unwrap().iter().any(|said| said.as_str().unwrap().contains("R16")));
    assert!(ran.err.contains("warning R16 PLATEAU"), "{}", ran.err);
    let again = scratch.run(&["doctor", "run", "--json"]).json();
    assert_eq!(again["findings"], json["doctor"]["findings"]);
    assert!(again["vitals"]["gradients"].as_array().unwrap().len() > 1);
    let told = scratch.run(&["doctor", "run"]);
    assert!(told.out.contains("what is wrong, the root cause first\nwarning R13"), "{}", told.out);
    assert!(told.out.contains("cure 1: Raise the learning rate: --set train.lr="), "{}", told.out);
    let lines = std::fs::read_to_string(scratch.path("run/findings.jsonl")).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let tensors = scratch.run(&["doctor", "run", "--tensors", "--sort", "size"]);
    let largest = tensors.out.lines().nth(1).unwrap_or_default();
    assert!(largest.contains("weight") && largest.contains("f32"), "{}", tensors.out);
    let unknown = scratch.run(&["doctor", "run", "--tensors", "--sort", "colour"]);
    assert!(unknown.code == 2 && unknown.err.contains("not_finite"), "{}", unknown.err);
    let page = std::fs::read_to_string(scratch.path("run/report.html")).unwrap();
    assert!(page.contains("<h2>Doctor</h2>") && page.contains("R13 UPDATE_RATIO"));
}

#[test]
fn what_is_acknowledged_is_not_told_again_and_slips_are() {
    let scratch = Scratch::new();
    let acknowledged = ["--json", "--set", "doctor.acknowledge=[\"R13\", \"plateau\"]"];
    let json = scratch.run(&train("run", &[&TOO_SLOW[..], &acknowledged].concat())).json();
    assert_eq!(json["doctor"]["acknowledged"], serde_json::json!(["R13", "R16"]), "{json:#}");
    let slip = scratch.run(&train("other", &["--set", "doctor.acknowledge=[\"DEAD_UNIT\"]"]));
    assert!(slip.refusal().contains("did you mean `DEAD_UNITS`?"), "{}", slip.err);
    let mode = scratch.run(&train("other", &["--doctor", "nurse"]));
    assert!(mode.refusal().contains("doctor.mode"), "{}", mode.err);
}

#[test]
fn a_check_tells_of_the_network_too_and_writes_nothing() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(200));
    let well = scratch.run(&["check", "flowers.csv"]);
    assert!(
        well.out.contains("The doctor finds nothing wrong with network, inputs and first step."),
        "{}",
        well.out
    );
    let model =
        "model.layers=[{type=\"linear\",units=8},\"relu\",{type=\"linear\",units=\"classes\"},\"softmax\"]";
    let sick = scratch.run(&["check", "flowers.csv", "--set", model, "--json"]).json();
    assert_eq!(sick["doctor"]["findings"][0]["rule"], "R02", "{sick:#}");
    assert!(scratch.holds_only(&["flowers.csv"]));
}

#[test]
fn a_run_that_nobody_watched_is_judged_by_its_epochs_and_what_is_no_run_is_told() {
    let scratch = Scratch::new();
    scratch.run(&train("run", &["--doctor", "off"]));
    let ran = scratch.run(&["doctor", "run"]);
    assert!(ran.err.contains("no doctor has watched this run"), "{}", ran.err);
    assert!(ran.out.contains("2 evaluations"), "{}", ran.out);
    assert!(scratch.run(&["doctor", "nothing"]).refusal().contains("is not a run"));
}

#[test]
fn a_run_that_fails_is_told_why() {
    let scratch = Scratch::new();
    let ran = scratch.run(&train("run", &["--set", "train.optimizer.name=sgd", "--set", "train.lr=1e30"]));
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("R08 NON_FINITE"), "{}", ran.err);
    assert!(scratch.path("run/doctor.json").exists());
    assert_eq!(scratch.run(&["doctor", "run"]).code, 0);
}

#[test]
fn rules_and_errors_are_explained() {
    let scratch = Scratch::new();
    let rule = scratch.run(&["explain", "dead-units"]);
    assert!(rule.out.starts_with("R11 DEAD_UNITS (rule of the doctor: symptom)"), "{}", rule.out);
    assert!(rule.out.contains("Threshold:") && rule.out.contains("Cannot see:"));
    let error = scratch.run(&["explain", "NotFinite"]);
    assert!(error.out.contains("A smaller learning rate usually helps"), "{}", error.out);
    assert!(scratch.run(&["list", "rules"]).out.contains("DEAD_UNITS"));
}

/// A rate at which nothing is learned, and a budget for a short run.
const REPAIRED: [&str; 6] =
    ["--set", "train.optimizer.name=sgd", "--doctor", "repair", "--set", "doctor.budget=3"];

#[test]
fn a_run_that_is_mended_says_how_keeps_what_was_before_and_can_be_begun_mended() {
    let scratch = Scratch::new();
    let out = ["train", "moons", "--epochs", "20", "--out", "run", "--json"];
    let ran = scratch.run(&[&out[..], &TOO_SLOW, &REPAIRED].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json = ran.json();
    let repairs = json["doctor"]["repairs"].as_array().unwrap();
    let at = repairs
        .iter()
        .position(|repair| repair["outcome"] == "accepted")
        .unwrap_or_else(|| panic!("{json:#}"));
    let repair = &repairs[at];
    assert_eq!(json["doctor"]["mode"], "repair", "{json:#}");
    assert!(
        repair["confirmed"]["gain"].as_f64().unwrap()
            > 2.0 * repair["confirmed"]["standard_error"].as_f64().unwrap()
    );
    assert!(repair["set"][0].as_str().unwrap().starts_with("train.lr="), "{repair:#}");
    assert!(ran.err.contains("repair after step"), "{}", ran.err);
    let before = repair["before"].as_str().unwrap();
    assert!(scratch.run(&["eval", &format!("run/{before}")]).out.contains("accuracy"));
    let lines = std::fs::read_to_string(scratch.path("run/repairs.jsonl")).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(lines.lines().nth(at).unwrap()).unwrap(), *repair);
    let page = std::fs::read_to_string(scratch.path("run/report.html")).unwrap();
    assert!(page.contains("Repair after step"), "the page tells of it");
    let again = scratch.run(&["train", "run/recipe-repaired.toml", "--out", "again", "--json"]).json();
    assert!(again["doctor"].get("repairs").is_none(), "{again:#}");
    let accuracy = |json: &serde_json::Value| json["valid"]["accuracy"].as_f64().unwrap();
    assert!(accuracy(&json) > 0.8 && accuracy(&again) > 0.8, "{json:#} {again:#}");
}

#[test]
fn a_check_repairs_nothing() {
    let scratch = Scratch::new();
    let model =
        "model.layers=[{type=\"linear\",units=8},\"relu\",{type=\"linear\",units=\"classes\"},\"softmax\"]";
    let sick = scratch.run(&["check", "moons", "--set", model, "--doctor", "repair", "--json"]).json();
    assert_eq!(
        (&sick["doctor"]["mode"], &sick["doctor"]["findings"][0]["rule"]),
        (&"advise".into(), &"R02".into())
    );
}

#[test]
fn a_run_in_which_an_error_stands_is_written_and_ends_with_code_3() {
    let scratch = Scratch::new();
    let model =
        "model.layers=[{type=\"linear\",units=8},\"relu\",{type=\"linear\",units=\"classes\"},\"softmax\"]";
    let train = ["train", "moons", "--epochs", "2", "--set", model, "--out"];
    let sick = scratch.run(&[&train[..], &["sick"]].concat());
    assert_eq!(sick.code, 3, "{}", sick.err);
    assert!(scratch.path("sick/report.json").exists() && sick.out.contains("R02 HEAD_LOSS_MISMATCH"));
    let known = ["known", "--set", "doctor.acknowledge=[\"R02\"]"];
    assert_eq!(scratch.run(&[&train[..], &known].concat()).code, 0);
}
