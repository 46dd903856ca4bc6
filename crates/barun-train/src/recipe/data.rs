//! `[data]`: what to train on, and how it is divided and scaled.

use super::augment::Augment;
use super::declare::{names, section};
use super::images::Images;
use super::rules::{FOLDS, NOT_EMPTY, POSITIVE_SHARE, SHARE};
use super::setting::Fallback::{Inside, Is, Required};
use super::table::Table;

section! {
    /// `[data]`: what to train on.
    pub struct Data {
        /// The data: `digits`, `mnist`, `fashion-mnist`, `cifar10`, `omniglot`, `omniglot-small`, `moons`, `rings`, `xor`,
        /// `sine`, `outliers`, a table (`.csv`, `.tsv`, `.parquet`), NumPy arrays (`.npy`, `.npz`), a folder of class folders
        /// of images, or a `.zip` of one. A relative path starts at the working folder.
        source: String = Required, NOT_EMPTY;
        /// The column of a table to predict. Not given: the last one.
        target: Option<String> = Is(|_| None);
        /// What is learned: classes or numbers of the target, or the input itself.
        task: Task = Is(|_| Task::Auto);
        /// Columns of a table to leave out, such as names and row numbers.
        ignore: Vec<String> = Is(|_| Vec::new());
        /// Data to choose by, with the same columns or images: all of it is the valid part.
        valid_source: Option<String> = Is(|_| None);
        /// Data to judge by at the end, with the same columns or images: all of it is the test part.
        test_source: Option<String> = Is(|_| None);
        /// How inputs are scaled; fitted on the training part alone.
        normalize: Normalize = Is(|_| Normalize::Auto);
        /// How a table is read.
        table: Table = Inside;
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
        /// How rows are assigned to parts.
        method: Method = Is(|_| Method::Auto);
        /// A column of a table: rows with the same value stay in one part, such as those of a patient. It is not learned from.
        group: Option<String> = Is(|_| None);
        /// A column of a table with numbers or dates: the earliest rows train, the latest test. It is not learned from.
        time: Option<String> = Is(|_| None);
        /// A column of a table that says train, valid or test of each row. It is not learned from.
        part: Option<String> = Is(|_| None);
        /// Where copies of a row may go that have exactly the same features.
        copies: Copies = Is(|_| Copies::Together);
        /// Cross-validation: the rows are divided into so many folds, each of which is the test part once; `test` is
        /// then not used. 0 is none.
        folds: usize = Is(|_| 0), FOLDS;
        /// Which fold is the test part of this run, from 1; 0 means each in turn, in a run of its own.
        fold: usize = Is(|_| 0);
        /// The seed of the division; apart from `train.seed`, so that runs with different seeds can be compared.
        seed: u64 = Is(|_| 0);
    }
}

names! {
    /// How rows are assigned to parts.
    pub enum Method, "a way to divide" {
        /// By time where a column of times is given; else stratified where the target is classes, random where it is numbers.
        Auto = "auto",
        /// Each row alike.
        Random = "random",
        /// Each class in the same proportion in every part; a class with fewer rows than parts is an error.
        Stratified = "stratified",
        /// Along the column `data.split.time`.
        Time = "time",
    }
}

names! {
    /// Where copies of a row may go.
    pub enum Copies, "a place for copies" {
        /// Into one part, unless fewer than half of all rows are different.
        Together = "together",
        /// Anywhere, each on its own.
        Apart = "apart",
    }
}

names! {
    /// How inputs are scaled.
    pub enum Normalize, "a way to normalise" {
        /// What suits the data; at present always `standard`.
        Auto = "auto",
        /// `(x - mean) / deviation`, each column on its own, images all pixels together; a constant column becomes 0.
        Standard = "standard",
        /// `(x - median) / (third - first quartile)`, each column on its own, images all pixels together: outliers do not
        /// decide the scale.
        Robust = "robust",
        /// Normally distributed: each value by its place among the training values. For tables.
        Quantile = "quantile",
        /// `(x - min) / (max - min)`, each column on its own, images all pixels together; a constant column becomes 0.
        MinMax = "minmax",
        /// As they are (images: from 0 to 1).
        None = "none",
    }
}

names! {
    /// What is learned.
    pub enum Task, "a task" {
        /// Classes where it is text that repeats, or at most 20 different whole numbers; else numbers.
        Auto = "auto",
        /// Classes, whatever it looks like.
        Classification = "classification",
        /// Numbers; text is an error.
        Regression = "regression",
        /// To give the input again, as an autoencoder does. The target is left aside; figures are in the units of the scaled
        /// input.
        Reconstruction = "reconstruction",
    }
}
