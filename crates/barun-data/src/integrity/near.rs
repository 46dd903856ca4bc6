//! Images that are another of another part with a little noise, or brighter or darker by a little. [EVAL-06]
//!
//! **What counts.** `b` is nearly `a` where `b = gain a + offset` up to a remainder whose root mean square is at most
//! [`REMAINDER`] (pixels from 0 to 1), with a gain near 1 and an offset near 0. Noise of standard deviation 0.01 leaves
//! 0.01; the two most similar different digits of MNIST leave 0.027, the closest over its test part 0.0275.
//!
//! **How they are found.** Each image becomes 16 numbers (its slowest cosine waves, see `pictures`), which noise and
//! brightness hardly change. The images of the earlier part lie in the cells of a grid over the three most varied of
//! these numbers; an image of the later part is compared with those of its cell and the cells around: by the 16 numbers
//! first, and pixel by pixel where they agree.

use std::collections::HashMap;

use super::copies::is_affordable;
use super::duplicates::parts;
use super::finding::{Finding, Kind, Severity, so_many};
use super::pictures::{NUMBERS, Waves};
use super::sample::Sampled;
use crate::dataset::Features;
use crate::error::Result;
use crate::split::SplitData;

/// The largest remainder of a copy.
const REMAINDER: f64 = 0.015;
/// A remainder must also be small beside what the image shows, or all blank images would be copies.
const REMAINDER_OF_CONTRAST: f64 = 0.2;
/// How far the gain may be from 1.
const GAIN: f64 = 0.04;
/// How far the offset may be from 0.
const OFFSET: f64 = 0.03;
/// A smaller share of a part is chance: Fashion-MNIST has 6 such pairs among its 70,000 images, and nobody has copied them.
const NATURAL: f64 = 0.001;
/// Comparisons of 16 numbers, after which an image that has not had its turn is not looked at: some seconds.
const MOST_COMPARISONS: usize = 1_000_000_000;

pub(super) fn find(split: &SplitData, sampled: &mut Sampled) -> Result<Vec<Finding>> {
    let features = split.dataset().features();
    let Some(shape) = features.image_shape() else { return Ok(Vec::new()) };
    if !is_affordable(features) {
        sampled.note("copies: not looked for, as the images do not all fit in memory".to_string());
        return Ok(Vec::new());
    }
    let images = Images { features, size: shape.iter().product(), waves: Waves::over(shape) };
    let part_of = parts(split);
    let rows = |parts: &[usize]| -> Vec<usize> {
        (0..part_of.len()).filter(|&row| part_of[row].is_some_and(|part| parts.contains(&part))).collect()
    };
    let numbers_of = |row: usize| match part_of[row] {
        Some(_) => images.numbers(row),
        None => Ok([0.0; NUMBERS]),
    };
    let numbers = (0..part_of.len()).map(numbers_of).collect::<Result<Vec<[f64; NUMBERS]>>>()?;
    let mut findings = Vec::new();
    for (earlier, later, name) in [(&[0, 1][..], 2, "test"), (&[0], 1, "valid")] {
        let (earlier, later) = (rows(earlier), rows(&[later]));
        let pairs = images.pairs(&numbers, &earlier, &later, sampled)?;
        findings.extend(finding(pairs, (name, later.len())));
    }
    Ok(findings)
}

fn finding(pairs: Vec<Vec<usize>>, (name, of): (&str, usize)) -> Option<Finding> {
    let count = pairs.len();
    if count == 0 {
        return None;
    }
    let severity = match (count as f64) < NATURAL * of as f64 {
        true => Severity::Note,
        false => Severity::of_contamination(count, of),
    };
    let before = if name == "test" { "training or valid part" } else { "training part" };
    let message = format!(
        "{} nearly the same as one of the {before}: with a little noise, or brighter or darker",
        so_many(count, of, &format!("{name} images"))
    );
    let advice =
        format!("Figures on the {name} part are too good by as much: remove the others from the {before}");
    let finding = Finding::new(Kind::NearCopiesAcrossParts, severity, (count, of));
    Some(finding.says(message, advice).examples(pairs))
}

struct Images<'a> {
    features: &'a Features,
    size: usize,
    waves: Waves,
}

impl Images<'_> {
    fn numbers(&self, row: usize) -> Result<[f64; NUMBERS]> {
        Ok(self.waves.numbers(&self.features.image(row)?))
    }

    /// Each of `later` that is nearly, but not exactly, one of `earlier`, with that one.
    fn pairs(
        &self,
        numbers: &[[f64; NUMBERS]],
        earlier: &[usize],
        later: &[usize],
        sampled: &mut Sampled,
    ) -> Result<Vec<Vec<usize>>> {
        let windows = Windows { root: (self.size as f64).sqrt() };
        let grid = Grid::of(numbers, earlier, &windows);
        let mut comparisons = 0;
        let mut pairs = Vec::new();
        for (looked_at, &row) in later.iter().enumerate() {
            if comparisons > MOST_COMPARISONS {
                let of = later.len();
                sampled.note(format!("near copies: the first {looked_at} of {of} images of a part"));
                break;
            }
            for other in grid.around(&numbers[row]) {
                comparisons += 1;
                if windows.hold(&numbers[row], &numbers[other]) && self.are_nearly_equal(other, row)? {
                    pairs.push(vec![row, other]);
                    break;
                }
            }
        }
        Ok(pairs)
    }

    fn are_nearly_equal(&self, a: usize, b: usize) -> Result<bool> {
        let (a, b) = (self.features.image(a)?, self.features.image(b)?);
        let [mut sum_a, mut sum_b, mut squares_a, mut squares_b, mut products] = [0u64; 5];
        for (&a, &b) in a.iter().zip(&*b) {
            let (a, b) = (u64::from(a), u64::from(b));
            sum_a += a;
            sum_b += b;
            squares_a += a * a;
            squares_b += b * b;
            products += a * b;
        }
        let n = self.size as f64;
        let mean = |sum: u64| sum as f64 / n / 255.0;
        let moment = |sum: u64, a: f64, b: f64| sum as f64 / n / (255.0 * 255.0) - a * b;
        let (mean_a, mean_b) = (mean(sum_a), mean(sum_b));
        let (variance_a, variance_b) = (moment(squares_a, mean_a, mean_a), moment(squares_b, mean_b, mean_b));
        if variance_a <= 0.0 {
            return Ok(false);
        }
        let gain = moment(products, mean_a, mean_b) / variance_a;
        let offset = mean_b - gain * mean_a;
        let remainder = (variance_b - gain * gain * variance_a).max(0.0).sqrt();
        let is_copy = a == b;
        Ok(!is_copy
            && (gain - 1.0).abs() <= GAIN
            && offset.abs() <= OFFSET
            && remainder <= REMAINDER.min(REMAINDER_OF_CONTRAST * variance_a.sqrt()))
    }
}

/// By how much each of the 16 numbers may differ between an image and its copy.
struct Windows {
    /// The root of the number of values of an image.
    root: f64,
}

impl Windows {
    /// What gain and noise do to a number of that size; clipping at black and white moves it in proportion to the image.
    fn of(&self, at: usize, number: f64) -> f64 {
        let offset = if at == 0 { OFFSET * self.root } else { 0.0 };
        offset + GAIN * number.abs() + 6.0 * REMAINDER + 0.002 * self.root
    }

    fn hold(&self, a: &[f64; NUMBERS], b: &[f64; NUMBERS]) -> bool {
        // The first is the least telling.
        (0..NUMBERS).rev().all(|at| (a[at] - b[at]).abs() <= self.of(at, a[at].abs().min(b[at].abs())))
    }
}

/// Rows by the cells of a grid over the three numbers that vary most for the width of their window.
struct Grid {
    axes: [usize; 3],
    cell_sizes: [f64; 3],
    cells: HashMap<[i32; 3], Vec<usize>>,
}

impl Grid {
    fn of(numbers: &[[f64; NUMBERS]], rows: &[usize], windows: &Windows) -> Grid {
        let largest = |at: usize| rows.iter().map(|&row| numbers[row][at].abs()).fold(0.0, f64::max);
        let n = rows.len().max(1) as f64;
        let spread = |at: usize| {
            let mean = rows.iter().map(|&row| numbers[row][at]).sum::<f64>() / n;
            let scatter: f64 = rows.iter().map(|&row| (numbers[row][at] - mean).powi(2)).sum();
            (scatter / n).sqrt() / windows.of(at, largest(at))
        };
        let mut order: Vec<(usize, f64)> = (0..NUMBERS).map(|at| (at, spread(at))).collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1));
        let axes = [order[0].0, order[1].0, order[2].0];
        let cell_sizes = axes.map(|at| windows.of(at, largest(at)));
        let mut grid = Grid { axes, cell_sizes, cells: HashMap::new() };
        for &row in rows {
            grid.cells.entry(grid.cell_of(&numbers[row])).or_default().push(row);
        }
        grid
    }

    fn cell_of(&self, numbers: &[f64; NUMBERS]) -> [i32; 3] {
        [0, 1, 2].map(|axis| (numbers[self.axes[axis]] / self.cell_sizes[axis]).floor() as i32)
    }

    /// The rows of the cell of `numbers` and of the 26 around it.
    fn around(&self, numbers: &[f64; NUMBERS]) -> impl Iterator<Item = usize> + '_ {
        let [x, y, z] = self.cell_of(numbers);
        let near = |at: i32| at.saturating_sub(1)..=at.saturating_add(1);
        let cells = near(x).flat_map(move |x| near(y).flat_map(move |y| near(z).map(move |z| [x, y, z])));
        cells.filter_map(|cell| self.cells.get(&cell)).flatten().copied()
    }
}
