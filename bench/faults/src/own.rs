//! What people write themselves and get wrong: layers, a loss, an optimiser that no rule knows by name.

use std::fmt;

use barun_nn::losses::{BceWithLogits, Loss, Outputs, Task};
use barun_nn::optimizers::{Adam, AdamSlots, Context, Optimizer, ema};
use barun_nn::schedules::{Moment, Schedule};
use barun_nn::{DType, Forward, Hyper, Id, Module, Pass, Result, Slots, Tensor, Visitor};

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

/// Dropout that does not ask whether the network learns or is used.
#[derive(Clone, Debug)]
pub struct DropoutInUse {
    rate: f64,
    id: Id,
}

impl DropoutInUse {
    /// Drops `rate` of the numbers.
    pub fn new(rate: f64) -> DropoutInUse {
        DropoutInUse { rate, id: Id::new() }
    }
}

impl Module for DropoutInUse {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.layer(&self.id);
    }
}

impl Forward for DropoutInUse {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.layer(&self.id, "DropoutInUse", |pass| {
            let uniform = pass.uniform(x.shape()?, x.dtype());
            let is_dropped = uniform.less(&uniform.like(self.rate));
            Ok(is_dropped.where_(&x.like(0.0), &(x / (1.0 - self.rate))))
        })
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

/// 1 above 0, and 0 elsewhere.
pub fn thresholded(x: &Tensor) -> Tensor {
    x.greater(&x.like(0.0)).cast(x.dtype())
}

/// e to the power of each number.
pub fn exponential(x: &Tensor) -> Tensor {
    x.exp()
}

/// Each row gets the mean of all.
pub fn averaged_over_rows(x: &Tensor) -> Tensor {
    x * 0.0 + x.mean_keep(0)
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

/// Binary cross entropy of the first class by the first output, whatever the others say.
#[derive(Clone, Debug, Hyper)]
pub struct FirstOnly {}

impl Loss for FirstOnly {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let classes = prediction.shape()?.last().copied().unwrap_or(1);
        let is_first = target.cast(DType::I64).one_hot(classes, prediction.dtype()).narrow(-1, 0, 1);
        BceWithLogits::default().loss(&prediction.narrow(-1, 0, 1), &is_first)
    }

    fn task(&self) -> Task {
        Task::Classes(Outputs::Scores)
    }
}

/// Mean squared error of each output against the number of the class.
#[derive(Clone, Debug, Hyper)]
pub struct LabelsAsNumbers {}

impl Loss for LabelsAsNumbers {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
        let numbers = target.cast(prediction.dtype()).unsqueeze(-1);
        Ok((prediction - numbers).square().mean(..))
    }

    fn task(&self) -> Task {
        Task::Classes(Outputs::Scores)
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

/// Plain descent along gradients that were set to 0 just before.
#[derive(Clone, Debug, Hyper)]
pub struct ZeroedBeforeStep {
    /// Learning rate.
    pub lr: f64,
}

impl Optimizer for ZeroedBeforeStep {
    type Slots = ();

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, _: (), context: &Context) -> (Tensor, ()) {
        (p - &context.lr * (g * 0.0), ())
    }
}

/// Adam whose division has no root.
#[derive(Clone, Debug, Hyper)]
pub struct RootlessAdam {
    /// Learning rate.
    pub lr: f64,
}

impl Optimizer for RootlessAdam {
    type Slots = AdamSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdamSlots, context: &Context) -> (Tensor, AdamSlots) {
        let Adam { beta1, beta2, eps, .. } = Adam::default();
        let (mean, mean_square) = (ema(beta1, &slots.mean, g), ema(beta2, &slots.mean_square, &g.square()));
        let corrected = |average: &Tensor, beta| average / context.bias_correction(beta, average.dtype());
        let step = corrected(&mean, beta1) / (corrected(&mean_square, beta2) + eps);
        (p - &context.lr * step, AdamSlots { mean, mean_square })
    }
}

/// Adam on weights that are the first ones again after each so many steps.
#[derive(Clone, Debug, Hyper)]
pub struct BuiltAnew {
    /// Learning rate.
    pub lr: f64,
    /// Steps from one beginning to the next.
    pub every: f64,
}

/// What it remembers.
#[derive(Clone, Debug, Slots)]
pub struct BuiltAnewSlots {
    /// The first weights.
    pub first: Tensor,
    /// The average of gradients.
    pub mean: Tensor,
    /// The average of squared gradients.
    pub mean_square: Tensor,
}

impl Optimizer for BuiltAnew {
    type Slots = BuiltAnewSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(
        &self,
        p: &Tensor,
        g: &Tensor,
        slots: BuiltAnewSlots,
        context: &Context,
    ) -> (Tensor, BuiltAnewSlots) {
        let first = context.is_first().where_(p, &slots.first);
        let before = (&context.step - 1.0) / self.every;
        let begin = before.equal(&before.floor()).where_(&first, p);
        let slots = AdamSlots { mean: slots.mean, mean_square: slots.mean_square };
        let adam = Adam { lr: self.lr, ..Adam::default() };
        let (p, AdamSlots { mean, mean_square }) = adam.update(&begin, g, slots, context);
        (p, BuiltAnewSlots { first, mean, mean_square })
    }
}

/// A warm-up whose fraction is the wrong way round.
#[derive(Clone, Debug, Hyper)]
pub struct WarmupUpsideDown {
    /// Its steps.
    pub steps: f64,
}

impl Schedule for WarmupUpsideDown {
    fn lr(&self, base: f64, moment: &Moment<'_>) -> f64 {
        base * (self.steps / (moment.step + 1) as f64).max(1.0)
    }
}

/// Adam, after whose step no parameter is larger than `most`.
#[derive(Clone, Debug, Hyper)]
pub struct ClampedAdam {
    /// Learning rate.
    pub lr: f64,
    /// The largest size of a parameter.
    pub most: f64,
}

impl Optimizer for ClampedAdam {
    type Slots = AdamSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: AdamSlots, context: &Context) -> (Tensor, AdamSlots) {
        let (p, slots) = Adam { lr: self.lr, ..Adam::default() }.update(p, g, slots, context);
        (p.minimum(&p.like(self.most)).maximum(&p.like(-self.most)), slots)
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

    #[test]
    fn the_loss_of_the_first_output_is_the_same_whatever_the_others_are() {
        let loss = |others: f32| {
            let prediction = Tensor::from_slice(&[1.0, others, -1.0, -others], [2, 2]);
            let labels = Tensor::from_slice(&[0i64, 1], [2]);
            FirstOnly {}.loss(&prediction, &labels).unwrap().item::<f32>().unwrap()
        };
        assert_eq!(loss(0.0), loss(5.0));
        assert!((loss(0.0) - (1.0 + (-1.0f32).exp()).ln()).abs() < 1e-6);
    }

    #[test]
    fn a_step_of_clamped_adam_ends_at_the_limit() {
        let [p, g] = [[0.0f32, 0.005], [1.0, -1.0]].map(|values| Tensor::from_slice(&values, [2]));
        let slots = AdamSlots { mean: p.like(0.0), mean_square: p.like(0.0) };
        let context = Context {
            lr: Tensor::from_slice(&[1.0f32], []),
            step: Tensor::from_slice(&[1.0f64], []),
            decays: false,
        };
        let (p, _) = ClampedAdam { lr: 1.0, most: 0.01 }.update(&p, &g, slots, &context);
        assert_eq!(p.to_vec::<f32>().unwrap(), [-0.01, 0.01]);
    }

    #[test]
    fn labels_as_numbers_ask_the_same_of_every_output() {
        let prediction = Tensor::from_slice(&[2.0f32, 2.0, 0.0, 2.0], [2, 2]);
        let labels = Tensor::from_slice(&[2i64, 0], [2]);
        let loss = LabelsAsNumbers {}.loss(&prediction, &labels).unwrap().item::<f32>().unwrap();
        assert_eq!(loss, 1.0);
    }

    #[test]
    fn what_is_built_anew_goes_on_from_the_first_weights() {
        let optimizer = BuiltAnew { lr: 0.5, every: 2.0 };
        let g = Tensor::from_slice(&[1.0f32], [1]);
        let mut p = Tensor::from_slice(&[3.0f32], [1]);
        let mut slots = BuiltAnewSlots { first: p.like(0.0), mean: p.like(0.0), mean_square: p.like(0.0) };
        let mut after = Vec::new();
        for step in 1..=3 {
            let context = Context {
                lr: Tensor::from_slice(&[0.5f32], []),
                step: Tensor::from_slice(&[f64::from(step)], []),
                decays: false,
            };
            (p, slots) = optimizer.update(&p, &g, slots, &context);
            after.push((p.to_vec::<f32>().unwrap()[0] * 10.0).round() as i32);
        }
        assert_eq!(after, [25, 20, 25]);
    }
}
