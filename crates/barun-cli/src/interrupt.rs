//! Ctrl-C: the first asks the command to end with its state saved, the second ends it at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{Error, Result};

/// A flag that is set when the user asks to stop.
pub fn flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the signal that sets the flag does not yet end the process.
        flag::register_conditional_shutdown(signal, 130, stop.clone()).map_err(Error::Signals)?;
        flag::register(signal, stop.clone()).map_err(Error::Signals)?;
    }
    Ok(stop)
}
