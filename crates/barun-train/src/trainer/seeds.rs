//! The same training from several seeds: one number from one seed is an anecdote.

use barun_data::PreparedData;
use barun_nn::{Forward, Module};

use super::{Trained, Trainer};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::seeds::MetricsSpread;

/// A training that will run once for each of several seeds; made by [`Trainer::seeds`].
///
/// ```
/// # use barun_data::{Dataset, Split, Standardize};
/// # use barun_nn::{layers::*, losses::CrossEntropy, optimizers::AdamW, sequential};
/// # use barun_train::Trainer;
/// # let data = Dataset::open("moons")?.split(Split::stratified(0.8, 0.1, 0.1).seed(7))?.fit(Standardize::per_feature())?;
/// # let model = sequential![Linear::new(2, 8), Relu::default(), Linear::new(8, 2)];
/// let runs = Trainer::new(model, CrossEntropy::default()).epochs(3).batch_size(32).seeds(1..=3).fit(&data)?;
/// println!("valid {}", runs.valid()); // mean and spread: accuracy 0.8533 +- 0.0153 ...
/// println!("the best of them on the test part: {:?}", runs.best().test(&data)?);
/// # assert_eq!(runs.runs().len(), 3);
/// # Ok::<(), barun_train::Error>(())
/// ```
pub struct SeededTrainer<M> {
    trainer: Trainer<M>,
    seeds: Vec<u64>,
}

impl<M: Module + Forward> SeededTrainer<M> {
    pub(super) fn new(trainer: Trainer<M>, seeds: Vec<u64>) -> SeededTrainer<M> {
        SeededTrainer { trainer, seeds }
    }

    /// Trains from one seed after the other. The network is compiled once; the division of the data is the same for all,
    /// so that what differs is chance alone.
    ///
    /// # Errors
    /// As [`Trainer::fit`]; no seeds.
    pub fn fit(self, data: &PreparedData) -> Result<SeededTrained<M>> {
        let SeededTrainer { mut trainer, seeds } = self;
        if seeds.is_empty() {
            return Err(Error::NoSeeds);
        }
        let best_by = trainer.settings.best_by;
        let mut callbacks = std::mem::take(&mut trainer.callbacks);
        let (mut setup, settings, _) = trainer.ready(data, callbacks.watches(1))?;
        let mut runs: Vec<Trained<M>> = Vec::with_capacity(seeds.len());
        for seed in seeds {
            setup.seed = seed;
            let trained = settings.run(&setup, None, &mut callbacks)?;
            let interrupted = trained.report().interrupted;
            runs.push(trained);
            if interrupted {
                break;
            }
        }
        let is_better = |new: &Trained<M>, old: &Trained<M>| match (new.valid(), old.valid()) {
            (Some(new), Some(old)) => best_by.is_better(&new, &old, 0.0),
            _ => false,
        };
        let best =
            (1..runs.len()).fold(0, |best, at| if is_better(&runs[at], &runs[best]) { at } else { best });
        Ok(SeededTrained { runs, best })
    }
}

/// The runs of several seeds.
pub struct SeededTrained<M> {
    runs: Vec<Trained<M>>,
    best: usize,
}

impl<M: Module + Forward> SeededTrained<M> {
    /// One for each seed, in their order.
    pub fn runs(&self) -> &[Trained<M>] {
        &self.runs
    }

    /// The run that is best on the validation part; without such a part the first one.
    pub fn best(&self) -> &Trained<M> {
        &self.runs[self.best]
    }

    /// The figures on the training part.
    pub fn train(&self) -> MetricsSpread {
        self.spread(|run| Some(run.train()))
    }

    /// The figures on the validation part; of no runs where there is no such part.
    pub fn valid(&self) -> MetricsSpread {
        self.spread(Trained::valid)
    }

    /// The figures of every run on the test part; a look of each, see [`Trained::test`].
    ///
    /// # Errors
    /// When the split left no test part.
    pub fn test(&self, data: &PreparedData) -> Result<MetricsSpread> {
        let figures = self.runs.iter().map(|run| run.test(data)).collect::<Result<Vec<Metrics>>>()?;
        Ok(MetricsSpread::of(&figures))
    }

    fn spread(&self, figures: impl Fn(&Trained<M>) -> Option<Metrics>) -> MetricsSpread {
        MetricsSpread::of(&self.runs.iter().filter_map(figures).collect::<Vec<Metrics>>())
    }
}
