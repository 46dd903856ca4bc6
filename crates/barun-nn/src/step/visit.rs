//! Hooks: every value on the way to the loss and back, one after the other. [DIAG-08]

use std::ops::ControlFlow;

use super::{Batch, Purpose, Step};
use crate::{Buffer, Forward, Module, Result, State};

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// To the loss: what a layer gave, or probed.
    Forward,
    /// Back from it: the gradient of the loss with respect to what a layer gave, or to a parameter.
    Backward,
}

/// A value that passes by.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// Which way.
    pub way: Way,
    /// The path of the layer or parameter, or the name of the probe.
    pub name: &'a str,
    /// The value; it has shape and type.
    pub value: &'a Buffer,
}

/// A hook for [`Step::visit`] that stops at the first value that holds a NaN or an infinity; gives which way it went and its
/// name. For the operation that made it see [`Step::locate`].
///
/// What only seems wrong, such as a probe of a mask of infinities, stops it too: leave it out by name.
pub fn break_if_not_finite(passing: &Passing<'_>) -> ControlFlow<(Way, String)> {
    let Passing { way, name, value } = passing;
    let is_wrong = value.dtype().is_float() && value.to_f64().iter().any(|x| !x.is_finite());
    if is_wrong { ControlFlow::Break((*way, name.to_string())) } else { ControlFlow::Continue(()) }
}

impl<M: Module + Forward> Step<M> {
    /// Shows `hook` every value of a step in training mode: what the layers give in the order of their calls, what is probed,
    /// then the gradients of what the layers gave, from the last to the first, and those of the parameters. Stops where the
    /// hook breaks, and gives what it broke with. Commits nothing, so looking changes nothing.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use barun_nn::{Batch, Buffer, Passing, Step, break_if_not_finite, layers::*, losses::Mse, optimizers::Sgd, sequential};
    /// let step = Step::compile(sequential![Linear::new(2, 3), Tanh::default(), Linear::new(3, 1)], &Sgd::default(), &Mse::default())?;
    /// let batch = Batch { x: Buffer::new(&[1.0f32, 2.0], [1, 2]), y: Buffer::new(&[1.0f32], [1, 1]) };
    /// let state = step.init(1)?;
    /// step.visit(&state, &batch, |passing: &Passing<'_>| {
    ///     println!("{:?} {} {}", passing.way, passing.name, passing.value.shape());
    ///     ControlFlow::<()>::Continue(())
    /// })?;
    /// assert_eq!(step.visit(&state, &batch, break_if_not_finite)?, None);
    /// # Ok::<(), barun_nn::Error>(())
    /// ```
    pub fn visit<B>(
        &self,
        state: &State,
        batch: &Batch,
        mut hook: impl FnMut(&Passing<'_>) -> ControlFlow<B>,
    ) -> Result<Option<B>> {
        let forward = self.named(Purpose::Watch(crate::Mode::Train, None), state, batch)?;
        let backward = self.named(Purpose::AllGradients, state, batch)?;
        let forward = forward.iter().map(|found| (Way::Forward, found));
        let values = forward.chain(backward.iter().map(|found| (Way::Backward, found)));
        for (way, (name, value)) in values {
            if let ControlFlow::Break(broken) = hook(&Passing { way, name, value }) {
                return Ok(Some(broken));
            }
        }
        Ok(None)
    }
}
