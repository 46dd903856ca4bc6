//! RandAugment: some operations, picked at random from a list, all of one strength.
//!
//! Cubuk et al., 2019, "RandAugment: Practical automated data augmentation with a reduced search space": `n` times one of
//! fourteen operations, each as likely, at magnitude `m` of 30. Ranges as in torchvision's RandAugment:
//!
//! | operation | at magnitude 30 |
//! |---|---|
//! | identity, auto-contrast, equalize | have no strength |
//! | rotate | 30 degrees either way |
//! | shear x, shear y | 0.3 pixels a pixel either way |
//! | translate x, translate y | 150/331 of the width or height either way, whole pixels |
//! | brightness, contrast, colour, sharpness | factor 1 ± 0.9 |
//! | posterize | 4 of 8 bits are kept |
//! | solarize | all bytes are inverted; at magnitude 0 none |

use barun_engine::random::Stream;

use super::colour::change;
use super::geometry::{Affine, Fill};
use super::to_byte;

/// The strongest.
pub const LARGEST_MAGNITUDE: f64 = 30.0;
/// The strength in the paper's experiments on large data, and torchvision's default.
pub const DEFAULT_MAGNITUDE: f64 = 9.0;

macro_rules! operations {
    ($($operation:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq)]
        enum Operation {
            $($operation),*
        }

        /// In the order of the enum.
        const ALL: &[Operation] = &[$(Operation::$operation),*];
    };
}
operations! {
    Identity,
    AutoContrast,
    Equalize,
    Rotate,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Brightness,
    Contrast,
    Colour,
    Sharpness,
    Posterize,
    Solarize,
}

use Operation::*;

/// `operations` times one of them.
pub(super) fn vary(
    image: &mut [u8],
    shape: [usize; 3],
    operations: usize,
    magnitude: f64,
    random: &mut Stream,
) {
    let strength = magnitude / LARGEST_MAGNITUDE;
    for _ in 0..operations {
        let operation = ALL[random.below(ALL.len() as u64) as usize];
        let sign = if random.uniform() < 0.5 { -1.0 } else { 1.0 };
        operation.apply(image, shape, strength, sign);
    }
}

impl Operation {
    /// `strength` from 0 to 1; `sign` is 1 or -1 and says which way, where there are two.
    fn apply(
        self,
        image: &mut [u8],
        shape @ [height, width, channels]: [usize; 3],
        strength: f64,
        sign: f64,
    ) {
        let factor = (1.0 + sign * 0.9 * strength) as f32;
        let pixels = |size: usize| sign * (150.0 / 331.0 * strength * size as f64).round();
        let mut moved = |matrix, offset| Affine::plain(matrix, offset).apply(image, shape, Fill::Black);
        match self {
            Identity => {}
            Rotate => {
                let (sin, cos) = (sign * 30.0 * strength).to_radians().sin_cos();
                moved([[cos, sin], [-sin, cos]], [0.0; 2]);
            }
            ShearX => moved([[1.0, sign * 0.3 * strength], [0.0, 1.0]], [0.0; 2]),
            ShearY => moved([[1.0, 0.0], [sign * 0.3 * strength, 1.0]], [0.0; 2]),
            TranslateX => moved([[1.0, 0.0], [0.0, 1.0]], [pixels(width), 0.0]),
            TranslateY => moved([[1.0, 0.0], [0.0, 1.0]], [0.0, pixels(height)]),
            Brightness => change(image, channels, [factor, 1.0, 1.0]),
            Contrast => change(image, channels, [1.0, factor, 1.0]),
            Colour => change(image, channels, [1.0, 1.0, factor]),
            Sharpness => sharpen(image, shape, factor),
            Posterize => {
                let lost = (4.0 * strength).round() as u32;
                image.iter_mut().for_each(|byte| *byte = *byte >> lost << lost);
            }
            Solarize => {
                let threshold = 255.0 * (1.0 - strength);
                let bright = image.iter_mut().filter(|byte| f64::from(**byte) >= threshold && strength > 0.0);
                bright.for_each(|byte| *byte = 255 - *byte);
            }
            AutoContrast => each_channel(image, channels, stretched),
            Equalize => each_channel(image, channels, equalized),
        }
    }
}

/// Replaces each channel's bytes by what the table made from its histogram says.
fn each_channel(image: &mut [u8], channels: usize, table_of: impl Fn(&[usize; 256]) -> [u8; 256]) {
    for channel in 0..channels {
        let mut histogram = [0; 256];
        image.iter().skip(channel).step_by(channels).for_each(|&byte| histogram[usize::from(byte)] += 1);
        let table = table_of(&histogram);
        image.iter_mut().skip(channel).step_by(channels).for_each(|byte| *byte = table[usize::from(*byte)]);
    }
}

/// The darkest value becomes 0, the brightest 255, the others in proportion.
fn stretched(histogram: &[usize; 256]) -> [u8; 256] {
    let darkest = histogram.iter().position(|&count| count > 0).unwrap_or(0);
    let brightest = histogram.iter().rposition(|&count| count > 0).unwrap_or(255);
    std::array::from_fn(|value| match brightest > darkest {
        true => to_byte((value as f32 - darkest as f32) * 255.0 / (brightest - darkest) as f32),
        false => value as u8,
    })
}

/// Each value becomes the share of pixels darker than it, so that all values are about as frequent.
fn equalized(histogram: &[usize; 256]) -> [u8; 256] {
    let total: usize = histogram.iter().sum();
    let last = histogram.iter().rfind(|&&count| count > 0).copied().unwrap_or(0);
    if total == last {
        return std::array::from_fn(|value| value as u8);
    }
    let mut below = 0;
    std::array::from_fn(|value| {
        let share = below as f32 / (total - last) as f32;
        below += histogram[value];
        to_byte(255.0 * share)
    })
}

/// `smooth + factor (x - smooth)`, smooth the weighted mean of the pixel (5) and its eight neighbours (1 each); the
/// border stays.
fn sharpen(image: &mut [u8], [height, width, channels]: [usize; 3], factor: f32) {
    let source = image.to_vec();
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            for channel in 0..channels {
                let at = |y: usize, x: usize| f32::from(source[(y * width + x) * channels + channel]);
                let rows = (y - 1)..=(y + 1);
                let around: f32 = rows.map(|y| at(y, x - 1) + at(y, x) + at(y, x + 1)).sum();
                let value = at(y, x);
                let smooth = (around + 4.0 * value) / 13.0;
                image[(y * width + x) * channels + channel] = to_byte(smooth + factor * (value - smooth));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(operation: Operation, image: &[u8], shape: [usize; 3], strength: f64, sign: f64) -> Vec<u8> {
        let mut image = image.to_vec();
        operation.apply(&mut image, shape, strength, sign);
        image
    }

    #[test]
    fn auto_contrast_stretches_each_channel_by_itself() {
        let image = [50, 0, 100, 7, 150, 0];
        assert_eq!(applied(AutoContrast, &image, [1, 3, 2], 0.0, 1.0), [0, 0, 128, 255, 255, 0]);
        assert_eq!(applied(AutoContrast, &[9, 9], [1, 2, 1], 0.0, 1.0), [9, 9]);
    }

    #[test]
    fn equalize_spreads_values_evenly() {
        let image: Vec<u8> = (0..1024).map(|value| (value / 16) as u8).collect();
        let equal = applied(Equalize, &image, [32, 32, 1], 0.0, 1.0);
        assert_eq!((equal[0], equal[1023]), (0, 255));
        let middle = f64::from(equal[512]);
        assert!((middle - 127.5).abs() < 6.0, "{middle}");
    }

    #[test]
    fn posterize_keeps_the_upper_bits_and_solarize_inverts_the_bright() {
        assert_eq!(applied(Posterize, &[255, 17], [1, 2, 1], 1.0, 1.0), [0xf0, 0x10]);
        assert_eq!(applied(Solarize, &[10, 200], [1, 2, 1], 0.5, 1.0), [10, 55]);
        assert_eq!(applied(Solarize, &[10, 255], [1, 2, 1], 0.0, 1.0), [10, 255]);
    }

    #[test]
    fn sharpness_spreads_a_point_or_makes_it_stand_out() {
        let mut image = [100u8; 9];
        image[4] = 126;
        let centre = |sign| applied(Sharpness, &image, [3, 3, 1], 1.0, sign)[4];
        assert_eq!(centre(-1.0), (110.0 + 0.1 * 16.0f32).round() as u8);
        assert_eq!(centre(1.0), (110.0 + 1.9 * 16.0f32).round() as u8);
    }

    #[test]
    fn translations_and_shears_go_either_way() {
        let image = [1, 2, 3, 4, 5];
        let sideways = |sign| applied(TranslateX, &image, [1, 5, 1], 331.0 / 750.0, sign);
        assert_eq!((sideways(1.0), sideways(-1.0)), (vec![2, 3, 4, 5, 0], vec![0, 1, 2, 3, 4]));
        let block: Vec<u8> = (1..=25).collect();
        for operation in [Rotate, ShearX, ShearY, TranslateY] {
            let there = applied(operation, &block, [5, 5, 1], 1.0, 1.0);
            let back = applied(operation, &block, [5, 5, 1], 1.0, -1.0);
            assert!(there != block && back != block && there != back, "{operation:?}");
        }
    }

    #[test]
    fn at_no_strength_all_but_the_two_that_have_none_change_nothing() {
        let image: Vec<u8> = (0..75).map(|value| value * 3).collect();
        for &operation in ALL.iter().filter(|operation| ![AutoContrast, Equalize].contains(operation)) {
            assert_eq!(applied(operation, &image, [5, 5, 3], 0.0, -1.0), image, "{operation:?}");
        }
    }
}
