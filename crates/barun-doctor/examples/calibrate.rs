//! Healthy runs, and what the doctor says of them: thresholds are believed when it says nothing above information.
//!
//! ```text
//! cargo run --release -p barun-doctor --example calibrate -- [--seeds N] [--data FOLDER] [WORD ...]
//! ```
//!
//! Runs are default recipes and usual changes of them, on the data that every machine has and on tables and images in FOLDER
//! (or `$BARUN_DATA`). With words, only runs whose line has one of them. Prints a line for each run and, at the end, how many had
//! a finding above information, with the upper end of the 95 % interval (Clopper and Pearson, 1934).

use std::path::{Path, PathBuf};

use barun_doctor::{Doctor, Level};
use barun_train::request::{Machine, TrainRequest};
use barun_train::{Draft, train};

/// Data of a folder with more columns than the target, if it is there: the file and what is to be set.
const TABLES: &[(&str, &[&str])] = &[
    ("iris/iris.csv", &["data.target=species"]),
    ("penguins/penguins.csv", &["data.target=species"]),
    ("titanic/train.csv", &["data.target=Survived", "data.ignore=[\"PassengerId\", \"Name\", \"Ticket\"]"]),
    ("wine-quality/winequality-red.csv", &["data.target=quality", "data.split.copies=together"]),
    (
        "bike-sharing/day.csv",
        &["data.target=cnt", "data.ignore=[\"instant\", \"dteday\", \"casual\", \"registered\"]"],
    ),
    ("california-housing/housing.csv", &["data.target=median_house_value", "train.epochs=10"]),
];

/// Changes of a recipe that leave a run healthy.
const CHANGES: &[&[&str]] = &[
    &[],
    &["train.optimizer.name=adam"],
    &["train.optimizer.name=momentum", "train.lr=0.05"],
    &["train.optimizer.name=sgd", "train.lr=0.03"],
    &["model.activation=tanh"],
    &["model=mlp", "model.batch_norm=true"],
    &["model.dropout=0.3"],
    &["train.schedule.name=cosine", "train.schedule.warmup=1 epoch"],
];

/// Sources that every machine has, with their own changes.
const SOURCES: &[(&str, &[&str])] =
    &[("moons", &[]), ("rings", &[]), ("xor", &[]), ("sine", &[]), ("digits", &["train.epochs=3"])];
const IMAGES: &[(&str, &[&str])] = &[
    ("mnist", &["train.epochs=1"]),
    ("fashion-mnist", &["train.epochs=1"]),
    ("digits", &["train.epochs=3"]),
];
const IMAGE_MODELS: &[&[&str]] = &[&["model=lenet"], &["model=cnn"], &["model=mlp"]];

struct Arguments {
    seeds: u64,
    data: Option<PathBuf>,
    words: Vec<String>,
}

fn arguments() -> Arguments {
    let mut arguments =
        Arguments { seeds: 1, data: std::env::var_os("BARUN_DATA").map(PathBuf::from), words: Vec::new() };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match word.as_str() {
            "--seeds" => arguments.seeds = given.next().and_then(|number| number.parse().ok()).unwrap_or(1),
            "--data" => arguments.data = given.next().map(PathBuf::from),
            _ => arguments.words.push(word),
        }
    }
    arguments
}

/// Every run: its data and what is set.
fn plan(data: Option<&Path>) -> Vec<(String, Vec<String>)> {
    let together = |lists: &[&[&str]]| lists.concat().into_iter().map(str::to_string).collect::<Vec<_>>();
    let mut runs = Vec::new();
    for (source, own) in SOURCES {
        runs.extend(CHANGES.iter().map(|change| (source.to_string(), together(&[own, change]))));
    }
    if let Some(data) = data {
        for (file, own) in TABLES {
            let path = data.join("tabular").join(file);
            if path.is_file() {
                runs.extend(
                    CHANGES.iter().map(|change| (path.display().to_string(), together(&[own, change]))),
                );
            }
        }
        for (source, own) in IMAGES {
            runs.extend(IMAGE_MODELS.iter().map(|model| (source.to_string(), together(&[model, own]))));
        }
    }
    runs
}

fn main() {
    let arguments = arguments();
    let (mut healthy, mut sick) = (0u64, 0u64);
    for (source, set) in plan(arguments.data.as_deref()) {
        for seed in 0..arguments.seeds {
            let line = format!("{source} {} seed {seed}", set.join(" "));
            if !arguments.words.is_empty() && !arguments.words.iter().any(|word| line.contains(word.as_str()))
            {
                continue;
            }
            match run(&source, &set, seed, arguments.data.as_deref()) {
                Ok(told) if told.is_empty() => {
                    healthy += 1;
                    println!("well    {line}");
                }
                Ok(told) => {
                    let is_alarm = told.iter().any(|(level, _)| *level > Level::Info);
                    (healthy, sick) = (healthy + u64::from(!is_alarm), sick + u64::from(is_alarm));
                    println!("{}  {line}", if is_alarm { "ALARM " } else { "info  " });
                    told.iter().for_each(|(level, finding)| println!("            {level}: {finding}"));
                }
                Err(error) => println!("FAILED  {line}\n            {error}"),
            }
        }
    }
    let runs = healthy + sick;
    println!(
        "{sick} of {runs} runs with a finding above information; upper end {:.3}",
        upper_end(sick, runs)
    );
}

fn run(
    source: &str,
    set: &[String],
    seed: u64,
    data: Option<&Path>,
) -> barun_train::Result<Vec<(Level, String)>> {
    let mut draft = Draft::for_source(source);
    for assignment in set {
        draft.set(assignment)?;
    }
    draft.set(&format!("train.seed={seed}"))?;
    let folder = tempfile::tempdir().expect("a folder for the run");
    let request = TrainRequest {
        recipe: draft.resolve()?,
        out: Some(folder.path().join("run")),
        force: false,
        memory_limit: None,
        report: false,
        machine: Machine { data_dir: data.map(Path::to_path_buf), offline: true, ..Machine::default() },
    };
    let report = train(&request, &mut Doctor::advise())?;
    let findings = report.doctor.map(|diagnosis| diagnosis.findings).unwrap_or_default();
    Ok(findings.into_iter().map(|finding| (finding.level, finding.headline())).collect())
}

/// The upper end of the 95 % interval of a share, of Clopper and Pearson: where so few would be seen once in 40 times.
fn upper_end(count: u64, of: u64) -> f64 {
    if count >= of {
        return 1.0;
    }
    let at_most = |share: f64| {
        let mut term = (1.0 - share).powf(of as f64);
        let mut sum = term;
        for seen in 0..count {
            term *= (of - seen) as f64 / (seen + 1) as f64 * share / (1.0 - share);
            sum += term;
        }
        sum
    };
    let (mut low, mut high) = (count as f64 / of as f64, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if at_most(middle) > 0.025 { low = middle } else { high = middle }
    }
    high
}
