//! What the state takes, by what it is for.

use super::Step;
use crate::{Forward, Module};

/// Bytes of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateMemory {
    /// The model's parameters, trained or frozen.
    pub parameters: usize,
    /// What the optimiser remembers about them.
    pub optimizer: usize,
    /// What layers keep from step to step without training it, such as the running means of batch normalisation.
    pub statistics: usize,
    /// The seed and the count of steps.
    pub counters: usize,
    /// Each tensor begins at a cache line: what lies between them.
    pub alignment: usize,
}

impl StateMemory {
    /// All of it.
    pub fn total(&self) -> usize {
        self.parameters + self.optimizer + self.statistics + self.counters + self.alignment
    }
}

impl<M: Module + Forward> Step<M> {
    /// What a state takes.
    pub fn state_memory(&self) -> StateMemory {
        let bytes_of = |path: &str| {
            let position = self.layout.position(path);
            position.map_or(0, |position| self.layout.slots()[position].bytes())
        };
        let parameters = self.inventory.parameters.iter().map(|entry| bytes_of(&entry.path)).sum();
        let statistics = self.inventory.stats.iter().map(|entry| bytes_of(&entry.path)).sum();
        let counters = [crate::state::SEED, crate::state::STEP].map(bytes_of).iter().sum();
        let all: usize = self.layout.slots().iter().map(|slot| slot.bytes()).sum();
        let optimizer = all - parameters - statistics - counters;
        StateMemory { parameters, optimizer, statistics, counters, alignment: self.layout.bytes() - all }
    }
}
