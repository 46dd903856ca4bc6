//! Images in a few numbers: their coarse shape, by which similar images are found and parts are compared.

use std::f64::consts::PI;

/// Waves over each axis, the constant among them.
const WAVES: usize = 4;
/// Numbers of an image.
pub(super) const NUMBERS: usize = WAVES * WAVES;

/// Projects images on the slowest cosine waves over their height and width, the same over all channels.
///
/// The waves are orthonormal, so a number differs between two images by no more than the images differ in all, and noise
/// of standard deviation `s` in each pixel gives noise of `s` in each number, however large the image is.
pub(super) struct Waves {
    width: usize,
    channels: usize,
    down: Vec<[f64; WAVES]>,
    across: Vec<[f64; WAVES]>,
}

impl Waves {
    pub fn over([height, width, channels]: [usize; 3]) -> Waves {
        let scale = 1.0 / 255.0 / (channels as f64).sqrt();
        let down = waves(height).into_iter().map(|values| values.map(|value| value * scale)).collect();
        Waves { width, channels, down, across: waves(width) }
    }

    /// The numbers of an image, the mean brightness (times the root of its number of values) first.
    pub fn numbers(&self, pixels: &[u8]) -> [f64; NUMBERS] {
        let mut numbers = [0.0; NUMBERS];
        for (row, down) in pixels.chunks_exact(self.width * self.channels).zip(&self.down) {
            let mut sums = [0.0; WAVES];
            for (pixel, across) in row.chunks_exact(self.channels).zip(&self.across) {
                let value: u32 = pixel.iter().map(|&byte| u32::from(byte)).sum();
                for (sum, wave) in sums.iter_mut().zip(across) {
                    *sum += f64::from(value) * wave;
                }
            }
            for (at, number) in numbers.iter_mut().enumerate() {
                *number += down[at / WAVES] * sums[at % WAVES];
            }
        }
        numbers
    }
}

/// For each of `n` places the values of the waves `sqrt(2/n) cos(pi k (place + 1/2) / n)`, the constant `sqrt(1/n)`.
fn waves(n: usize) -> Vec<[f64; WAVES]> {
    let wave = |place: usize, k: usize| {
        let scale = if k == 0 { 1.0 } else { 2.0 } / n as f64;
        // An axis has no more waves than places.
        if k < n { scale.sqrt() * (PI * k as f64 * (place as f64 + 0.5) / n as f64).cos() } else { 0.0 }
    };
    (0..n).map(|place| [0, 1, 2, 3].map(|k| wave(place, k))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waves_are_orthonormal() {
        let waves = waves(7);
        for a in 0..WAVES {
            for b in 0..WAVES {
                let product: f64 = waves.iter().map(|values| values[a] * values[b]).sum();
                assert!((product - if a == b { 1.0 } else { 0.0 }).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_number_differs_by_no_more_than_the_images() {
        let shape = [5, 6, 3];
        let image = |step: usize| (0..90).map(|at| (at * step % 251) as u8).collect::<Vec<u8>>();
        let (a, b) = (image(17), image(29));
        let distance: f64 =
            a.iter().zip(&b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>()
                / 255.0_f64.powi(2);
        let waves = Waves::over(shape);
        let projected: f64 =
            waves.numbers(&a).iter().zip(waves.numbers(&b)).map(|(a, b)| (a - b).powi(2)).sum();
        assert!(projected > 0.0 && projected <= distance);
    }
}
