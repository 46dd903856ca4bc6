//! Bringing images to one size.
//!
//! An image is scaled so that it just covers the size, and the middle of what is then too long is kept: nothing is
//! distorted and no border is added. Scaling is by a triangle filter whose width grows when an image shrinks, so that no
//! pixel is left out. [DATA-28]

use image::imageops::{self, FilterType};
use image::{GrayImage, ImageBuffer, Pixel, RgbImage};

use crate::dataset::Features;
use crate::error::{Error, Result};

/// Pixels of `size` `[height, width]` as pixels of another size; none where either is empty.
pub(super) fn cover(pixels: Vec<u8>, size: [usize; 2], channels: usize, to: [usize; 2]) -> Option<Vec<u8>> {
    if size == to {
        return Some(pixels);
    }
    let [height, width] = size.map(|side| side as u32);
    match channels {
        1 => Some(covered(GrayImage::from_raw(width, height, pixels)?, to)?.into_raw()),
        _ => Some(covered(RgbImage::from_raw(width, height, pixels)?, to)?.into_raw()),
    }
}

fn covered<P: Pixel<Subpixel = u8> + 'static>(
    image: ImageBuffer<P, Vec<u8>>,
    [height, width]: [usize; 2],
) -> Option<ImageBuffer<P, Vec<u8>>> {
    let (across, down) = (u64::from(image.width()), u64::from(image.height()));
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    if across == 0 || down == 0 || width == 0 || height == 0 {
        return None;
    }
    // The largest part of the image with the aspect that is wanted, at least a pixel each way.
    let kept_across = (down * u64::from(width)).div_ceil(u64::from(height)).clamp(1, across);
    let kept_down = (across * u64::from(height)).div_ceil(u64::from(width)).clamp(1, down);
    let (left, top) = ((across - kept_across) / 2, (down - kept_down) / 2);
    let middle = imageops::crop_imm(&image, left as u32, top as u32, kept_across as u32, kept_down as u32);
    Some(imageops::resize(&*middle, width, height, FilterType::Triangle))
}

/// Images in memory at another size.
///
/// # Errors
/// Rows of a table have no size; images of other than one or three channels are not scaled.
pub(crate) fn resized(name: &str, features: &Features, to: [usize; 2]) -> Result<Features> {
    let refused =
        |problem: &str| Error::Inconsistent { name: name.to_string(), problem: problem.to_string() };
    let Features::Images { pixels, shape: [height, width, channels @ (1 | 3)] } = features else {
        return Err(refused("an image size was asked for, but there are no images of one or three channels"));
    };
    let mut resized = Vec::with_capacity(features.len() * to[0] * to[1] * channels);
    for image in pixels.chunks_exact(features.width()) {
        let image = cover(image.to_vec(), [*height, *width], *channels, to);
        resized.extend(image.ok_or_else(|| refused("an image of no pixels was asked for"))?);
    }
    Ok(Features::Images { pixels: resized, shape: [to[0], to[1], *channels] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_scaled_to_cover_and_its_middle_is_kept() {
        // Three blocks side by side: the middle one is what a square keeps.
        let row: Vec<u8> = [vec![0; 10], vec![100; 10], vec![255; 10]].concat();
        let image: Vec<u8> = row.repeat(10);
        assert_eq!(cover(image.clone(), [10, 30], 1, [10, 10]).unwrap(), vec![100; 100]);
        let small = cover(image, [10, 30], 1, [2, 6]).unwrap();
        assert_eq!((small[0], small[5]), (0, 255));
        assert!((80..120).contains(&small[2]), "{small:?}");
    }

    #[test]
    fn shrinking_averages_and_does_not_pick() {
        let checks: Vec<u8> = (0..64).map(|at| if (at / 8 + at % 8) % 2 == 0 { 0 } else { 200 }).collect();
        for value in cover(checks, [8, 8], 1, [2, 2]).unwrap() {
            assert!((90..110).contains(&value), "{value}");
        }
    }

    #[test]
    fn data_28_half_the_size_is_a_quarter_of_the_pixels() {
        let features = Features::Images { pixels: vec![50; 3 * 8 * 8], shape: [8, 8, 1] };
        let half = resized("s", &features, [4, 4]).unwrap();
        assert_eq!(half, Features::Images { pixels: vec![50; 3 * 4 * 4], shape: [4, 4, 1] });
    }

    #[test]
    fn a_line_of_pixels_survives_any_size() {
        for to in [[1, 1], [5, 1], [1, 5], [7, 7]] {
            assert_eq!(cover(vec![9; 3], [1, 3], 1, to).unwrap(), vec![9; to[0] * to[1]]);
        }
        assert_eq!(cover(vec![], [0, 0], 1, [2, 2]), None);
    }
}
