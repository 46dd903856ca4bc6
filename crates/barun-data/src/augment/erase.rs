//! A part of the image is lost, so that no single part decides.
//!
//! Random erasing (Zhong et al., 2017, "Random Erasing Data Augmentation"): a rectangle of 2 % to 33 % of the area, its
//! aspect from 0.3 to 3.3 drawn evenly in the logarithm, somewhere inside. Cutout (DeVries & Taylor, 2017, "Improved
//! Regularization of Convolutional Neural Networks with Cutout"): a square around a random pixel, so that a part of it
//! may lie outside. Both leave black, as torchvision does by default.

use barun_engine::random::Stream;

/// The smallest and the largest share of the area that random erasing takes.
const AREA: [f64; 2] = [0.02, 0.33];
/// The smallest aspect of its rectangle; the largest is the inverse.
const ASPECT: f64 = 0.3;
/// A rectangle that does not fit is drawn again, so often at most.
const TRIES: usize = 10;

/// With the given chance, a random rectangle inside becomes black.
pub(super) fn random_erasing(
    image: &mut [u8],
    shape @ [height, width, _]: [usize; 3],
    chance: f64,
    random: &mut Stream,
) {
    if random.uniform() >= chance {
        return;
    }
    for _ in 0..TRIES {
        let area = random.between(AREA[0], AREA[1]) * (height * width) as f64;
        let aspect = random.between(ASPECT.ln(), -ASPECT.ln()).exp();
        let size = [(area * aspect).sqrt(), (area / aspect).sqrt()].map(|side| side.round() as usize);
        if size[0] <= height && size[1] <= width && size != [height, width] {
            let mut corner = |room: usize| random.below(room as u64 + 1) as usize;
            let (top, left) = (corner(height - size[0]), corner(width - size[1]));
            return blacken(
                image,
                shape,
                Rectangle { top, left, bottom: top + size[0], right: left + size[1] },
            );
        }
    }
}

/// A square becomes black, its side the given share of the shorter side.
pub(super) fn cutout(
    image: &mut [u8],
    shape @ [height, width, _]: [usize; 3],
    share: f64,
    random: &mut Stream,
) {
    let side = (share * height.min(width) as f64).round() as usize;
    let centre = [random.below(height as u64) as usize, random.below(width as u64) as usize];
    blacken(image, shape, Rectangle::around(centre, [side, side], [height, width]));
}

/// Rows `top..bottom`, columns `left..right`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// The row after the last.
    pub bottom: usize,
    /// The column after the last.
    pub right: usize,
}

impl Rectangle {
    /// A rectangle of the given `[height, width]` around a pixel, as far as it lies inside `bounds`.
    pub(super) fn around(centre: [usize; 2], size: [usize; 2], bounds: [usize; 2]) -> Rectangle {
        let range = |axis: usize| {
            let (first, end) = (centre[axis] as i64 - size[axis] as i64 / 2, size[axis] as i64);
            let within = |place: i64| place.clamp(0, bounds[axis] as i64) as usize;
            (within(first), within(first + end))
        };
        let ((top, bottom), (left, right)) = (range(0), range(1));
        Rectangle { top, left, bottom, right }
    }

    /// Its pixels.
    pub fn area(&self) -> usize {
        (self.bottom - self.top) * (self.right - self.left)
    }

    /// Where its rows lie in an image of rows of `width` pixels of `channels` bytes.
    pub(super) fn rows(self, width: usize, channels: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
        (self.top..self.bottom)
            .map(move |row| (row * width + self.left) * channels..(row * width + self.right) * channels)
    }
}

fn blacken(image: &mut [u8], [_, width, channels]: [usize; 3], rectangle: Rectangle) {
    for row in rectangle.rows(width, channels) {
        image[row].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_erasing_takes_a_share_of_the_area_at_the_rate_it_was_asked_for() {
        let mut random = Stream::new(1, "erase");
        let mut hit = 0;
        for _ in 0..2000 {
            let mut image = [1u8; 32 * 40 * 3];
            random_erasing(&mut image, [32, 40, 3], 0.25, &mut random);
            let lost = image.iter().filter(|&&byte| byte == 0).count() as f64 / image.len() as f64;
            assert!(lost == 0.0 || (0.015..0.36).contains(&lost), "{lost}");
            hit += usize::from(lost > 0.0);
        }
        assert!((430..570).contains(&hit), "{hit}");
    }

    #[test]
    fn cutout_takes_a_square_that_may_reach_over_the_border() {
        let mut random = Stream::new(1, "cutout");
        let mut largest = 0;
        for _ in 0..300 {
            let mut image = [1u8; 256];
            cutout(&mut image, [16, 16, 1], 0.5, &mut random);
            let lost = image.iter().filter(|&&byte| byte == 0).count();
            assert!((16..=64).contains(&lost), "{lost}");
            largest = largest.max(lost);
        }
        assert_eq!(largest, 64);
    }

    #[test]
    fn a_rectangle_keeps_within_its_bounds() {
        let around = |centre| Rectangle::around(centre, [4, 4], [10, 8]);
        assert_eq!(around([5, 5]), Rectangle { top: 3, left: 3, bottom: 7, right: 7 });
        assert_eq!(around([0, 7]), Rectangle { top: 0, left: 5, bottom: 2, right: 8 });
        assert_eq!(around([0, 7]).area(), 6);
    }
}
