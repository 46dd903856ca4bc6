//! `[data]`: what to train on, and how it is divided and scaled.

use super::augment::Augment;
use super::declare::{names, section};
use super::images::Images;
use super::rules::{NOT_EMPTY, POSITIVE_SHARE, SHARE};
use super::setting::Fallback::{Inside, Is, Required};

section! {
    /// `[data]`: what to train on.
    pub struct Data {
        /// The data: `digits`, `mnist`, `fashion-mnist`, `cifar10`, `omniglot`, `omniglot-small`, `moons`, `rings`, `xor`,
        /// `sine`, `outliers`, a `.csv` or `.tsv` file, a folder of class folders of images, or a `.zip` of one. A relative
        /// path starts at the working folder.
        source: String = Required, NOT_EMPTY;
        /// The column of a table to predict. Not given: the last one.
        target: Option<String> = Is(|_| None);
        /// Columns of a table to leave out, such as names and row numbers.
        ignore: Vec<String> = Is(|_| Vec::new());
        /// How inputs are scaled; fitted on the training part alone.
        normalize: Normalize = Is(|_| Normalize::Auto);
        /// How training images are varied.
        augment: Augment = Inside;
        /// How images are read.
        images: Images = Inside;
        /// How the rows are divided.
        split: Split = Inside;
    }
}

section! {
    /// `[data.split]`: which share of the rows trains the network, chooses among its states, and judges it at the end.
    ///
    /// Shares may sum to less than 1: the remaining rows are left out. A data set that brings its own test part keeps it;
    /// then `test` is not used and `train` and `valid` divide the rest in their proportion.
    pub struct Split {
        /// The share that the network learns from.
        train: f64 = Is(|d| d.train_share), POSITIVE_SHARE;
        /// The share that picks the best epoch. With 0 the last epoch is kept.
        valid: f64 = Is(|_| 0.1), SHARE;
        /// The share that is looked at once, at the end.
        test: f64 = Is(|d| d.test_share), SHARE;
        /// Keep the proportions of the classes in each part. Does nothing where the target is a number.
        stratify: bool = Is(|_| true);
        /// The seed of the division; apart from `train.seed`, so that runs with different seeds can be compared.
        seed: u64 = Is(|_| 0);
    }
}

names! {
    /// How inputs are scaled.
    pub enum Normalize, "a way to normalise" {
        /// What suits the data; at present always `standard`.
        Auto = "auto",
        /// `(x - mean) / deviation`, each column on its own, images all pixels together; a constant column becomes 0.
        Standard = "standard",
        /// `(x - min) / (max - min)`, each column on its own, images all pixels together; a constant column becomes 0.
        MinMax = "minmax",
        /// As they are (images: from 0 to 1).
        None = "none",
    }
}
