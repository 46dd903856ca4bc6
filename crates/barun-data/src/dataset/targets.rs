//! What is to be predicted.

use crate::error::{Error, Result};
use crate::loader::BatchTargets;

/// What is to be predicted: a class or a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Classes, as indices into `classes`. Two classes are 0 and 1, ready for a binary loss. [DATA-12, DATA-13]
    Classes {
        /// What the target is called.
        name: String,
        /// One class index a sample.
        labels: Vec<i64>,
        /// The name of each class.
        classes: Vec<String>,
    },
    /// Numbers, for regression.
    Values {
        /// What the target is called.
        name: String,
        /// One value a sample.
        values: Vec<f32>,
    },
}

/// One sample's target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// The index of the class.
    Class(i64),
    /// The number.
    Value(f32),
}

impl Targets {
    /// The number of samples.
    pub fn len(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => labels.len(),
            Targets::Values { values, .. } => values.len(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the target is called.
    pub fn name(&self) -> &str {
        match self {
            Targets::Classes { name, .. } | Targets::Values { name, .. } => name,
        }
    }

    /// The class names, or `None` for regression.
    pub fn classes(&self) -> Option<&[String]> {
        match self {
            Targets::Classes { classes, .. } => Some(classes),
            Targets::Values { .. } => None,
        }
    }

    /// Fills `into` with the targets of the samples `indices`; what was in it goes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`].
    pub fn gather(&self, indices: &[usize], into: &mut BatchTargets) -> Result<()> {
        let len = self.len();
        if let Some(&index) = indices.iter().find(|&&index| index >= len) {
            return Err(Error::OutOfRange { index, len });
        }
        match (self, &mut *into) {
            (Targets::Classes { labels, .. }, BatchTargets::Classes(batch)) => {
                batch.clear();
                batch.extend(indices.iter().map(|&index| labels[index]));
            }
            (Targets::Values { values, .. }, BatchTargets::Values(batch)) => {
                batch.clear();
                batch.extend(indices.iter().map(|&index| values[index]));
            }
            _ => {
                *into = self.batch();
                self.gather(indices, into)?;
            }
        }
        Ok(())
    }

    /// An empty batch of such targets.
    pub fn batch(&self) -> BatchTargets {
        match self {
            Targets::Classes { .. } => BatchTargets::Classes(Vec::new()),
            Targets::Values { .. } => BatchTargets::Values(Vec::new()),
        }
    }

    /// The target of sample `index`, or `None` when out of range.
    pub fn get(&self, index: usize) -> Option<Target> {
        match self {
            Targets::Classes { labels, .. } => labels.get(index).copied().map(Target::Class),
            Targets::Values { values, .. } => values.get(index).copied().map(Target::Value),
        }
    }
}

/// Class indices as one-hot rows: `[n] -> [n, classes]`, 1 at the class and 0 elsewhere. [DATA-12]
///
/// ```
/// assert_eq!(barun_data::one_hot(&[2, 0], 3)?, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
/// # Ok::<(), barun_data::Error>(())
/// ```
///
/// # Errors
/// [`Error::LabelOutOfRange`].
pub fn one_hot(labels: &[i64], classes: usize) -> Result<Vec<f32>> {
    let mut rows = vec![0.0; labels.len() * classes];
    for (position, &label) in labels.iter().enumerate() {
        match usize::try_from(label) {
            Ok(class) if class < classes => rows[position * classes + class] = 1.0,
            _ => return Err(Error::LabelOutOfRange { position, label, classes }),
        }
    }
    Ok(rows)
}
