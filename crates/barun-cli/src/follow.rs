//! Who follows a run: a bar, lines, or the whole terminal.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use barun_train::callback::Callback;
use barun_train::dashboard::Dashboard;
use barun_train::progress;
use barun_train::request::Machine;

use crate::output;

/// How runs are followed.
pub struct Follow {
    /// Set by a key on the terminal; none where progress is plain.
    stop: Option<Arc<AtomicBool>>,
}

impl Follow {
    /// On the whole terminal where that is asked for and there is one.
    pub fn new(on_terminal: bool, machine: &Machine) -> Follow {
        let is_possible = Dashboard::is_possible();
        if on_terminal && !is_possible {
            output::note("--tui needs a terminal, and this is none; progress is told in lines");
        }
        Follow { stop: (on_terminal && is_possible).then(|| Arc::clone(&machine.stop)) }
    }

    /// Who follows one run.
    pub fn run(&self) -> Box<dyn Callback> {
        match &self.stop {
            Some(stop) => Box::new(Dashboard::new(Arc::clone(stop))),
            None => progress::for_stderr(),
        }
    }

    /// Who follows one of several seeds.
    pub fn seed(&self, number: usize, seeds: usize, seed: u64) -> Box<dyn Callback> {
        output::note(&format!("seed {seed}, {number} of {seeds}"));
        self.run()
    }
}
