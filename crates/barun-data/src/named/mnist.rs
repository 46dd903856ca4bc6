//! MNIST and Fashion-MNIST from their four IDX files, with the test part they were published with.
//!
//! The files may be plain or packed with `.gz`. [DATA-09]

use std::path::{Path, PathBuf};

use super::{Named, Published};
use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};
use crate::idx::{self, Idx};
use crate::open::OpenOptions;

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Handwritten digits (LeCun, Cortes, Burges), 60,000 + 10,000 grey images of 28 x 28.
pub(super) fn mnist(folder: &Path, _: &OpenOptions) -> Result<Dataset> {
    read(folder, "mnist", &DIGITS)
}

/// Zalando's articles of clothing (Xiao, Rasul, Vollgraf, 2017), 60,000 + 10,000 grey images of 28 x 28.
pub(super) fn fashion_mnist(folder: &Path, _: &OpenOptions) -> Result<Dataset> {
    read(folder, "fashion-mnist", &CLOTHES)
}

/// The files that lie in the folder neither packed nor plain.
pub(super) fn missing(named: &Named, folder: &Path) -> Vec<Published> {
    let is_there = |published: &Published| find(folder, published.file.trim_end_matches(".gz")).is_some();
    named.files.iter().copied().filter(|published| !is_there(published)).collect()
}

fn read(folder: &Path, name: &str, classes: &[&str; 10]) -> Result<Dataset> {
    // Whoever is asked to read has been told that they are there; if not, the place of the packed one is the one to name.
    let path = |name: &str| find(folder, name).unwrap_or_else(|| folder.join(format!("{name}.gz")));
    let (train_images, train_labels) = (path("train-images-idx3-ubyte"), path("train-labels-idx1-ubyte"));
    let (test_images, test_labels) = (path("t10k-images-idx3-ubyte"), path("t10k-labels-idx1-ubyte"));

    let (mut images, mut labels) = pair(&train_images, &train_labels, classes.len())?;
    let (more_images, more_labels) = pair(&test_images, &test_labels, classes.len())?;
    if more_images.dims[1..] != images.dims[1..] {
        return Err(Error::ImageSize {
            path: test_images,
            expected: images.dims[1..].to_vec(),
            found: more_images.dims[1..].to_vec(),
        });
    }
    let train = labels.len();
    images.data.extend(more_images.data);
    labels.extend(more_labels);
    let total = labels.len();

    let features = Features::Images { pixels: images.data, shape: [images.dims[1], images.dims[2], 1] };
    let targets = Targets::Classes {
        name: "label".to_string(),
        labels,
        classes: classes.iter().map(|class| class.to_string()).collect(),
    };
    Dataset::new(name, features, targets)?.with_given_test(train..total)
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.is_file())
}

fn pair(images: &Path, labels: &Path, classes: usize) -> Result<(Idx, Vec<i64>)> {
    let pixels = idx::read(images, 3)?;
    let marks = idx::read(labels, 1)?;
    if pixels.dims[0] != marks.dims[0] {
        return Err(Error::CountMismatch {
            images: images.to_path_buf(),
            image_count: pixels.dims[0],
            labels: labels.to_path_buf(),
            label_count: marks.dims[0],
        });
    }
    if let Some(position) = marks.data.iter().position(|&label| usize::from(label) >= classes) {
        let (offset, label) = (8 + position, marks.data[position]);
        return Err(Error::LabelByte { path: labels.to_path_buf(), offset, label, classes });
    }
    Ok((pixels, marks.data.into_iter().map(i64::from).collect()))
}

/// Images of an IDX file, with the labels that lie beside it under the name that MNIST's have.
pub(crate) fn idx_file(images: &Path) -> Result<Dataset> {
    let name = images.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = images.parent().unwrap_or(Path::new("")).to_path_buf();
    let wanted = name.trim_end_matches(".gz").replace("images", "labels").replace("idx3", "idx1");
    let Some(labels) = find(&folder, &wanted) else {
        return Err(Error::MissingFiles { name, folder, missing: vec![wanted], may_be_packed: true });
    };
    let (pixels, labels) = pair(images, &labels, 256)?;
    let count = labels.iter().max().map_or(0, |&most| most + 1);
    let features = Features::Images { pixels: pixels.data, shape: [pixels.dims[1], pixels.dims[2], 1] };
    let classes = (0..count).map(|class| class.to_string()).collect();
    Dataset::new(name, features, Targets::Classes { name: "label".to_string(), labels, classes })
}
