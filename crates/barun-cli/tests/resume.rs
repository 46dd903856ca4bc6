//! A run survives whatever happens to it: killed anywhere, interrupted, out of time or disk, with a damaged checkpoint, it
//! goes on to the weights it would have had. [TRAIN-14]
#![cfg(unix)]

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Scratch, bytes_of};

/// Six epochs of eleven steps with everything that has a memory: Adam, momentum of batch normalisation, dropout, a cosine,
/// early stopping; a checkpoint after every second step.
const RUN: &[&str] = &[
    "train",
    "digits",
    "--set",
    "data.split={ train = 0.03, valid = 0.02, test = 0.02 }",
    "--set",
    "model={ batch_norm = true, dropout = 0.2, hidden = [24] }",
    "--set",
    "train.batch_size=32",
    "--set",
    "train.checkpoint.steps=2",
    "--set",
    "train.early_stopping={ patience = 4 }",
    "--epochs",
    "6",
    "--json",
];

/// What a run leaves that does not depend on the time.
fn outcome(run: &Path) -> (Vec<u8>, Vec<u8>, Vec<serde_json::Value>) {
    let file = |name: &str| bytes_of(&run.join("checkpoints").join(name));
    (file("best.safetensors"), file("last.safetensors"), log(run))
}

/// The log without its times.
fn log(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("log.jsonl")).unwrap();
    let without_times = |line: &str| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        for time in ["seconds", "samples_per_second"] {
            record.as_object_mut().unwrap().remove(time).unwrap();
        }
        record
    };
    text.lines().map(without_times).collect()
}

fn assert_same(run: &Path, whole: &Path, what: &str) {
    let (found, wanted) = (outcome(run), outcome(whole));
    assert_eq!(found.2, wanted.2, "{what}: the log");
    assert!(found.0 == wanted.0, "{what}: the best weights");
    assert!(found.1 == wanted.1, "{what}: the last state");
}

/// Runs until `delay` is over, then kills it without warning. Whether it was still running.
fn kill_after(scratch: &Scratch, arguments: &[&str], delay: Duration) -> bool {
    let mut child = scratch.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(delay);
    let ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    !ended
}

/// Kills so many running processes at random moments: of each run the first and up to four that resume it; then the run
/// may end.
fn survives(kills: u32) {
    let scratch = Scratch::new();
    let begin = Instant::now();
    scratch.run(&[RUN, &["--out", "whole"]].concat()).json();
    let length = begin.elapsed();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut moment = || {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        length.mul_f64(0.7 * (random >> 11) as f64 / (1_u64 << 53) as f64)
    };
    let (mut killed, mut rounds) = (0, 0);
    while killed < kills {
        rounds += 1;
        assert!(rounds <= 3 * kills, "only {killed} processes were killed before they ended");
        let run = format!("run-{rounds}");
        let path = scratch.path(&run);
        let mut still_ran = kill_after(&scratch, &[RUN, &["--out", &run]].concat(), moment());
        killed += u32::from(still_ran);
        for _ in 0..4 {
            if !still_ran || !path.join("recipe.toml").is_file() {
                break; // over, or killed before it began
            }
            still_ran = kill_after(&scratch, &["resume", &run, "--json"], moment());
            killed += u32::from(still_ran);
        }
        if !path.join("recipe.toml").is_file() {
            scratch.run(&[RUN, &["--out", &run]].concat()).json();
            continue;
        }
        let ended = scratch.run(&["resume", &run, "--json"]);
        if ended.code != 0 {
            assert!(ended.refusal().contains("is complete: it has trained all 6 epochs"), "{}", ended.err);
        }
        assert!(
            !ended.err.contains("checksum") && !ended.err.contains("damaged"),
            "a torn file: {}",
            ended.err
        );
        assert_same(&path, &scratch.path("whole"), &ended.err);
        let left = std::fs::read_dir(path.join("checkpoints")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "nothing is left behind: {left:?}");
        std::fs::remove_dir_all(&path).unwrap();
    }
    println!("{killed} kills of {rounds} runs, every run ended with the same bytes");
}

#[test]
fn a_run_that_is_killed_anywhere_and_resumed_ends_with_the_same_bytes() {
    survives(10);
}

#[test]
#[ignore = "minutes: the full number of kills"]
fn two_hundred_kills_do_not_change_a_bit() {
    survives(200);
}

/// A run killed somewhere in the middle, with a last and a previous checkpoint.
fn cut_off(scratch: &Scratch, out: &str) {
    let path = scratch.path(out);
    let has = |name: &str| path.join("checkpoints").join(name).is_file();
    let has_all = || ["best", "last", "previous"].iter().all(|name| has(&format!("{name}.safetensors")));
    for _ in 0..20 {
        let mut child = scratch.command(&[RUN, &["--out", out]].concat());
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !has_all() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = child.kill(); // it may be over
        child.wait().unwrap();
        // When all epochs are told, the run judges what it has trained.
        let told = std::fs::read(path.join("log.jsonl")).unwrap_or_default();
        if has_all() && told.iter().filter(|&&byte| byte == b'\n').count() < 6 {
            return;
        }
        std::fs::remove_dir_all(&path).unwrap();
    }
    panic!("every run was over before it could be killed");
}

fn flip_a_byte(path: &Path) {
    let mut bytes = bytes_of(path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_used() {
    let scratch = Scratch::new();
    scratch.run(&[RUN, &["--out", "whole"]].concat()).json();
    cut_off(&scratch, "run");
    let checkpoint = |name: &str| scratch.path("run/checkpoints").join(name);
    flip_a_byte(&checkpoint("last.safetensors"));
    let refused = scratch.run(&["eval", "run/checkpoints/last.safetensors"]);
    assert!(refused.refusal().contains("last.safetensors: its checksum is wrong"), "{}", refused.err);
    let resumed = scratch.run(&["resume", "run", "--json"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    for note in [
        "note: run/checkpoints/last.safetensors: its checksum is wrong: a byte of it has changed since it was written",
        "note: the run goes on from run/checkpoints/previous.safetensors",
    ] {
        assert!(resumed.err.contains(note), "{note} in {}", resumed.err);
    }
    assert_same(&scratch.path("run"), &scratch.path("whole"), "from the previous checkpoint");
}

#[test]
fn without_any_good_checkpoint_a_run_begins_again() {
    let scratch = Scratch::new();
    scratch.run(&[RUN, &["--out", "whole"]].concat()).json();
    cut_off(&scratch, "run");
    for name in ["last.safetensors", "previous.safetensors", "best.safetensors"] {
        flip_a_byte(&scratch.path("run/checkpoints").join(name));
    }
    let resumed = scratch.run(&["resume", "run", "--json"]);
    assert_eq!(resumed.code, 0, "{}", resumed.err);
    assert!(resumed.err.contains("note: there is no checkpoint to go on from, so the run begins again"));
    assert!(resumed.err.contains("resumed at the beginning"), "{}", resumed.err);
    assert_same(&scratch.path("run"), &scratch.path("whole"), "from the beginning");
}

#[test]
fn a_torn_line_and_lines_after_the_checkpoint_are_written_once() {
    let scratch = Scratch::new();
    scratch.run(&[RUN, &["--out", "whole"]].concat()).json();
    cut_off(&scratch, "run");
    let log = scratch.path("run/log.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    let last = text.lines().last().unwrap();
    std::fs::write(&log, format!("{text}{last}\n{{\"epoch\":")).unwrap();
    scratch.run(&["resume", "run", "--json"]).json();
    assert_same(&scratch.path("run"), &scratch.path("whole"), "after a torn line");
}

#[test]
fn what_a_schedule_an_accumulation_and_an_average_remember_goes_on_too() {
    let scratch = Scratch::new();
    // 11 steps an epoch, so that three epochs end in the middle of an update; a rate that falls after each bad epoch.
    let settings = [
        "train.schedule={ name = \"plateau\", patience = 0, factor = 0.5, threshold = 0.3 }",
        "train.accumulate=2",
        "train.average=\"ema(0.9)\"",
        "train.clip=\"norm(1)\"",
        "train.early_stopping={}",
    ];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", *setting]).collect();
    scratch.run(&[RUN, &settings, &["--out", "whole"]].concat()).json();
    let without_epochs = &RUN[..RUN.len() - 3];
    scratch.run(&[without_epochs, &settings, &["--epochs", "3", "--out", "run", "--json"]].concat()).json();
    scratch.run(&["resume", "run", "--epochs", "6", "--json"]).json();
    let (found, wanted) = (log(&scratch.path("run")), log(&scratch.path("whole")));
    assert_eq!(found, wanted);
    let rates: Vec<f64> = wanted.iter().map(|record| record["lr"].as_f64().unwrap()).collect();
    assert!(rates[5] < rates[0], "the rate did fall: {rates:?}");
}

/// Of the two signals the one that a user sends and the one that a system sends.
#[test]
fn an_interrupted_run_says_so_and_goes_on() {
    for signal in ["-INT", "-TERM"] {
        let scratch = Scratch::new();
        let endless = ["train", "digits", "--epochs", "100000", "--out", "run", "--json"];
        let mut child =
            scratch.command(&endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while !scratch.path("run/checkpoints/last.safetensors").is_file() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let in_use = scratch.run(&["resume", "run"]);
        let owner = format!("run is in use by process {}; wait until it ends", child.id());
        assert!(in_use.refusal().contains(&owner), "{}", in_use.err);
        let kill = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        // Its lines must be read, or it would wait for a reader.
        std::io::copy(&mut child.stderr.take().unwrap(), &mut std::io::sink()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["interrupted"], true);
        let reached = report["epochs"].as_u64().unwrap();
        let resumed = scratch.run(&["resume", "run", "--epochs", &(reached + 1).to_string(), "--json"]);
        assert_eq!(resumed.json()["epochs"], reached + 1);
        assert!(resumed.err.contains("\nresumed "), "{}", resumed.err);
    }
}

/// A limit on the size of files stands for a full disk: writing fails in the middle of a checkpoint.
#[test]
fn a_full_disk_ends_a_run_with_its_name_and_costs_nothing_but_time() {
    let scratch = Scratch::new();
    scratch.run(&[RUN, &["--out", "whole"]].concat()).json();
    let quoted: Vec<String> = RUN.iter().map(|argument| format!("'{argument}'")).collect();
    let command = format!(
        "trap '' XFSZ; ulimit -f 40; exec '{}' {} --out run",
        env!("CARGO_BIN_EXE_barun"),
        quoted.join(" ")
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &command])
        .current_dir(scratch.path("."))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("error: cannot write run/checkpoints/"), "{told}");
    assert!(told.contains("because: File too large"), "{told}");
    let halves = std::fs::read_dir(scratch.path("run/checkpoints")).unwrap().count();
    assert_eq!(halves, 0, "no half of a file is left");
    scratch.run(&["resume", "run", "--json"]).json();
    assert_same(&scratch.path("run"), &scratch.path("whole"), "after a full disk");
}

#[test]
fn a_run_whose_recipe_or_data_has_changed_is_refused() {
    let scratch = Scratch::new();
    scratch.write("t.csv", common::flowers(90));
    let train = ["train", "t.csv", "--max-time", "1ms", "--out", "run", "--json"];
    assert_eq!(scratch.run(&train).json()["is_out_of_time"], true);
    let resume = ["resume", "run", "--max-time", "1h", "--json"];
    let recipe = std::fs::read_to_string(scratch.path("run/recipe.toml")).unwrap();
    scratch.write("run/recipe.toml", recipe.replace("beta1 = 0.9\n", "beta1 = 0.8\n"));
    assert_eq!(
        scratch.run(&resume).refusal(),
        "error: `train.optimizer.beta1` was 0.9 when the run began and is 0.8 now, which would be another run; \
         put it back, or train anew with --out"
    );
    scratch.write("run/recipe.toml", recipe);
    scratch.write("t.csv", common::flowers(93));
    assert_eq!(
        scratch.run(&resume).refusal(),
        "error: the data t.csv is not what the run was trained on (its columns, classes or values have changed); \
         put it back, or train anew with --out"
    );
    scratch.write("t.csv", common::flowers(90));
    assert_eq!(scratch.run(&resume).json()["epochs"], 100);
    assert_eq!(
        scratch.run(&resume).refusal(),
        "error: run is complete: it has trained all 100 epochs; give it more with --epochs"
    );
}
