//! What a training takes, told exactly before it begins.
//!
//! A run allocates the state (parameters, what the optimiser remembers, statistics), a copy of the best epoch's state
//! where there is a validation part to choose it by, the batches on their way, one arena for all values of a step, and
//! the threads' scratch. All sizes are known once the programs are compiled, so nothing here is extrapolated: the plan
//! of another batch size is compiled for that batch size. Kernels are chosen by the shapes, so a plan is only nearly a
//! straight line in the batch size.
//!
//! In the arena values that never live together share their place. It is therefore told twice: what fills it at its
//! fullest moment, which sums to its size, and the most there ever is of each kind. The arena and the scratch are those
//! of the program that needs most of each, since all programs of a run share them.
//!
//! The program itself, the data set and the stacks of threads come on top.

mod available;
mod size;

use std::fmt;

use barun_data::Loader;
use barun_engine::MemoryPlan;
use barun_nn::StateMemory;
use serde::Serialize;

pub use available::available_bytes;
pub use size::{bytes_text, parse_bytes, short_bytes_text};

/// A part of what a run takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Bytes at the fullest moment of the step.
    pub bytes: usize,
    /// The most there is at any moment of the step; left out where it is always the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_bytes: Option<usize>,
    /// What it is.
    pub about: &'static str,
}

/// What a run with batches of one size takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunMemory {
    /// Rows of a batch.
    pub batch_size: usize,
    /// Threads that compute.
    pub threads: usize,
    /// All that the run allocates for training.
    pub total_bytes: usize,
    /// The parts; they sum to the total.
    pub parts: Vec<Part>,
}

/// Where the numbers of a run come from.
pub(crate) struct Sources<'a> {
    pub batch_size: usize,
    pub state: StateMemory,
    pub keeps_best: bool,
    pub loader: &'a Loader,
    /// Of every program of the run.
    pub plans: &'a [MemoryPlan],
}

impl RunMemory {
    pub(crate) fn of(sources: &Sources<'_>) -> RunMemory {
        let Sources { batch_size, state, keeps_best, loader, plans } = sources;
        let largest = |part: fn(&MemoryPlan) -> usize| plans.iter().map(part).max().unwrap_or(0);
        let arena = largest(|plan| plan.arena_bytes);
        // The first of equals: the training step.
        let fullest = plans.iter().find(|plan| plan.arena_bytes == arena);
        let (peak, most) = fullest.map(|plan| (plan.peak, plan.most)).unwrap_or_default();
        let threads = plans.first().map_or(1, |plan| plan.threads);
        let scratch = largest(|plan| plan.scratch_bytes) * threads;
        let batches = loader.bytes() + largest(|plan| plan.feed_bytes);
        let constants = plans.iter().map(|plan| plan.constant_bytes).sum();
        let copy = if *keeps_best { state.total() } else { 0 };
        let always = |name, bytes, about| Part { name, bytes, most_bytes: None, about };
        let shared = |name, bytes, most, about| Part { name, bytes, most_bytes: Some(most), about };
        let parts = vec![
            always("parameters", state.parameters, "the numbers that are learned"),
            always("optimizer state", state.optimizer, "what the optimizer remembers about them"),
            always("statistics", state.statistics, "running means and variances of batch normalisation"),
            always("counters", state.counters, "seed and step"),
            always("best epoch", copy, "a copy of all that, as it was after the best epoch so far"),
            always(
                "batches",
                batches,
                "inputs and targets: the batch in use, those gathered ahead, their order",
            ),
            always("constants", constants, "given numbers in the step, such as the scaling of images"),
            shared(
                "gradients",
                peak.gradients,
                most.gradients,
                "of the parameters; all are there before one is used",
            ),
            shared(
                "activations",
                peak.saved,
                most.saved,
                "values of the forward pass that the backward pass needs",
            ),
            shared("passing values", peak.passing, most.passing, "values that live within one pass"),
            shared("workspace", peak.workspace, most.workspace, "what kernels share among their tasks"),
            always("scratch", scratch, "what each thread has for itself"),
            always(
                "gaps",
                arena - peak.total() + state.alignment,
                "what aligning and fitting together costs",
            ),
        ];
        let total_bytes = state.total() + copy + batches + constants + arena + scratch;
        RunMemory { batch_size: *batch_size, threads, total_bytes, parts }
    }

    /// The bytes of a part.
    pub fn part(&self, name: &str) -> Option<&Part> {
        self.parts.iter().find(|part| part.name == name)
    }
}

/// The estimate that textbooks give: model size + data size x batch size. It leaves out gradients, what the optimiser
/// remembers, and activations. [DEV-09, DEV-10, ERR-13]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Textbook {
    /// The parameters.
    pub model_bytes: usize,
    /// One row of inputs, in the type of the arithmetic.
    pub sample_bytes: usize,
    /// Rows of a batch.
    pub batch_size: usize,
    /// `model + sample x batch`.
    pub total_bytes: usize,
}

impl Textbook {
    /// Of `parameters` numbers of `number_bytes` each, and rows of `inputs` numbers.
    pub fn of(parameters: usize, inputs: usize, number_bytes: usize, batch_size: usize) -> Textbook {
        let (model_bytes, sample_bytes) = (parameters * number_bytes, inputs * number_bytes);
        Textbook {
            model_bytes,
            sample_bytes,
            batch_size,
            total_bytes: model_bytes + sample_bytes * batch_size,
        }
    }
}

/// What a training may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Limit {
    /// As the user said.
    Given {
        /// So much.
        bytes: usize,
    },
    /// What the machine has free.
    Machine {
        /// So much.
        bytes: usize,
    },
}

impl Limit {
    /// The user's, or else what the machine has free, where that is known.
    pub fn or_machine(given: Option<usize>) -> Option<Limit> {
        match given {
            Some(bytes) => Some(Limit::Given { bytes }),
            None => available_bytes().map(|bytes| Limit::Machine { bytes }),
        }
    }

    /// The bytes.
    pub fn bytes(self) -> usize {
        match self {
            Limit::Given { bytes } | Limit::Machine { bytes } => bytes,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = bytes_text(self.bytes());
        match self {
            Limit::Given { .. } => write!(f, "the limit is {bytes}"),
            Limit::Machine { .. } => write!(f, "the machine has {bytes} free"),
        }
    }
}

/// What there is to do about a training that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Batches of this size fit, and larger ones do not.
    Batches(usize),
    /// No batch size fits; this plan takes least.
    None(RunMemory),
}

/// A training that does not fit. [DEV-15]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// What it takes.
    pub needed: RunMemory,
    /// What it may take.
    pub limit: Limit,
    /// What to do about it.
    pub remedy: Remedy,
}

impl std::error::Error for OutOfMemory {}

impl fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OutOfMemory { needed, limit, remedy } = self;
        let total = bytes_text(needed.total_bytes);
        write!(f, "training in batches of {} takes {total} of memory, but {limit}; ", needed.batch_size)?;
        match remedy {
            Remedy::Batches(size) => write!(f, "batches of {size} fit: --set train.batch_size={size}")?,
            Remedy::None(smallest) => {
                let parameters = smallest.part("parameters").map_or(0, |part| part.bytes);
                write!(
                    f,
                    "even batches of {} take {}, of which the parameters alone are {}: choose a smaller network",
                    smallest.batch_size,
                    bytes_text(smallest.total_bytes),
                    bytes_text(parameters)
                )?;
            }
        }
        match limit {
            Limit::Given { .. } => write!(f, ", or allow more"),
            Limit::Machine { .. } => {
                write!(
                    f,
                    ", close other programs, or overrule this with --memory-limit {}",
                    needed.total_bytes
                )
            }
        }
    }
}

/// What a search for the largest batch has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The largest that fits, and the next, which does not; none where all that may be tried fit.
    Fits(RunMemory, Option<RunMemory>),
    /// Nothing fits; this takes least of what was tried.
    Nothing(RunMemory),
}

/// A batch size in `least..=most` whose plan is within `limit`, while that of the next size is not: found by trying
/// plans, so it holds even where they are not a straight line. [DEV-13]
pub(crate) fn largest_batch<E>(
    limit: usize,
    (least, most): (usize, usize),
    plan: impl Fn(usize) -> Result<RunMemory, E>,
) -> Result<Found, E> {
    let mut beyond = plan(most)?;
    if beyond.total_bytes <= limit {
        return Ok(Found::Fits(beyond, None));
    }
    let mut fits = plan(least)?;
    // A single row may take more than a few: other kernels serve it.
    let mut size = 2 * least;
    while fits.total_bytes > limit && size < most {
        let tried = plan(size)?;
        if tried.total_bytes < fits.total_bytes {
            fits = tried;
        }
        size *= 2;
    }
    if fits.total_bytes > limit {
        return Ok(Found::Nothing(fits));
    }
    for attempt in 1.. {
        let (low, high) = (fits.batch_size, beyond.batch_size);
        if high - low <= 1 {
            break;
        }
        // Where the line between the two crosses the limit; every third time the middle, should there be no line.
        let slope = (beyond.total_bytes - fits.total_bytes) as f64 / (high - low) as f64;
        let crossing = low + ((limit - fits.total_bytes) as f64 / slope) as usize;
        let guess = if attempt % 3 == 0 { low + (high - low) / 2 } else { crossing };
        let tried = plan(guess.clamp(low + 1, high - 1))?;
        if tried.total_bytes <= limit { fits = tried } else { beyond = tried }
    }
    Ok(Found::Fits(fits, Some(beyond)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_size(batch_size: usize, total_bytes: usize) -> RunMemory {
        RunMemory { batch_size, threads: 1, total_bytes, parts: Vec::new() }
    }

    fn search(limit: usize, most: usize, bytes: impl Fn(usize) -> usize) -> (Option<usize>, usize) {
        let tries = std::cell::Cell::new(0);
        let plan = |batch| {
            tries.set(tries.get() + 1);
            Ok::<_, ()>(of_size(batch, bytes(batch)))
        };
        let Found::Fits(fits, beyond) = largest_batch(limit, (1, most), plan).unwrap() else {
            return (None, tries.get());
        };
        assert!(fits.total_bytes <= limit);
        match beyond {
            Some(beyond) => {
                assert!(beyond.total_bytes > limit);
                assert_eq!(beyond.batch_size, fits.batch_size + 1);
            }
            None => assert_eq!(fits.batch_size, most),
        }
        (Some(fits.batch_size), tries.get())
    }

    /// DEV-13
    #[test]
    fn the_largest_batch_fits_and_the_next_does_not() {
        let line = |batch| 1000 + 7 * batch;
        for limit in [1007, 1500, 4321, 70_999] {
            let (found, tries) = search(limit, 10_000, line);
            assert_eq!(found, Some((limit - 1000) / 7));
            assert!(tries <= 5, "{tries}");
        }
        assert_eq!(search(1006, 10_000, line).0, None);
        assert_eq!(search(71_000, 10_000, line).0, Some(10_000));
        let steps = |batch: usize| 1000 + 512 * (batch / 10).pow(2);
        let (found, tries) = search(500_000, 100_000, steps);
        assert_eq!(found, Some(319));
        assert!(tries < 40, "{tries}");
        // Not monotone: some size fits, and the next does not.
        assert!(search(1_000, 3_000, |batch| 100 + batch + 300 * (batch % 7)).0.is_some());
        // One row takes more than two.
        assert_eq!(search(50, 100, |batch| if batch == 1 { 90 } else { 2 * batch }).0, Some(25));
    }

    /// DEV-09
    #[test]
    fn the_textbooks_example_is_472_640_bytes() {
        let textbook = Textbook::of(784 * 50 + 50 + 50 * 10 + 10, 784, 4, 100);
        assert_eq!((textbook.model_bytes, textbook.sample_bytes), (159_040, 3_136));
        assert_eq!(textbook.total_bytes, 472_640);
    }

    /// DEV-15
    #[test]
    fn what_does_not_fit_is_told_with_both_sizes_and_what_would_fit() {
        let parts = vec![Part { name: "parameters", bytes: 400, most_bytes: None, about: "" }];
        let error = OutOfMemory {
            needed: of_size(128, 20_000),
            limit: Limit::Given { bytes: 10_000 },
            remedy: Remedy::Batches(54),
        };
        assert_eq!(
            error.to_string(),
            "training in batches of 128 takes 20,000 bytes (19.5 KiB) of memory, but the limit is 10,000 bytes \
             (9.8 KiB); batches of 54 fit: --set train.batch_size=54, or allow more"
        );
        let limit = Limit::Machine { bytes: 800 };
        let remedy = Remedy::None(RunMemory { parts, ..of_size(1, 900) });
        assert_eq!(
            OutOfMemory { limit, remedy, ..error }.to_string(),
            "training in batches of 128 takes 20,000 bytes (19.5 KiB) of memory, but the machine has 800 bytes free; \
             even batches of 1 take 900 bytes, of which the parameters alone are 400 bytes: choose a smaller network, \
             close other programs, or overrule this with --memory-limit 20000"
        );
    }
}
