//! Augmentation: a training image is varied each time it is met, so that a network learns what stays the same. [DATA-14]
//!
//! Every number that is drawn is a pure function of (seed, epoch, sample), and so is the varied image: it depends neither
//! on the batch it comes in nor on how many threads load. Images stay bytes from the file to the step; several colour
//! operations on a pixel round once. Only training batches are varied, never what a network is measured on.
//!
//! One image is varied in this order; each operation is off unless its setting says otherwise:
//!
//! | settings | what | where |
//! |---|---|---|
//! | `crop`, `flip`, `flip_vertical`, `zoom`, `shear`, `rotate`, `shift` | one affine map, sampled once | [`geometry`] |
//! | `random_operations` | operations picked from a list | [`policy`] |
//! | `brightness`, `contrast`, `saturation`, `noise` | each pixel's values | [`colour`] |
//! | `erase`, `cutout` | a rectangle is lost | [`erase`] |
//! | `mixup`, `cutmix` | two images and their targets become one | [`mix`] |

pub mod colour;
pub mod erase;
pub mod geometry;
pub mod mix;
pub mod policy;
pub mod settings;

use barun_engine::random::{Stream, combine};
pub use geometry::Fill;
pub use mix::Mix;
pub use settings::Augment;

/// Which appearance of which image is varied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch, from 0.
    pub epoch: u64,
    /// The index of the sample in its data set.
    pub sample: usize,
}

impl Key {
    /// The random numbers for one purpose. Another purpose has others, so that switching one operation on leaves the
    /// others as they were.
    pub(crate) fn stream(self, purpose: &str) -> Stream {
        Stream::new(combine(combine(self.seed, self.epoch), self.sample as u64), purpose)
    }
}

impl Default for Augment {
    fn default() -> Self {
        Augment::NONE
    }
}

impl Augment {
    /// For written signs on an even ground: small turns, slants, shifts and changes of size, no mirror image.
    pub const DIGITS: Augment =
        Augment { rotate: 10.0, shear: 10.0, shift: 0.08, zoom: 0.1, ..Augment::NONE };

    /// For photographs: mirrored in half the cases, and shifted by up to an eighth, as images of 32 by 32 are with a
    /// border of 4 around a random crop (He et al., 2016).
    pub const NATURAL: Augment = Augment { flip: 0.5, shift: 0.125, fill: Fill::Reflect, ..Augment::NONE };

    /// Whether nothing is changed.
    pub fn is_none(&self) -> bool {
        *self == Augment { fill: self.fill, random_magnitude: self.random_magnitude, ..Augment::NONE }
    }

    /// Whether two samples may become one, so that targets are shares of classes.
    pub fn mixes(&self) -> bool {
        self.mixup > 0.0 || self.cutmix > 0.0
    }

    /// Varies one image of `shape` `[height, width, channels]` in place; everything but mixing.
    pub fn vary(&self, image: &mut [u8], shape: [usize; 3], key: Key) {
        if image.len() != shape.iter().product::<usize>() || image.is_empty() {
            return;
        }
        geometry::Geometry::of(self).vary(image, shape, &mut key.stream("augment.geometry"));
        if self.random_operations > 0 {
            let mut random = key.stream("augment.policy");
            policy::vary(image, shape, self.random_operations, self.random_magnitude, &mut random);
        }
        colour::Jitter::of(self).vary(image, shape, &mut key.stream("augment.colour"));
        if self.noise > 0.0 {
            colour::add_noise(image, self.noise, &mut key.stream("augment.noise"));
        }
        if self.erase > 0.0 {
            erase::random_erasing(image, shape, self.erase, &mut key.stream("augment.erase"));
        }
        if self.cutout > 0.0 {
            erase::cutout(image, shape, self.cutout, &mut key.stream("augment.cutout"));
        }
    }

    /// With which other of `samples` samples an image of `shape` is mixed, and how; none where it stays alone.
    pub fn mix(&self, shape: [usize; 3], samples: usize, key: Key) -> Option<Mix> {
        Mix::draw(self.mixup, self.cutmix, shape, samples, &mut key.stream("augment.mix"))
    }
}

/// A value as a byte: rounded to the nearest, ends kept.
fn to_byte(value: f32) -> u8 {
    value.round_ties_even().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [8, 10, 3];

    fn image() -> Vec<u8> {
        (0..240).map(|value| (value * 37 % 256) as u8).collect()
    }

    fn key(sample: usize) -> Key {
        Key { seed: 3, epoch: 1, sample }
    }

    fn varied(augment: Augment, key: Key) -> Vec<u8> {
        let mut image = image();
        augment.vary(&mut image, SHAPE, key);
        image
    }

    #[test]
    fn data_14_by_default_nothing_changes() {
        assert!(Augment::default().is_none());
        assert_eq!(varied(Augment::NONE, key(0)), image());
    }

    #[test]
    fn data_14_every_operation_changes_an_image_and_keeps_its_size() {
        let none = Augment::NONE;
        let each = [
            Augment { flip: 1.0, ..none },
            Augment { flip_vertical: 1.0, ..none },
            Augment { rotate: 30.0, ..none },
            Augment { shear: 30.0, ..none },
            Augment { shift: 0.5, ..none },
            Augment { zoom: 0.5, ..none },
            Augment { crop: 0.3, ..none },
            Augment { brightness: 0.5, ..none },
            Augment { contrast: 0.5, ..none },
            Augment { saturation: 0.5, ..none },
            Augment { noise: 0.2, ..none },
            Augment { erase: 1.0, ..none },
            Augment { cutout: 0.5, ..none },
            Augment { random_operations: 3, random_magnitude: 15.0, ..none },
        ];
        for augment in each {
            augment.check().unwrap();
            assert!(!augment.is_none());
            let changed = (0..8).filter(|&sample| varied(augment, key(sample)) != image()).count();
            assert!(changed >= 6, "{augment:?} changed {changed} of 8");
            assert_eq!(varied(augment, key(0)).len(), 240);
        }
    }

    #[test]
    fn the_variation_depends_on_seed_epoch_and_sample_and_on_nothing_else() {
        let augment = Augment { noise: 0.1, rotate: 20.0, ..Augment::NATURAL };
        let at = |seed, epoch, sample| varied(augment, Key { seed, epoch, sample });
        assert_eq!(at(1, 2, 3), at(1, 2, 3));
        for other in [at(9, 2, 3), at(1, 9, 3), at(1, 2, 9)] {
            assert_ne!(at(1, 2, 3), other);
        }
    }

    #[test]
    fn switching_one_operation_on_leaves_the_others_as_they_were() {
        let turned = Augment { rotate: 20.0, ..Augment::NONE };
        let both = Augment { erase: 1e-12, ..turned };
        assert_eq!(varied(turned, key(4)), varied(both, key(4)));
    }

    #[test]
    fn a_setting_out_of_bounds_is_named_with_what_is_allowed() {
        let message = |augment: Augment| augment.check().unwrap_err().to_string();
        assert_eq!(
            message(Augment { flip: 1.5, ..Augment::NONE }),
            "augmentation: flip = 1.5 is out of bounds; choose a chance from 0 to 1"
        );
        assert!(message(Augment { rotate: f64::NAN, ..Augment::NONE }).contains("rotate = NaN"));
        assert!(message(Augment { mixup: -1.0, ..Augment::NONE }).contains("mixup = -1"));
        for preset in [Augment::NONE, Augment::DIGITS, Augment::NATURAL] {
            preset.check().unwrap();
        }
    }

    #[test]
    fn an_image_of_one_pixel_survives_everything() {
        let augment = Augment {
            flip: 1.0,
            rotate: 180.0,
            shear: 80.0,
            shift: 1.0,
            zoom: 0.9,
            crop: 0.01,
            brightness: 1.0,
            contrast: 1.0,
            saturation: 1.0,
            noise: 0.1,
            erase: 1.0,
            cutout: 0.1,
            random_operations: 14,
            random_magnitude: 30.0,
            ..Augment::NONE
        };
        for sample in 0..50 {
            for fill in [Fill::Black, Fill::Edge, Fill::Reflect] {
                Augment { fill, ..augment }.vary(&mut [100], [1, 1, 1], key(sample));
                Augment { fill, ..augment }.vary(&mut [100, 3, 9], [1, 1, 3], key(sample));
            }
        }
    }
}
