//! Element-wise operations, and the operators `+ - * /` with tensors and numbers.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{DType, Tensor};
use crate::graph::{Binary, Primitive, Unary};

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => { impl Tensor { $(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(&self) -> Tensor {
            Tensor::build(Primitive::Unary(Unary::$op), &[self], None)
        }
    )* } };
}

unary! {
    /// `|x|`; its gradient at 0 is 0.
    abs => Abs;
    /// -1, 0 or 1; its gradient is 0.
    sign => Sign;
    /// Square root.
    sqrt => Sqrt;
    /// `e^x`.
    exp => Exp;
    /// Natural logarithm.
    ln => Ln;
    /// Sine of radians.
    sin => Sin;
    /// Cosine of radians.
    cos => Cos;
    /// Hyperbolic tangent.
    tanh => Tanh;
    /// `1 / (1 + exp(-x))`, stable for any x. [ACT-01]
    sigmoid => Sigmoid;
    /// The error function `2 / sqrt(pi) int_0^x exp(-t^2) dt`.
    erf => Erf;
    /// The next whole number below; its gradient is 0.
    floor => Floor;
    /// Logical not, of bool.
    not => Not;
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident => $op:ident;)*) => { impl Tensor { $(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(&self, other: &Tensor) -> Tensor {
            Tensor::binary(Binary::$op, self, other)
        }
    )* } };
}

binary! {
    /// `self` to the power of `other`, for `self >= 0` where gradients are asked for.
    pow => Pow;
    /// The larger of both; NaN if either is. Where equal, the gradient goes to `other`.
    maximum => Max;
    /// The smaller of both; NaN if either is. Where equal, the gradient goes to `other`.
    minimum => Min;
    /// `self < other`, bool.
    less => Less;
    /// `self == other`, bool.
    equal => Equal;
    /// Logical and, of bool.
    and => And;
    /// Logical or, of bool.
    or => Or;
}

impl Tensor {
    #[track_caller]
    fn binary(op: Binary, a: &Tensor, b: &Tensor) -> Tensor {
        let (a, b) = Tensor::broadcast_together(a, b);
        Tensor::build(Primitive::Binary(op), &[&a, &b], None)
    }

    /// Both to their common shape, or as they are if there is none (the operation will say so).
    #[track_caller]
    fn broadcast_together(a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
        if a.node().shape == b.node().shape || a.check().is_err() || b.check().is_err() {
            return (a.clone(), b.clone());
        }
        match a.node().shape.broadcast(&b.node().shape) {
            Some(shape) => (a.broadcast_to(shape.clone()), b.broadcast_to(shape)),
            None => (a.clone(), b.clone()),
        }
    }

    /// A constant of this tensor's shape and type.
    #[track_caller]
    pub fn like(&self, value: f64) -> Tensor {
        match self.check() {
            Ok(_) => Tensor::full(self.node().shape.clone(), value, self.dtype()),
            Err(_) => self.clone(),
        }
    }

    /// A constant of this tensor's shape to compute with it, or to be its gradient: for bf16 in f32, not rounded.
    #[track_caller]
    pub(crate) fn number(&self, value: f64) -> Tensor {
        match self.check() {
            Ok(_) => Tensor::full(self.node().shape.clone(), value, self.dtype().computed()),
            Err(_) => self.clone(),
        }
    }

    /// `x * x`.
    #[track_caller]
    pub fn square(&self) -> Tensor {
        self * self
    }

    /// `1 / x`.
    #[track_caller]
    pub fn recip(&self) -> Tensor {
        self.like(1.0) / self
    }

    /// `x` to the power of a number; 0.5, 1, 2 and 3 become square root and products.
    #[track_caller]
    pub fn powf(&self, exponent: f64) -> Tensor {
        match exponent {
            0.5 => self.sqrt(),
            1.0 => self.clone(),
            2.0 => self.square(),
            3.0 => self.square() * self,
            _ => self.pow(&self.number(exponent)),
        }
    }

    /// `self > other`, bool.
    #[track_caller]
    pub fn greater(&self, other: &Tensor) -> Tensor {
        other.less(self)
    }

    /// Rectified linear unit `max(x, 0)`; its gradient at 0 is 0. [ACT-03]
    #[track_caller]
    pub fn relu(&self) -> Tensor {
        self.maximum(&self.like(0.0))
    }

    /// `self` (bool) chooses between `yes` and `no`, all broadcast together.
    #[track_caller]
    pub fn where_(&self, yes: &Tensor, no: &Tensor) -> Tensor {
        let (yes, no) = Tensor::broadcast_together(yes, no);
        let (condition, yes) = Tensor::broadcast_together(self, &yes);
        let (_, no) = Tensor::broadcast_together(&condition, &no);
        Tensor::build(Primitive::Where, &[&condition, &yes, &no], None)
    }

    /// To another type. Floats to integers truncate and saturate; to bf16 they round to the nearest, ties to even;
    /// anything to bool is "not zero".
    #[track_caller]
    pub fn cast(&self, dtype: DType) -> Tensor {
        if self.dtype() == dtype {
            return self.clone();
        }
        Tensor::build(Primitive::Cast { dtype }, &[self], None)
    }

    /// The same values, through which no gradient flows.
    #[track_caller]
    pub fn detach(&self) -> Tensor {
        Tensor::build(Primitive::Detach, &[self], None)
    }

    /// Softmax over `axis`: `exp(x - max) / sum(exp(x - max))`, so that no input overflows. [ACT-08, TENSOR-18]
    #[track_caller]
    pub fn softmax(&self, axis: i64) -> Tensor {
        let exp = (self - self.max_keep(axis).detach()).exp();
        let sum = exp.sum_keep(axis);
        exp / sum
    }

    /// `x - log(sum(exp(x)))` over `axis`, stable for any x. [TENSOR-18]
    #[track_caller]
    pub fn log_softmax(&self, axis: i64) -> Tensor {
        let shifted = self - self.max_keep(axis).detach();
        let log_sum = shifted.exp().sum_keep(axis).ln();
        shifted - log_sum
    }
}

impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::build(Primitive::Unary(Unary::Neg), &[self], None)
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        -&self
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident) => {
        impl $trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                Tensor::binary(Binary::$trait, self, other)
            }
        }
        impl $trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                Tensor::binary(Binary::$trait, self, &other)
            }
        }
        impl $trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                Tensor::binary(Binary::$trait, &self, other)
            }
        }
        impl $trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                Tensor::binary(Binary::$trait, &self, &other)
            }
        }
        impl $trait<f64> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: f64) -> Tensor {
                Tensor::binary(Binary::$trait, self, &self.number(other))
            }
        }
        impl $trait<f64> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: f64) -> Tensor {
                Tensor::binary(Binary::$trait, &self, &self.number(other))
            }
        }
        impl $trait<&Tensor> for f64 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: &Tensor) -> Tensor {
                Tensor::binary(Binary::$trait, &other.number(self), other)
            }
        }
        impl $trait<Tensor> for f64 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                Tensor::binary(Binary::$trait, &other.number(self), &other)
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);
