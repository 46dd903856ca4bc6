//! Two training samples become one, and their targets with them.
//!
//! ```text
//! mixup    x <- s x + (1 - s) x',       y <- s y + (1 - s) y'         s from Beta(a, a)
//! cutmix   a rectangle of x becomes that of x', its sides sqrt(1 - s) of the image's;
//!          y <- s y + (1 - s) y' with s the share of the area that is left of x
//! ```
//!
//! Zhang et al., 2017, "mixup: Beyond Empirical Risk Minimization"; Yun et al., 2019, "CutMix: Regularization Strategy to
//! Train Strong Classifiers". With both on, each sample gets one of them at equal chance. The other sample is any of the
//! training part, drawn for each sample: papers' code pairs a batch with itself in another order, which would let an
//! image depend on its batch.

use barun_engine::random::Stream;

use super::erase::Rectangle;
use super::to_byte;

/// How a sample is mixed with another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mix {
    /// The other sample's position in the training part.
    pub partner: usize,
    /// What of the target stays the first sample's.
    pub share: f64,
    /// What comes from the other sample: this rectangle, or its part of every pixel.
    pub area: Option<Rectangle>,
}

impl Mix {
    pub(super) fn draw(
        mixup: f64,
        cutmix: f64,
        [height, width, _]: [usize; 3],
        samples: usize,
        random: &mut Stream,
    ) -> Option<Mix> {
        let is_cutmix = match (mixup > 0.0, cutmix > 0.0) {
            (false, false) => return None,
            (true, true) => random.uniform() < 0.5,
            (_, is_cutmix) => is_cutmix,
        };
        let partner = random.below(samples.max(1) as u64) as usize;
        let alpha = if is_cutmix { cutmix } else { mixup };
        let share = beta(alpha, random);
        if !is_cutmix {
            return Some(Mix { partner, share, area: None });
        }
        let side = |pixels: usize| (pixels as f64 * (1.0 - share).sqrt()).round() as usize;
        let centre = [random.below(height as u64) as usize, random.below(width as u64) as usize];
        let area = Rectangle::around(centre, [side(height), side(width)], [height, width]);
        let share = 1.0 - area.area() as f64 / (height * width) as f64;
        Some(Mix { partner, share, area: Some(area) })
    }

    /// Mixes the partner's image into the first.
    pub fn images(&self, image: &mut [u8], partner: &[u8], [_, width, channels]: [usize; 3]) {
        let Some(area) = self.area else {
            let share = self.share as f32;
            for (byte, &other) in image.iter_mut().zip(partner) {
                *byte = to_byte(share * f32::from(*byte) + (1.0 - share) * f32::from(other));
            }
            return;
        };
        for row in area.rows(width, channels) {
            image[row.clone()].copy_from_slice(&partner[row]);
        }
    }

    /// The shares of the classes: `shares` is 0 but for what this adds.
    pub fn classes(&self, shares: &mut [f32], label: usize, partner: usize) {
        shares[label] += self.share as f32;
        shares[partner] += 1.0 - self.share as f32;
    }
}

/// A draw from Beta(alpha, alpha): `X / (X + Y)` of two Gamma draws.
fn beta(alpha: f64, random: &mut Stream) -> f64 {
    let (first, second) = (log_gamma_draw(alpha, random), log_gamma_draw(alpha, random));
    1.0 / (1.0 + (second - first).exp())
}

/// The logarithm of a draw from Gamma(shape, 1), so that small shapes do not underflow. Marsaglia & Tsang, 2000, "A Simple
/// Method for Generating Gamma Variables"; for shapes below 1 by `Gamma(shape + 1) U^(1 / shape)`, as there.
fn log_gamma_draw(shape: f64, random: &mut Stream) -> f64 {
    if shape < 1.0 {
        let boost = (1.0 - random.uniform()).ln() / shape;
        return log_gamma_draw(shape + 1.0, random) + boost;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let normal = random.normal();
        let v = (1.0 + c * normal).powi(3);
        if v <= 0.0 {
            continue;
        }
        let accept = 0.5 * normal * normal + d - d * v + d * v.ln();
        if (1.0 - random.uniform()).ln() < accept {
            return (d * v).ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_of_a_beta_distribution_have_its_mean_and_variance() {
        let mut random = Stream::new(1, "beta");
        for alpha in [0.2, 1.0, 4.0] {
            let draws: Vec<f64> = (0..40_000).map(|_| beta(alpha, &mut random)).collect();
            let mean = draws.iter().sum::<f64>() / 40_000.0;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40_000.0;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.01, "{alpha}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.04, "{alpha}: {variance}, not {expected}");
            assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
        }
        assert!(beta(0.01, &mut random).is_finite());
    }

    #[test]
    fn mixup_blends_images_and_targets_alike() {
        let mix = Mix { partner: 1, share: 0.75, area: None };
        let mut image = [100, 0];
        mix.images(&mut image, &[0, 200], [1, 2, 1]);
        assert_eq!(image, [75, 50]);
        let mut shares = [0.0; 3];
        mix.classes(&mut shares, 2, 0);
        assert_eq!(shares, [0.25, 0.0, 0.75]);
        let mut same = [0.0; 2];
        mix.classes(&mut same, 1, 1);
        assert_eq!(same, [0.0, 1.0]);
    }

    #[test]
    fn cutmix_takes_a_rectangle_and_the_target_its_exact_share() {
        let mut random = Stream::new(1, "cutmix");
        for _ in 0..200 {
            let mix = Mix::draw(0.0, 1.0, [8, 6, 1], 50, &mut random).unwrap();
            let mut image = [1u8; 48];
            mix.images(&mut image, &[9; 48], [8, 6, 1]);
            let taken = image.iter().filter(|&&byte| byte == 9).count();
            assert!((mix.share - (1.0 - taken as f64 / 48.0)).abs() < 1e-12);
            assert!(mix.partner < 50);
        }
    }

    #[test]
    fn with_both_on_half_the_samples_get_either() {
        let mut random = Stream::new(1, "both");
        let cut = (0..1000)
            .filter(|_| Mix::draw(0.2, 1.0, [8, 8, 1], 5, &mut random).unwrap().area.is_some())
            .count();
        assert!((430..570).contains(&cut), "{cut}");
        assert_eq!(Mix::draw(0.0, 0.0, [8, 8, 1], 5, &mut random), None);
    }
}
