//! What is learned from.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::lazy::LazyImages;
use crate::loader::BatchFeatures;
use crate::table::Table;

/// What is learned from: images, rows of numbers, or a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Features {
    /// Images of one size, `[n, height, width, channels]`, 0 to 255.
    Images {
        /// All pixels, sample after sample, row-major, channels last.
        pixels: Vec<u8>,
        /// `[height, width, channels]`.
        shape: [usize; 3],
    },
    /// Images of one size that are made when they are asked for, such as those of a folder.
    Lazy(LazyImages),
    /// Rows of numbers, `[n, columns]`.
    Rows {
        /// All values, row after row.
        values: Vec<f32>,
        /// The name of each column.
        names: Vec<String>,
    },
    /// Columns of several kinds, with gaps, in memory or on disk. Prepared data has one only where its rows are too many
    /// to lie in memory; those come encoded.
    Table(Table),
}

/// One sample's features.
#[derive(Clone, Debug, PartialEq)]
pub enum FeaturesRef<'a> {
    /// `height * width * channels` bytes, borrowed where they lie in memory.
    Image(Cow<'a, [u8]>),
    /// One value a column.
    Row(Cow<'a, [f32]>),
}

impl Features {
    /// The number of samples.
    pub fn len(&self) -> usize {
        match self {
            Features::Images { pixels, .. } => pixels.len().checked_div(self.width()).unwrap_or(0),
            Features::Lazy(images) => images.len(),
            Features::Rows { values, .. } => values.len().checked_div(self.width()).unwrap_or(0),
            Features::Table(table) => table.len(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of values in one sample: what a dense layer sees after flattening. Since a sample's values lie next
    /// to each other, flattening changes this shape and moves nothing. [DATA-27]
    pub fn width(&self) -> usize {
        self.sample_shape().iter().product()
    }

    /// The shape of one sample: `[height, width, channels]` or `[columns]`.
    pub fn sample_shape(&self) -> Vec<usize> {
        match self {
            Features::Images { shape, .. } => shape.to_vec(),
            Features::Lazy(images) => images.shape().to_vec(),
            Features::Rows { names, .. } => vec![names.len()],
            Features::Table(table) => vec![table.width()],
        }
    }

    /// What the values of a row are called; `None` for images.
    pub fn names(&self) -> Option<Vec<String>> {
        match self {
            Features::Images { .. } | Features::Lazy(_) => None,
            Features::Rows { names, .. } => Some(names.clone()),
            Features::Table(table) => Some(table.names()),
        }
    }

    /// `[height, width, channels]` of images, wherever they lie; none for rows.
    pub fn image_shape(&self) -> Option<[usize; 3]> {
        match self {
            Features::Images { shape, .. } => Some(*shape),
            Features::Lazy(images) => Some(images.shape()),
            Features::Rows { .. } | Features::Table(_) => None,
        }
    }

    /// Image `index` of images.
    ///
    /// # Errors
    /// As [`get`](Features::get); features that are no images.
    pub(crate) fn image(&self, index: usize) -> Result<Cow<'_, [u8]>> {
        match self.get(index)? {
            FeaturesRef::Image(image) => Ok(image),
            FeaturesRef::Row(_) => Err(Error::OutOfRange { index, len: 0 }),
        }
    }

    /// The bytes that all samples take in memory, or may come to take; rows on disk take none.
    pub fn bytes(&self) -> usize {
        match self {
            Features::Images { pixels, .. } => pixels.len(),
            Features::Lazy(images) => images.bytes(),
            Features::Rows { values, .. } => size_of_val(&values[..]),
            Features::Table(table) => table.bytes(),
        }
    }

    /// Fills `into` with the samples `indices`, one after the other; what was in it goes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]; rows on disk that cannot be read, images that cannot be made.
    pub fn gather(&self, indices: &[usize], into: &mut BatchFeatures) -> Result<()> {
        let (width, len) = (self.width(), self.len());
        if let Some(&index) = indices.iter().find(|&&index| index >= len) {
            return Err(Error::OutOfRange { index, len });
        }
        match (self, &mut *into) {
            (Features::Images { pixels, .. }, BatchFeatures::Images(batch)) => {
                batch.clear();
                indices.iter().for_each(|&index| batch.extend_from_slice(&pixels[index * width..][..width]));
                Ok(())
            }
            (Features::Lazy(images), BatchFeatures::Images(batch)) => {
                *batch = images.get_all(indices)?;
                Ok(())
            }
            (Features::Rows { values, .. }, BatchFeatures::Rows(batch)) => {
                batch.clear();
                indices.iter().for_each(|&index| batch.extend_from_slice(&values[index * width..][..width]));
                Ok(())
            }
            (Features::Table(table), BatchFeatures::Rows(batch)) => {
                batch.clear();
                table.each(indices, |row| {
                    batch.extend_from_slice(row);
                    Ok(())
                })
            }
            _ => {
                *into = self.batch();
                self.gather(indices, into)
            }
        }
    }

    /// An empty batch of such samples.
    pub fn batch(&self) -> BatchFeatures {
        match self {
            Features::Images { .. } | Features::Lazy(_) => BatchFeatures::Images(Vec::new()),
            Features::Rows { .. } | Features::Table(_) => BatchFeatures::Rows(Vec::new()),
        }
    }

    /// Sample `index`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], a row on disk that cannot be read, and what is wrong with an image that is only now made.
    pub fn get(&self, index: usize) -> Result<FeaturesRef<'_>> {
        let (width, len) = (self.width(), self.len());
        if index >= len {
            return Err(Error::OutOfRange { index, len });
        }
        let range = index * width..(index + 1) * width;
        Ok(match self {
            Features::Images { pixels, .. } => FeaturesRef::Image(Cow::Borrowed(&pixels[range])),
            Features::Lazy(images) => FeaturesRef::Image(images.get(index)?),
            Features::Rows { values, .. } => FeaturesRef::Row(Cow::Borrowed(&values[range])),
            Features::Table(_) => {
                let mut row = BatchFeatures::Rows(Vec::with_capacity(width));
                self.gather(&[index], &mut row)?;
                match row {
                    BatchFeatures::Rows(row) => FeaturesRef::Row(Cow::Owned(row)),
                    BatchFeatures::Images(_) => return Err(Error::OutOfRange { index, len }),
                }
            }
        })
    }
}
