//! Many states under one program: seeds, folds, trials, members of an ensemble.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cpu::team::Team;
use crate::error::Result;
use crate::program::Program;
use crate::state::State;
use crate::tensor::Buffer;

/// States that run one program, each whole on one core, so that small models need no barriers. Results have the same
/// bits as separate runs.
#[derive(Clone)]
pub struct Fleet {
    /// The states.
    pub states: Vec<State>,
}

impl Fleet {
    /// Runs `program` once on every state; `feeds(i)` are the feeds of state `i`. Results come in the order of the
    /// states. If a run fails, the first error in that order is given and the other states have run all the same.
    pub fn run<'a>(
        &mut self,
        program: &Program,
        feeds: impl Fn(usize) -> Vec<&'a Buffer> + Sync,
    ) -> Result<Vec<Vec<Buffer>>> {
        let count = self.states.len();
        let results: Vec<Mutex<Option<Result<Vec<Buffer>>>>> = (0..count).map(|_| Mutex::new(None)).collect();
        let states: Vec<Mutex<&mut State>> = self.states.iter_mut().map(Mutex::new).collect();
        let next = AtomicUsize::new(0);
        let alone = Team::new(1);
        program.device().team().run(&|_member| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let (Some(state), Some(result)) = (states.get(index), results.get(index)) else { break };
                // Each index is taken once, so nobody ever waits for these locks.
                if let (Ok(mut state), Ok(mut result)) = (state.lock(), result.lock()) {
                    *result = Some(program.run_on(&alone, &mut state, &feeds(index)));
                }
            }
        });
        results.into_iter().filter_map(|result| result.into_inner().ok().flatten()).collect()
    }
}
