//! The binary `barun`: one file for each subcommand, and what they share.

mod commands;
mod common;
mod error;
mod errors;
mod follow;
mod interrupt;
mod output;
mod recipe;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;

/// Deep learning, trained right.
#[derive(Debug, Parser)]
#[command(name = "barun", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  barun train digits                         train on digits that barun draws itself
  barun train houses.csv --target price      predict the column `price` of a table
  barun train pets --model cnn               tell the classes of a folder of class folders of images apart
  barun train recipe.toml --set train.lr=3e-4
  barun resume runs/houses-mlp-1             go on after an interruption
  barun doctor runs/houses-mlp-1             what was wrong with it, the root cause first
  barun report runs/houses-mlp-1             write its report.html anew
  barun predict runs/houses-mlp-1 new-houses.csv

Exit codes: 0 done, 1 the input is at fault, 2 wrong usage, 3 trained, but an error of the doctor stands at the end,
130 interrupted (state saved).")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(commands::train::Train),
    Resume(commands::resume::Resume),
    Check(commands::check::Check),
    Doctor(commands::doctor::Doctor),
    Memory(commands::memory::Memory),
    Eval(commands::eval::Eval),
    Predict(commands::predict::Predict),
    Report(commands::report::Report),
    Runs(commands::runs::Runs),
    Export(commands::export::Export),
    Gallery(commands::gallery::Gallery),
    List(commands::list::List),
    Explain(commands::explain::Explain),
    Bench(commands::bench::Bench),
}

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Everything is written, but the doctor says that the run cannot have ended well.
    Sick,
    Interrupted,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Sick) => ExitCode::from(3),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            error::print(&error);
            ExitCode::from(1)
        }
    }
}

fn run(cli: Cli) -> Result<Outcome> {
    match cli.command {
        Command::Train(train) => train.run(),
        Command::Resume(resume) => resume.run(),
        Command::Check(check) => check.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Memory(memory) => memory.run(),
        Command::Eval(eval) => eval.run(),
        Command::Predict(predict) => predict.run(),
        Command::Report(report) => report.run(),
        Command::Runs(runs) => runs.run(),
        Command::Export(export) => export.run(),
        Command::Gallery(gallery) => gallery.run(),
        Command::List(list) => list.run(),
        Command::Explain(explain) => explain.run(),
        Command::Bench(bench) => bench.run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definitions_of_the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
