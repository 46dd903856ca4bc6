//! Register tiles with pixels in the lanes, for images whose channels are too few to fill a vector: a channel is a
//! plane, what a tap sees of it is a line that begins elsewhere in the plane.

use super::micro::Real;
use super::simd::Simd;

/// The most output channels of a tile.
pub(crate) const MOST_CHANNELS: usize = 7;
/// Tiles read whole vectors: so many elements from the beginning of a line on, up to a multiple of this, must be
/// readable.
pub(crate) const WHOLE: usize = 32;
/// Channels come in squares of at most so many when rows and columns are exchanged.
pub(crate) const SQUARE: usize = 8;

/// A line of pixels of all output channels.
pub(crate) struct Lines<'a, T> {
    /// `[places][channels]`.
    pub weights: *const T,
    /// At most [`MOST_CHANNELS`].
    pub channels: usize,
    pub source: *const T,
    /// Where what each row of the weights is multiplied with begins.
    pub places: &'a [usize],
    pub pixels: usize,
    /// Scratch: [`SQUARE`] lines of `pixels`, rounded up to [`WHOLE`].
    pub planes: *mut T,
    /// The result, `[pixels][channels]`, with room for pixels rounded up to [`WHOLE`] and [`SQUARE`] elements more.
    pub to: *mut T,
}

/// # Safety
/// The pointers of `p` are valid for its sizes.
#[inline(always)]
pub(super) unsafe fn lines<T: Copy, S: Simd<T>>(p: &Lines<'_, T>) {
    // SAFETY: the caller's.
    unsafe {
        match p.channels {
            1 => lines_of::<T, S, 1>(p),
            2 => lines_of::<T, S, 2>(p),
            3 => lines_of::<T, S, 3>(p),
            4 => lines_of::<T, S, 4>(p),
            5 => lines_of::<T, S, 5>(p),
            6 => lines_of::<T, S, 6>(p),
            _ => lines_of::<T, S, MOST_CHANNELS>(p),
        }
    }
}

/// # Safety
/// See [`lines`]; there are `C` channels.
#[allow(clippy::needless_range_loop)] // several arrays run along; iterators are not unrolled as surely
#[inline(always)]
unsafe fn lines_of<T: Copy, S: Simd<T>, const C: usize>(p: &Lines<'_, T>) {
    let line = p.pixels.next_multiple_of(WHOLE);
    // SAFETY: the caller's: whole vectors of the source and of the scratch.
    unsafe {
        for x in (0..p.pixels).step_by(2 * S::LANES) {
            let mut sums = [[S::zero(); 2]; C];
            let mut weights = p.weights;
            for &place in p.places {
                let at = p.source.add(place + x);
                let pixels = [S::load(at), S::load(at.add(S::LANES))];
                for c in 0..C {
                    let weight = S::splat(weights.add(c));
                    for v in 0..2 {
                        sums[c][v] = S::fma(weight, pixels[v], sums[c][v]);
                    }
                }
                weights = weights.add(C);
            }
            for c in 0..C {
                for v in 0..2 {
                    S::store(p.planes.add(c * line + x + v * S::LANES), sums[c][v]);
                }
            }
        }
        // What a square writes too much lies in the channels before or in the next pixel, which come later.
        for c in (0..C).step_by(S::SIDE).rev() {
            for x in (0..p.pixels).step_by(S::SIDE) {
                S::transpose(p.planes.add(c * line + x), line, p.to.add(x * C + c), C);
            }
        }
    }
}

/// A line of pixels to be taken apart into planes.
pub(crate) struct Apart<T> {
    /// `[pixels][channels]`.
    pub from: *const T,
    pub pixels: usize,
    pub channels: usize,
    /// The line in the first plane, and the distance between planes, of which there are [`SQUARE`] more than channels.
    pub to: *mut T,
    pub plane: usize,
}

/// # Safety
/// The pointers of `p` are valid for its sizes.
#[inline(always)]
pub(super) unsafe fn apart<T: Copy, S: Simd<T>>(p: &Apart<T>) {
    let mut x = 0;
    // SAFETY: a square ends within the line, and in the planes behind the last channel.
    unsafe {
        while (x + S::SIDE - 1 + p.channels.next_multiple_of(S::SIDE).div_ceil(p.channels)) <= p.pixels {
            for c in (0..p.channels).step_by(S::SIDE) {
                let to = p.to.add(c * p.plane + x);
                S::transpose(p.from.add(x * p.channels + c), p.channels, to, p.plane);
            }
            x += S::SIDE;
        }
        for x in x..p.pixels {
            for c in 0..p.channels {
                *p.to.add(c * p.plane + x) = *p.from.add(x * p.channels + c);
            }
        }
    }
}

/// Products of the lines that taps see with the lines of output channels, summed over the lines of an image.
///
/// Each sum is made of 64 bytes' worth of lanes under every instruction set; [`fold`] makes one number of them.
pub(crate) struct Correlation<'a, T> {
    pub x: *const T,
    /// Where what each row of the result sees begins; a multiple of [`Micro::correlated`](super::micro::Micro::correlated).
    pub places: &'a [usize],
    pub x_line: usize,
    pub dy: *const T,
    /// Distances between lines of a channel, which are zero behind the last pixel, and between channels.
    pub dy_line: usize,
    pub dy_plane: usize,
    /// An even number.
    pub channels: usize,
    pub lines: usize,
    pub pixels: usize,
    /// `[places][channels]` sums, which are added to.
    pub sums: *mut T,
}

/// # Safety
/// The pointers of `p` are valid for its sizes. `V` vectors make 64 bytes, and `K` divides the number of
/// places.
#[allow(clippy::needless_range_loop)] // several arrays run along; iterators are not unrolled as surely
#[inline(always)]
pub(super) unsafe fn correlate<T: Copy, S: Simd<T>, const V: usize, const K: usize>(p: &Correlation<'_, T>) {
    const C: usize = 2;
    let step = V * S::LANES;
    for (group, places) in p.places.as_chunks::<K>().0.iter().enumerate() {
        for first in (0..p.channels).step_by(C) {
            // SAFETY: whole vectors of lines and sums, as the caller vouches.
            unsafe {
                let mut sums = [[[S::zero(); V]; C]; K];
                for y in 0..p.lines {
                    let x = p.x.add(y * p.x_line);
                    let dy = p.dy.add(y * p.dy_line + first * p.dy_plane);
                    for at in (0..p.pixels).step_by(step) {
                        for v in 0..V {
                            let at = at + v * S::LANES;
                            let dy: [S::V; C] = std::array::from_fn(|c| S::load(dy.add(c * p.dy_plane + at)));
                            for k in 0..K {
                                let x = S::load(x.add(places[k] + at));
                                for c in 0..C {
                                    sums[k][c][v] = S::fma(x, dy[c], sums[k][c][v]);
                                }
                            }
                        }
                    }
                }
                for k in 0..K {
                    for c in 0..C {
                        for v in 0..V {
                            let row = (group * K + k) * p.channels + first + c;
                            let to = p.sums.add(row * step + v * S::LANES);
                            S::store(to, S::add(S::load(to), sums[k][c][v]));
                        }
                    }
                }
            }
        }
    }
}

/// The sum of 64 bytes' worth of lanes, in a fixed tree.
///
/// # Safety
/// They can be read.
pub(crate) unsafe fn fold<T: Real>(lanes: *const T::Sum) -> T::Sum {
    let count = 64 / size_of::<T::Sum>();
    let mut sums = [T::Sum::default(); 16];
    for (lane, sum) in sums.iter_mut().enumerate().take(count) {
        // SAFETY: the caller's.
        *sum = unsafe { *lanes.add(lane) };
    }
    let mut half = count / 2;
    while half > 0 {
        for lane in 0..half {
            sums[lane] = sums[lane] + sums[lane + half];
        }
        half /= 2;
    }
    sums[0]
}
