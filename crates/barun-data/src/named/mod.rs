//! Data sets known by name: where their files are looked for, where they are fetched from, and how they are read.
//!
//! Files lie in `<data directory>/<name>/`. What is missing there is fetched from the first mirror that has it, unless
//! that is not wanted ([`OpenOptions::offline`]) or the feature `download` is off.

mod cifar;
#[cfg(feature = "download")]
mod download;
mod mnist;

use std::path::{Path, PathBuf};

pub(crate) use mnist::idx_file;

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::open::OpenOptions;

/// A published file.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "download"), allow(dead_code))]
pub(crate) struct Published {
    pub file: &'static str,
    pub bytes: u64,
    pub checksum: Checksum,
}

/// What a file's bytes come to, in hexadecimal digits.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "download"), allow(dead_code))]
pub(crate) enum Checksum {
    Sha256(&'static str),
    Md5(&'static str),
}

use Checksum::{Md5, Sha256};

/// A data set known by name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub name: &'static str,
    files: &'static [Published],
    /// Addresses under which each file is found by its name, the first choice first.
    #[cfg_attr(not(feature = "download"), allow(dead_code))]
    mirrors: &'static [&'static str],
    /// What is missing of the files in a folder.
    missing: fn(&Named, &Path) -> Vec<Published>,
    read: fn(&Path, &OpenOptions) -> Result<Dataset>,
}

/// As torchvision and the data sets' own pages publish them.
pub(crate) const ALL: [Named; 5] = [
    Named {
        name: "mnist",
        files: &[
            published(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                Sha256("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            ),
            published(
                "train-labels-idx1-ubyte.gz",
                28_881,
                Sha256("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            ),
            published(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                Sha256("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            ),
            published(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                Sha256("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            ),
        ],
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        missing: mnist::missing,
        read: mnist::mnist,
    },
    Named {
        name: "fashion-mnist",
        files: &[
            published(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                Sha256("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            ),
            published(
                "train-labels-idx1-ubyte.gz",
                29_515,
                Sha256("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            ),
            published(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                Sha256("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            ),
            published(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                Sha256("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            ),
        ],
        mirrors: &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ],
        missing: mnist::missing,
        read: mnist::fashion_mnist,
    },
    Named {
        name: "cifar10",
        files: &[published(
            cifar::ARCHIVE,
            170_052_171,
            Sha256("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
        )],
        mirrors: &["https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"],
        missing: cifar::missing,
        read: cifar::read,
    },
    Named {
        name: "omniglot",
        files: &[published("images_background.zip", 9_464_212, Md5("68d2efa1b9178cc56df9314c21c6e718"))],
        mirrors: &OMNIGLOT_MIRRORS,
        missing: not_there,
        read: |folder, options| omniglot(folder, "omniglot", "images_background.zip", options),
    },
    Named {
        name: "omniglot-small",
        files: &[published(
            "images_background_small1.zip",
            1_319_022,
            Sha256("f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4"),
        )],
        mirrors: &OMNIGLOT_MIRRORS,
        missing: not_there,
        read: |folder, options| omniglot(folder, "omniglot-small", "images_background_small1.zip", options),
    },
];

const OMNIGLOT_MIRRORS: [&str; 2] = [
    "https://raw.githubusercontent.com/brendenlake/omniglot/master/python/",
    "https://github.com/brendenlake/omniglot/raw/master/python/",
];

const fn published(file: &'static str, bytes: u64, checksum: Checksum) -> Published {
    Published { file, bytes, checksum }
}

/// The data set called `name`.
pub(crate) fn by_name(name: &str) -> Option<&'static Named> {
    ALL.iter().find(|named| named.name == name)
}

impl Named {
    /// Opens it, fetching what is missing.
    pub fn open(&self, options: &OpenOptions) -> Result<Dataset> {
        let folder = self.folder(&options.data_dir());
        let missing = (self.missing)(self, &folder);
        if !missing.is_empty() {
            self.fetch(&folder, &missing, options)?;
        }
        (self.read)(&folder, options)
    }

    /// Both sets of Omniglot share a folder.
    fn folder(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.name.trim_end_matches("-small"))
    }

    #[cfg(feature = "download")]
    fn fetch(&self, folder: &Path, missing: &[Published], options: &OpenOptions) -> Result<()> {
        if options.offline {
            return Err(self.not_found(folder, missing));
        }
        let bytes: u64 = missing.iter().map(|published| published.bytes).sum();
        let size = format!("{:.1} MB", bytes as f64 / 1e6);
        (options.tell)(&format!("fetching {} ({size}) into {}", self.name, folder.display()));
        missing
            .iter()
            .try_for_each(|published| download::fetch(published, self.mirrors, folder, options.tell))
    }

    #[cfg(not(feature = "download"))]
    fn fetch(&self, folder: &Path, missing: &[Published], _: &OpenOptions) -> Result<()> {
        Err(self.not_found(folder, missing))
    }

    fn not_found(&self, folder: &Path, missing: &[Published]) -> Error {
        let may_be_packed = self.files.len() > 1;
        let plain = |file: &str| {
            if may_be_packed { file.trim_end_matches(".gz").to_string() } else { file.to_string() }
        };
        Error::MissingFiles {
            name: self.name.to_string(),
            folder: folder.to_path_buf(),
            missing: missing.iter().map(|published| plain(published.file)).collect(),
            may_be_packed,
        }
    }
}

/// Files that lie in the folder under their own names.
fn not_there(named: &Named, folder: &Path) -> Vec<Published> {
    named.files.iter().copied().filter(|published| !folder.join(published.file).is_file()).collect()
}

/// Handwritten characters of many alphabets, 20 drawings of each (Lake, Salakhutdinov, Tenenbaum, 2015), 105 x 105; a class
/// is an alphabet and a character of it.
#[cfg(feature = "images")]
fn omniglot(folder: &Path, name: &str, archive: &str, options: &OpenOptions) -> Result<Dataset> {
    Ok(crate::images::open_by_class(&folder.join(archive), 2, options)?.with_name(name))
}

#[cfg(not(feature = "images"))]
fn omniglot(_: &Path, name: &str, _: &str, _: &OpenOptions) -> Result<Dataset> {
    Err(Error::WithoutImages { name: name.to_string() })
}
