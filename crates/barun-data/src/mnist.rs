//! MNIST and Fashion-MNIST from their four IDX files, with the test part they were published with.
//!
//! The files are looked for in `<data directory>/<name>/`, plain or with `.gz`. [DATA-09]

use std::path::{Path, PathBuf};

use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};
use crate::idx::{self, Idx};

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
pub(crate) fn mnist(data_dir: &Path) -> Result<Dataset> {
    read(data_dir, "mnist", &DIGITS)
}

/// Zalando's articles of clothing (Xiao, Rasul, Vollgraf, 2017), 60,000 + 10,000 grey images of 28 x 28.
pub(crate) fn fashion_mnist(data_dir: &Path) -> Result<Dataset> {
    read(data_dir, "fashion-mnist", &CLOTHES)
}

fn read(data_dir: &Path, name: &str, classes: &[&str; 10]) -> Result<Dataset> {
    let folder = data_dir.join(name);
    let names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    let found = names.map(|name| find(&folder, name));
    let missing: Vec<String> = names
        .iter()
        .zip(&found)
        .filter(|(_, path)| path.is_none())
        .map(|(name, _)| name.to_string())
        .collect();
    let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] = found else {
        return Err(Error::MissingFiles { name: name.to_string(), folder, missing });
    };

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
        return Err(Error::MissingFiles { name, folder, missing: vec![wanted] });
    };
    let (pixels, labels) = pair(images, &labels, 256)?;
    let count = labels.iter().max().map_or(0, |&most| most + 1);
    let features = Features::Images { pixels: pixels.data, shape: [pixels.dims[1], pixels.dims[2], 1] };
    let classes = (0..count).map(|class| class.to_string()).collect();
    Dataset::new(name, features, Targets::Classes { name: "label".to_string(), labels, classes })
}
