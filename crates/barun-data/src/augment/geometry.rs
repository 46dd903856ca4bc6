//! Crop, flip, zoom, shear, rotation and shift, as one affine map.
//!
//! A point of the result, `p`, comes from the point `q` of the image, both measured from the centre:
//!
//! ```text
//! q = c + S (Z F)^-1 H^-1 R^-1 (p - t)
//!
//! R = [cos a, -sin a; sin a, cos a]   rotation by a, H = [1, tan b; 0, 1]   shear by b
//! Z zoom, F = diag(±1, ±1) flips, t the shift, c and S centre and size of the crop over those of the image
//! ```
//!
//! Since there is one map, an image is sampled once, however many settings are on: linear between the four pixels
//! around `q`, which are exact where `q` is a pixel. So mirror images and shifts by whole pixels lose nothing. The crop
//! is the random resized crop of Szegedy et al., 2015 ("Going deeper with convolutions"): a share of the area drawn
//! evenly, an aspect from 3/4 to 4/3 drawn evenly in its logarithm, brought to the size of the image.

use barun_engine::random::Stream;
use serde::{Deserialize, Serialize};

use super::{Augment, to_byte};

/// What stands where nothing of an image comes to lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// 0.
    #[default]
    Black,
    /// The nearest pixel of the border.
    Edge,
    /// The image mirrored at its border, the border itself once.
    Reflect,
}

/// The settings of the map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    flip: f64,
    flip_vertical: f64,
    rotate: f64,
    shear: f64,
    shift: f64,
    zoom: f64,
    crop: f64,
    fill: Fill,
}

impl Geometry {
    pub fn of(augment: &Augment) -> Geometry {
        let Augment { flip, flip_vertical, rotate, shear, shift, zoom, crop, fill, .. } = *augment;
        Geometry { flip, flip_vertical, rotate, shear, shift, zoom, crop, fill }
    }

    pub fn vary(&self, image: &mut [u8], shape: [usize; 3], random: &mut Stream) {
        let is_off =
            [self.flip, self.flip_vertical, self.rotate, self.shear, self.shift, self.zoom] == [0.0; 6];
        if is_off && self.crop == 1.0 {
            return;
        }
        let map = self.draw([shape[0], shape[1]], random);
        map.apply(image, shape, self.fill);
    }

    /// Always draws the same amount of numbers, so that a setting that is off does not move the others.
    fn draw(&self, [height, width]: [usize; 2], random: &mut Stream) -> Affine {
        let mut sign = |chance: f64| if random.uniform() < chance { -1.0 } else { 1.0 };
        let flips = [sign(self.flip), sign(self.flip_vertical)];
        let mut within = |most: f64| most * random.between(-1.0, 1.0);
        let (angle, slant) = (within(self.rotate).to_radians(), within(self.shear).to_radians());
        let zoom = 1.0 + within(self.zoom);
        let mut pixels = |size: usize| {
            let most = (self.shift * size as f64 + 1e-9).floor();
            (random.between(-most, most + 1.0)).floor()
        };
        let shift = [pixels(width), pixels(height)];
        let crop = Crop::draw(self.crop, random);
        Affine::new([flips[0] * zoom, flips[1] * zoom], angle, slant, shift, crop.of([height, width]))
    }
}

/// The part of an image that a crop keeps, as shares of its height and width.
struct Crop {
    size: [f64; 2],
    place: [f64; 2],
}

impl Crop {
    /// A share of the area from `least` to 1, and an aspect from 3/4 to 4/3.
    fn draw(least: f64, random: &mut Stream) -> Crop {
        let area = random.between(least, 1.0);
        let aspect = random.between((0.75f64).ln(), (4.0f64 / 3.0).ln()).exp();
        let place = [random.uniform(), random.uniform()];
        if least == 1.0 {
            return Crop { size: [1.0; 2], place: [0.5; 2] };
        }
        let size = [(area * aspect).sqrt().min(1.0), (area / aspect).sqrt().min(1.0)];
        Crop { size, place }
    }

    /// Its size as shares, and how far its centre lies from the image's in pixels; x before y.
    fn of(&self, [height, width]: [usize; 2]) -> ([f64; 2], [f64; 2]) {
        let away =
            |axis: usize, pixels: usize| (self.place[axis] - 0.5) * (1.0 - self.size[axis]) * pixels as f64;
        (self.size, [away(0, width), away(1, height)])
    }
}

/// `q = matrix p + offset`, both from the centre, x to the right and y down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Affine {
    matrix: [[f64; 2]; 2],
    offset: [f64; 2],
}

impl Affine {
    pub(super) fn new(
        scale: [f64; 2],
        angle: f64,
        slant: f64,
        shift: [f64; 2],
        (size, away): ([f64; 2], [f64; 2]),
    ) -> Affine {
        let (sin, cos) = angle.sin_cos();
        let tan = slant.tan();
        // H^-1 R^-1, then over scale, then times the crop's size.
        let turned = [[cos - tan * -sin, sin - tan * cos], [-sin, cos]];
        let matrix = [0, 1].map(|row| turned[row].map(|value| value / scale[row] * size[row]));
        let offset = [0, 1].map(|row| away[row] - matrix[row][0] * shift[0] - matrix[row][1] * shift[1]);
        Affine { matrix, offset }
    }

    /// A rotation, a shear along x or y, or a shift alone, as RandAugment has them.
    pub(super) fn plain(matrix: [[f64; 2]; 2], offset: [f64; 2]) -> Affine {
        Affine { matrix, offset }
    }

    /// Replaces an image by what the map makes of it.
    pub(super) fn apply(&self, image: &mut [u8], [height, width, channels]: [usize; 3], fill: Fill) {
        let source = image.to_vec();
        let centre = [width as f64 / 2.0, height as f64 / 2.0];
        for (y, row) in image.chunks_exact_mut(width * channels).enumerate() {
            let py = y as f64 + 0.5 - centre[1];
            for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
                let px = x as f64 + 0.5 - centre[0];
                let [qx, qy] = [0, 1].map(|axis| {
                    let [from_x, from_y] = self.matrix[axis];
                    from_x * px + from_y * py + self.offset[axis] + centre[axis] - 0.5
                });
                sample(&source, [height, width, channels], [qy, qx], fill, pixel);
            }
        }
    }
}

/// The pixel at `[y, x]`, linear between its four neighbours.
fn sample(
    source: &[u8],
    [height, width, channels]: [usize; 3],
    [y, x]: [f64; 2],
    fill: Fill,
    pixel: &mut [u8],
) {
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = ((y - top) as f32, (x - left) as f32);
    let rows = [top, top + 1.0].map(|row| place(row, height, fill));
    let columns = [left, left + 1.0].map(|column| place(column, width, fill));
    let at = |row: usize, column: usize| Some((rows[row]? * width + columns[column]?) * channels);
    let corners = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)];
    let weights = [(1.0 - down) * (1.0 - right), (1.0 - down) * right, down * (1.0 - right), down * right];
    for (channel, value) in pixel.iter_mut().enumerate() {
        let mut sum = 0.0;
        for (corner, weight) in corners.iter().zip(weights) {
            if let Some(corner) = corner {
                sum += weight * f32::from(source[corner + channel]);
            }
        }
        *value = to_byte(sum);
    }
}

/// Where a coordinate falls on an axis of `size` pixels; none where the fill is black.
fn place(coordinate: f64, size: usize, fill: Fill) -> Option<usize> {
    let last = size as f64 - 1.0;
    if (0.0..=last).contains(&coordinate) {
        return Some(coordinate as usize);
    }
    match fill {
        Fill::Black => None,
        Fill::Edge => Some(coordinate.clamp(0.0, last) as usize),
        Fill::Reflect if size == 1 => Some(0),
        Fill::Reflect => {
            let there = coordinate.rem_euclid(2.0 * last);
            Some(if there > last { 2.0 * last - there } else { there } as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Key;

    const NONE: Augment = Augment::NONE;

    fn varied(augment: Augment, image: &[u8], shape: [usize; 3]) -> Vec<u8> {
        let mut image = image.to_vec();
        augment.vary(&mut image, shape, Key { seed: 0, epoch: 0, sample: 7 });
        image
    }

    fn moved(image: &[u8], shape: [usize; 3], shift: [f64; 2], fill: Fill) -> Vec<u8> {
        let mut image = image.to_vec();
        Affine::new([1.0; 2], 0.0, 0.0, shift, ([1.0; 2], [0.0; 2])).apply(&mut image, shape, fill);
        image
    }

    #[test]
    fn a_mirror_image_is_exact_with_channels_kept_together() {
        let image = [1, 2, 3, 4, 5, 6];
        assert_eq!(varied(Augment { flip: 1.0, ..NONE }, &image, [1, 3, 2]), [5, 6, 3, 4, 1, 2]);
        assert_eq!(varied(Augment { flip_vertical: 1.0, ..NONE }, &image, [3, 2, 1]), [5, 6, 3, 4, 1, 2]);
    }

    #[test]
    fn a_shift_is_by_whole_pixels_and_shows_the_fill() {
        let image = [1, 2, 3, 4, 5, 6];
        let at = |shift, fill| moved(&image, [2, 3, 1], shift, fill);
        assert_eq!(at([1.0, 0.0], Fill::Black), [0, 1, 2, 0, 4, 5]);
        assert_eq!(at([0.0, -1.0], Fill::Black), [4, 5, 6, 0, 0, 0]);
        assert_eq!(at([-2.0, 0.0], Fill::Edge), [3, 3, 3, 6, 6, 6]);
        assert_eq!(at([2.0, 0.0], Fill::Reflect), [3, 2, 1, 6, 5, 4]);
        assert_eq!(at([7.0, 0.0], Fill::Black), [0; 6]);
    }

    #[test]
    fn shifts_reach_both_ends_of_their_range_and_nothing_beyond() {
        let shape = [9, 9, 1];
        let mut image = [0u8; 81];
        image[40] = 255;
        let places: std::collections::BTreeSet<usize> = (0..400)
            .map(|sample| {
                let mut moved = image;
                let key = Key { seed: 0, epoch: 0, sample };
                Augment { shift: 0.23, ..NONE }.vary(&mut moved, shape, key);
                moved.iter().position(|&value| value == 255).unwrap()
            })
            .collect();
        let expected = (2..=6).flat_map(|row| (2..=6).map(move |column| row * 9 + column)).collect();
        assert_eq!(places, expected);
    }

    #[test]
    fn a_quarter_turn_is_exact_and_clockwise() {
        let image: Vec<u8> = (1..=9).collect();
        let mut turned = image.clone();
        let quarter = std::f64::consts::FRAC_PI_2;
        Affine::new([1.0; 2], quarter, 0.0, [0.0; 2], ([1.0; 2], [0.0; 2])).apply(
            &mut turned,
            [3, 3, 1],
            Fill::Black,
        );
        assert_eq!(turned, [7, 4, 1, 8, 5, 2, 9, 6, 3]);
    }

    #[test]
    fn a_slant_moves_rows_against_each_other() {
        let mut image = [0, 9, 0, 0, 9, 0, 0, 9, 0];
        let slant = (1.0f64).atan();
        Affine::new([1.0; 2], 0.0, slant, [0.0; 2], ([1.0; 2], [0.0; 2])).apply(
            &mut image,
            [3, 3, 1],
            Fill::Black,
        );
        assert_eq!(image, [9, 0, 0, 0, 9, 0, 0, 0, 9]);
    }

    #[test]
    fn turning_and_turning_back_finds_the_same_points() {
        let there = Affine::new([1.3, -1.1], 0.4, 0.2, [2.0, -1.0], ([1.0; 2], [0.0; 2]));
        // The forward map of the module's formula, written out.
        let forward = |[x, y]: [f64; 2]| {
            let [x, y] = [1.3 * x, -1.1 * y];
            let [x, y] = [x + 0.2f64.tan() * y, y];
            let (sin, cos) = 0.4f64.sin_cos();
            [cos * x - sin * y + 2.0, sin * x + cos * y - 1.0]
        };
        for q in [[0.0, 0.0], [1.0, 2.0], [-3.0, 0.5]] {
            let p = forward(q);
            let back = [0, 1]
                .map(|row| there.matrix[row][0] * p[0] + there.matrix[row][1] * p[1] + there.offset[row]);
            assert!((back[0] - q[0]).abs() < 1e-9 && (back[1] - q[1]).abs() < 1e-9, "{q:?} {back:?}");
        }
    }

    #[test]
    fn a_crop_stays_inside_the_image() {
        let mut random = Stream::new(1, "crops");
        for _ in 0..1000 {
            let (size, away) = Crop::draw(0.1, &mut random).of([20, 30]);
            for (axis, pixels) in [(0, 30.0), (1, 20.0)] {
                assert!(size[axis] <= 1.0 && away[axis].abs() <= (1.0 - size[axis]) * pixels / 2.0 + 1e-9);
            }
        }
    }
}
