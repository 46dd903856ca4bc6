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

use barun_engine::random::{Stream, combine};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
pub use geometry::Fill;
pub use mix::Mix;

/// What is done to a training image. The default changes nothing.
///
/// ```
/// use barun_data::augment::{Augment, Key};
/// let augment = Augment { flip: 1.0, ..Augment::NONE };
/// let mut image = vec![1, 2, 3, 4, 5, 6]; // two rows of three grey pixels
/// augment.vary(&mut image, [2, 3, 1], Key { seed: 0, epoch: 0, sample: 0 });
/// assert_eq!(image, [3, 2, 1, 6, 5, 4]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// The chance that left and right are exchanged.
    pub flip: f64,
    /// The chance that top and bottom are exchanged.
    pub flip_vertical: f64,
    /// The largest turn either way, in degrees.
    pub rotate: f64,
    /// The largest slant either way, in degrees.
    pub shear: f64,
    /// The largest shift either way, as a share of height and of width; by whole pixels.
    pub shift: f64,
    /// The size changes by a factor of up to `1 - zoom` or `1 + zoom`.
    pub zoom: f64,
    /// The smallest share of the area that a random crop keeps; 1 crops nothing.
    pub crop: f64,
    /// What stands where nothing of the image comes to lie.
    pub fill: Fill,
    /// Pixels are multiplied by a factor of up to `1 ± brightness`.
    pub brightness: f64,
    /// Distances from the mean grey are multiplied by a factor of up to `1 ± contrast`.
    pub contrast: f64,
    /// Distances of colours from their grey are multiplied by a factor of up to `1 ± saturation`.
    pub saturation: f64,
    /// The standard deviation of noise added to each value, as a share of the range from black to white.
    pub noise: f64,
    /// The chance that a random rectangle becomes black.
    pub erase: f64,
    /// The side of a square that becomes black, as a share of the shorter side.
    pub cutout: f64,
    /// How many operations RandAugment picks.
    pub random_operations: usize,
    /// How far RandAugment's operations go, from 0 to 30.
    pub random_magnitude: f64,
    /// Mixup: the α of the Beta distribution of the shares; 0 mixes nothing.
    pub mixup: f64,
    /// CutMix: the α of the Beta distribution of the shares; 0 mixes nothing.
    pub cutmix: f64,
}

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
    /// Changes nothing.
    pub const NONE: Augment = Augment {
        flip: 0.0,
        flip_vertical: 0.0,
        rotate: 0.0,
        shear: 0.0,
        shift: 0.0,
        zoom: 0.0,
        crop: 1.0,
        fill: Fill::Black,
        brightness: 0.0,
        contrast: 0.0,
        saturation: 0.0,
        noise: 0.0,
        erase: 0.0,
        cutout: 0.0,
        random_operations: 0,
        random_magnitude: policy::DEFAULT_MAGNITUDE,
        mixup: 0.0,
        cutmix: 0.0,
    };

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

    /// Whether each setting lies within its bounds.
    ///
    /// # Errors
    /// [`Error::Augment`], naming the first that does not.
    pub fn check(&self) -> Result<()> {
        let bounds: [(&'static str, f64, f64, f64, &'static str); 15] = [
            ("flip", self.flip, 0.0, 1.0, "a chance from 0 to 1"),
            ("flip_vertical", self.flip_vertical, 0.0, 1.0, "a chance from 0 to 1"),
            ("rotate", self.rotate, 0.0, 180.0, "0 to 180 degrees"),
            ("shear", self.shear, 0.0, 80.0, "0 to 80 degrees"),
            ("shift", self.shift, 0.0, 1.0, "a share from 0 to 1"),
            ("zoom", self.zoom, 0.0, 0.9, "a share from 0 to 0.9"),
            ("crop", self.crop, 0.01, 1.0, "a share from 0.01 to 1"),
            ("brightness", self.brightness, 0.0, 10.0, "0 to 10"),
            ("contrast", self.contrast, 0.0, 10.0, "0 to 10"),
            ("saturation", self.saturation, 0.0, 10.0, "0 to 10"),
            ("noise", self.noise, 0.0, 10.0, "0 to 10"),
            ("erase", self.erase, 0.0, 1.0, "a chance from 0 to 1"),
            ("cutout", self.cutout, 0.0, 1.0, "a share from 0 to 1"),
            ("random_magnitude", self.random_magnitude, 0.0, policy::LARGEST_MAGNITUDE, "0 to 30"),
            ("random_operations", self.random_operations as f64, 0.0, 20.0, "0 to 20"),
        ];
        for (setting, value, least, most, allowed) in bounds {
            if !(least..=most).contains(&value) {
                return Err(Error::Augment { setting, value, allowed });
            }
        }
        for (setting, value) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            // Below this a Beta distribution's draws are 0 and 1 to the last bit.
            if value != 0.0 && !(0.01..=100.0).contains(&value) {
                return Err(Error::Augment { setting, value, allowed: "0, or from 0.01 to 100" });
            }
        }
        Ok(())
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
