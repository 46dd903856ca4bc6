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
//!
//! The notes write some of these standard deviations as variances; what is drawn has them as deviations.

use std::fmt;

use barun_engine::random::Stream;

use crate::Shape;
use crate::hyper::{HyperValue, Value};

mod fans;
mod orthogonal;

pub use fans::Fans;

/// Declares the rules: what each is, the name recipes use, and an example of its number where it takes one.
macro_rules! initializers {
    ($($(#[doc = $doc:literal])* $Rule:ident $(($Type:ty) like $example:literal)? = $name:literal,)*) => {
        /// The rule of a parameter's first values.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub enum Init {
            #[default]
            $($(#[doc = $doc])* $Rule $(($Type))?,)*
        }

        impl Init {
            /// Every rule, with an example of its number where it takes one.
            pub const ALL: &[Init] = &[$(Init::$Rule $(($example))?),*];

            /// The name recipes use.
            #[allow(unused_variables)]
            pub fn name(self) -> &'static str {
                match self { $(Init::$Rule $((with_number!($example)))? => $name,)* }
            }

            /// All there is to say about it.
            pub fn doc(self) -> &'static str {
                match self { $(Init::$Rule $((with_number!($example)))? => concat!($($doc, "\n"),*),)* }
            }
        }
    };
}

/// A pattern for a number, whatever its example.
macro_rules! with_number {
    ($example:literal) => {
        _
    };
}

initializers! {
    /// What suits the activation after the weights: Xavier for sigmoid and tanh, He for the ReLU family, LeCun else.
    ///
    /// LeCun is for SELU and where nothing follows. What follows is known inside a `Sequential`; for layers that are fields
    /// of a struct it is He, unless set. Glorot & Bengio, 2010; He et al., 2015; Klambauer et al., 2017. [INIT-23]
    Auto = "auto",
    /// All 0: right for biases, wrong for weights, whose units then stay equal.
    ///
    /// `w = 0`, as PyTorch's `zeros_`. [INIT-19]
    Zeros = "zeros",
    /// All the same.
    ///
    /// `w = c`, as PyTorch's `constant_`. A small positive number as a bias keeps ReLU units active at the start. [INIT-22]
    Constant(f64) like 0.01 = "constant",
    /// Normal with this standard deviation.
    ///
    /// `w = std z` with standard normal z, as PyTorch's `normal_`. `normal(1)` is the historic choice that saturates sigmoids, `normal(0.01)` one that lets all units look alike.
    /// [INIT-01, INIT-02]
    Normal(f64) like 0.01 = "normal",
    /// Normal with this standard deviation, but nothing beyond two of them.
    ///
    /// `w = std z` with |z| <= 2, as PyTorch's `trunc_normal_` with such bounds: what is further out is drawn again, which
    /// leaves 0.88 of the deviation. No weight starts so large that its unit is
    /// stuck; usual in transformers, with 0.02.
    TruncatedNormal(f64) like 0.02 = "truncated_normal",
    /// Uniform between plus and minus this.
    ///
    /// `w` in `[-a, a]`, as PyTorch's `uniform_`.
    Uniform(f64) like 0.01 = "uniform",
    /// Normal, std `sqrt(1 / fan_in)`: for identity and SELU.
    ///
    /// LeCun et al., 1998, "Efficient backprop". [INIT-03]
    LecunNormal = "lecun_normal",
    /// Uniform, `+-sqrt(3 / fan_in)`: for identity and SELU.
    ///
    /// The variance of `lecun_normal`. LeCun et al., 1998, "Efficient backprop". [INIT-04]
    LecunUniform = "lecun_uniform",
    /// Uniform, `+-sqrt(1 / fan_in)`, as the notes write it: a third of LeCun's variance.
    ///
    /// PyTorch draws the weights of its linear and convolution layers like this. [INIT-04]
    LecunUniformNotes = "lecun_uniform_notes",
    /// Normal, std `sqrt(2 / (fan_in + fan_out))`: for sigmoid and tanh.
    ///
    /// Keeps the variance of activations and of gradients about the same from layer to layer. Glorot & Bengio, 2010,
    /// "Understanding the difficulty of training deep feedforward neural networks". [INIT-05]
    XavierNormal = "xavier_normal",
    /// Uniform, `+-sqrt(6 / (fan_in + fan_out))`: for sigmoid and tanh.
    ///
    /// The variance of `xavier_normal`. Glorot & Bengio, 2010. [INIT-06]
    XavierUniform = "xavier_uniform",
    /// Normal, std `sqrt(2 / fan_in)`: for ReLU and its family.
    ///
    /// The 2 makes up for the half of all units that ReLU sets to 0. He et al., 2015, "Delving deep into rectifiers".
    /// [INIT-07]
    HeNormal = "he_normal",
    /// Uniform, `+-sqrt(6 / fan_in)`: for ReLU and its family.
    ///
    /// The variance of `he_normal`. He et al., 2015. [INIT-08]
    HeUniform = "he_uniform",
    /// A random orthogonal matrix times this gain.
    ///
    /// Every direction is kept as long as it is, so signals neither grow nor fade through many linear layers: for deep and
    /// for recurrent networks; the gain for ReLU is 1.41. A kernel is such a matrix `[kh kw in, out]`. Saxe, McClelland &
    /// Ganguli, 2013, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks".
    Orthogonal(f64) like 1.0 = "orthogonal",
}

/// A distribution around 0.
enum Distribution {
    Constant(f64),
    Normal { std: f64 },
    TruncatedNormal { std: f64 },
    Uniform { bound: f64 },
    Orthogonal { gain: f64 },
}

/// The standard deviation of a standard normal number that lies within two of them.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

impl Init {
    fn distribution(self, fans: Fans) -> Distribution {
        let fan_in = fans.fan_in.max(1) as f64;
        let both = (fans.fan_in + fans.fan_out).max(1) as f64;
        match self {
            Init::Zeros => Distribution::Constant(0.0),
            Init::Constant(value) => Distribution::Constant(value),
            Init::Normal(std) => Distribution::Normal { std },
            Init::TruncatedNormal(std) => Distribution::TruncatedNormal { std },
            Init::Uniform(bound) => Distribution::Uniform { bound },
            Init::LecunNormal => Distribution::Normal { std: (1.0 / fan_in).sqrt() },
            Init::LecunUniform => Distribution::Uniform { bound: (3.0 / fan_in).sqrt() },
            Init::LecunUniformNotes => Distribution::Uniform { bound: (1.0 / fan_in).sqrt() },
            Init::XavierNormal => Distribution::Normal { std: (2.0 / both).sqrt() },
            Init::XavierUniform => Distribution::Uniform { bound: (6.0 / both).sqrt() },
            Init::HeNormal | Init::Auto => Distribution::Normal { std: (2.0 / fan_in).sqrt() },
            Init::HeUniform => Distribution::Uniform { bound: (6.0 / fan_in).sqrt() },
            Init::Orthogonal(gain) => Distribution::Orthogonal { gain },
        }
    }

    /// The standard deviation of the values it draws.
    pub fn std(self, fans: Fans) -> f64 {
        match self.distribution(fans) {
            Distribution::Constant(_) => 0.0,
            Distribution::Normal { std } => std,
            Distribution::TruncatedNormal { std } => std * TRUNCATED_STD,
            Distribution::Uniform { bound } => bound / 3f64.sqrt(),
            // Each of the shorter side's vectors has length 1 in as many elements as the longer side has.
            Distribution::Orthogonal { gain } => gain / (fans.fan_in.max(fans.fan_out).max(1) as f64).sqrt(),
        }
    }

    /// The values of the parameter at `path` under `seed`.
    pub fn values(self, shape: &Shape, seed: u64, path: &str) -> Box<dyn Iterator<Item = f64>> {
        let mut stream = Stream::new(seed, path);
        let count = shape.elements();
        match self.distribution(Fans::of(shape)) {
            Distribution::Constant(value) => Box::new(std::iter::repeat_n(value, count)),
            Distribution::Normal { std } => Box::new((0..count).map(move |_| std * stream.normal())),
            Distribution::TruncatedNormal { std } => {
                Box::new((0..count).map(move |_| std * truncated_normal(&mut stream)))
            }
            Distribution::Uniform { bound } => {
                Box::new((0..count).map(move |_| stream.between(-bound, bound)))
            }
            Distribution::Orthogonal { gain } => {
                let columns = shape.last().copied().unwrap_or(1);
                let rows = count / columns.max(1);
                let values = orthogonal::orthogonal(rows, columns, &mut stream);
                Box::new(values.into_iter().map(move |value| gain * value))
            }
        }
    }

    /// What it is, in a sentence.
    pub fn about(self) -> &'static str {
        let line = self.doc().lines().next().unwrap_or_default().trim();
        let end = line.find(". ").unwrap_or(line.len());
        line[..end].trim_end_matches('.')
    }

    /// The rule's number where it takes one.
    fn number(self) -> Option<f64> {
        match self {
            Init::Constant(number)
            | Init::Normal(number)
            | Init::TruncatedNormal(number)
            | Init::Uniform(number)
            | Init::Orthogonal(number) => Some(number),
            _ => None,
        }
    }

    /// The same rule with another number; none where it takes none.
    fn with(self, number: f64) -> Option<Init> {
        Some(match self {
            Init::Constant(_) => Init::Constant(number),
            Init::Normal(_) => Init::Normal(number),
            Init::TruncatedNormal(_) => Init::TruncatedNormal(number),
            Init::Uniform(_) => Init::Uniform(number),
            Init::Orthogonal(_) => Init::Orthogonal(number),
            _ => return None,
        })
    }
}

/// A standard normal number within two standard deviations.
fn truncated_normal(stream: &mut Stream) -> f64 {
    loop {
        let value = stream.normal();
        if value.abs() <= 2.0 {
            return value;
        }
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number() {
            Some(number) => write!(f, "{}({number})", self.name()),
            None => f.write_str(self.name()),
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
        let rule = Init::ALL.iter().copied().find(|init| init.name() == name)?;
        match argument {
            Some(number) => rule.with(number),
            None => Some(rule),
        }
    }
}
