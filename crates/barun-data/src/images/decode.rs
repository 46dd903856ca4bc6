//! From the bytes of an image file to the pixels of the shape that is asked for.
//!
//! A file is looked at before anything is allocated for it: one of more than [`LARGEST_FILE`] bytes or [`MOST_PIXELS`]
//! pixels is refused by its header, so that a few bytes cannot ask for gigabytes.

use std::io::{Cursor, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::resize::cover;
use crate::augment::colour::grey_of;
use crate::error::{Error, Result};

/// Bytes of a file, packed. Cameras write about a hundredth of this.
pub const LARGEST_FILE: u64 = 256 << 20;
/// Pixels of an image: the largest cameras have about as many.
pub const MOST_PIXELS: u64 = 120_000_000;
/// Bytes that decoding may allocate.
const MOST_BYTES: u64 = 1 << 30;

/// What is wrong with an image file, to be told with its name.
#[derive(Debug, PartialEq)]
pub(super) struct Problem(pub String);

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `[height, width]`, upright.
    pub size: [usize; 2],
    /// Whether there is no colour.
    pub is_grey: bool,
}

/// Whether a file's name says that it is a PNG, JPEG or WebP.
pub fn is_image_name(name: &str) -> bool {
    let ending = Path::new(name).extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ["png", "jpg", "jpeg", "webp"].contains(&ending.as_str()))
}

/// The bytes of a PNG, JPEG or WebP file as pixels of `shape` `[height, width, channels]`, as those of a folder are read:
/// upright, over white where they are transparent, in grey (one channel) or colour (three), covering the size.
///
/// # Errors
/// [`Error::ImageFile`]; `name` is what it calls the image.
pub fn decode_image(name: &str, bytes: &[u8], shape: [usize; 3]) -> Result<Vec<u8>> {
    decode(bytes, shape).map_err(|Problem(problem)| Error::ImageFile { path: name.to_string(), problem })
}

/// The bytes of a file, if they are not too many.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Problem> {
    let failed = |error: std::io::Error| Problem(error.to_string());
    let file = std::fs::File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(Problem("it is no file".to_string()));
    }
    match found.len() > LARGEST_FILE {
        true => Err(too_large(&format!("{} MiB", found.len().div_ceil(1 << 20)))),
        false => read_limited(file),
    }
}

/// All bytes of a reader, if they are not too many. What an archive says of a file's size may be a lie.
pub(super) fn read_limited(reader: impl Read) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    reader.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(|error| Problem(error.to_string()))?;
    match bytes.len() as u64 > LARGEST_FILE {
        // Reading ended at the limit: how much there is nobody knows.
        true => Err(too_large("its content")),
        false => Ok(bytes),
    }
}

fn too_large(size: &str) -> Problem {
    let most = LARGEST_FILE >> 20;
    Problem(format!("{size} is more than the {most} MiB of the largest image file that is read"))
}

/// What the header says; nothing is decoded.
pub(super) fn header(bytes: &[u8]) -> Result<Header, Problem> {
    let (decoder, orientation) = open(bytes)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = if swaps_sides(orientation) { (height, width) } else { (width, height) };
    Ok(Header { size: [height as usize, width as usize], is_grey: !decoder.color_type().has_color() })
}

/// The pixels: upright, over white where they are transparent, in grey or colour, covering the size.
pub(super) fn decode(bytes: &[u8], [height, width, channels]: [usize; 3]) -> Result<Vec<u8>, Problem> {
    let (decoder, orientation) = open(bytes)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(said)?;
    image.apply_orientation(orientation);
    let is_grey = !image.color().has_color();
    let (size, pixels, from) = match (channels, is_grey) {
        (1, true) if !image.color().has_alpha() => {
            let grey = image.into_luma8();
            (size_of(&grey), grey.into_raw(), 1)
        }
        _ => {
            let colour = over_white(image);
            (size_of(&colour), colour.into_raw(), 3)
        }
    };
    let pixels = if channels == 1 && from == 3 { to_grey(&pixels) } else { pixels };
    cover(pixels, size, channels, [height, width])
        .ok_or_else(|| Problem("it has no pixels to scale".to_string()))
}

fn size_of<P: image::Pixel, C: std::ops::Deref<Target = [P::Subpixel]>>(
    image: &image::ImageBuffer<P, C>,
) -> [usize; 2] {
    [image.height() as usize, image.width() as usize]
}

/// A decoder within the limits, and how the image is to be turned.
fn open(bytes: &[u8]) -> Result<(impl ImageDecoder + '_, Orientation), Problem> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| Problem(error.to_string()))?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) => {}
        _ if bytes.is_empty() => return Err(Problem("it is empty".to_string())),
        _ => return Err(Problem("its content is no PNG, JPEG or WebP".to_string())),
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(said)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(Problem(format!(
            "{width} x {height} pixels are more than the {} million of the largest image that is read",
            MOST_PIXELS / 1_000_000
        )));
    }
    // What says nothing of its orientation, or nothing that can be understood, is upright.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

fn said(error: image::ImageError) -> Problem {
    let text = error.to_string();
    Problem(text.lines().next().unwrap_or("it cannot be decoded").trim_end_matches('.').to_string())
}

fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Colours, those that are transparent mixed with white.
fn over_white(image: DynamicImage) -> image::RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    image::RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0.map(u32::from);
        image::Rgb([red, green, blue].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

fn to_grey(pixels: &[u8]) -> Vec<u8> {
    let grey = |pixel: &[u8]| grey_of(pixel[0].into(), pixel[1].into(), pixel[2].into()).round() as u8;
    pixels.chunks_exact(3).map(grey).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn data_19_a_colour_image_is_rows_of_pixels_of_three_channels() {
        let image = image::RgbImage::from_raw(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap();
        let bytes = png(image);
        assert_eq!(header(&bytes).unwrap(), Header { size: [1, 2], is_grey: false });
        assert_eq!(decode(&bytes, [1, 2, 3]).unwrap(), [10, 20, 30, 40, 50, 60]);
        let grey = |r: f32, g: f32, b: f32| (0.299 * r + 0.587 * g + 0.114 * b).round() as u8;
        assert_eq!(decode(&bytes, [1, 2, 1]).unwrap(), [grey(10.0, 20.0, 30.0), grey(40.0, 50.0, 60.0)]);
    }

    #[test]
    fn grey_images_16_bits_and_transparency_are_taken() {
        let grey = image::GrayImage::from_raw(2, 1, vec![7, 200]).unwrap();
        assert_eq!(decode(&png(grey.clone()), [1, 2, 1]).unwrap(), [7, 200]);
        assert_eq!(decode(&png(grey), [1, 2, 3]).unwrap(), [7, 7, 7, 200, 200, 200]);
        let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(1, 1, vec![0xabcdu16]).unwrap();
        assert_eq!(decode(&png(deep), [1, 1, 1]).unwrap(), [0xab]);
        let clear = image::GrayAlphaImage::from_raw(2, 1, vec![0, 0, 0, 255]).unwrap();
        assert_eq!(decode(&png(clear), [1, 2, 1]).unwrap(), [255, 0], "ink on a transparent ground");
    }

    #[test]
    fn a_header_that_asks_for_gigabytes_is_refused_before_anything_is_decoded() {
        // A PNG that says it has 60,000 x 60,000 pixels, and ends.
        let mut bytes = png(image::GrayImage::new(1, 1));
        bytes[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        let Problem(problem) = decode(&bytes, [8, 8, 1]).unwrap_err();
        assert!(problem.contains("60000 x 60000 pixels") || problem.contains("imit"), "{problem}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            }
        }
        !crc
    }

    #[test]
    fn content_that_does_not_end_is_refused_at_the_limit() {
        let Problem(problem) = read_limited(std::io::repeat(0)).unwrap_err();
        assert_eq!(problem, "its content is more than the 256 MiB of the largest image file that is read");
    }

    #[test]
    fn what_is_no_image_says_so() {
        let problem = |bytes: &[u8]| header(bytes).unwrap_err().0;
        assert_eq!(problem(b""), "it is empty");
        assert_eq!(problem(b"GIF89a and so on"), "its content is no PNG, JPEG or WebP");
        let whole = png(image::GrayImage::from_fn(64, 64, |x, y| image::Luma([(x * y) as u8])));
        assert!(decode(&whole[..whole.len() / 2], [64, 64, 1]).is_err(), "half a file");
    }

    #[test]
    fn endings_tell_images_whatever_their_case() {
        assert!(["a.png", "b/c.JPG", "d.Jpeg", "e.webp"].into_iter().all(is_image_name));
        assert!(!["a.gif", "png", "b.txt", ""].into_iter().any(is_image_name));
    }
}
