//! CIFAR-10 in its binary version (Krizhevsky, 2009), 50,000 + 10,000 colour images of 32 x 32.
//!
//! Six files of 10,000 records, each a byte for the class and 1,024 bytes each for red, green and blue, row by row. They
//! are read from the published archive, or unpacked from `cifar-10-batches-bin/`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Named, Published, not_there};
use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};
use crate::open::OpenOptions;

pub(super) const ARCHIVE: &str = "cifar-10-binary.tar.gz";
const UNPACKED: &str = "cifar-10-batches-bin";
const FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;
/// Records of a file. A file of more is not one of them.
const RECORDS: usize = 10_000;

/// The archive, unless it lies there or has been unpacked.
pub(super) fn missing(named: &Named, folder: &Path) -> Vec<Published> {
    match unpacked(folder) {
        Some(_) => Vec::new(),
        None => not_there(named, folder),
    }
}

/// Where the six files lie, if they do: in the folder itself or as the archive unpacks.
fn unpacked(folder: &Path) -> Option<[PathBuf; 6]> {
    let paths = |folder: &Path| FILES.map(|file| folder.join(file));
    let candidates = [paths(folder), paths(&folder.join(UNPACKED)), paths(&folder.with_file_name(UNPACKED))];
    candidates.into_iter().find(|paths| paths.iter().all(|path| path.is_file()))
}

pub(super) fn read(folder: &Path, _: &OpenOptions) -> Result<Dataset> {
    let files = match unpacked(folder) {
        Some(paths) => {
            let read = |path: &PathBuf| -> Result<Vec<u8>> {
                let failed = |source| Error::Read { path: path.clone(), source };
                limited(File::open(path).map_err(failed)?).map_err(failed)
            };
            let files: Vec<Vec<u8>> = paths.iter().map(read).collect::<Result<_>>()?;
            paths.into_iter().zip(files).collect()
        }
        None => read_archive(&folder.join(ARCHIVE))?,
    };
    let (mut pixels, mut labels, mut train) = (Vec::new(), Vec::new(), 0);
    for (path, bytes) in files {
        if !path.ends_with(FILES[5]) {
            train += bytes.len() / RECORD;
        }
        add(&path, &bytes, &mut pixels, &mut labels)?;
    }
    let total = labels.len();
    let classes = CLASSES.iter().map(|class| class.to_string()).collect();
    let targets = Targets::Classes { name: "label".to_string(), labels, classes };
    Dataset::new("cifar10", Features::Images { pixels, shape: [SIDE, SIDE, 3] }, targets)?
        .with_given_test(train..total)
}

/// The records of a file, pixels with their colours together.
fn add(path: &Path, bytes: &[u8], pixels: &mut Vec<u8>, labels: &mut Vec<i64>) -> Result<()> {
    let broken = |record: usize, problem: String| Error::Cifar { path: path.to_path_buf(), record, problem };
    let records = bytes.chunks_exact(RECORD);
    if !records.remainder().is_empty() || bytes.is_empty() || records.len() > RECORDS {
        let problem = format!("{} bytes are not up to {RECORDS} records of {RECORD}", bytes.len());
        return Err(broken(bytes.len() / RECORD, problem));
    }
    for (at, record) in records.enumerate() {
        if usize::from(record[0]) >= CLASSES.len() {
            return Err(broken(at, format!("label {} is outside 0..10", record[0])));
        }
        labels.push(record[0].into());
        let planes = &record[1..];
        pixels.extend((0..PLANE).flat_map(|at| [planes[at], planes[PLANE + at], planes[2 * PLANE + at]]));
    }
    Ok(())
}

/// All bytes, up to one more than a file may have.
fn limited(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take((RECORD * RECORDS) as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(feature = "images")]
fn read_archive(path: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let failed = |source| Error::Read { path: path.to_path_buf(), source };
    let file = std::io::BufReader::new(File::open(path).map_err(failed)?);
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found: [Option<Vec<u8>>; 6] = Default::default();
    for entry in archive.entries().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.path().map_err(failed)?.file_name().map(|name| name.to_string_lossy().into_owned());
        if let Some(at) = FILES.iter().position(|file| name.as_deref() == Some(file)) {
            found[at] = Some(limited(entry).map_err(failed)?);
        }
    }
    let whole = FILES.iter().zip(found).map(|(file, bytes)| {
        let bytes = bytes.ok_or_else(|| Error::Cifar {
            path: path.to_path_buf(),
            record: 0,
            problem: format!("there is no {file} in it"),
        })?;
        Ok((path.join(file), bytes))
    });
    whole.collect()
}

#[cfg(not(feature = "images"))]
fn read_archive(_: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    Err(Error::WithoutImages { name: "cifar10".to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{FeaturesRef, Target};

    /// A record of one colour.
    fn record(label: u8, [red, green, blue]: [u8; 3]) -> Vec<u8> {
        [vec![label], vec![red; PLANE], vec![green; PLANE], vec![blue; PLANE]].concat()
    }

    fn written(folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for (at, file) in FILES.iter().enumerate() {
            let bytes = [record(at as u8, [at as u8, 10, 20]), record(9, [1, 2, 3])].concat();
            std::fs::write(folder.join(file), bytes).unwrap();
        }
    }

    fn check(data: &Dataset) {
        assert_eq!((data.len(), data.given_test()), (12, &[10, 11][..]));
        let sample = data.get(4).unwrap();
        assert_eq!(sample.target, Target::Class(2));
        let FeaturesRef::Image(image) = sample.features else { panic!("an image") };
        assert_eq!(image[..6], [2, 10, 20, 2, 10, 20]);
    }

    #[test]
    fn records_become_images_with_their_colours_together() {
        let folder = tempfile::tempdir().unwrap();
        written(&folder.path().join(UNPACKED));
        check(&read(folder.path(), &OpenOptions::default()).unwrap());
        let named = super::super::by_name("cifar10").unwrap();
        assert!(missing(named, folder.path()).is_empty());
        assert_eq!(missing(named, Path::new("nowhere")).len(), 1);
    }

    #[cfg(feature = "images")]
    #[test]
    fn the_archive_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        written(&folder.path().join("files"));
        let file = File::create(folder.path().join(ARCHIVE)).unwrap();
        let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
        archive.append_dir_all(UNPACKED, folder.path().join("files")).unwrap();
        archive.into_inner().unwrap().finish().unwrap();
        check(&read(folder.path(), &OpenOptions::default()).unwrap());
        std::fs::write(folder.path().join(ARCHIVE), b"not gzip").unwrap();
        assert!(read(folder.path(), &OpenOptions::default()).is_err());
    }

    #[test]
    fn a_torn_or_foreign_file_is_named_with_its_record() {
        let mut kept = (Vec::new(), Vec::new());
        let mut message = |bytes: &[u8]| {
            add(Path::new("data_batch_1.bin"), bytes, &mut kept.0, &mut kept.1).unwrap_err().to_string()
        };
        assert!(message(&record(3, [0; 3])[1..]).contains("3072 bytes are not up to 10000 records"));
        let text = message(&[record(1, [0; 3]), record(10, [0; 3])].concat());
        assert!(text.contains("data_batch_1.bin, record 1: label 10 is outside 0..10"), "{text}");
        assert!(message(&[]).contains("record 0"));
    }
}
