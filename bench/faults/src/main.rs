//! `faults`: breaks trainings, asks the doctor, prints the table.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use barun_faults::bases::{BASES, Part};
use barun_faults::case::{Case, faults, healthy};
use barun_faults::results::Results;
use barun_faults::score::Score;
use barun_faults::sources::{Library, Source};
use barun_faults::{Error, Result, table, work};
use clap::{Parser, ValueEnum};

/// Breaks trainings on purpose, asks the doctor what is wrong, and prints how often it was right.
#[derive(Parser)]
struct Arguments {
    /// Which part: thresholds are tuned on the one and scored on the other.
    #[arg(long, value_enum, default_value_t = Which::Scored)]
    part: Which,
    /// The folder of results; what is in it is not carried out again.
    #[arg(long, default_value = "target/faults")]
    out: PathBuf,
    /// The folder with `mnist`, `fashion-mnist` and the tables in `tabular/`; what is not there is left out.
    #[arg(long, env = "BARUN_DATA", default_value = "../shared/data")]
    data: PathBuf,
    /// Runs at once, one thread each [default: as many as there are cores].
    #[arg(long)]
    jobs: Option<usize>,
    /// Only runs in whose name one of these words is, such as `rings/deep-mlp` or `rate-rises`.
    #[arg(long)]
    only: Vec<String>,
    /// Carries out again what the doctor has watched, as after a change of its rules.
    #[arg(long)]
    again: bool,
    /// Also repairs every fault that harms, and edits it by chance, with a fresh seed.
    #[arg(long)]
    repair: bool,
    /// Lists the runs and ends.
    #[arg(long)]
    list: bool,
    /// Prints every fault and healthy run with what was said of it.
    #[arg(long)]
    verbose: bool,
    /// Also writes the page to this file.
    #[arg(long)]
    page: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Which {
    Tuning,
    Scored,
    All,
}

impl Which {
    fn parts(self) -> &'static [Part] {
        match self {
            Which::Tuning => &[Part::Tuning],
            Which::Scored => &[Part::Scored],
            Which::All => &[Part::Tuning, Part::Scored],
        }
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let library = Library::new(Some(arguments.data.clone()));
    let parts = arguments.part.parts();
    tell_missing(parts, &library, &arguments.data);
    let cases = parts.iter().flat_map(|part| [healthy(*part, &library), faults(*part, &library)].concat());
    let is_meant = |case: &Case| {
        let name = case.to_string();
        arguments.only.is_empty() || arguments.only.iter().any(|word| name.contains(word.as_str()))
    };
    let cases: Vec<Case> = with_twins(cases.filter(is_meant).collect());
    if cases.is_empty() {
        let words = arguments.only.join(", ");
        return Err(Error::Data(format!("no run has {words} in its name; --list shows the names")));
    }
    if arguments.list {
        cases.iter().for_each(|case| say(case));
        return Ok(());
    }
    let mut results = Results::open(&arguments.out, arguments.again)?;
    let began = Instant::now();
    let jobs = arguments.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let tell = |over: usize, of: usize, case: &Case| {
        eprint!("\r{over} of {of}, {:.0} s: {case:<60}", began.elapsed().as_secs_f64());
        let _ = std::io::stderr().flush();
    };
    work::carry_out_all(&cases, (&library, jobs), &mut results, tell)?;
    let scores = |results: &Results| -> Vec<Score> {
        parts.iter().map(|part| Score::of(*part, &library, results)).collect()
    };
    if arguments.repair {
        let first = scores(&results);
        let faults = first.iter().flat_map(Score::to_treat).filter(|case| is_meant(case));
        let treatments: Vec<Case> = faults.flat_map(Case::treatments).collect();
        work::carry_out_all(&treatments, (&library, jobs), &mut results, tell)?;
    }
    eprintln!();
    let scores = scores(&results);
    for score in &scores {
        if arguments.verbose {
            verbose(score, &is_meant);
        }
        say(&table::of(score));
    }
    match &arguments.page {
        Some(path) => Ok(barun_train::files::write_atomically(path, table::page(&scores).as_bytes())?),
        None => Ok(()),
    }
}

/// A reader that has gone away wants no more.
fn say(line: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says which data there is not, so that nobody takes a part of the bench for all of it.
fn tell_missing(parts: &[Part], library: &Library, folder: &Path) {
    let of_parts = BASES.iter().filter(|base| parts.contains(&base.part)).map(|base| base.source);
    let missing: BTreeSet<&str> =
        of_parts.filter(|source| !library.has(*source)).filter_map(Source::path).collect();
    if !missing.is_empty() {
        let missing: Vec<&str> = missing.into_iter().collect();
        eprintln!("left out, since {} has none of it: {}", folder.display(), missing.join(", "));
    }
}

/// Harm is told against the runs without the fault.
fn with_twins(cases: Vec<Case>) -> Vec<Case> {
    let mut all: Vec<Case> = cases
        .iter()
        .flat_map(|case| (0..barun_faults::case::SEEDS).map(|seed| Case { seed, ..case.twin() }))
        .collect();
    all.sort();
    all.dedup();
    all.extend(cases.into_iter().filter(|case| *case != case.twin()));
    all
}

fn verbose(score: &Score, is_meant: &impl Fn(&Case) -> bool) {
    let said = |said: &[barun_faults::run::Said]| {
        said.iter()
            .map(|said| format!("\n    {} {}: {}", said.level, said.rule, said.message))
            .collect::<String>()
    };
    for fault in score.faults.iter().filter(|fault| is_meant(&fault.case)) {
        let verdict = match (fault.is_harmful, fault.is_detected(), fault.is_right()) {
            (false, _, _) => "harmless",
            (_, false, _) => "MISSED",
            (_, _, true) => "right",
            (_, _, false) => "WRONG",
        };
        say(&format!("{verdict} {} (harm {:+.3}){}", fault.case, fault.harm, said(&fault.said)));
    }
    for run in score.healthy.iter().filter(|run| is_meant(&run.case)) {
        let verdict = match (run.is_well, run.said.is_empty()) {
            (false, _) => "unwell",
            (true, true) => "well",
            (true, false) => "ALARM",
        };
        say(&format!("{verdict} {} (score {:.3}){}", run.case, run.score, said(&run.said)));
    }
}
