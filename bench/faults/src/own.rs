//! What people write themselves and get wrong: layers, a loss, an optimiser that no rule knows by name.

use std::fmt;

use barun_nn::losses::{Loss, Task};
use barun_nn::optimizers::{Context, Optimizer};
use barun_nn::{Forward, Hyper, Id, Module, Pass, Result, Slots, Tensor, Visitor};

/// A layer that is one formula and keeps the shape.
#[derive(Clone)]
pub struct Formula {
    name: &'static str,
    of: fn(&Tensor) -> Tensor,
    id: Id,
}

impl Formula {
    /// Called `name` where layers are listed.
    pub fn new(name: &'static str, of: fn(&Tensor) -> Tensor) -> Formula {
        Formula { name, of, id: Id::new() }
    }
}

impl fmt::Debug for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Module for Formula {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
}

impl Forward for Formula {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, self.name, |_| Ok((self.of)(x)))
    }
}

/// A softmax, written out.
pub fn softmax(x: &Tensor) -> Tensor {
    let shares = (x - x.max(-1).unsqueeze(-1).detach()).exp();
    let sum = shares.sum(-1).unsqueeze(-1);
    shares / sum
}

/// The logarithm of each number, also of those below 0.
pub fn logarithm(x: &Tensor) -> Tensor {
    x.ln()
}

/// Each number over the deviation of its row, which may be 0.
pub fn over_deviation(x: &Tensor) -> Tensor {
    let centered = x - x.mean(-1).unsqueeze(-1);
    let deviation = centered.square().mean(-1).unsqueeze(-1).sqrt();
    centered / deviation
}

/// No gradient passes.
pub fn detached(x: &Tensor) -> Tensor {
    x.detach()
}

/// Each row gets what belongs to another.
pub fn rows_reversed(x: &Tensor) -> Tensor {
    x.flip(&[0])
}

/// Nothing passes.
pub fn lost(x: &Tensor) -> Tensor {
    x * 0.0
}

/// A loss that is multiplied by a number: summed over the batch where that is the number of rows.
#[derive(Clone, Debug, Hyper)]
pub struct Times {
    /// The loss.
    #[hyper(skip)]
    pub of: Box<dyn Loss>,
    /// What it is multiplied by.
    pub factor: f64,
}

impl Loss for Times {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok(self.of.loss(prediction, target)? * self.factor)
    }

    fn task(&self) -> Task {
        self.of.task()
    }
}

/// Mean squared error of predictions `[batch, 1]` against answers `[1, batch]`: all with all.
#[derive(Clone, Debug, Hyper)]
pub struct Crossed {}

impl Loss for Crossed {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok((prediction - target.transpose()).square().mean(..))
    }

    fn task(&self) -> Task {
        Task::Numbers
    }
}

/// Gradient descent with the sign the wrong way round.
#[derive(Clone, Debug, Hyper)]
pub struct Ascent {
    /// Learning rate.
    pub lr: f64,
}

impl Optimizer for Ascent {
    type Slots = ();

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, _: (), context: &Context) -> (Tensor, ()) {
        (p + &context.lr * g, ())
    }
}

/// Plain descent along the sum of all gradients so far.
#[derive(Clone, Debug, Hyper)]
pub struct NeverZeroed {
    /// Learning rate.
    pub lr: f64,
}

/// What it remembers.
#[derive(Clone, Debug, Slots)]
pub struct NeverZeroedSlots {
    /// The sum of the gradients.
    pub sum: Tensor,
}

impl Optimizer for NeverZeroed {
    type Slots = NeverZeroedSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(
        &self,
        p: &Tensor,
        g: &Tensor,
        slots: NeverZeroedSlots,
        context: &Context,
    ) -> (Tensor, NeverZeroedSlots) {
        let sum = slots.sum + g;
        (p - &context.lr * &sum, NeverZeroedSlots { sum })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crossed_loss_is_least_at_the_mean_of_the_answers() {
        let answers = Tensor::from_slice(&[0.0f32, 2.0], [2, 1]);
        let loss = |values: [f32; 2]| {
            let prediction = Tensor::from_slice(&values, [2, 1]);
            Crossed {}.loss(&prediction, &answers).unwrap().item::<f32>().unwrap()
        };
        assert_eq!((loss([0.0, 2.0]), loss([1.0, 1.0])), (2.0, 1.0));
    }
}
