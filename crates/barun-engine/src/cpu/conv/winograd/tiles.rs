//! How images are cut into tiles, and where the patch lies that a tile of the output sees.

use super::transform::{Sources, Transformed, Transforms};
use super::{KERNEL, PATCH, Planes, TILE};
use crate::cpu::conv::ConvSpec;
use std::ops::Range;

/// The tiles of all images of a batch, numbered image by image, row by row. Those at the lower and right border may
/// reach over it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    batch: usize,
    /// Height and width of the images seen.
    source: [usize; 2],
    /// Height and width of the images cut into tiles.
    target: [usize; 2],
    /// Where the patch of the first tile begins.
    origin: [isize; 2],
}

/// Consecutive tiles of one row of tiles.
pub(super) struct TileRun {
    image: usize,
    row: usize,
    columns: Range<usize>,
}

impl Tiles {
    /// Tiles of the output, patches of the input.
    pub fn of_output(spec: &ConvSpec) -> Tiles {
        Tiles {
            batch: spec.batch,
            source: [spec.in_h, spec.in_w],
            target: [spec.out_h, spec.out_w],
            origin: spec.pad.map(|pad| -(pad as isize)),
        }
    }

    /// Tiles of the input, patches of the output: the input's gradient is the convolution of the output's with the
    /// taps in reverse order, padded by what is left of the kernel's reach.
    pub fn of_input(spec: &ConvSpec) -> Tiles {
        Tiles {
            batch: spec.batch,
            source: [spec.out_h, spec.out_w],
            target: [spec.in_h, spec.in_w],
            origin: spec.pad.map(|pad| pad as isize + 1 - KERNEL as isize),
        }
    }

    /// Tiles of an image, down and across.
    fn grid(&self) -> [usize; 2] {
        self.target.map(|size| size.div_ceil(TILE))
    }

    /// Tiles of the batch.
    pub fn count(&self) -> usize {
        self.batch * self.grid()[0] * self.grid()[1]
    }

    /// Tiles as runs within rows of tiles.
    pub fn runs(&self, tiles: Range<usize>) -> impl Iterator<Item = TileRun> + use<> {
        let [down, across] = self.grid();
        let mut at = tiles.start;
        std::iter::from_fn(move || {
            if at >= tiles.end {
                return None;
            }
            let (column, row) = (at % across, at / across);
            let end = across.min(column + tiles.end - at);
            at += end - column;
            Some(TileRun { image: row / down, row: row % down, columns: column..end })
        })
    }

    /// For each tile of the run where its patch of the source lies: `at` is the source's first element,
    /// `channels` are between its pixels; what lies outside is at `outside`.
    fn patches<T>(
        &self,
        run: &TileRun,
        at: *const T,
        channels: usize,
        outside: *const T,
    ) -> impl Iterator<Item = Sources<T, PATCH>> + use<T> {
        let (source, image) = (self.source, run.image);
        let top = (run.row * TILE) as isize + self.origin[0];
        let left = self.origin[1];
        run.columns.clone().map(move |column| {
            places(at, source, channels, image, [top, (column * TILE) as isize + left], outside)
        })
    }

    /// For each tile of the run where its pixels of the target lie, as [`Tiles::patches`].
    pub fn pixels<T>(
        &self,
        run: &TileRun,
        at: *const T,
        channels: usize,
        outside: *const T,
    ) -> impl Iterator<Item = Sources<T, TILE>> + use<T> {
        let (target, image, top) = (self.target, run.image, (run.row * TILE) as isize);
        run.columns
            .clone()
            .map(move |column| places(at, target, channels, image, [top, (column * TILE) as isize], outside))
    }

    /// The pixels of the target that the tiles of the run cover, as runs of consecutive ones.
    pub fn covered(&self, run: &TileRun) -> impl Iterator<Item = Range<usize>> + use<> {
        let [height, width] = self.target;
        let first = run.image * height + run.row * TILE;
        let lines = TILE.min(height - run.row * TILE);
        let columns = run.columns.start * TILE..(run.columns.end * TILE).min(width);
        let whole = columns.len() == width;
        let pieces = if whole { 1 } else { lines };
        (0..pieces).map(move |line| {
            let start = (first + line) * width;
            if whole { start..start + lines * width } else { start + columns.start..start + columns.end }
        })
    }
}

/// The source of a convolution, of which tiles see patches.
pub(super) struct Patches<T: Transformed> {
    pub transforms: &'static Transforms<T>,
    pub tiles: Tiles,
    /// All channels of the source: elements between its pixels.
    pub channels: usize,
    /// The patches at the points: a row for each tile, a column for each channel asked for.
    pub planes: Planes,
}

impl<T: Transformed> Patches<T> {
    /// Transforms what some tiles see of some channels.
    ///
    /// # Safety
    /// `source` can be read, `zeros` are as many as there are channels asked for, and `to` holds the planes.
    pub unsafe fn transform(
        &self,
        source: *const T,
        channels: &Range<usize>,
        tiles: Range<usize>,
        to: *mut f32,
        zeros: *const T,
    ) {
        let source = source.wrapping_add(channels.start);
        let mut row = 0;
        for run in self.tiles.runs(tiles) {
            for patch in self.tiles.patches(&run, source, self.channels, zeros) {
                let to = self.planes.places(to, row * self.planes.row);
                // SAFETY: the patch lies in the source or is zeros; the row is one of the planes.
                unsafe { (self.transforms.from_input)(&patch, &to, channels.len()) };
                row += 1;
            }
        }
    }
}

/// The places of a square of pixels of an image whose corner may lie outside.
fn places<T, const N: usize>(
    at: *const T,
    [height, width]: [usize; 2],
    channels: usize,
    image: usize,
    [top, left]: [isize; 2],
    outside: *const T,
) -> Sources<T, N> {
    let mut places = [[outside; N]; N];
    for (i, line) in places.iter_mut().enumerate() {
        let y = top + i as isize;
        if y < 0 || y >= height as isize {
            continue;
        }
        let first = (image * height + y as usize) * width;
        for (j, place) in line.iter_mut().enumerate() {
            let x = left + j as isize;
            if x >= 0 && x < width as isize {
                *place = at.wrapping_add((first + x as usize) * channels);
            }
        }
    }
    places
}
