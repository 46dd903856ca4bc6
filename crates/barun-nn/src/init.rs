//! How the first values of weights are drawn.
//!
//! A value is a function of the seed and of the parameter's path alone, so a layer added elsewhere changes nothing.
//! `fan_in` and `fan_out` are the numbers of inputs and outputs of one unit; a convolution kernel
//! `[kh, kw, in / groups, out]` has `kh * kw * in / groups` and `kh * kw * out`. [INIT-09]
//!
//! | rule | distribution | for |
//! |---|---|---|
//! | LeCun normal, uniform | std `sqrt(1 / fan_in)`, `+-sqrt(3 / fan_in)` | identity, SELU (LeCun et al., 1998) |
//! | Xavier normal, uniform | std `sqrt(2 / (fan_in + fan_out))`, `+-sqrt(6 / (fan_in + fan_out))` | sigmoid, tanh (Glorot & Bengio, 2010) |
//! | He normal, uniform | std `sqrt(2 / fan_in)`, `+-sqrt(6 / fan_in)` | the ReLU family (He et al., 2015) |

use std::fmt;

use barun_engine::random::Stream;

use crate::Shape;
use crate::hyper::{HyperValue, Value};

/// The rule of a parameter's first values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Init {
    /// What suits the activation after the weights: Xavier for sigmoid and tanh, He for the ReLU family, LeCun where
    /// nothing follows. Known inside a [`Sequential`](crate::layers::Sequential); for layers that are fields of a
    /// struct it is He, unless set. [INIT-23]
    #[default]
    Auto,
    /// All 0: right for biases, wrong for weights, whose units then stay equal. [INIT-19]
    Zeros,
    /// All the same.
    Constant(f64),
    /// Normal with this standard deviation. [INIT-01, INIT-02]
    Normal(f64),
    /// Uniform between plus and minus this.
    Uniform(f64),
    /// Normal, std `sqrt(1 / fan_in)`. [INIT-03]
    LecunNormal,
    /// Uniform, `+-sqrt(3 / fan_in)`, the same variance. [INIT-04]
    LecunUniform,
    /// Uniform, `+-sqrt(1 / fan_in)`, as the notes write it: a third of the variance. [INIT-04]
    LecunUniformNotes,
    /// Normal, std `sqrt(2 / (fan_in + fan_out))`. [INIT-05]
    XavierNormal,
    /// Uniform, `+-sqrt(6 / (fan_in + fan_out))`. [INIT-06]
    XavierUniform,
    /// Normal, std `sqrt(2 / fan_in)`. [INIT-07]
    HeNormal,
    /// Uniform, `+-sqrt(6 / fan_in)`. [INIT-08]
    HeUniform,
}

/// Inputs and outputs of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    /// Values that flow into one output.
    pub fan_in: usize,
    /// Values that one input flows into.
    pub fan_out: usize,
}

impl Fans {
    /// Of weights `[in, out]` or kernels `[.., in, out]`.
    pub fn of(shape: &Shape) -> Fans {
        match shape.rank() {
            0 => Fans { fan_in: 1, fan_out: 1 },
            1 => Fans { fan_in: shape[0], fan_out: shape[0] },
            rank => {
                let taps: usize = shape[..rank - 2].iter().product();
                Fans { fan_in: taps * shape[rank - 2], fan_out: taps * shape[rank - 1] }
            }
        }
    }
}

/// A distribution around 0.
enum Distribution {
    Constant(f64),
    Normal { std: f64 },
    Uniform { bound: f64 },
}

impl Init {
    /// Every rule, with 0.01 (the notes' small value) where it takes a number.
    pub const ALL: [Init; 12] = [
        Init::Auto,
        Init::Zeros,
        Init::Constant(0.01),
        Init::Normal(0.01),
        Init::Uniform(0.01),
        Init::LecunNormal,
        Init::LecunUniform,
        Init::LecunUniformNotes,
        Init::XavierNormal,
        Init::XavierUniform,
        Init::HeNormal,
        Init::HeUniform,
    ];

    fn distribution(self, fans: Fans) -> Distribution {
        let fan_in = fans.fan_in.max(1) as f64;
        let both = (fans.fan_in + fans.fan_out).max(1) as f64;
        match self {
            Init::Zeros => Distribution::Constant(0.0),
            Init::Constant(value) => Distribution::Constant(value),
            Init::Normal(std) => Distribution::Normal { std },
            Init::Uniform(bound) => Distribution::Uniform { bound },
            Init::LecunNormal => Distribution::Normal { std: (1.0 / fan_in).sqrt() },
            Init::LecunUniform => Distribution::Uniform { bound: (3.0 / fan_in).sqrt() },
            Init::LecunUniformNotes => Distribution::Uniform { bound: (1.0 / fan_in).sqrt() },
            Init::XavierNormal => Distribution::Normal { std: (2.0 / both).sqrt() },
            Init::XavierUniform => Distribution::Uniform { bound: (6.0 / both).sqrt() },
            Init::HeNormal | Init::Auto => Distribution::Normal { std: (2.0 / fan_in).sqrt() },
            Init::HeUniform => Distribution::Uniform { bound: (6.0 / fan_in).sqrt() },
        }
    }

    /// The standard deviation of the values it draws.
    pub fn std(self, fans: Fans) -> f64 {
        match self.distribution(fans) {
            Distribution::Constant(_) => 0.0,
            Distribution::Normal { std } => std,
            Distribution::Uniform { bound } => bound / 3f64.sqrt(),
        }
    }

    /// The values of the parameter at `path` under `seed`.
    pub fn values(self, shape: &Shape, seed: u64, path: &str) -> impl Iterator<Item = f64> + use<> {
        let mut stream = Stream::new(seed, path);
        let distribution = self.distribution(Fans::of(shape));
        (0..shape.elements()).map(move |_| match distribution {
            Distribution::Constant(value) => value,
            Distribution::Normal { std } => std * stream.normal(),
            Distribution::Uniform { bound } => stream.between(-bound, bound),
        })
    }

    /// The name recipes use, and what it is.
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Init::Auto => ("auto", "what suits the activation that follows"),
            Init::Zeros => ("zeros", "all 0"),
            Init::Constant(_) => ("constant", "all the same: constant(0.1)"),
            Init::Normal(_) => ("normal", "normal with a given standard deviation: normal(0.01)"),
            Init::Uniform(_) => ("uniform", "uniform between plus and minus a bound: uniform(0.05)"),
            Init::LecunNormal => ("lecun_normal", "normal, std sqrt(1 / fan_in): identity, SELU"),
            Init::LecunUniform => ("lecun_uniform", "uniform, +-sqrt(3 / fan_in): identity, SELU"),
            Init::LecunUniformNotes => {
                ("lecun_uniform_notes", "uniform, +-sqrt(1 / fan_in), a third of LeCun's variance")
            }
            Init::XavierNormal => {
                ("xavier_normal", "normal, std sqrt(2 / (fan_in + fan_out)): sigmoid, tanh")
            }
            Init::XavierUniform => {
                ("xavier_uniform", "uniform, +-sqrt(6 / (fan_in + fan_out)): sigmoid, tanh")
            }
            Init::HeNormal => ("he_normal", "normal, std sqrt(2 / fan_in): ReLU and its family"),
            Init::HeUniform => ("he_uniform", "uniform, +-sqrt(6 / fan_in): ReLU and its family"),
        }
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = self.describe();
        match self {
            Init::Constant(value) | Init::Normal(value) | Init::Uniform(value) => {
                write!(f, "{name}({value})")
            }
            _ => f.write_str(name),
        }
    }
}

impl HyperValue for Init {
    const EXPECTED: &'static str = "an initialiser such as auto, he_normal, xavier_uniform or normal(0.01)";
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: &Value) -> Option<Self> {
        let text = match value {
            Value::Number(number) => return Some(Init::Constant(*number)),
            Value::Text(text) => text.trim(),
            _ => return None,
        };
        let (name, argument) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(')')?.trim().parse().ok()?)),
            None => (text, None),
        };
        let rule = Init::ALL.into_iter().find(|init| init.describe().0 == name)?;
        match (rule, argument) {
            (Init::Constant(_), Some(value)) => Some(Init::Constant(value)),
            (Init::Normal(_), Some(std)) => Some(Init::Normal(std)),
            (Init::Uniform(_), Some(bound)) => Some(Init::Uniform(bound)),
            (rule, None) => Some(rule),
            _ => None,
        }
    }
}
