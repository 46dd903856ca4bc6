//! A picture of many images side by side, to look at. [DATA-15]

use std::path::Path;

use image::{ImageFormat, RgbImage};

use crate::error::{Error, Result};

/// Pixels between two images.
const GAP: usize = 2;
/// The grey between images.
const GROUND: u8 = 128;
/// Images are enlarged by a whole factor until their shorter side has this many pixels.
const SHORTEST_SIDE: usize = 64;

/// Rows of images of `shape` `[height, width, channels]`, one or three channels, as a PNG file. An existing file is
/// replaced at once, never half.
///
/// # Errors
/// An image of another shape, and what keeps the file from being written.
pub fn write(path: &Path, rows: &[Vec<Vec<u8>>], shape: [usize; 3]) -> Result<()> {
    let picture = picture(rows, shape)?;
    let failed = |source| Error::Picture { path: path.to_path_buf(), source: Box::new(source) };
    let written = |source| Error::Write { path: path.to_path_buf(), source };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let outcome = picture
        .save_with_format(&beside, ImageFormat::Png)
        .map_err(failed)
        .and_then(|()| std::fs::rename(&beside, path).map_err(written));
    if outcome.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
    }
    outcome
}

fn picture(rows: &[Vec<Vec<u8>>], [height, width, channels]: [usize; 3]) -> Result<RgbImage> {
    let refused = |problem: String| Error::Inconsistent { name: "a picture".to_string(), problem };
    if ![1, 3].contains(&channels) || height == 0 || width == 0 {
        return Err(refused(format!("images of {height} x {width} x {channels} cannot be shown")));
    }
    if let Some(image) = rows.iter().flatten().find(|image| image.len() != height * width * channels) {
        return Err(refused(format!(
            "an image has {} bytes, not {}",
            image.len(),
            height * width * channels
        )));
    }
    let factor = SHORTEST_SIDE.div_ceil(height.min(width));
    let (down, across) = (height * factor + GAP, width * factor + GAP);
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let side = |cells: usize, cell: usize| u32::try_from(cells * cell + GAP).ok();
    let (Some(picture_width), Some(picture_height)) = (side(longest, across), side(rows.len(), down)) else {
        return Err(refused("so many images make no picture".to_string()));
    };
    Ok(RgbImage::from_fn(picture_width, picture_height, |x, y| {
        let (x, y) = ((x as usize).wrapping_sub(GAP), (y as usize).wrapping_sub(GAP));
        let (row, column) = (y / down, x / across);
        let (y, x) = (y % down / factor, x % across / factor);
        let image = rows.get(row).and_then(|images| images.get(column));
        let Some(image) = image.filter(|_| y < height && x < width) else { return image::Rgb([GROUND; 3]) };
        let pixel = &image[(y * width + x) * channels..][..channels];
        image::Rgb(if let [red, green, blue] = *pixel { [red, green, blue] } else { [pixel[0]; 3] })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_stand_in_rows_on_grey_ground() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.png");
        let rows = [vec![vec![255; 4], vec![0; 4]], vec![vec![10; 4]]];
        write(&path, &rows, [2, 2, 1]).unwrap();
        let shown = image::open(&path).unwrap().into_rgb8();
        assert_eq!(shown.dimensions(), (2 * 66 + 2, 2 * 66 + 2));
        let at = |x, y| shown.get_pixel(x, y).0[0];
        assert_eq!([at(0, 0), at(2, 2), at(65, 65), at(66, 2)], [128, 255, 255, 128]);
        assert_eq!([at(68, 2), at(2, 68), at(68, 68)], [0, 10, 128]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn colours_are_kept_and_other_shapes_refused() {
        let picture = picture(&[vec![vec![1, 2, 3]]], [1, 1, 3]).unwrap();
        assert_eq!(picture.get_pixel(2, 2).0, [1, 2, 3]);
        assert!(super::picture(&[vec![vec![1, 2]]], [1, 1, 3]).is_err());
        assert!(super::picture(&[vec![vec![1, 2]]], [1, 1, 2]).is_err());
    }
}
