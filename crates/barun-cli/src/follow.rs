//! Who follows a run: a bar, lines, or the whole terminal; and the doctor.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use barun_doctor::Doctor;
use barun_train::Recipe;
use barun_train::callback::Callback;
use barun_train::dashboard::Dashboard;
use barun_train::progress::{self, Told};
use barun_train::request::Machine;

use crate::error::Result;
use crate::output;

/// How runs are followed.
pub struct Follow {
    recipe: Recipe,
    /// Set by a key on the terminal; none where progress is plain.
    stop: Option<Arc<AtomicBool>>,
    told: Told,
}

impl Follow {
    /// On the whole terminal where that is asked for and there is one; by a doctor where the recipe wants one.
    pub fn new(on_terminal: bool, machine: &Machine, recipe: &Recipe) -> Follow {
        let is_possible = Dashboard::is_possible();
        if on_terminal && !is_possible {
            output::note("--tui needs a terminal, and this is none; progress is told in lines");
        }
        let stop = (on_terminal && is_possible).then(|| Arc::clone(&machine.stop));
        Follow { recipe: recipe.clone(), stop, told: Told::default() }
    }

    /// Who follows one run.
    pub fn run(&self) -> Box<dyn Callback> {
        let shown: Box<dyn Callback> = match &self.stop {
            Some(stop) => Box::new(Dashboard::new(Arc::clone(stop))),
            None => progress::for_stderr(&self.told),
        };
        let mut followers = vec![shown];
        followers.extend(Doctor::of(&self.recipe.doctor).map(|doctor| Box::new(doctor) as Box<dyn Callback>));
        Box::new(followers)
    }

    /// Follows `run`; should it fail, what the doctor says of it is told before the failure is.
    pub fn through<T>(&self, run: impl FnOnce(&mut dyn Callback) -> barun_train::Result<T>) -> Result<T> {
        let mut follower = self.run();
        let outcome = run(follower.as_mut());
        let diagnosis = follower.diagnosis().filter(|diagnosis| !diagnosis.is_healthy());
        if let (Err(_), Some(diagnosis)) = (&outcome, diagnosis) {
            diagnosis.lines().iter().for_each(|line| output::say(line));
        }
        Ok(outcome?)
    }

    /// Who follows one of several seeds.
    pub fn seed(&self, number: usize, seeds: usize, seed: u64) -> Box<dyn Callback> {
        output::note(&format!("seed {seed}, {number} of {seeds}"));
        self.run()
    }
}
