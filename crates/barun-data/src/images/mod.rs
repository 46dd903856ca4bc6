//! Folders of images, and zip archives of them, as data sets. (Feature `images`.)
//!
//! ```text
//! pets/cat/*.jpg            pets/train/cat/*.jpg        a class for each folder, in alphabetical order
//! pets/dog/*.png            pets/train/dog/*.jpg        `test/`, where there is one, is the test part
//!                           pets/test/cat/*.jpg
//! ```
//!
//! Files are PNG, JPEG or WebP, told by their content, of any mix of sizes and colours, turned upright by their EXIF
//! orientation. Opening looks at each header alone; an image is decoded when it is asked for, on the loader's threads,
//! and kept as far as [`OpenOptions::image_cache`](crate::OpenOptions::image_cache) allows, so that a set may be larger
//! than memory. Whatever is decided on the way (the size, the colours, what is left out) is told in
//! [`Dataset::notes`].

mod decode;
mod files;
pub mod grid;
mod resize;
mod store;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};
use crate::lazy::LazyImages;
use crate::open::{Colour, OpenOptions};
use decode::Header;
use files::{ImageFiles, each_in_parallel};
use store::Store;
use tree::Tree;

pub use decode::{decode_image, is_image_name};
pub(crate) use resize::resized;

/// The longer side that images are brought to where nobody says a size and most are larger: at their own size
/// photographs would take a network for photographs, not the one that is trained here by default.
pub const LARGEST_DEFAULT_SIDE: usize = 128;

/// So many files are named in a note, and the others counted.
const NAMED_IN_NOTES: usize = 3;

/// Opens a folder of class folders, or a zip archive of one.
///
/// # Errors
/// No class folders, a single class, a test part with other classes, and files that cannot be read, unless they are to be
/// skipped.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Dataset> {
    open_by_class(path, 1, options)
}

/// The images of one file, or of all image files of a folder by name, brought to `shape` `[height, width, channels]`; with
/// the path of each.
///
/// # Errors
/// A folder without images, a file that is none.
pub fn unlabelled(path: &Path, shape: [usize; 3]) -> Result<(Vec<String>, LazyImages)> {
    let store = Store::open_files(path)?;
    let names = (0..store.len()).map(|file| store.place(file)).collect();
    let files = (0..store.len()).collect();
    // They are asked for once, so none need be kept.
    Ok((names, LazyImages::new(ImageFiles::new(store, files, shape), 0)))
}

/// As [`open`], where so many folder names below one another make a class, as in `Latin/character01`.
pub(crate) fn open_by_class(path: &Path, levels: usize, options: &OpenOptions) -> Result<Dataset> {
    let store = Store::open(path)?;
    let mut tree = Tree::of(&store, levels)?;
    let mut notes = std::mem::take(&mut tree.notes);
    let headers = headers(&store, &mut tree, options, &mut notes)?;
    let size = size(&headers, options, &mut notes);
    let channels = channels(&headers, options, &mut notes);
    let mut images = lazy(&store, &tree, [size[0], size[1], channels], options);
    if options.skip_unreadable {
        let broken = broken(&images);
        if !broken.is_empty() {
            leave_out(&store, &mut tree, &broken, &mut notes);
            images = lazy(&store, &tree, [size[0], size[1], channels], options);
        }
    }
    tree.check(&mut notes)?;
    let total = tree.images.len();
    let targets = Targets::Classes {
        name: "class".to_string(),
        labels: tree.images.iter().map(|image| image.class as i64).collect(),
        classes: tree.classes,
    };
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut dataset = Dataset::new(name, Features::Lazy(images), targets)?;
    if tree.test > 0 {
        dataset = dataset.with_given_test(total - tree.test..total)?;
    }
    Ok(dataset.with_notes(notes))
}

fn lazy(store: &Store, tree: &Tree, shape: [usize; 3], options: &OpenOptions) -> LazyImages {
    let files = tree.images.iter().map(|image| image.file).collect();
    LazyImages::new(ImageFiles::new(store.clone(), files, shape), options.image_cache)
}

/// The header of each image; what has none that can be read is an error, or left out.
fn headers(
    store: &Store,
    tree: &mut Tree,
    options: &OpenOptions,
    notes: &mut Vec<String>,
) -> Result<Vec<Header>> {
    let read = each_in_parallel(tree.images.len(), |at| store.header(tree.images[at].file));
    let mut headers = Vec::with_capacity(read.len());
    let mut broken = Vec::new();
    for (at, header) in read.into_iter().enumerate() {
        match header {
            Ok(header) => headers.push(header),
            Err(_) if options.skip_unreadable => broken.push(at),
            Err(error) => return Err(error),
        }
    }
    leave_out(store, tree, &broken, notes);
    if headers.is_empty() {
        return Err(Error::NoImages {
            path: store.path().to_path_buf(),
            problem: "no image can be read".into(),
        });
    }
    Ok(headers)
}

/// The positions of the images that cannot be decoded.
fn broken(images: &LazyImages) -> Vec<usize> {
    let decoded = each_in_parallel(images.len(), |at| images.get(at).map(|_| ()));
    decoded.iter().enumerate().filter(|(_, outcome)| outcome.is_err()).map(|(at, _)| at).collect()
}

fn leave_out(store: &Store, tree: &mut Tree, broken: &[usize], notes: &mut Vec<String>) {
    if broken.is_empty() {
        return;
    }
    let names = broken.iter().map(|&at| store.name(tree.images[at].file));
    notes.push(format!("{} unreadable files are left out: {}", broken.len(), some_of(names)));
    tree.remove(broken);
}

/// A few names, and how many more there are.
fn some_of(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED_IN_NOTES);
    let named = names.take(NAMED_IN_NOTES).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// The most common of some things, of equals the first in order, and how often it is.
fn most_common<T: Ord + Copy>(things: impl Iterator<Item = T>) -> Option<(T, usize)> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    things.for_each(|thing| *counts.entry(thing).or_default() += 1);
    counts.into_iter().max_by_key(|&(thing, count)| (count, std::cmp::Reverse(thing)))
}

/// `[height, width]` of all images.
fn size(headers: &[Header], options: &OpenOptions, notes: &mut Vec<String>) -> [usize; 2] {
    let (common, count) = most_common(headers.iter().map(|header| header.size)).unwrap_or(([1, 1], 0));
    let all = headers.len();
    let same = match count == all {
        true => format!("all {all} images are {} x {}", common[0], common[1]),
        false => format!("{count} of {all} images are {} x {}, the most common size", common[0], common[1]),
    };
    let longer = common[0].max(common[1]);
    let (size, why) = match options.image_size {
        Some(size) => (size, "as asked for"),
        None if longer > LARGEST_DEFAULT_SIDE => {
            let side = |side: usize| (side * LARGEST_DEFAULT_SIDE).div_ceil(longer).max(1);
            (common.map(side), "choose another size with --image-size")
        }
        None => (common, "choose another size with --image-size"),
    };
    if headers.iter().any(|header| header.size != size) {
        let [height, width] = size;
        notes.push(format!(
            "{same}; each is scaled to cover {height} x {width} and its middle is kept ({why})"
        ));
    }
    size
}

fn channels(headers: &[Header], options: &OpenOptions, notes: &mut Vec<String>) -> usize {
    let grey = headers.iter().filter(|header| header.is_grey).count();
    let colour = headers.len() - grey;
    let chosen = options.colour.unwrap_or(if grey > colour { Colour::Grey } else { Colour::Rgb });
    if grey > 0 && colour > 0 {
        let why = if options.colour.is_some() { "as asked for" } else { "the more common" };
        notes.push(format!(
            "{grey} images are grey and {colour} are in colour; all are read as {chosen} ({why})"
        ));
    }
    match chosen {
        Colour::Grey => 1,
        Colour::Rgb => 3,
    }
}
