//! Several runs at once, one thread each.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use barun_engine::{Device, DeviceOptions};

use crate::case::Case;
use crate::error::Result;
use crate::results::Results;
use crate::run::carry_out;
use crate::sources::Library;

/// Carries out the cases that have no outcome yet, `jobs` at once; `tell` hears of each.
///
/// # Errors
/// The first error of the bench itself. What was over by then is kept.
pub fn carry_out_all(
    cases: &[Case],
    (library, jobs): (&Library, usize),
    results: &mut Results,
    tell: impl Fn(usize, usize, &Case) + Sync,
) -> Result<()> {
    let due: Vec<&Case> = cases.iter().filter(|case| results.get(case).is_none()).collect();
    let (next, over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = Mutex::new(results);
    let worker = || -> Result<()> {
        let device = Device::new(DeviceOptions { threads: Some(1), ..DeviceOptions::default() })?;
        while let Some(case) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = case.plan(library).and_then(|plan| carry_out(plan, &device, case.doctor()));
            // Who fails ends the others too.
            let outcome = outcome.inspect_err(|_| next.store(due.len(), Ordering::Relaxed))?;
            results.lock().unwrap_or_else(PoisonError::into_inner).add((*case).clone(), outcome)?;
            tell(over.fetch_add(1, Ordering::Relaxed) + 1, due.len(), case);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
