//! Elementary functions that vectorise: no branches, no calls, the same bits under every instruction set.
//!
//! Each `f32` function here is a straight line of additions, multiplications, integer operations and selections, so a
//! loop around it becomes vector code in whatever function it is inlined into (see `multiversion!`). None uses a
//! fused multiply-add, so the copies for different instruction sets agree to the bit. All are within 2 units in the
//! last place of the exact value on all of `f32`, subnormal numbers included, and treat 0, -0, infinities and NaN as
//! C does. Polynomials are minimax fits (Remez) of the function named beside them.
//!
//! [`Elementary`] gives the same names to `f32` (these functions) and `f64` (the standard library's).

use std::f64::consts::FRAC_PI_2;

/// The elementary functions of a floating-point type.
pub trait Elementary: Copy {
    /// `e^self`.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// `1 / (1 + e^-self)`, without overflow.
    fn sigmoid(self) -> Self;
    /// The error function.
    fn erf(self) -> Self;
    /// The sine of an angle in radians.
    fn sin(self) -> Self;
    /// The cosine of an angle in radians.
    fn cos(self) -> Self;
}

macro_rules! elementary {
    ($type:ty: $($name:ident = $function:path),*) => {
        impl Elementary for $type {
            $(
                #[inline(always)]
                fn $name(self) -> Self {
                    $function(self)
                }
            )*
        }
    };
}

elementary!(f32: exp = exp, ln = ln, tanh = tanh, sigmoid = sigmoid, erf = erf, sin = sin, cos = cos);
elementary!(f64: exp = f64::exp, ln = f64::ln, tanh = f64::tanh, sigmoid = sigmoid64, erf = erf64, sin = f64::sin, cos = f64::cos);

/// Added and subtracted, it rounds an `f32` below 2^22 to a whole number, to be read from the low bits of the sum.
const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
/// The same for an `f64` below 2^51.
const ROUND64: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52

/// ln 2 in two parts; multiples of the first by any exponent are exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `c[0] + c[1] x + c[2] x^2 + ...`, in pairs of terms, which wait for each other half as long as Horner's do.
macro_rules! polynomial {
    ($x:expr; $($c:expr),+) => {{
        let square = $x * $x;
        polynomial!(@ $x, square; $($c),+)
    }};
    (@ $x:expr, $square:expr; $last:expr) => { $last };
    (@ $x:expr, $square:expr; $first:expr, $second:expr) => { $first + $x * $second };
    (@ $x:expr, $square:expr; $first:expr, $second:expr, $($rest:expr),+) => {
        ($first + $x * $second) + $square * polynomial!(@ $x, $square; $($rest),+)
    };
}

/// `e^x`.
///
/// `x = k ln 2 + r` with a whole `k`, then `e^x = 2^k e^r`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Beyond these the result is 0 or infinity; written so that a NaN stays.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let (shifted, r) = reduced(x);
    let e = 1.0 + (r + r * r * beyond_line(r));
    // 2^k may lie outside the normal numbers while its halves do not.
    let k = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = k >> 1;
    e * power_of_two(half) * power_of_two(k.wrapping_sub(half))
}

/// `x = k ln 2 + r` with a whole `k`: `ROUND + k`, and `r`.
#[inline(always)]
fn reduced(x: f32) -> (f32, f32) {
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    (shifted, (x - k * LN_2[0]) - k * LN_2[1])
}

/// `(e^r - 1 - r) / r^2` for what [`reduced`] leaves, error of `e^r` 2^-28.
#[inline(always)]
fn beyond_line(r: f32) -> f32 {
    polynomial!(r; 0.499_999_93, 0.166_665_2, 0.041_668_406, 0.008_368_898, 0.001_381_421_8)
}

/// `2^k` for `-126 <= k <= 127`.
#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

/// The natural logarithm: -infinity at 0, NaN below.
///
/// `x = m 2^k` with `m` between the roots of 1/2 and 2, then `ln x = k ln 2 + ln m`.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    const ROOT_OF_HALF: u32 = 0x3f35_04f3;
    const SMALLEST_NORMAL: i32 = 0x0080_0000;
    const INFINITY: i32 = 0x7f80_0000;
    // Comparing bit patterns, which order like the positive numbers, is what vectorises best.
    let bits = x.to_bits() as i32;
    let subnormal = bits < SMALLEST_NORMAL;
    let scaled = if subnormal { x * 33_554_432.0 } else { x }; // 2^25
    let shifted = scaled.to_bits().wrapping_sub(ROOT_OF_HALF);
    let k = (shifted as i32) >> 23;
    let k = if subnormal { k - 25 } else { k } as f32;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(ROOT_OF_HALF));
    let f = m - 1.0;
    let square = f * f;
    // (ln(1 + f) - f + f^2 / 2) / f^3, error of ln(1 + f) 2^-30
    let q = polynomial!(f;
        0.333_333_13, -0.250_000_1, 0.200_021_23, -0.166_680_05, 0.142_194_55, -0.124_053_51, 0.118_886_95,
        -0.116_774_53, 0.067_476_58);
    let y = (f + (square * (f * q - 0.5) + k * LN_2[1])) + k * LN_2[0];
    let y = if bits < INFINITY { y } else { x };
    let outside = if bits << 1 == 0 { f32::NEG_INFINITY } else { f32::NAN };
    if bits > 0 { y } else { outside }
}

/// The hyperbolic tangent.
///
/// With `e = e^2|x| - 1 = 2^k (e^r - 1) + (2^k - 1)` it is `e / (e + 2)`, with the sign of `x`. Where `e` is small the
/// rounding of the sum would show, so it is `e/2` less a small part there.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let size = x.abs();
    // Beyond this the quotient is 1; written so that a NaN stays.
    let size = if size > 10.0 { 10.0 } else { size };
    let (shifted, r) = reduced(size + size);
    let scale = power_of_two((shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32));
    let e = scale * (r + r * r * beyond_line(r)) + (scale - 1.0);
    let quotient = e / (e + 2.0);
    let half = 0.5 * e;
    (if e < 0.8 { half - half * quotient } else { quotient }).copysign(x)
}

/// The logistic function `1 / (1 + e^-x)`, without overflow and exact to the end of both tails.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let sum = 1.0 + e;
    // What the sum was rounded by, over the sum: 1 / sum lies within 0.05 of this line.
    let lost = ((1.0 - sum) + e) * (1.457 - 0.486 * sum);
    let y = (if x < 0.0 { e } else { 1.0 }) / sum;
    y - y * lost
}

/// [`sigmoid`] in double precision.
#[inline(always)]
pub fn sigmoid64(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

/// The error function `2 / sqrt(pi)` times the integral of `e^-t^2` from 0 to `x`.
///
/// Near 0 it is `x` times a polynomial in `x^2`; further out `1 - e^(x q(x))`, where `x q(x)` is the logarithm of what is
/// missing to 1.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let size = x.abs();
    // Beyond this it is 1; written so that a NaN stays.
    let size = if size > 4.0 { 4.0 } else { size };
    let square = x * x;
    // erf(x) / x - 1, error 2^-31; without the 1 its rounding is an eighth as large.
    let near = x
        + x * polynomial!(square;
        0.128_379_17, -0.376_126_35, 0.112_836_97, -0.026_859_5, 0.005_201_286, -8.145_597_5e-4, 8.382_391e-5);
    // ln(1 - erf(x)) / x, error of erf(x) 2^-30
    let missing = size
        * polynomial!(size;
        -1.128_648_5, -0.635_151_3, -0.106_236_875, 0.023_762_06, -0.003_642_458, 3.228_036e-4, -1.123_127_6e-5);
    if size < 0.92 { near } else { (1.0 - exp(missing)).copysign(x) }
}

/// [`erf`] in double precision, to its last places: Abramowitz & Stegun, 7.1.6 near 0 and 7.1.14 further out.
#[inline(always)]
pub fn erf64(x: f64) -> f64 {
    use std::f64::consts::FRAC_2_SQRT_PI;
    let (size, square) = (x.abs(), x * x);
    if size < 2.5 {
        // A sum of positive terms, so nothing cancels.
        let (mut term, mut sum) = (1.0, 1.0);
        let mut n = 1.0;
        while term > sum * 1e-17 {
            term *= square / (n + 0.5);
            sum += term;
            n += 1.0;
        }
        return FRAC_2_SQRT_PI * x * (-square).exp() * sum;
    }
    if !size.is_finite() || size > 6.0 {
        return if x.is_nan() { x } else { 1f64.copysign(x) };
    }
    // A continued fraction from its far end: 60 levels are enough from 2.5 on.
    let fraction = (1..=60).rev().fold(size, |below, level| size + f64::from(level) / 2.0 / below);
    (1.0 - (-square).exp() * FRAC_2_SQRT_PI / 2.0 / fraction).copysign(x)
}

/// The sine of `x` radians, exactly reduced for every `x`; NaN at infinity.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let (turns, angle) = quadrant(x);
    sine(turns, angle)
}

/// The cosine of `x` radians, exactly reduced for every `x`; NaN at infinity.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    let (turns, angle) = quadrant(x);
    sine(turns.wrapping_add(1), angle)
}

/// The sine of `angle` + `quarters` quarter turns, for an angle up to an eighth of a turn. Only the two lowest bits of
/// `quarters` count.
#[inline(always)]
fn sine(quarters: u64, angle: f64) -> f32 {
    let z = angle * angle;
    // (sin(a) / a - 1) / a^2 and (cos(a) - 1 + a^2 / 2) / a^4 in a^2, errors 2^-37 and 2^-33
    let s = polynomial!(z;
        -0.166_666_666_416_070_9, 0.008_333_329_383_594_296, -0.000_198_393_340_865_955_33, 2.718_304_258_719_119_6e-6);
    let c =
        polynomial!(z; 0.041_666_646_854_637_36, -0.001_388_736_691_167_891_6, 0.000_024_438_379_648_762_89);
    let sine = angle * (1.0 + z * s);
    let cosine = 1.0 + z * (z * c - 0.5);
    let value = if quarters & 1 == 0 { sine } else { cosine };
    f64::from_bits(value.to_bits() ^ ((quarters & 2) << 62)) as f32
}

/// `x` as a whole number of quarter turns (its low bits) and a remaining angle of at most an eighth of a turn.
///
/// Payne and Hanek, 1983: for a number with exponent `e`, bits of 2/pi that give whole turns are left out, and the
/// others are cut into parts whose product with the 24 bits of `x` is exact.
#[inline(always)]
fn quadrant(x: f32) -> (u64, f64) {
    let exponent = ((x.to_bits() >> 23) & 0xff) as usize;
    let x = f64::from(x);
    let (high, middle) = (x * TWO_OVER_PI[0][exponent], x * TWO_OVER_PI[1][exponent]);
    let low = x * TWO_OVER_PI[2][exponent];
    let shifted = (high + middle) + ROUND64;
    let turns = shifted - ROUND64;
    (shifted.to_bits(), (((high - turns) + middle) + low) * FRAC_PI_2)
}

/// For each exponent of an `f32`, 2/pi without the bits that give whole turns, in three parts of 29, 29 and 53 bits.
static TWO_OVER_PI: [[f64; 256]; 3] = two_over_pi();

const fn two_over_pi() -> [[f64; 256]; 3] {
    /// The first 224 binary places.
    const BITS: [u32; 7] =
        [0xa2f9_836e, 0x4e44_1529, 0xfc27_57d1, 0xf534_ddc0, 0xdb62_9599, 0x3c43_9041, 0xfe51_63ab];
    let mut parts = [[f64::NAN; 256]; 3];
    let mut exponent = 0;
    while exponent < 255 {
        // An odd multiple of 2^(exponent - 150), so places up to this one give multiples of four quarter turns.
        let skipped = usize::saturating_sub(exponent, 152);
        let mut place = skipped;
        let mut part = 0;
        while part < 3 {
            let end = place + if part == 2 { 53 } else { 29 };
            let mut value: u64 = 0;
            while place < end {
                value = value << 1 | (BITS[place / 32] >> (31 - place % 32) & 1) as u64;
                place += 1;
            }
            parts[part][exponent] = value as f64 * f64::from_bits((1023 - end as u64) << 52);
            part += 1;
        }
        exponent += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Isa;
    use crate::multiversion;

    /// The name, the function, and the exact value.
    type Case = (&'static str, fn(f32) -> f32, fn(f64) -> f64);

    const CASES: [Case; 7] = [
        ("exp", exp, f64::exp),
        ("ln", ln, f64::ln),
        ("tanh", tanh, f64::tanh),
        ("sigmoid", sigmoid, sigmoid64),
        ("erf", erf, erf64),
        ("sin", sin, f64::sin),
        ("cos", cos, f64::cos),
    ];

    /// The distance in units of the last place of the exact value, infinite where one is NaN and the other is not.
    fn ulps(value: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        if value == rounded || (value.is_nan() && exact.is_nan()) {
            return 0.0;
        }
        if value.is_nan() || exact.is_nan() {
            return f64::INFINITY;
        }
        let exponent = (exact.abs().to_bits() >> 52) as i32 - 1023;
        let unit = 2f64.powi(exponent.clamp(-126, 127) - 23);
        let finite = |y: f64| y.clamp(-(2f64.powi(128)), 2f64.powi(128));
        (finite(f64::from(value)) - finite(exact)).abs() / unit
    }

    /// The worst error over the bit patterns `first, first + stride, ...`.
    fn worst((name, function, exact): Case, first: u32, stride: usize) -> f64 {
        let mut worst = (0.0, 0.0);
        for bits in (first..=u32::MAX).step_by(stride) {
            let x = f32::from_bits(bits);
            let error = ulps(function(x), exact(f64::from(x)));
            if error > worst.0 {
                worst = (error, x);
            }
        }
        println!("{name}: {:.3} ulp at {:e}", worst.0, worst.1);
        worst.0
    }

    /// Every 1021st `f32`; with `BARUN_EVERY_F32=1` all of them, which takes minutes: after a change of a polynomial.
    #[test]
    fn every_function_is_within_two_ulps_over_all_of_f32() {
        let stride = if std::env::var_os("BARUN_EVERY_F32").is_some() { 1 } else { 1021 };
        for case in CASES {
            assert!(worst(case, 0, stride) <= 2.0, "{}", case.0);
        }
    }

    #[test]
    fn special_values_are_those_of_c() {
        let tiny = f32::from_bits(1);
        for (name, function, exact) in CASES {
            for x in
                [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, tiny, -tiny, f32::MAX, f32::MIN, 1.0]
            {
                let (value, exact) = (function(x), exact(f64::from(x)));
                assert!(ulps(value, exact) <= 2.0, "{name}({x}) = {value}, not {exact}");
                if !exact.is_nan() {
                    assert_eq!(value.is_sign_negative(), exact.is_sign_negative(), "{name}({x}) = {value}");
                }
            }
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(ln(1.0).to_bits(), 0);
        assert_eq!((exp(89.0), exp(-104.0)), (f32::INFINITY, 0.0));
        assert_eq!((tanh(20.0), sigmoid(40.0), sigmoid(0.0)), (1.0, 1.0, 0.5));
        assert!(sigmoid(-100.0) > 0.0);
        assert_eq!(sigmoid64(-1000.0), 0.0);
    }

    #[test]
    fn the_error_function_in_f64_is_right_to_its_last_places() {
        let known = [
            (0.1, 0.112_462_916_018_284_9),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (2.5, 0.999_593_047_982_555),
            (3.0, 0.999_977_909_503_001_4),
            (4.0, 0.999_999_984_582_742_1),
        ];
        for (x, expected) in known {
            assert!((erf64(x) - expected).abs() < 4e-16, "{x}: {} {expected}", erf64(x));
            assert_eq!(erf64(-x), -erf64(x));
        }
        assert!((erf64(2.5 - 1e-12) - erf64(2.5)).abs() < 1e-14, "both formulas meet");
        assert_eq!((erf64(0.0), erf64(f64::INFINITY), erf64(-30.0)), (0.0, 1.0, -1.0));
    }

    multiversion! {
        fn map<F: Fn(f32) -> f32>(f: F, x: &[f32], y: &mut [f32]) {
            for (y, x) in y.iter_mut().zip(x) {
                *y = f(*x);
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let x: Vec<f32> = (0..1 << 20).map(|i: u32| f32::from_bits(i * 4093)).collect();
        for (index, (name, function, _)) in CASES.into_iter().enumerate() {
            let expected: Vec<u32> = x.iter().map(|x| function(*x).to_bits()).collect();
            for isa in [Isa::Scalar, Isa::Avx2, Isa::Avx512] {
                let mut y = vec![0.0; x.len()];
                match index {
                    0 => map(isa, exp, &x, &mut y),
                    1 => map(isa, ln, &x, &mut y),
                    2 => map(isa, tanh, &x, &mut y),
                    3 => map(isa, sigmoid, &x, &mut y),
                    4 => map(isa, erf, &x, &mut y),
                    5 => map(isa, sin, &x, &mut y),
                    _ => map(isa, cos, &x, &mut y),
                }
                let same = |(y, bits): (&f32, &u32)| {
                    y.to_bits() == *bits || y.is_nan() && f32::from_bits(*bits).is_nan()
                };
                assert!(y.iter().zip(&expected).all(same), "{name} {isa:?}");
            }
        }
    }
}
