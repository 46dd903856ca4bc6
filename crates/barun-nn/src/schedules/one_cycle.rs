//! Up once, down once.

use super::{Moment, Schedule, Span, half_cosine};
use crate::Hyper;
use crate::hyper::named_cases;

/// The shape of the way up and down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anneal {
    /// Half a cosine.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
}
named_cases!(Anneal { Cosine = "cosine", Linear = "linear" });

/// Up to the optimiser's rate in the first part of the run, then far below where it began.
///
/// ```text
/// base / div  up to  base  in the first `rise` of the run,  then down to  base / (div final_div)
/// ```
///
/// The optimiser's rate is the highest one, several times what would do as a constant: large rates in the middle
/// regularise, so few epochs are enough. As PyTorch's OneCycleLR with its defaults (rise 0.3, div 25, final_div 1e4,
/// cosine), but for the momentum, which stays. Smith & Topin, 2017, "Super-convergence: very fast training of neural
/// networks using large learning rates".
#[derive(Clone, Debug, Hyper)]
pub struct OneCycle {
    /// The part of the run in which the rate rises.
    #[hyper(share)]
    pub rise: f64,
    /// How many times lower than the highest rate the first one is.
    #[hyper(positive)]
    pub div: f64,
    /// How many times lower than the first rate the last one is.
    #[hyper(positive)]
    pub final_div: f64,
    /// The shape of the way up and down.
    pub anneal: Anneal,
    /// The length of the cycle.
    pub over: Span,
}

impl Default for OneCycle {
    fn default() -> Self {
        OneCycle { rise: 0.3, div: 25.0, final_div: 1e4, anneal: Anneal::Cosine, over: Span::RUN }
    }
}

impl Schedule for OneCycle {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        // The last step of the cycle has the last rate.
        let last = (self.over.steps(moment) - 1.0).max(1.0);
        let top = (self.rise * (last + 1.0) - 1.0).clamp(0.0, last);
        let step = (moment.step as f64).min(last);
        let first = base / self.div;
        let (from, to, part) = match step < top {
            true => (first, base, step / top),
            false => (base, first / self.final_div, (step - top) / (last - top).max(f64::MIN_POSITIVE)),
        };
        match self.anneal {
            Anneal::Cosine => to + (from - to) * half_cosine(part),
            Anneal::Linear => from + (to - from) * part,
        }
    }
}
