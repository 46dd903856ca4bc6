//! What changes each pixel's values and moves nothing: brightness, contrast, saturation, noise.
//!
//! ```text
//! brightness   x <- f x
//! contrast     x <- m + f (x - m)        m: the mean grey of the image
//! saturation   x <- g + f (x - g)        g: the grey of the pixel, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)
//! noise        x <- x + 255 s n          n: standard normal
//! ```
//!
//! Each factor `f` is drawn evenly from `max(0, 1 - setting)` to `1 + setting`. Formulas as in torchvision's ColorJitter,
//! in this order, and rounded to bytes once; a grey image has no saturation. [DATA-16]

use barun_engine::random::Stream;

use super::{Augment, to_byte};

/// The settings of the three factors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jitter {
    brightness: f64,
    contrast: f64,
    saturation: f64,
}

impl Jitter {
    pub fn of(augment: &Augment) -> Jitter {
        let Augment { brightness, contrast, saturation, .. } = *augment;
        Jitter { brightness, contrast, saturation }
    }

    pub fn vary(&self, image: &mut [u8], [_, _, channels]: [usize; 3], random: &mut Stream) {
        if [self.brightness, self.contrast, self.saturation] == [0.0; 3] {
            return;
        }
        let mut factor = |setting: f64| random.between((1.0 - setting).max(0.0), 1.0 + setting) as f32;
        let factors = [factor(self.brightness), factor(self.contrast), factor(self.saturation)];
        change(image, channels, factors);
    }
}

/// Brightness, contrast and saturation by the given factors.
pub(super) fn change(image: &mut [u8], channels: usize, [brightness, contrast, saturation]: [f32; 3]) {
    let mean = brightness * mean_grey(image, channels);
    let lit = |byte: u8| mean + contrast * (brightness * f32::from(byte) - mean);
    for pixel in image.chunks_exact_mut(channels) {
        if let [red, green, blue] = pixel {
            let values = [*red, *green, *blue].map(lit);
            let grey = grey_of(values[0], values[1], values[2]);
            [*red, *green, *blue] = values.map(|value| to_byte(grey + saturation * (value - grey)));
        } else {
            pixel.iter_mut().for_each(|byte| *byte = to_byte(lit(*byte)));
        }
    }
}

/// The grey of a colour, weighed as eyes do (ITU-R BT.601).
pub(crate) fn grey_of(red: f32, green: f32, blue: f32) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// The mean over pixels of their grey.
pub(super) fn mean_grey(image: &[u8], channels: usize) -> f32 {
    let grey = |pixel: &[u8]| match *pixel {
        [red, green, blue] => grey_of(red.into(), green.into(), blue.into()),
        _ => pixel.iter().copied().map(f32::from).sum::<f32>() / channels as f32,
    };
    let sum: f64 = image.chunks_exact(channels).map(|pixel| f64::from(grey(pixel))).sum();
    (sum / (image.len() / channels).max(1) as f64) as f32
}

/// Adds noise of standard deviation `255 * deviation` to each value.
pub(super) fn add_noise(image: &mut [u8], deviation: f64, random: &mut Stream) {
    for byte in image {
        *byte = to_byte((f64::from(*byte) + 255.0 * deviation * random.normal()) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(image: &[u8], channels: usize, factors: [f32; 3]) -> Vec<u8> {
        let mut image = image.to_vec();
        change(&mut image, channels, factors);
        image
    }

    #[test]
    fn brightness_multiplies_and_keeps_within_bytes() {
        assert_eq!(changed(&[0, 10, 100, 200], 1, [1.5, 1.0, 1.0]), [0, 15, 150, 255]);
    }

    #[test]
    fn contrast_spreads_around_the_mean_grey() {
        assert_eq!(changed(&[50, 100, 150], 1, [1.0, 0.5, 1.0]), [75, 100, 125]);
        assert_eq!(changed(&[50, 100, 150], 1, [1.0, 0.0, 1.0]), [100; 3]);
    }

    #[test]
    fn without_saturation_a_colour_is_its_grey_and_grey_stays() {
        let grey = (0.299 * 200.0f32 + 0.587 * 100.0 + 0.114 * 50.0).round() as u8;
        assert_eq!(changed(&[200, 100, 50], 3, [1.0, 1.0, 0.0]), [grey; 3]);
        assert_eq!(changed(&[7, 9], 1, [1.0, 1.0, 0.0]), [7, 9]);
    }

    #[test]
    fn data_16_noise_has_the_deviation_that_was_asked_for_and_none_at_0() {
        let mut image = vec![128u8; 20_000];
        add_noise(&mut image, 0.05, &mut Stream::new(1, "noise"));
        let deviations: Vec<f64> = image.iter().map(|&byte| f64::from(byte) - 128.0).collect();
        let mean = deviations.iter().sum::<f64>() / 20_000.0;
        let deviation = (deviations.iter().map(|d| d * d).sum::<f64>() / 20_000.0).sqrt();
        assert!(mean.abs() < 0.4 && (deviation - 12.75).abs() < 0.3, "{mean} {deviation}");
    }
}
