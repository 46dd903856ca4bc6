//! bf16: the upper half of an f32, as a type to keep numbers in.
//!
//! It has the range of f32 and 8 bits of precision, so widening is exact and cheap (a shift) and narrowing rounds to
//! nearest, ties to even. Nothing is computed in it: arithmetic is on the widened numbers, in f32.
//!
//! Wang & Kanwar, 2019, "BFloat16: the secret to high performance on Cloud TPUs"; Kalamkar et al., 2019, "A study of
//! BFLOAT16 for deep learning training".

use half::bf16;

/// The same number in f32.
#[inline(always)]
pub(crate) fn widen(x: bf16) -> f32 {
    f32::from_bits(u32::from(x.to_bits()) << 16)
}

/// The nearest number, of two the one with an even last bit; beyond the largest it is infinite, NaN stays NaN.
#[inline(always)]
pub(crate) fn narrow(x: f32) -> bf16 {
    let bits = x.to_bits();
    // Half of the last place that stays, less one unless that place is odd: what it carries into rounds.
    let rounded = (bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16) as u16;
    // The payload that remains must not be that of an infinity.
    let nan = (bits >> 16) as u16 | 0x40;
    bf16::from_bits(if bits & 0x7FFF_FFFF > 0x7F80_0000 { nan } else { rounded })
}

/// As [`narrow`], rounding once.
#[inline(always)]
pub(crate) fn narrow_f64(x: f64) -> bf16 {
    let near = x as f32;
    // An f32 on the way would round twice. Of the two around `x` the odd one is on the right side of every tie.
    let is_beyond = f64::from(near).abs() > x.abs();
    let moved = if is_beyond { near.to_bits().wrapping_sub(1) } else { near.to_bits().wrapping_add(1) };
    let is_odd_or_exact = near.to_bits() & 1 == 1 || f64::from(near) == x || x.is_nan();
    narrow(f32::from_bits(if is_odd_or_exact { near.to_bits() } else { moved }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bf16_survives_the_way_to_f32_and_f64_and_back() {
        for bits in 0..=u16::MAX {
            let x = bf16::from_bits(bits);
            assert_eq!(widen(x).to_bits(), u32::from(bits) << 16);
            let (back, from_f64) = (narrow(widen(x)), narrow_f64(f64::from(widen(x))));
            if x.is_nan() {
                assert!(back.is_nan() && from_f64.is_nan() && widen(x).is_nan(), "{bits:#x}");
                assert_eq!(narrow(widen(back)).to_bits(), back.to_bits(), "a quiet NaN stays as it is");
            } else {
                assert_eq!((back.to_bits(), from_f64.to_bits()), (bits, bits));
            }
        }
    }

    #[test]
    fn between_two_bf16_the_nearer_is_taken_and_of_two_the_even_one() {
        for bits in (0..0x7F80u16).flat_map(|bits| [bits, bits | 0x8000]) {
            let (below, above) = (u32::from(bits) << 16, u32::from(bits + 1) << 16);
            let tie = below | 0x8000;
            let even = if bits & 1 == 0 { bits } else { bits + 1 };
            for (x, expected) in
                [(below | 1, bits), (tie - 1, bits), (tie, even), (tie + 1, bits + 1), (above - 1, bits + 1)]
            {
                let x = f32::from_bits(x);
                assert_eq!(narrow(x).to_bits(), expected, "{x:e}");
                assert_eq!(narrow_f64(f64::from(x)).to_bits(), expected, "{x:e}");
            }
        }
    }

    #[test]
    fn f64_is_rounded_once_not_by_way_of_f32() {
        // Just above a tie, by less than an f32 can say: through f32 it would be the tie, and go to the even 1.0.
        let above = 1.0 + 2f64.powi(-8) + 2f64.powi(-40);
        assert_eq!(narrow(above as f32).to_bits(), bf16::from_f32(1.0).to_bits());
        assert_eq!(widen(narrow_f64(above)), 1.0 + 2f32.powi(-7));
        assert_eq!(widen(narrow_f64(-above)), -1.0 - 2f32.powi(-7));
        let below = 1.0 + 3.0 * 2f64.powi(-8) - 2f64.powi(-40);
        assert_eq!(widen(narrow_f64(below)), 1.0 + 2f32.powi(-7));
    }

    #[test]
    fn the_ends_of_the_range_are_infinite_zero_and_not_a_number() {
        for (x, expected) in [
            (f64::MAX, f32::INFINITY),
            (f64::from(f32::MAX), f32::INFINITY),
            (f64::NEG_INFINITY, f32::NEG_INFINITY),
            (f64::MIN_POSITIVE, 0.0),
            (-f64::MIN_POSITIVE, -0.0),
            (1e-45, 0.0),
            (1e-40, widen(narrow(1e-40))),
        ] {
            assert_eq!(widen(narrow_f64(x)).to_bits(), expected.to_bits(), "{x:e}");
        }
        assert!(narrow_f64(f64::NAN).is_nan() && narrow(f32::from_bits(0x7F80_0001)).is_nan());
        assert_eq!(widen(narrow(3.3895314e38)), 3.3895314e38, "the largest bf16");
        assert_eq!(narrow(f32::MAX), bf16::INFINITY);
    }

    #[test]
    fn rounding_agrees_with_the_library_of_the_type() {
        for bits in (0..=u32::MAX).step_by(65_521) {
            let x = f32::from_bits(bits);
            assert_eq!(narrow(x).to_bits(), bf16::from_f32(x).to_bits(), "{bits:#x}");
        }
    }
}
