//! `barun memory`: what a training would take, byte by byte.

use barun_train::memory::{Limit, Part, bytes_text, parse_bytes, short_bytes_text};
use barun_train::progress::thousands;
use barun_train::report::{BatchMemory, MemoryReport};
use barun_train::request::MemoryRequest;
use clap::Args;

use crate::common::Common;
use crate::error::Result;
use crate::recipe::RecipeArguments;
use crate::{Outcome, output};

/// Tell how much memory a training would take, and train nothing
///
/// The training step is compiled as `barun train` would compile it with the same arguments; then every byte is known. The
/// parts sum to the total. Values that live only for a while share one arena: for these the table shows what there is of
/// each at the fullest moment of the step, and the most there ever is, at whichever moment. The program itself (some MB)
/// and the data set come on top.
///
/// Other batch sizes are compiled too, and the largest that fits is searched for: it fits, and one row more does not.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  barun memory digits
  barun memory mnist --model cnn --data-dir ~/data --memory-limit 512MiB
  barun memory recipe.toml --set train.batch_size=1024 --threads 1 --json

With --json: model, data, params, batch_size, threads, total_bytes, parts[] with name, bytes, most_bytes (of what shares the
arena) and about; data_bytes, textbook, batches[] with batch_size and total_bytes, bytes_per_further_sample, limit,
largest_batch, next_batch.")]
pub struct Memory {
    #[command(flatten)]
    recipe: RecipeArguments,

    /// The memory that the largest batch is searched for, such as 2GiB [default: what is free]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory_limit: Option<usize>,

    #[command(flatten)]
    common: Common,
}

impl Memory {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let recipe = self.recipe.resolve()?;
        let machine = self.common.machine()?;
        let request = MemoryRequest { recipe, memory_limit: self.memory_limit, machine };
        let report = barun_train::memory_of(&request)?;
        if self.common.json {
            output::json(&report)?;
        } else {
            output::text(&text(&report))?;
        }
        Ok(Outcome::Done)
    }
}

fn text(report: &MemoryReport) -> String {
    let memory = &report.memory;
    let mut text = format!(
        "{} on {}: {} parameters, batches of {}, {} thread{}\n\n",
        report.model,
        report.data,
        thousands(report.params as f64),
        memory.batch_size,
        memory.threads,
        if memory.threads == 1 { "" } else { "s" },
    );
    text.push_str(&parts_table(report));
    text.push_str(&format!(
        "\nWhat lives only for a while shares one arena: 'bytes' is what there is of it at the fullest moment of a step,\n\
         'at most' the most there ever is. On top come the data set, {} bytes, and the program itself, some MB.\n\n",
        thousands(report.data_bytes as f64)
    ));
    text.push_str(&textbook(report));
    text.push('\n');
    text.push_str(&batches(report));
    text.push_str(&limit(report));
    text
}

fn parts_table(report: &MemoryReport) -> String {
    let number = |bytes: usize| thousands(bytes as f64);
    let line = |name: &str, bytes: &str, most: &str, about: &str| {
        format!("{}\n", format!("  {name:<16}{bytes:>16}{most:>16}  {about}").trim_end())
    };
    let mut text = line("part", "bytes", "at most", "");
    // What this training has nothing of is left out.
    let is_shown = |part: &&Part| part.bytes > 0 || part.most_bytes.is_some_and(|most| most > 0);
    for part in report.memory.parts.iter().filter(is_shown) {
        text.push_str(&line(
            part.name,
            &number(part.bytes),
            &part.most_bytes.map_or(String::new(), number),
            part.about,
        ));
    }
    let total = report.memory.total_bytes;
    text.push_str(&line("total", &number(total), "", &short_bytes_text(total)));
    text
}

/// The textbook formula beside the plan, and what makes up the difference. [DEV-09, ERR-13]
fn textbook(report: &MemoryReport) -> String {
    let formula = report.textbook;
    let number = |bytes: usize| thousands(bytes as f64);
    let times = report.memory.total_bytes as f64 / formula.total_bytes.max(1) as f64;
    format!(
        "The textbook formula, model size + data size x batch size, says {} + {} x {} = {} bytes.\n\
         The training takes {times:.1} times as much: the formula leaves out gradients, what the optimizer remembers,\n\
         activations, and what is kept beside the training.\n",
        number(formula.model_bytes),
        number(formula.sample_bytes),
        number(formula.batch_size),
        number(formula.total_bytes),
    )
}

fn batches(report: &MemoryReport) -> String {
    let mut text = format!("{:>12}{:>18}\n", "batch size", "total bytes");
    for BatchMemory { batch_size, total_bytes } in &report.batches {
        text.push_str(&format!(
            "{:>12}{:>18}\n",
            thousands(*batch_size as f64),
            thousands(*total_bytes as f64)
        ));
    }
    if let Some(bytes) = report.bytes_per_further_sample {
        text.push_str(&format!("Each further row takes about {} bytes.\n", thousands(bytes)));
    }
    text
}

fn limit(report: &MemoryReport) -> String {
    let Some(limit) = report.limit else { return String::new() };
    let of = match limit {
        Limit::Given { bytes } => format!("Within {}", bytes_text(bytes)),
        Limit::Machine { bytes } => format!("Within the {} that are free now", bytes_text(bytes)),
    };
    let told = |batch: &BatchMemory| {
        format!("{} ({} bytes)", thousands(batch.batch_size as f64), thousands(batch.total_bytes as f64))
    };
    match (&report.largest_batch, &report.next_batch) {
        (None, _) => format!("{of} no batch size fits: choose a smaller network, or allow more.\n"),
        (Some(largest), None) => {
            format!("{of} all training rows fit in one batch of {}.\n", told(largest))
        }
        (Some(largest), Some(next)) => {
            format!("{of} the largest batch is {}; {} is too much.\n", told(largest), told(next))
        }
    }
}
