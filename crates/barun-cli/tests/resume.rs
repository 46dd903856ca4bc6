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

/// Starts a run and resumes it, killed at `kills` moments spread over its length; then lets it end.
fn survives(kills: u32) {
    let scratch = Scratch::new();
    let begin = Instant::now();
    scratch.run(&[RUN, &["--out", "whole"]].concat()).json();
    let length = begin.elapsed();
    let mut killed = 0;
    for moment in 0..kills {
        let run = format!("run-{moment}");
        // Every moment of the run, then again in the resumed one at another.
        let delay = length * (2 * moment + 1) / (2 * kills);
        killed += u32::from(kill_after(&scratch, &[RUN, &["--out", &run]].concat(), delay));
        let path = scratch.path(&run);
        if !path.join("recipe.toml").is_file() {
            continue; // killed before it began
        }
        let delay = length * ((7 * moment + 3) % kills) / kills;
        killed += u32::from(kill_after(&scratch, &["resume", &run, "--json"], delay));
        let ended = scratch.run(&["resume", &run, "--json"]);
        if ended.code != 0 {
            assert!(ended.refusal().contains("is complete: it has trained all 6 epochs"), "{}", ended.err);
        }
        assert_same(&path, &scratch.path("whole"), &format!("killed after {delay:?}\n{}", ended.err));
        let left = std::fs::read_dir(path.join("checkpoints")).unwrap();
        let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "nothing is left behind: {left:?}");
        std::fs::remove_dir_all(&path).unwrap();
    }
    println!("{killed} kills, every run ended with the same bytes");
    assert!(killed >= kills / 2, "{killed} of {} kills met a running process", 2 * kills);
}

#[test]
fn a_run_that_is_killed_anywhere_and_resumed_ends_with_the_same_bytes() {
    survives(8);
}

/// Two kills each: two hundred.
#[test]
#[ignore = "a minute: the full number of kills"]
fn two_hundred_kills_do_not_change_a_bit() {
    survives(100);
}
