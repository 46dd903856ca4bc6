//! What must be collected while a run goes: the losses of its steps.

use barun_view::Thinned;
use serde::Deserialize;
use serde_json::Value;

use crate::callback::{Batch, Callback, Flow, Start};
use crate::error::Result;

/// Collects the loss of every step, thinned to a few hundred points; a resumed run goes on with what was collected before.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub losses: Thinned,
}

impl Callback for Recorder {
    fn on_start(&mut self, _: &Start<'_>) -> Result<()> {
        self.losses = Thinned::default();
        Ok(())
    }

    fn on_batch(&mut self, event: &Batch) -> Result<Flow> {
        self.losses.add(event.batch_loss);
        Ok(Flow::Continue)
    }

    fn memory(&self) -> Value {
        serde_json::to_value(&self.losses).unwrap_or_default()
    }

    /// A run whose checkpoint does not know the losses goes on without those before.
    fn recall(&mut self, memory: &Value) -> Result<()> {
        self.losses = Thinned::deserialize(memory).unwrap_or_default();
        Ok(())
    }
}
