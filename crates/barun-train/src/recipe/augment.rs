//! `[data.augment]`: how training images are varied. The formulas are in `barun_data::augment`.

use super::declare::{names, section};
use super::rules::{CHANCE, SHARE};
use super::setting::Fallback::Is;
use super::setting::Rule;
use crate::build;

const DEGREES: Rule<f64> = Rule { allowed: "from 0 to 180", holds: |x| (0.0..=180.0).contains(x) };
const SLANT: Rule<f64> = Rule { allowed: "from 0 to 80", holds: |x| (0.0..=80.0).contains(x) };
const ZOOM: Rule<f64> = Rule { allowed: "from 0 to 0.9", holds: |x| (0.0..=0.9).contains(x) };
const CROP: Rule<f64> = Rule { allowed: "from 0.01 to 1", holds: |x| (0.01..=1.0).contains(x) };
const FACTOR: Rule<f64> = Rule { allowed: "from 0 to 10", holds: |x| (0.0..=10.0).contains(x) };
const MAGNITUDE: Rule<f64> = Rule { allowed: "from 0 to 30", holds: |x| (0.0..=30.0).contains(x) };
const OPERATIONS: Rule<usize> = Rule { allowed: "at most 20", holds: |n| *n <= 20 };
const ALPHA: Rule<f64> =
    Rule { allowed: "0, or from 0.01 to 100", holds: |x| *x == 0.0 || (0.01..=100.0).contains(x) };

section! {
    /// `[data.augment]`: how training images are varied each time they are met. `augment = "digits"` is short for
    /// `augment = { preset = "digits" }`; a preset sets the keys below, and each may be set over it.
    pub struct Augment {
        /// The settings to begin with.
        preset: Preset = Is(|_| Preset::None);
        /// The chance that left and right are exchanged.
        flip: f64 = Is(|d| d.augment.flip), CHANCE;
        /// The chance that top and bottom are exchanged.
        flip_vertical: f64 = Is(|d| d.augment.flip_vertical), CHANCE;
        /// The largest turn either way, in degrees.
        rotate: f64 = Is(|d| d.augment.rotate), DEGREES;
        /// The largest slant either way, in degrees.
        shear: f64 = Is(|d| d.augment.shear), SLANT;
        /// The largest shift either way, as a share of height and of width; by whole pixels.
        shift: f64 = Is(|d| d.augment.shift), SHARE;
        /// The size changes by a factor of up to `1 - zoom` or `1 + zoom`.
        zoom: f64 = Is(|d| d.augment.zoom), ZOOM;
        /// The smallest share of the area that a random crop keeps, brought back to the whole size; 1 crops nothing.
        crop: f64 = Is(|d| d.augment.crop), CROP;
        /// What stands where nothing of the image comes to lie.
        fill: Fill = Is(|d| d.augment.fill.into());
        /// Pixels are multiplied by a factor of up to `1 - brightness` or `1 + brightness`.
        brightness: f64 = Is(|d| d.augment.brightness), FACTOR;
        /// The same for distances from the mean grey of the image.
        contrast: f64 = Is(|d| d.augment.contrast), FACTOR;
        /// The same for distances of colours from their grey.
        saturation: f64 = Is(|d| d.augment.saturation), FACTOR;
        /// The standard deviation of normal noise on each value, as a share of the range from black to white.
        noise: f64 = Is(|d| d.augment.noise), FACTOR;
        /// The chance that a random rectangle becomes black (random erasing).
        erase: f64 = Is(|d| d.augment.erase), CHANCE;
        /// The side of a square that becomes black, as a share of the shorter side.
        cutout: f64 = Is(|d| d.augment.cutout), SHARE;
        /// RandAugment: how many operations are picked for each image.
        random_operations: usize = Is(|d| d.augment.random_operations), OPERATIONS;
        /// RandAugment: how far they go.
        random_magnitude: f64 = Is(|d| d.augment.random_magnitude), MAGNITUDE;
        /// Mixup: two images blend, and their targets with them, by shares from Beta(mixup, mixup).
        mixup: f64 = Is(|d| d.augment.mixup), ALPHA;
        /// CutMix: a rectangle comes from another image, and its part of the target with it, by shares from
        /// Beta(cutmix, cutmix).
        cutmix: f64 = Is(|d| d.augment.cutmix), ALPHA;
    }
}

names! {
    /// Settings of augmentation that suit a kind of images.
    pub enum Preset, "an augmentation" {
        /// Images stay as they are.
        None = "none",
        /// Written signs on an even ground: turned and slanted by up to 10 degrees, shifted by up to 8 %, up to 10 %
        /// larger or smaller.
        Digits = "digits",
        /// Photographs: mirrored in half the cases, shifted by up to an eighth, the border mirrored.
        Natural = "natural",
    }
}

names! {
    /// What stands where nothing of an image comes to lie.
    pub enum Fill, "a fill" {
        /// 0.
        Black = "black",
        /// The nearest pixel of the border.
        Edge = "edge",
        /// The image mirrored at its border.
        Reflect = "reflect",
    }
}

impl Augment {
    /// Whether it says no more than the preset `none`.
    pub(crate) fn is_off(&self) -> bool {
        self.preset == Preset::None && build::augment(self) == barun_data::Augment::NONE
    }
}

impl Preset {
    /// The settings it stands for.
    pub fn settings(self) -> barun_data::Augment {
        match self {
            Preset::None => barun_data::Augment::NONE,
            Preset::Digits => barun_data::Augment::DIGITS,
            Preset::Natural => barun_data::Augment::NATURAL,
        }
    }
}

impl From<barun_data::augment::Fill> for Fill {
    fn from(fill: barun_data::augment::Fill) -> Fill {
        use barun_data::augment::Fill::{Black, Edge, Reflect};
        match fill {
            Black => Fill::Black,
            Edge => Fill::Edge,
            Reflect => Fill::Reflect,
        }
    }
}
