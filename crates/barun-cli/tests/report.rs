//! What a run leaves for people to look at: its report, TensorBoard's event files. [DIAG-13]

mod common;

use std::path::{Path, PathBuf};

use common::{Scratch, flowers};

/// A class that must not become part of the page's code.
const NASTY: &str = "<script>alert(1)</script>";

fn page_of(scratch: &Scratch, run: &str) -> String {
    std::fs::read_to_string(scratch.path(run).join("report.html")).unwrap()
}

fn headings(page: &str) -> Vec<&str> {
    page.split("<h2>").skip(1).map(|rest| rest.split("</h2>").next().unwrap()).collect()
}

fn events_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    files
}

#[test]
fn a_training_leaves_a_report_in_which_no_name_becomes_code() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(200).replace("lily", NASTY));
    scratch.run(&["train", "flowers.csv", "--epochs", "3", "--out", "run", "--json"]).json();
    let page = page_of(&scratch, "run");
    assert_eq!(
        headings(&page),
        [
            "Data",
            "Curves",
            "Doctor",
            "On unseen rows",
            "Worst mistakes",
            "Inside the network",
            "Recipe",
            "How to reproduce it"
        ]
    );
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("&lt;script&gt;alert(1)"));
    for part in [
        "What was taken for what",
        "Is it as sure as it is right?",
        "before the first step",
        "linear baseline",
    ] {
        assert!(page.contains(part), "{part} is missing");
    }
}

#[test]
fn a_report_written_anew_is_the_same_and_needs_only_the_folder() {
    let scratch = Scratch::new();
    let data = scratch.write("flowers.csv", flowers(200));
    scratch.run(&["train", "flowers.csv", "--epochs", "3", "--out", "run", "--json"]).json();
    let first = page_of(&scratch, "run");
    std::fs::remove_file(data).unwrap();
    std::fs::rename(scratch.path("run"), scratch.path("moved")).unwrap();
    std::fs::remove_file(scratch.path("moved/report.html")).unwrap();
    let told = scratch.run(&["report", "moved", "--json"]).json();
    assert_eq!(told["run"], "moved");
    assert_eq!(page_of(&scratch, "moved"), first);
}

#[test]
fn numbers_have_residuals_and_one_epoch_has_no_curves_of_one_point() {
    let scratch = Scratch::new();
    let mut table = String::from("area,price\n");
    (0..200).for_each(|row| table.push_str(&format!("{row},{}\n", 100_000 + 2_000 * row)));
    scratch.write("houses.csv", table);
    scratch.run(&["train", "houses.csv", "--epochs", "1", "--out", "run", "--json"]).json();
    let page = page_of(&scratch, "run");
    assert!(page.contains("Residual over predicted") && page.contains("after one epoch"));
    assert!(!page.contains("What was taken for what") && !page.contains("Learning rate"));
}

#[test]
fn a_run_that_broke_off_has_a_report_of_what_there_is() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(200));
    scratch.run(&["train", "flowers.csv", "--epochs", "3", "--out", "run", "--json"]).json();
    for file in ["report.json", "details.json"] {
        std::fs::remove_file(scratch.path("run").join(file)).unwrap();
    }
    scratch.run(&["report", "run", "--json"]).json();
    let page = page_of(&scratch, "run");
    assert_eq!(headings(&page), ["Curves", "Doctor", "Recipe", "How to reproduce it"]);
    assert!(page.contains("has not come to its end"));
    scratch.write("run/details.json", "{");
    let refusal = scratch.run(&["report", "run"]);
    assert!(refusal.refusal().contains("details.json: these are no details of a run"), "{refusal:?}");
    let refusal = scratch.run(&["report", "nothing"]);
    assert!(refusal.refusal().contains("nothing is not a run"), "{refusal:?}");
}

#[test]
fn without_a_report_the_folder_holds_what_the_run_needs_and_the_weights_are_the_same() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(200));
    let train = ["train", "flowers.csv", "--epochs", "3", "--json", "--out"];
    scratch.run(&[&train[..], &["plain", "--no-report"]].concat()).json();
    scratch.run(&[&train[..], &["full"]].concat()).json();
    for name in ["report.html", "details.json", "tensorboard"] {
        assert!(!scratch.path("plain").join(name).exists(), "{name}");
        assert!(scratch.path("full").join(name).exists(), "{name}");
    }
    for file in ["checkpoints/best.safetensors", "checkpoints/last.safetensors"] {
        let [plain, full] = ["plain", "full"].map(|run| common::bytes_of(&scratch.path(run).join(file)));
        assert!(plain == full, "looking on has changed {file}");
    }
}

#[test]
fn each_part_has_event_files_and_training_over_a_run_removes_them() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(200));
    let train = ["train", "flowers.csv", "--epochs", "2", "--out", "run", "--json"];
    scratch.run(&train).json();
    let folders = ["tensorboard", "tensorboard/train", "tensorboard/valid"];
    let folders = folders.map(|folder| scratch.path("run").join(folder));
    scratch.write("run/tensorboard/notes.txt", "mine");
    scratch.run(&[&train[..], &["--force"]].concat()).json();
    for folder in &folders {
        let events: Vec<PathBuf> =
            events_in(folder).into_iter().filter(|path| !path.ends_with("notes.txt")).collect();
        assert_eq!(events, [folder.join("events.out.tfevents.000000")]);
    }
    assert!(scratch.path("run/tensorboard/notes.txt").exists());
    // More epochs go on in files of their own.
    scratch.run(&["resume", "run", "--epochs", "4", "--json"]).json();
    assert_eq!(events_in(&folders[1]).len(), 2);
    assert!(page_of(&scratch, "run").contains("4 of 4 epochs"));
}

#[test]
fn where_there_is_no_terminal_tui_says_so_and_trains() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(200));
    let ran = scratch.run(&["train", "flowers.csv", "--epochs", "2", "--tui", "--json"]);
    ran.json();
    assert!(ran.err.starts_with("note: --tui needs a terminal"), "{}", ran.err);
    assert!(ran.err.contains("epoch 2/2"), "{}", ran.err);
}
