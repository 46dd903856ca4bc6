//! Handwritten-like digits, drawn by the program: data to learn from when there are no files. [DATA-09, DATA-25]
//!
//! A digit is a few pen strokes (see `strokes`), in one of several ways people write it. A hand then bends it: each
//! point moves a little, a smooth wave warps the whole, the digit is slanted, turned, stretched and shifted, and the
//! pen's width and pressure vary. Strokes are rasterised by the distance of each pixel to the pen's path, which
//! anti-aliases them; paper adds a little grain.
//!
//! Image `i` of a seed is a function of (seed, i) alone, and its label is `i % 10`, so any number of samples is
//! balanced and a longer set begins with the shorter one. It is made so that a linear model stays clearly below a
//! small network, and that below a convolutional one.

mod strokes;

use barun_engine::random::{Stream, combine};

use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};

/// Height and width of an image in pixels.
pub const SIZE: usize = 28;
/// Samples when nothing else is asked for.
pub const DEFAULT_SAMPLES: usize = 12_000;
const MOST_SAMPLES: usize = 2_000_000;

/// `samples` digits of `seed`: grey images `[n, 28, 28, 1]`, white ink on black as in MNIST, ten classes.
///
/// # Errors
/// [`Error::SampleCount`] below 10 samples (one of each digit) or above two million.
pub fn dataset(samples: usize, seed: u64) -> Result<Dataset> {
    if !(10..=MOST_SAMPLES).contains(&samples) {
        return Err(Error::SampleCount { name: "digits", samples, least: 10, most: MOST_SAMPLES });
    }
    let mut pixels = Vec::with_capacity(samples * SIZE * SIZE);
    for index in 0..samples {
        pixels.extend_from_slice(&image(seed, index as u64));
    }
    let targets = Targets::Classes {
        name: "digit".to_string(),
        labels: (0..samples).map(|index| label(index as u64)).collect(),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
    };
    Dataset::new("digits", Features::Images { pixels, shape: [SIZE, SIZE, 1] }, targets)
}

/// The digit that image `index` shows.
pub fn label(index: u64) -> i64 {
    (index % 10) as i64
}

/// Image `index` of `seed`: 28 x 28 bytes, row-major.
pub fn image(seed: u64, index: u64) -> [u8; SIZE * SIZE] {
    let mut random = Stream::new(combine(seed, index), "digits");
    let ways = strokes::WAYS[label(index) as usize];
    let way = ways[random.below(ways.len() as u64) as usize];
    let hand = Hand::new(&mut random);
    let mut ink = [0.0_f32; SIZE * SIZE];
    for stroke in way {
        let path: Vec<Point> = hand.write(stroke, &mut random);
        hand.pen.draw(&path, &mut ink);
    }
    develop(&ink, &mut random)
}

type Point = [f32; 2];

/// How one person writes one digit.
struct Hand {
    /// How far a point of a stroke strays, as a fraction of the digit's height.
    stray: f64,
    waves: [Wave; 2],
    /// Digit coordinates (0..1, y down) to pixels: a 2 x 2 matrix around the digit's centre, then the new centre.
    matrix: [[f32; 2]; 2],
    centre: Point,
    pen: Pen,
}

/// A smooth displacement of one coordinate along the other.
struct Wave {
    amplitude: f32,
    frequency: f32,
    phase: f32,
}

impl Wave {
    fn new(random: &mut Stream) -> Self {
        Wave {
            amplitude: (0.035 * random.normal()) as f32,
            frequency: random.between(3.0, 7.0) as f32,
            phase: random.between(0.0, std::f64::consts::TAU) as f32,
        }
    }

    fn at(&self, t: f32) -> f32 {
        self.amplitude * (self.frequency * t + self.phase).sin()
    }
}

impl Hand {
    fn new(random: &mut Stream) -> Self {
        let height = random.between(16.0, 22.0);
        let width = height * random.between(0.7, 1.1);
        let (sin, cos) = (0.14 * random.normal()).clamp(-0.4, 0.4).sin_cos();
        let slant = (0.08 + 0.18 * random.normal()).clamp(-0.4, 0.55);
        // turn * slant * stretch
        let matrix = [
            [(cos * width) as f32, ((-cos * slant - sin) * height) as f32],
            [(sin * width) as f32, ((-sin * slant + cos) * height) as f32],
        ];
        let middle = (SIZE as f64 - 1.0) / 2.0;
        let mut shift = || (middle + (1.1 * random.normal()).clamp(-3.0, 3.0)) as f32;
        let centre = [shift(), shift()];
        Hand {
            stray: random.between(0.01, 0.035),
            waves: [Wave::new(random), Wave::new(random)],
            matrix,
            centre,
            pen: Pen::new(random),
        }
    }

    /// A stroke's path in pixels: its points strayed, joined by a smooth curve, warped and placed.
    fn write(&self, stroke: &[Point], random: &mut Stream) -> Vec<Point> {
        let mut points: Vec<Point> = stroke.to_vec();
        for i in 0..points.len() {
            // A doubled point is a corner and stays one.
            points[i] = match i.checked_sub(1) {
                Some(before) if stroke[before] == stroke[i] => points[before],
                _ => points[i].map(|x| x + (self.stray * random.normal()) as f32),
            };
        }
        smooth(&points).into_iter().map(|point| self.place(point)).collect()
    }

    fn place(&self, [x, y]: Point) -> Point {
        let x_off = x + self.waves[0].at(y) - 0.5;
        let y_off = y + self.waves[1].at(x) - 0.5;
        [0, 1].map(|row| self.centre[row] + self.matrix[row][0] * x_off + self.matrix[row][1] * y_off)
    }
}

/// A Catmull-Rom curve through the points, eight pieces between neighbours; a doubled point gives a corner.
fn smooth(points: &[Point]) -> Vec<Point> {
    const PIECES: usize = 8;
    let at = |i: isize| points[i.clamp(0, points.len() as isize - 1) as usize];
    let mut path = Vec::with_capacity(PIECES * points.len());
    for i in 0..points.len() as isize - 1 {
        let [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
        if b == c {
            continue;
        }
        for piece in 0..PIECES {
            let t = piece as f32 / PIECES as f32;
            path.push([0, 1].map(|k| {
                let (p0, p1, p2, p3) = (a[k], b[k], c[k], d[k]);
                let linear = p2 - p0;
                let square = 2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3;
                let cube = 3.0 * (p1 - p2) + p3 - p0;
                p1 + 0.5 * t * (linear + t * (square + t * cube))
            }));
        }
    }
    path.extend(points.last());
    path
}

/// What the strokes are drawn with.
struct Pen {
    radius: f32,
    pressure: f32,
    /// How much the radius changes along a stroke.
    swing: Wave,
}

impl Pen {
    fn new(random: &mut Stream) -> Self {
        Pen {
            radius: random.between(0.75, 1.6) as f32,
            pressure: random.between(0.75, 1.0) as f32,
            swing: Wave { amplitude: random.between(0.0, 0.25) as f32, ..Wave::new(random) },
        }
    }

    fn draw(&self, path: &[Point], ink: &mut [f32; SIZE * SIZE]) {
        let pieces = path.len().max(2) - 1;
        for (piece, ends) in path.windows(2).enumerate() {
            let radius = self.radius * (1.0 + self.swing.at(piece as f32 / pieces as f32));
            self.draw_piece(ends[0], ends[1], radius, ink);
        }
    }

    /// Inks every pixel by its distance to the piece: full within the radius, none one pixel beyond.
    fn draw_piece(&self, from: Point, to: Point, radius: f32, ink: &mut [f32; SIZE * SIZE]) {
        let reach = radius + 1.0;
        let range = |k: usize| {
            let low = (from[k].min(to[k]) - reach).ceil().max(0.0) as usize;
            let high = (from[k].max(to[k]) + reach).floor().min(SIZE as f32 - 1.0);
            low..if high < 0.0 { 0 } else { high as usize + 1 }
        };
        let along = [to[0] - from[0], to[1] - from[1]];
        let length_squared = (along[0] * along[0] + along[1] * along[1]).max(1e-12);
        for y in range(1) {
            for x in range(0) {
                let [dx, dy] = [x as f32 - from[0], y as f32 - from[1]];
                let t = ((dx * along[0] + dy * along[1]) / length_squared).clamp(0.0, 1.0);
                let distance = (dx - t * along[0]).hypot(dy - t * along[1]);
                let coverage = (radius + 0.5 - distance).clamp(0.0, 1.0) * self.pressure;
                let pixel = &mut ink[y * SIZE + x];
                *pixel = pixel.max(coverage);
            }
        }
    }
}

/// Ink to bytes, with a grain whose strength differs from image to image.
fn develop(ink: &[f32; SIZE * SIZE], random: &mut Stream) -> [u8; SIZE * SIZE] {
    let grain = random.between(0.0, 0.1) as f32;
    ink.map(|ink| {
        let bytes = random.next_u32().to_le_bytes();
        // Four bytes' sum is nearly normal, with a deviation of about 148.
        let noise = (bytes.iter().map(|&byte| f32::from(byte)).sum::<f32>() - 510.0) / 148.0;
        (255.0 * (ink + grain * noise).clamp(0.0, 1.0)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{FeaturesRef, Target};

    #[test]
    fn data_25_an_image_depends_on_seed_and_index_alone() {
        let (short, long) = (dataset(20, 4).unwrap(), dataset(50, 4).unwrap());
        for i in 0..20 {
            assert_eq!(short.get(i).unwrap(), long.get(i).unwrap());
        }
        assert_eq!(short.get(17).unwrap().features, FeaturesRef::Image((&image(4, 17)[..]).into()));
        assert_ne!(image(4, 17), image(5, 17));
        assert_ne!(image(4, 17), image(4, 27));
    }

    #[test]
    fn data_25_the_ten_digits_are_balanced() {
        let data = dataset(1000, 1).unwrap();
        for digit in 0..10 {
            let count = (0..1000).filter(|&i| data.get(i).unwrap().target == Target::Class(digit)).count();
            assert_eq!(count, 100);
        }
    }

    #[test]
    fn every_digit_is_inked_and_stays_on_the_paper() {
        for index in 0..1000 {
            let image = image(3, index);
            let inked = image.iter().filter(|&&pixel| pixel > 128).count();
            assert!((15..300).contains(&inked), "image {index}: {inked} inked pixels");
        }
    }

    #[test]
    fn too_few_and_absurdly_many_are_refused() {
        assert!(matches!(dataset(9, 0), Err(Error::SampleCount { least: 10, .. })));
        assert!(dataset(usize::MAX, 0).is_err());
    }
}
