//! Every setting of augmentation, once: what it is called, what changes nothing, which values it takes, what it means.
//!
//! [`augment_settings!`](crate::augment_settings) hands the list to another macro: here to the one that declares
//! [`Augment`], with its defaults and its check, elsewhere to those that read the settings from a file. A new setting is a
//! line here, and the code that acts on it.

use serde::{Deserialize, Serialize};

use super::Fill;
use crate::error::{Error, Result};

/// Which values a setting takes.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// In words.
    pub allowed: &'static str,
    least: f64,
    most: f64,
    /// Whether 0 is allowed too where it lies outside.
    or_zero: bool,
}

impl Bound {
    const fn new(allowed: &'static str, least: f64, most: f64) -> Bound {
        Bound { allowed, least, most, or_zero: false }
    }

    /// Whether a value is one of them.
    pub fn holds(&self, value: f64) -> bool {
        (self.least..=self.most).contains(&value) || (self.or_zero && value == 0.0)
    }
}

/// A probability.
pub const CHANCE: Bound = Bound::new("a chance from 0 to 1", 0.0, 1.0);
/// A share of the whole.
pub const SHARE: Bound = Bound::new("a share from 0 to 1", 0.0, 1.0);
/// An angle.
pub const DEGREES: Bound = Bound::new("from 0 to 180 degrees", 0.0, 180.0);
/// The angle of a slant.
pub const SLANT: Bound = Bound::new("from 0 to 80 degrees", 0.0, 80.0);
/// How much larger or smaller.
pub const ZOOM: Bound = Bound::new("a share from 0 to 0.9", 0.0, 0.9);
/// How much is kept.
pub const CROP: Bound = Bound::new("a share from 0.01 to 1", 0.01, 1.0);
/// How far a factor is from 1, or a deviation.
pub const FACTOR: Bound = Bound::new("from 0 to 10", 0.0, 10.0);
/// How many operations.
pub const OPERATIONS: Bound = Bound::new("at most 20", 0.0, 20.0);
/// How far operations go.
pub const MAGNITUDE: Bound = Bound::new("from 0 to 30", 0.0, super::policy::LARGEST_MAGNITUDE);
/// The parameter of a Beta distribution: below the least its draws are 0 and 1 to the last bit.
pub const ALPHA: Bound = Bound { or_zero: true, ..Bound::new("0, or from 0.01 to 100", 0.01, 100.0) };

/// Calls the macro `with!` with every setting that is a number: its documentation, its name, its type, the value that
/// changes nothing, and the [`Bound`] of its values.
#[macro_export]
macro_rules! augment_settings {
    ($with:ident) => {
        $with! {
            /// The chance that left and right are exchanged.
            flip: f64 = 0.0, CHANCE;
            /// The chance that top and bottom are exchanged.
            flip_vertical: f64 = 0.0, CHANCE;
            /// The largest turn either way, in degrees.
            rotate: f64 = 0.0, DEGREES;
            /// The largest slant either way, in degrees.
            shear: f64 = 0.0, SLANT;
            /// The largest shift either way, as a share of height and of width; by whole pixels.
            shift: f64 = 0.0, SHARE;
            /// The size changes by a factor of up to `1 - zoom` or `1 + zoom`.
            zoom: f64 = 0.0, ZOOM;
            /// The smallest share of the area that a random crop keeps, brought back to the whole size; 1 crops nothing.
            crop: f64 = 1.0, CROP;
            /// Pixels are multiplied by a factor of up to `1 - brightness` or `1 + brightness`.
            brightness: f64 = 0.0, FACTOR;
            /// The same for distances from the mean grey of the image.
            contrast: f64 = 0.0, FACTOR;
            /// The same for distances of colours from their grey.
            saturation: f64 = 0.0, FACTOR;
            /// The standard deviation of normal noise on each value, as a share of the range from black to white.
            noise: f64 = 0.0, FACTOR;
            /// The chance that a random rectangle becomes black (random erasing).
            erase: f64 = 0.0, CHANCE;
            /// The side of a square that becomes black, as a share of the shorter side.
            cutout: f64 = 0.0, SHARE;
            /// RandAugment: how many operations are picked for each image.
            random_operations: usize = 0, OPERATIONS;
            /// RandAugment: how far they go.
            random_magnitude: f64 = $crate::augment::policy::DEFAULT_MAGNITUDE, MAGNITUDE;
            /// Mixup: two images blend, and their targets with them, by shares from Beta(mixup, mixup).
            mixup: f64 = 0.0, ALPHA;
            /// CutMix: a rectangle comes from another image, and its part of the target with it, by shares from
            /// Beta(cutmix, cutmix).
            cutmix: f64 = 0.0, ALPHA;
        }
    };
}

macro_rules! declare {
    ($( $(#[doc = $doc:literal])* $setting:ident: $type:ty = $none:expr, $bound:ident; )*) => {
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
            $( $(#[doc = $doc])* pub $setting: $type, )*
            /// What stands where nothing of the image comes to lie.
            pub fill: Fill,
        }

        impl Augment {
            /// Changes nothing.
            pub const NONE: Augment = Augment { $( $setting: $none, )* fill: Fill::Black };

            /// Whether each setting lies within its bounds.
            ///
            /// # Errors
            /// [`Error::Augment`], naming the first that does not.
            pub fn check(&self) -> Result<()> {
                let settings = [$( (stringify!($setting), self.$setting as f64, $bound), )*];
                match settings.into_iter().find(|(_, value, bound)| !bound.holds(*value)) {
                    Some((setting, value, bound)) => {
                        Err(Error::Augment { setting, value, allowed: bound.allowed })
                    }
                    None => Ok(()),
                }
            }
        }
    };
}
augment_settings!(declare);
