//! NAdam.

use super::adam::adam_settings;
use super::{Context, DecayForm, Optimizer, ema};
use crate::{Shape, Slots, Tensor};

adam_settings! {
    /// NAdam: Adam that looks ahead as Nesterov's momentum does.
    ///
    /// ```text
    /// mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2);      m, v as Adam
    /// p <- p - lr (mu_(t+1) m / (1 - prod mu_1..t+1) + (1 - mu_t) g / (1 - prod mu_1..t)) / (sqrt(v / (1 - beta2^t)) + eps)
    /// ```
    ///
    /// A little faster than Adam where gradients are not too noisy. Defaults follow PyTorch (lr 2e-3, beta1 0.9, beta2 0.999,
    /// eps 1e-8, momentum decay 4e-3). Dozat, 2016, "Incorporating Nesterov momentum into Adam".
    #[hyper(name = "nadam")]
    pub struct NAdam, lr = 2e-3 {
        /// How soon the momentum reaches beta1.
        #[hyper(not_negative)]
        pub momentum_decay: f64 = 4e-3,
        /// Pulls the weights to 0; biases and normalisations are exempt.
        #[hyper(not_negative)]
        pub weight_decay: f64 = 0.0,
        /// Whether the pull goes through the gradient.
        pub decay_form: DecayForm = DecayForm::Coupled,
    }
}

/// What NAdam remembers.
#[derive(Clone, Debug, Slots)]
pub struct NAdamSlots {
    /// The average of gradients.
    pub mean: Tensor,
    /// The average of squared gradients.
    pub mean_square: Tensor,
    /// The product of all momenta so far, one number.
    pub momentum_product: Tensor,
}

impl NAdam {
    /// The momentum of update `step`, an f64 scalar.
    fn momentum(&self, step: &Tensor) -> Tensor {
        let late = step.like(0.96).pow(&(step * self.momentum_decay));
        (1.0 - late * 0.5) * self.beta1
    }
}

impl Optimizer for NAdam {
    type Slots = NAdamSlots;

    fn lr(&self) -> f64 {
        self.lr
    }

    fn slot_shape(&self, slot: &str, parameter: &Shape) -> Shape {
        if slot == "momentum_product" { [].into() } else { parameter.clone() }
    }

    fn update(&self, p: &Tensor, g: &Tensor, slots: NAdamSlots, context: &Context) -> (Tensor, NAdamSlots) {
        let (p, g) = context.decayed(self.decay_form, self.weight_decay, p, g);
        let mean = ema(self.beta1, &slots.mean, &g);
        let mean_square = ema(self.beta2, &slots.mean_square, &g.square());
        let (now, next) = (self.momentum(&context.step), self.momentum(&(&context.step + 1.0)));
        let before = slots.momentum_product.cast(now.dtype());
        let product = context.is_first().where_(&before.like(1.0), &before) * &now;
        let lr = context.lr.cast(now.dtype());
        let weight_of = |numerator: Tensor, product: &Tensor| (&lr * numerator / (1.0 - product)).cast(p.dtype());
        let of_mean = weight_of(next.clone(), &(&product * &next));
        let of_gradient = weight_of(1.0 - now, &product);
        let root = context.corrected_root(self.beta2, &mean_square, self.eps, self.epsilon);
        let momentum_product = product.cast(slots.momentum_product.dtype());
        (p - (of_mean * &mean + of_gradient * g) / root, NAdamSlots { mean, mean_square, momentum_product })
    }
}
