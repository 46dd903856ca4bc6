//! What a run leaves for people to look at: its report and TensorBoard's event files, as far as this library was built
//! with them.

use std::path::Path;

use barun_nn::{Forward, Module};

use super::train::Checked;
use crate::callback::Callback;
use crate::error::Result;
use crate::metrics::Predictions;
use crate::recipe::Recipe;
use crate::trainer::Trained;

/// What is collected while a run goes, and written at its end.
pub(super) struct Record {
    /// Whether anything is to be written.
    is_wanted: bool,
    #[cfg(feature = "report")]
    recorder: crate::details::Recorder,
    #[cfg(feature = "tensorboard")]
    events: crate::tensorboard::TensorBoard,
}

impl Record {
    #[cfg_attr(not(feature = "tensorboard"), allow(unused_variables))]
    pub fn new(recipe: &Recipe, is_wanted: bool) -> Record {
        Record {
            is_wanted,
            #[cfg(feature = "report")]
            recorder: Default::default(),
            #[cfg(feature = "tensorboard")]
            events: crate::tensorboard::TensorBoard::new(recipe, is_wanted),
        }
    }

    /// Who follows the run; the same whether a record is wanted or not, so that checkpoints are too.
    // Each of them is there by its feature, which a list of all could not say.
    #[allow(clippy::vec_init_then_push)]
    #[cfg_attr(not(any(feature = "report", feature = "tensorboard")), allow(unused_mut))]
    pub fn followers(&mut self) -> Vec<Box<dyn Callback + '_>> {
        let mut followers: Vec<Box<dyn Callback + '_>> = Vec::new();
        #[cfg(feature = "report")]
        followers.push(Box::new(&mut self.recorder));
        #[cfg(feature = "tensorboard")]
        followers.push(Box::new(&mut self.events));
        followers
    }

    /// Writes details and report of the run at `run`, whose outcome is already there. Of a run that was not judged, such as
    /// one that was interrupted, the report shows what there is.
    #[cfg_attr(not(feature = "report"), allow(unused_variables))]
    pub fn write<M: Module + Forward>(
        self,
        run: &Path,
        checked: &Checked,
        trained: &Trained<M>,
        said: Option<&Predictions>,
    ) -> Result<()> {
        if !self.is_wanted {
            return Ok(());
        }
        #[cfg(feature = "report")]
        {
            if !trained.report().interrupted {
                let data = &checked.data;
                let part = super::judge::judged_part(data);
                let raw = checked.raw.as_ref().unwrap_or(data.dataset());
                let judged = said.map(|said| (part.indices(), said));
                let (losses, seed) = (self.recorder.losses, trained.report().seed);
                crate::details::Details::of(trained, (raw, data), judged, losses, seed)?.write(run)?;
            }
            crate::page::write(run)?;
        }
        Ok(())
    }
}
