//! The transforms: small constant matrices applied to both axes of a patch, many channels side by side.
//!
//! The product of two polynomials is known from its values at enough points. With the points `0, p, -p, q, -q` and
//! infinity (the leading coefficient) a one-dimensional correlation of [`PATCH`] inputs with [`KERNEL`] taps is
//! `y = A' ((G g) * (B' d))`, `*` element by element, where the rows of the three matrices belong to the points:
//!
//! * `A` and `G` take a polynomial's values there, `(1, x, x^2, ..)`; `G` also divides by the product of the
//!   distances to the other points,
//! * a row of `B'` holds the coefficients of the polynomial that has the other points as its roots.
//!
//! The two-dimensional transforms apply a matrix down and then across. Rows of `p` and `-p` differ in the sign of
//! their odd columns alone, so both come from one even and one odd part.
//!
//! All five transforms have one form: so many places to read, so many to write, and a number of consecutive channels
//! at each. Those of operands widen what they read, if it is bf16; points and all that follows are f32.

use half::bf16;

use super::{KERNEL, PATCH, TILE};
use crate::cpu::gemm::Real;
use crate::cpu::gemm::micro::{self, Micro, load};
use crate::cpu::gemm::simd::*;
use crate::cpu::isa::Isa;

/// The points `p` and `q`. With `3/4` and `3/2` all entries of `A` and `B'` are exact and the errors are a quarter of
/// those with the customary `1` and `2`, see the table in `winograd.rs`.
const POINTS: [f64; 2] = [0.75, 1.5];

/// Rows by point, columns by power: values of a polynomial with `N` coefficients.
const fn values<const N: usize>() -> [[f64; N]; PATCH] {
    let [p, q] = POINTS;
    let points = [0.0, p, -p, q, -q];
    let mut rows = [[0.0; N]; PATCH];
    let mut i = 0;
    while i < points.len() {
        let mut power = 1.0;
        let mut j = 0;
        while j < N {
            rows[i][j] = power;
            power *= points[i];
            j += 1;
        }
        i += 1;
    }
    rows[PATCH - 1][N - 1] = 1.0;
    rows
}

const fn rounded<const N: usize>(rows: [[f64; N]; PATCH], divisors: [f64; PATCH]) -> [[f32; N]; PATCH] {
    let mut to = [[0.0; N]; PATCH];
    let mut i = 0;
    while i < PATCH {
        let mut j = 0;
        while j < N {
            to[i][j] = (rows[i][j] / divisors[i]) as f32;
            j += 1;
        }
        i += 1;
    }
    to
}

/// `A`: from a tile of the output's side; transposed, back to it.
const OUTPUT: [[f32; TILE]; PATCH] = rounded(values(), [1.0; PATCH]);

/// `G`: from the kernel's side; transposed, back to it.
const WEIGHTS: [[f32; KERNEL]; PATCH] = {
    let [p2, q2] = [POINTS[0] * POINTS[0], POINTS[1] * POINTS[1]];
    let (at_p, at_q) = (2.0 * p2 * (p2 - q2), 2.0 * q2 * (q2 - p2));
    rounded(values(), [p2 * q2, at_p, at_p, at_q, at_q, 1.0])
};

/// `B'`: from a patch of the input.
const INPUT: [[f32; PATCH]; PATCH] = {
    let [p, q] = POINTS;
    let [p2, q2] = [p * p, q * q];
    let rows = [
        [p2 * q2, 0.0, -p2 - q2, 0.0, 1.0, 0.0],
        [0.0, -p * q2, -q2, p, 1.0, 0.0],
        [0.0, p * q2, -q2, -p, 1.0, 0.0],
        [0.0, -q * p2, -p2, q, 1.0, 0.0],
        [0.0, q * p2, -p2, -q, 1.0, 0.0],
        [0.0, p2 * q2, 0.0, -p2 - q2, 0.0, 1.0],
    ];
    rounded(rows, [1.0; PATCH])
};

/// A matrix applied to one line of vectors.
trait Line<const FROM: usize, const TO: usize> {
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn apply<S: Simd<f32>>(line: [S::V; FROM]) -> [S::V; TO];
}

/// The sum of `line[i] * factors[i]` over every `step`th `i` from `start` on; factors are known to the compiler, so
/// that zeros cost nothing and ones no multiplication.
///
/// # Safety
/// The processor has the instruction set.
#[inline(always)]
unsafe fn weighted<S: Simd<f32>, const N: usize>(
    line: &[S::V; N],
    factors: &[f32; N],
    start: usize,
    step: usize,
) -> S::V {
    // The first term, a plain one if there is any.
    let (mut first, mut plain) = (N, false);
    let mut i = start;
    while i < N {
        if !plain && factors[i] != 0.0 && (first == N || factors[i] == 1.0) {
            (first, plain) = (i, factors[i] == 1.0);
        }
        i += step;
    }
    // SAFETY: the caller's.
    unsafe {
        let mut sum = if first == N {
            S::zero()
        } else if plain {
            line[first]
        } else {
            S::mul(S::splat(&factors[first]), line[first])
        };
        let mut i = start;
        while i < N {
            if i != first && factors[i] == 1.0 {
                sum = S::add(sum, line[i]);
            } else if i != first && factors[i] != 0.0 {
                sum = S::fma(S::splat(&factors[i]), line[i], sum);
            }
            i += step;
        }
        sum
    }
}

/// The rows of `p` and `-p`, of which the former is given.
///
/// # Safety
/// The processor has the instruction set.
#[inline(always)]
unsafe fn pair<S: Simd<f32>, const N: usize>(row: &[f32; N], line: &[S::V; N]) -> [S::V; 2] {
    // SAFETY: the caller's.
    unsafe {
        let (even, odd) = (weighted::<S, N>(line, row, 0, 2), weighted::<S, N>(line, row, 1, 2));
        [S::add(even, odd), S::sub(even, odd)]
    }
}

/// `matrix line`.
///
/// # Safety
/// The processor has the instruction set.
#[inline(always)]
unsafe fn to_points<S: Simd<f32>, const N: usize>(
    matrix: &[[f32; N]; PATCH],
    line: [S::V; N],
) -> [S::V; PATCH] {
    // SAFETY: the caller's.
    unsafe {
        let [at_p, at_minus_p] = pair::<S, N>(&matrix[1], &line);
        let [at_q, at_minus_q] = pair::<S, N>(&matrix[3], &line);
        let at_zero = weighted::<S, N>(&line, &matrix[0], 0, 1);
        let at_infinity = weighted::<S, N>(&line, &matrix[PATCH - 1], 0, 1);
        [at_zero, at_p, at_minus_p, at_q, at_minus_q, at_infinity]
    }
}

/// `matrix' line`.
///
/// # Safety
/// The processor has the instruction set.
#[inline(always)]
unsafe fn from_points<S: Simd<f32>, const N: usize>(
    matrix: &[[f32; N]; PATCH],
    line: [S::V; PATCH],
) -> [S::V; N] {
    // SAFETY: the caller's.
    unsafe {
        let even = [line[0], S::add(line[1], line[2]), S::add(line[3], line[4]), line[5]];
        let odd = [line[0], S::sub(line[1], line[2]), S::sub(line[3], line[4]), line[5]];
        let mut to = [S::zero(); N];
        let mut j = 0;
        while j < N {
            let factors = [matrix[0][j], matrix[1][j], matrix[3][j], matrix[5][j]];
            to[j] = weighted::<S, 4>(if j % 2 == 0 { &even } else { &odd }, &factors, 0, 1);
            j += 1;
        }
        to
    }
}

/// Lines to and from the values at the points.
macro_rules! lines {
    ($($to:ident $from:ident $matrix:ident $n:ident;)*) => {$(
        struct $to;
        impl Line<$n, PATCH> for $to {
            #[inline(always)]
            unsafe fn apply<S: Simd<f32>>(line: [S::V; $n]) -> [S::V; PATCH] {
                // SAFETY: the caller's.
                unsafe { to_points::<S, $n>(&$matrix, line) }
            }
        }
        struct $from;
        impl Line<PATCH, $n> for $from {
            #[inline(always)]
            unsafe fn apply<S: Simd<f32>>(line: [S::V; PATCH]) -> [S::V; $n] {
                // SAFETY: the caller's.
                unsafe { from_points::<S, $n>(&$matrix, line) }
            }
        }
    )*};
}

lines! {
    FromWeights ToWeights WEIGHTS KERNEL;
    FromOutput ToOutput OUTPUT TILE;
}

struct FromInput;

impl Line<PATCH, PATCH> for FromInput {
    #[inline(always)]
    unsafe fn apply<S: Simd<f32>>(line: [S::V; PATCH]) -> [S::V; PATCH] {
        // SAFETY: the caller's.
        unsafe { to_points::<S, PATCH>(&INPUT, line) }
    }
}

/// Both axes of one vector's worth of channels: `count` of them, all if `WHOLE`.
///
/// # Safety
/// `count` elements behind `at` can be read and written at all places, and the processor has the instruction set.
#[inline(always)]
unsafe fn square<
    T: Real<Sum = f32>,
    S: Simd<f32>,
    L: Line<FROM, TO>,
    const FROM: usize,
    const TO: usize,
    const WHOLE: bool,
>(
    from: &Sources<T, FROM>,
    to: &Targets<TO>,
    at: usize,
    count: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut half = [[S::zero(); FROM]; TO];
        for j in 0..FROM {
            let mut line = [S::zero(); FROM];
            for i in 0..FROM {
                let from = from[i][j].wrapping_add(at);
                line[i] = load::<T, S, WHOLE>(from, count);
            }
            let line = L::apply::<S>(line);
            for i in 0..TO {
                half[i][j] = line[i];
            }
        }
        for i in 0..TO {
            let line = L::apply::<S>(half[i]);
            for j in 0..TO {
                let to = to[i][j].wrapping_add(at);
                if WHOLE { S::store(to, line[j]) } else { S::store_part(to, line[j], count) }
            }
        }
    }
}

/// # Safety
/// See [`Transforms`].
#[inline(always)]
unsafe fn squares<T: Real<Sum = f32>, S: Simd<f32>, L: Line<FROM, TO>, const FROM: usize, const TO: usize>(
    from: &Sources<T, FROM>,
    to: &Targets<TO>,
    count: usize,
) {
    let whole = count / S::LANES * S::LANES;
    // SAFETY: only elements below `count` are touched.
    unsafe {
        for at in (0..whole).step_by(S::LANES) {
            square::<T, S, L, FROM, TO, true>(from, to, at, S::LANES);
        }
        if whole < count {
            square::<T, S, L, FROM, TO, false>(from, to, whole, count - whole);
        }
    }
}

/// Where the channels of a square of pixels are read.
pub(super) type Sources<T, const N: usize> = [[*const T; N]; N];
/// Where the channels of a square of pixels are written.
pub(super) type Targets<const N: usize> = [[*mut f32; N]; N];

/// The transforms of one instruction set for operands of type `T`, and the register tiles that go with them.
///
/// Safety of all: so many consecutive elements as the last argument says can be read and written at the places, and
/// the processor has the instruction set.
pub(super) struct Transforms<T: Real> {
    /// Packs operands.
    pub packing: &'static Micro<T>,
    /// Multiplies at the points.
    pub micro: &'static Micro<f32>,
    /// A patch of the input to the points: `B' d B`.
    pub from_input: unsafe fn(&Sources<T, PATCH>, &Targets<PATCH>, usize),
    /// The taps, packed, to the points: `G g G'`.
    pub from_weights: unsafe fn(&Sources<f32, KERNEL>, &Targets<PATCH>, usize),
    /// A tile of the output's gradient to the points: `A y A'`.
    pub from_output: unsafe fn(&Sources<T, TILE>, &Targets<PATCH>, usize),
    /// From the points to a tile of the output: `A' m A`.
    pub to_output: unsafe fn(&Sources<f32, PATCH>, &Targets<TILE>, usize),
    /// From the points to the gradient of the taps: `G' m G`.
    pub to_weights: unsafe fn(&Sources<f32, PATCH>, &Targets<KERNEL>, usize),
}

macro_rules! transforms {
    ($name:ident, $t:ty, $packing:expr, $micro:expr, $simd:ty $(, $feature:literal)?) => {
        pub(super) static $name: Transforms<$t> = {
            transforms!(@one from_input, FromInput, $t, PATCH, PATCH, $simd $(, $feature)?);
            transforms!(@one from_weights, FromWeights, f32, KERNEL, PATCH, $simd $(, $feature)?);
            transforms!(@one from_output, FromOutput, $t, TILE, PATCH, $simd $(, $feature)?);
            transforms!(@one to_output, ToOutput, f32, PATCH, TILE, $simd $(, $feature)?);
            transforms!(@one to_weights, ToWeights, f32, PATCH, KERNEL, $simd $(, $feature)?);
            let (packing, micro) = (&$packing, &$micro);
            Transforms { packing, micro, from_input, from_weights, from_output, to_output, to_weights }
        };
    };
    (@one $name:ident, $line:ident, $t:ty, $from:ident, $to:ident, $simd:ty $(, $feature:literal)?) => {
        $(#[target_feature(enable = $feature)])?
        unsafe fn $name(from: &Sources<$t, $from>, to: &Targets<$to>, count: usize) {
            // SAFETY: the caller's.
            unsafe { squares::<$t, $simd, $line, $from, $to>(from, to, count) }
        }
    };
}

transforms!(SCALAR, f32, micro::SCALAR_F32, micro::SCALAR_F32, Portable<4>);
transforms!(SCALAR_BF16, bf16, micro::SCALAR_BF16, micro::SCALAR_F32, Portable<4>);
#[cfg(target_arch = "x86_64")]
transforms!(AVX2, f32, micro::AVX2_F32, micro::AVX2_F32, Avx2, "avx2,fma");
#[cfg(target_arch = "x86_64")]
transforms!(AVX2_BF16, bf16, micro::AVX2_BF16, micro::AVX2_F32, Avx2, "avx2,fma");
#[cfg(target_arch = "x86_64")]
transforms!(
    AVX512,
    f32,
    micro::AVX512_F32,
    micro::AVX512_F32,
    Avx512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
);
#[cfg(target_arch = "x86_64")]
transforms!(
    AVX512_BF16,
    bf16,
    micro::AVX512_BF16,
    micro::AVX512_F32,
    Avx512,
    "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
);
// The vectors of AVX-512 on any machine, for tests.
#[cfg(test)]
transforms!(WIDE, f32, micro::WIDE_F32, micro::WIDE_F32, Fused<16>);
#[cfg(test)]
transforms!(WIDE_BF16, bf16, micro::WIDE_BF16, micro::WIDE_F32, Fused<16>);

/// Types of operands that the transforms exist for.
pub trait Transformed: Real<Sum = f32> {
    /// The table of an instruction set.
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn transforms(isa: Isa) -> &'static Transforms<Self>;
}

macro_rules! transformed {
    ($t:ty, $scalar:ident, $avx2:ident, $avx512:ident) => {
        impl Transformed for $t {
            #[allow(private_interfaces)]
            fn transforms(isa: Isa) -> &'static Transforms<$t> {
                assert!(isa.is_available(), "this machine has no {isa}");
                match isa.vectors() {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => &$avx2,
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => &$avx512,
                    _ => &$scalar,
                }
            }
        }
    };
}
transformed!(f32, SCALAR, AVX2, AVX512);
transformed!(bf16, SCALAR_BF16, AVX2_BF16, AVX512_BF16);
