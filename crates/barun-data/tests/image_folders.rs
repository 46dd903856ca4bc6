//! Folders and archives of images, as a user has them: mixed, turned, broken, too large.
#![cfg(feature = "images")]

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use barun_data::{Dataset, Features, FeaturesRef, LoaderOptions, OpenOptions, Split, Standardize, Target};
use image::{DynamicImage, GrayImage, ImageEncoder, ImageFormat, Luma, Rgb, RgbImage};
use tempfile::TempDir;

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn grey(width: u32, height: u32, value: u8) -> GrayImage {
    GrayImage::from_pixel(width, height, Luma([value]))
}

fn colour(width: u32, height: u32, value: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb(value))
}

/// A folder to put files into.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("pets")
    }

    fn put(&self, name: &str, bytes: &[u8]) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// Two classes of dark and light images.
    fn with_pets(&self, each: usize) -> &Self {
        for at in 0..each {
            self.put(
                &format!("cat/{at:03}.png"),
                &encoded(colour(8, 6, [10 + at as u8, 0, 0]), ImageFormat::Png),
            );
            self.put(
                &format!("dog/{at:03}.png"),
                &encoded(colour(8, 6, [200, 0, at as u8]), ImageFormat::Png),
            );
        }
        self
    }

    fn open(&self) -> Dataset {
        Dataset::open(self.path()).unwrap()
    }

    fn refusal(&self) -> String {
        Dataset::open(self.path()).expect_err("the folder is refused").to_string()
    }
}

fn image(data: &Dataset, index: usize) -> Vec<u8> {
    match data.get(index).unwrap().features {
        FeaturesRef::Image(image) => image.into_owned(),
        FeaturesRef::Row(_) => panic!("images"),
    }
}

#[test]
fn a_folder_of_class_folders_is_a_data_set() {
    let folder = Folder::new();
    let data = folder.with_pets(3).open();
    assert_eq!(data.to_string(), "pets: 6 images of 6 x 8 x 3, target 'class' with 2 classes");
    assert_eq!(data.targets().classes().unwrap(), ["cat", "dog"]);
    assert_eq!(data.get(4).unwrap().target, Target::Class(1));
    assert_eq!(image(&data, 1)[..3], [11, 0, 0]);
    assert!(data.notes().is_empty(), "{:?}", data.notes());
}

#[test]
fn formats_sizes_and_colours_may_be_mixed_and_what_is_decided_is_told() {
    let folder = Folder::new();
    folder
        .with_pets(2)
        .put("cat/grey.webp", &encoded(grey(8, 6, 77), ImageFormat::WebP)) // a format that always has colour
        .put("dog/grey.png", &encoded(grey(8, 6, 78), ImageFormat::Png))
        .put("dog/large.JPG", &encoded(colour(40, 60, [50, 60, 70]), ImageFormat::Jpeg));
    let data = folder.open();
    assert_eq!(data.features().sample_shape(), [6, 8, 3]);
    assert_eq!(image(&data, 2), [77; 6 * 8 * 3]);
    assert_eq!(image(&data, 5), [78; 6 * 8 * 3]);
    let large = image(&data, 6);
    assert!(large.chunks(3).all(|pixel| pixel.iter().zip([50, 60, 70]).all(|(a, b)| a.abs_diff(b) < 4)));
    let notes = data.notes().join("\n");
    assert!(
        notes.contains("6 of 7 images are 6 x 8, the most common size; each is scaled to cover 6 x 8"),
        "{notes}"
    );
    assert!(notes.contains("1 images are grey and 6 are in colour; all are read as rgb"), "{notes}");
}

#[test]
fn a_size_and_a_colour_that_are_asked_for_are_taken() {
    let folder = Folder::new();
    folder.with_pets(2);
    let options = OpenOptions {
        image_size: Some([3, 3]),
        colour: Some(barun_data::Colour::Grey),
        ..OpenOptions::default()
    };
    let data = options.open(folder.path()).unwrap();
    assert_eq!(data.features().sample_shape(), [3, 3, 1]);
    assert!(data.notes().join("").contains("cover 3 x 3 and its middle is kept (as asked for)"));
    let large = Folder::new();
    for class in ["a", "b"] {
        large.put(&format!("{class}/1.png"), &encoded(colour(1000, 500, [9; 3]), ImageFormat::Png));
    }
    assert_eq!(
        large.open().features().sample_shape(),
        [64, 128, 3],
        "photographs are brought to a size to train with"
    );
}

#[test]
fn an_image_is_turned_upright_by_its_exif_orientation() {
    // Left half dark, right half light, and the note that the camera lay on its side.
    let lying = GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { 0 } else { 255 }]));
    let exif = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".as_slice()].concat();
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&lying, 16, 8, image::ExtendedColorType::L8).unwrap();
    let folder = Folder::new();
    let data = folder.put("a/1.jpg", &bytes).put("b/2.jpg", &bytes).open();
    assert_eq!(data.features().sample_shape(), [16, 8, 1], "its sides are exchanged");
    let upright = image(&data, 0);
    assert!(upright[8] < 10 && upright[15 * 8] > 245, "dark above, light below");
}

#[test]
fn a_test_folder_is_the_test_part() {
    let folder = Folder::new();
    for (part, images) in [("train", 8), ("test", 2)] {
        for class in ["cat", "dog"] {
            for at in 0..images {
                folder.put(&format!("{part}/{class}/{at}.png"), &encoded(grey(4, 4, at), ImageFormat::Png));
            }
        }
    }
    let data = folder.open();
    assert_eq!((data.len(), data.given_test()), (20, &[16, 17, 18, 19][..]));
    let split = data.split(Split::default()).unwrap();
    assert_eq!(split.test(), [16, 17, 18, 19]);
}

#[test]
fn a_zip_of_a_folder_is_the_same_data_set() {
    let folder = Folder::new();
    folder.with_pets(2).put("readme.txt", b"hello");
    let plain = folder.open();
    let path = folder.0.path().join("pets.zip");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    archive.add_directory("pets/", options).unwrap();
    for name in ["dog/001.png", "cat/000.png", "cat/001.png", "dog/000.png", "readme.txt"] {
        archive.start_file(format!("pets/{name}"), options).unwrap();
        archive.write_all(&std::fs::read(folder.path().join(name)).unwrap()).unwrap();
    }
    archive.finish().unwrap();
    let packed = Dataset::open(&path).unwrap();
    assert_eq!(packed.targets(), plain.targets());
    for index in 0..4 {
        assert_eq!(image(&packed, index), image(&plain, index));
    }
}

#[test]
fn an_unreadable_file_is_named_or_left_out_as_asked() {
    let folder = Folder::new();
    let whole = encoded(GrayImage::from_fn(64, 64, |x, y| Luma([(x * y) as u8])), ImageFormat::Png);
    folder
        .with_pets(3)
        .put("cat/999.png", b"this is no image")
        .put("dog/torn.png", &whole[..whole.len() / 2]);
    let message = folder.refusal();
    assert!(message.contains("999.png: not an image that can be read: its content is no PNG"), "{message}");
    assert!(message.contains("--skip-unreadable"), "{message}");

    let options = OpenOptions { skip_unreadable: true, ..OpenOptions::default() };
    let data = options.open(folder.path()).unwrap();
    assert_eq!(data.len(), 6);
    let notes = data.notes().join("\n");
    assert!(notes.contains("1 unreadable files are left out: cat/999.png"), "{notes}");
    assert!(notes.contains("1 unreadable files are left out: dog/torn.png"), "{notes}");

    // What only decoding can tell is told when the image is asked for.
    std::fs::remove_file(folder.path().join("cat/999.png")).unwrap();
    let data = folder.open();
    let message = data.get(data.len() - 1).unwrap_err().to_string();
    assert!(message.contains("torn.png"), "{message}");
}

#[test]
fn an_image_of_gigabytes_is_refused_by_its_header() {
    let folder = Folder::new();
    folder.with_pets(1);
    let path = folder.path().join("cat/huge.png");
    // As large as they say; no byte of them is on the disk.
    for (bytes, says) in
        [(3 << 30, "3072 MiB is more"), ((256 << 20) + 1, "257 MiB is more than the 256 MiB of")]
    {
        std::fs::File::create(&path).unwrap().set_len(bytes).unwrap();
        let message = folder.refusal();
        assert!(message.contains("huge.png") && message.contains(says), "{message}");
    }
}

#[test]
fn a_folder_that_is_no_set_of_images_says_what_is_missing() {
    let folder = Folder::new();
    folder.put("notes.txt", b"nothing here");
    assert!(folder.refusal().contains("is no set of images: there is no PNG, JPEG or WebP file in it"));
    folder.put("1.png", &encoded(grey(4, 4, 1), ImageFormat::Png));
    assert!(folder.refusal().contains("lie in no class folders"));
    folder.put("cat/1.png", &encoded(grey(4, 4, 1), ImageFormat::Png));
    assert!(folder.refusal().contains("only one class folder"));
    let data = folder.put("dog/1.png", &encoded(grey(4, 4, 1), ImageFormat::Png)).open();
    assert!(data.notes().join("").contains("2 classes have a single image"), "{:?}", data.notes());
    let missing = Dataset::open(folder.0.path().join("gone.zip")).unwrap_err().to_string();
    assert!(missing.contains("there is no file") && missing.contains("gone.zip"), "{missing}");
}

/// All of an epoch.
fn epoch(data: &Dataset, threads: usize) -> Vec<barun_data::BatchFeatures> {
    let prepared =
        data.clone().split(Split::stratified(0.8, 0.1, 0.1)).unwrap().fit(Standardize::global()).unwrap();
    let options = LoaderOptions { batch: 7, threads: Some(threads), ..LoaderOptions::default() };
    let batches = prepared.train().loader(options).unwrap().epoch(0);
    batches.map(|batch| batch.unwrap().features.clone()).collect()
}

#[test]
fn a_set_larger_than_the_cache_gives_the_same_batches_on_any_number_of_threads() {
    let folder = Folder::new();
    folder.with_pets(40);
    let with_cache =
        |image_cache| OpenOptions { image_cache, ..OpenOptions::default() }.open(folder.path()).unwrap();
    let (whole, some) = (with_cache(1 << 20), with_cache(10 * 8 * 6 * 3));
    let expected = epoch(&whole, 1);
    assert!(epoch(&some, 1) == expected && epoch(&some, 3) == expected);
    let kept = |data: &Dataset| match data.features() {
        Features::Lazy(images) => images.kept(),
        _ => panic!("images of files are decoded when they are asked for"),
    };
    assert_eq!((kept(&whole) >= 64, kept(&some)), (true, 10));
}

#[test]
fn statistics_of_files_are_those_of_their_pixels() {
    let folder = Folder::new();
    folder.with_pets(10);
    let data = folder.open();
    let fitted = |data: &Dataset| {
        let prepared = data.clone().split(Split::default()).unwrap().fit(Standardize::global()).unwrap();
        prepared.scaling().clone()
    };
    let pixels: Vec<u8> = (0..data.len()).flat_map(|index| image(&data, index)).collect();
    let shape = data.features().image_shape().unwrap();
    let in_memory = Dataset::new("pets", Features::Images { pixels, shape }, data.targets().clone()).unwrap();
    assert_eq!(fitted(&data), fitted(&in_memory));
}

#[test]
fn omniglot_is_read_from_its_archive_with_a_class_for_each_character() {
    let data_dir = std::env::var_os("BARUN_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    if !data_dir.join("omniglot").is_dir() {
        eprintln!("skipped: no omniglot in {}", data_dir.display());
        return;
    }
    let options = OpenOptions { data_dir: Some(data_dir), offline: true, ..OpenOptions::default() };
    let data = options.open("omniglot-small").unwrap();
    let classes = data.targets().classes().unwrap();
    assert_eq!((data.len(), classes.len()), (20 * classes.len(), 136));
    assert_eq!(data.features().sample_shape(), [105, 105, 1]);
    assert_eq!(classes[0], "Balinese/character01");
    let ink = image(&data, 0).iter().filter(|&&value| value == 0).count();
    assert!((50..3000).contains(&ink), "{ink}");
    assert!(options.open("omniglot").unwrap_err().to_string().contains("images_background.zip"));
}
