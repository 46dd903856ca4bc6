//! Pooling over images `[batch, height, width, channels]`: maximum and average, and what their gradients need.
//!
//! | operation | inputs | output |
//! |---|---|---|
//! | [`PoolOp::Max`] | x | y: the maximum of each window |
//! | [`PoolOp::MaxScatter`] | x, dy | dx: each dy added at the first maximum of its window in x |
//! | [`PoolOp::MaxPick`] | x, u | y: u at the first maximum of each window in x |
//! | [`PoolOp::Avg`] | x | y: the mean of each window |
//! | [`PoolOp::AvgScatter`] | dy | dx: each dy, over its count, added to its whole window |
//!
//! `MaxScatter` and `MaxPick` are each other's adjoint and derivative, so are `AvgScatter` and `Avg`. Cells outside the
//! image never win a maximum. Windows are read in row-major order; a NaN wins, of several the last (as in PyTorch). A
//! window without any cell of the image has maximum -infinity, mean and pick 0.
//!
//! Images x may be bf16; then so is their maximum, which is one of their numbers, and everything else is f32.
//!
//! A scattering task owns rows of dx and visits every window that touches them, in row-major order, so the sums do not
//! depend on how rows were cut into tasks.

mod tiled;

use half::bf16;

use super::isa::Isa;
use super::kernel::{Block, Io, Kernel};
use crate::bfloat::{narrow, widen};
use crate::multiversion;
use std::marker::PhantomData;
use std::ops::{Add, Div, Range};

/// Work of a task, in numbers read or written: about ten microseconds.
const TASK_NUMBERS: usize = 64 * 1024;

/// The shapes of a pooling; windows that reach beyond the image hold what lies inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// Images.
    pub batch: usize,
    /// Rows of x.
    pub in_h: usize,
    /// Columns of x.
    pub in_w: usize,
    /// Channels of x and y.
    pub channels: usize,
    /// Rows of y.
    pub out_h: usize,
    /// Columns of y.
    pub out_w: usize,
    /// Rows and columns of a window.
    pub window: [usize; 2],
    /// Rows and columns from one window to the next; not 0.
    pub stride: [usize; 2],
    /// Rows above and columns left of the image that the first window covers.
    pub pad: [usize; 2],
}

/// What a [`Pool`] computes; see the module docs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolOp {
    /// x -> y
    Max,
    /// x, dy -> dx
    MaxScatter,
    /// x, u -> y
    MaxPick,
    /// x -> y
    Avg {
        /// Whether cells of the padding (`pad` on every side, as in PyTorch) count in the mean.
        count_include_pad: bool,
    },
    /// dy -> dx
    AvgScatter {
        /// As of the `Avg` it is the adjoint of.
        count_include_pad: bool,
    },
}

/// A pooling kernel for images `x` of numbers kept as `T`. One phase, no workspace.
pub struct Pool<T> {
    op: PoolOp,
    spec: PoolSpec,
    isa: Isa,
    /// Whether `pool/tiled.rs` does it.
    tiled: bool,
    cut: Cut,
    phases: [usize; 1],
    number: PhantomData<fn(T)>,
}

impl<T: Kept> Pool<T> {
    /// The kernel that computes `op` on images of `spec` with the instructions of `isa`.
    pub fn new(op: PoolOp, spec: PoolSpec, isa: Isa) -> Self {
        let numbers = spec.in_h * spec.in_w * spec.channels + spec.out_h * spec.out_w * spec.channels;
        let cut = Cut::new(spec.batch, op.output_size(&spec)[0], numbers);
        let tiled = tiled::is_tiled(&spec) && op != PoolOp::MaxPick;
        Pool { op, isa, tiled, phases: [cut.tasks()], cut, spec, number: PhantomData }
    }
}

impl PoolOp {
    /// Rows and columns of an image of the output.
    fn output_size(self, spec: &PoolSpec) -> [usize; 2] {
        match self {
            PoolOp::Max | PoolOp::MaxPick | PoolOp::Avg { .. } => [spec.out_h, spec.out_w],
            PoolOp::MaxScatter | PoolOp::AvgScatter { .. } => [spec.in_h, spec.in_w],
        }
    }
}

impl<T: Kept> Kernel for Pool<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn workspace_bytes(&self) -> usize {
        0
    }

    fn scratch_bytes(&self) -> usize {
        0
    }

    fn flops(&self) -> f64 {
        let PoolSpec { batch, channels, out_h, out_w, window, .. } = self.spec;
        [batch, channels, out_h, out_w, window[0], window[1]].iter().map(|n| *n as f64).product()
    }

    /// No input may overlap the output.
    unsafe fn run(
        &self,
        _phase: usize,
        task: usize,
        io: &Io<'_>,
        _scratch: *mut u8,
        finished: &mut dyn FnMut(Block),
    ) {
        let spec = &self.spec;
        let first = io.inputs[0].cast::<T>();
        let numbers = io.output.cast::<T::Number>();
        let columns = self.op.output_size(spec)[1];
        for (image, rows) in self.cut.pieces(task) {
            // SAFETY: the caller gives arrays of the shapes of `spec`; `rows` are rows of an image of the output, and
            // no other task has them.
            unsafe {
                match self.op {
                    op if self.tiled => {
                        let second = io.inputs.last().copied().unwrap_or(io.inputs[0]).cast::<T::Number>();
                        tiled::run::<T>(self.isa, op, spec, image, rows.clone(), first, second, io.output);
                    }
                    PoolOp::Max => max::<T>(self.isa, spec, image, rows.clone(), first, io.output.cast()),
                    PoolOp::MaxPick => {
                        let u = io.inputs[1].cast::<T::Number>();
                        max_pick::<T>(self.isa, spec, image, rows.clone(), first, u, numbers);
                    }
                    PoolOp::MaxScatter => {
                        let dy = io.inputs[1].cast::<T::Number>();
                        max_scatter::<T>(self.isa, spec, image, rows.clone(), first, dy, numbers);
                    }
                    PoolOp::Avg { count_include_pad } => {
                        avg::<T>(self.isa, spec, count_include_pad, image, rows.clone(), first, numbers);
                    }
                    PoolOp::AvgScatter { count_include_pad } => {
                        avg_scatter::<T::Number>(
                            self.isa,
                            spec,
                            count_include_pad,
                            image,
                            rows.clone(),
                            first.cast(),
                            numbers,
                        );
                    }
                }
            }
            let height = self.op.output_size(spec)[0];
            let row = |row: usize| (image * height + row) * columns;
            finished(Block { rows: row(rows.start)..row(rows.end), columns: 0..spec.channels });
        }
    }
}

/// How rows of images are cut into tasks: several whole images to a task, or several tasks to an image.
struct Cut {
    images: usize,
    rows: usize,
    images_per_task: usize,
    tasks_per_image: usize,
}

impl Cut {
    fn new(images: usize, rows: usize, numbers_per_image: usize) -> Self {
        let images_per_task = (TASK_NUMBERS / numbers_per_image.max(1)).clamp(1, images.max(1));
        let tasks_per_image = (numbers_per_image / TASK_NUMBERS).clamp(1, rows.max(1));
        Cut { images, rows, images_per_task, tasks_per_image }
    }

    fn tasks(&self) -> usize {
        self.images.div_ceil(self.images_per_task) * self.tasks_per_image
    }

    /// The images of a task and the rows it has of each.
    fn pieces(&self, task: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let (group, part) = (task / self.tasks_per_image, task % self.tasks_per_image);
        let row = |part: usize| self.rows * part / self.tasks_per_image;
        let rows = row(part)..row(part + 1);
        let images = group * self.images_per_task..((group + 1) * self.images_per_task).min(self.images);
        images.map(move |image| (image, rows.clone())).filter(|(_, rows)| !rows.is_empty())
    }
}

/// How images are kept.
pub trait Kept: Copy + Send + Sync + 'static {
    /// What is computed with.
    type Number: Float;
    /// The same number.
    fn widen(self) -> Self::Number;
    /// A number that was kept so.
    fn narrow(number: Self::Number) -> Self;
}

impl Kept for bf16 {
    type Number = f32;
    #[inline(always)]
    fn widen(self) -> f32 {
        widen(self)
    }
    #[inline(always)]
    fn narrow(number: f32) -> bf16 {
        narrow(number)
    }
}

/// The numbers pooling works on.
pub trait Float: Copy + PartialOrd + Add<Output = Self> + Div<Output = Self> + Send + Sync + 'static {
    /// 0
    const ZERO: Self;
    /// -infinity
    const LOWEST: Self;
    /// A small whole number.
    fn count(n: usize) -> Self;
}

macro_rules! float {
    ($type:ty) => {
        impl Float for $type {
            const ZERO: Self = 0.0;
            const LOWEST: Self = <$type>::NEG_INFINITY;
            #[inline(always)]
            fn count(n: usize) -> Self {
                n as $type
            }
        }

        impl Kept for $type {
            type Number = $type;
            #[inline(always)]
            fn widen(self) -> $type {
                self
            }
            #[inline(always)]
            fn narrow(number: $type) -> $type {
                number
            }
        }
    };
}

float!(f32);
float!(f64);

/// The cells of the image that a window covers.
struct Window {
    y: Range<usize>,
    x: Range<usize>,
}

impl PoolSpec {
    #[inline(always)]
    fn window(&self, out_y: usize, out_x: usize) -> Window {
        Window { y: self.span(0, out_y, self.in_h), x: self.span(1, out_x, self.in_w) }
    }

    #[inline(always)]
    fn span(&self, axis: usize, out: usize, size: usize) -> Range<usize> {
        let (start, pad) = (out * self.stride[axis], self.pad[axis]);
        let end = (start + self.window[axis]).saturating_sub(pad).min(size);
        start.saturating_sub(pad).min(end)..end
    }

    /// The rows of windows that touch rows of the image.
    #[inline(always)]
    fn touching(&self, rows: &Range<usize>) -> Range<usize> {
        let [window, stride, pad] = [self.window[0], self.stride[0], self.pad[0]];
        // The first with out_y * stride + window > rows.start + pad, the last with out_y * stride < rows.end + pad.
        let first = (rows.start + pad + 1).saturating_sub(window).div_ceil(stride);
        first..(rows.end + pad).div_ceil(stride).min(self.out_h)
    }

    /// What the sum over a window is divided by.
    #[inline(always)]
    fn divisor(&self, count_include_pad: bool, window: &Window, out_y: usize, out_x: usize) -> usize {
        if !count_include_pad {
            return (window.y.len() * window.x.len()).max(1);
        }
        let span = |axis: usize, out: usize, size: usize| {
            let start = out * self.stride[axis];
            (start + self.window[axis]).min(size + 2 * self.pad[axis]).saturating_sub(start)
        };
        (span(0, out_y, self.in_h) * span(1, out_x, self.in_w)).max(1)
    }
}

/// Runs the body for blocks of channels of a constant width `$lanes`, so that a block lives in registers.
macro_rules! by_block {
    ($channels:expr, |$c:ident, $lanes:ident| $body:block) => {{
        let channels = $channels;
        let mut $c = 0;
        by_block!(@ 16, channels, $c, $lanes, $body);
        by_block!(@ 8, channels, $c, $lanes, $body);
        by_block!(@ 4, channels, $c, $lanes, $body);
        by_block!(@ 2, channels, $c, $lanes, $body);
        by_block!(@ 1, channels, $c, $lanes, $body);
    }};
    (@ $width:literal, $channels:ident, $c:ident, $lanes:ident, $body:block) => {
        while $channels - $c >= $width {
            const $lanes: usize = $width;
            $body
            $c += $width;
        }
    };
}

/// Whether `value` replaces `best` as the maximum.
#[inline(always)]
#[allow(clippy::eq_op)]
fn beats<T: Float>(value: T, best: T) -> bool {
    // `|`, not `||`: no branch.
    (value > best) | (value != value)
}

/// `f` of each number. Not `array::map`, which the compiler may leave a call of its own without vector instructions.
#[inline(always)]
fn each<A: Copy, B: Copy, const LANES: usize>(from: [A; LANES], f: impl Fn(A) -> B) -> [B; LANES] {
    let mut to = [f(from[0]); LANES];
    for lane in 1..LANES {
        to[lane] = f(from[lane]);
    }
    to
}

/// # Safety
/// `at` is valid for `LANES` numbers.
#[inline(always)]
unsafe fn load<T: Copy, const LANES: usize>(at: *const T) -> [T; LANES] {
    // SAFETY: an array is aligned as its elements.
    unsafe { at.cast::<[T; LANES]>().read() }
}

/// # Safety
/// `at` is valid for `LANES` numbers.
#[inline(always)]
unsafe fn store<T: Copy, const LANES: usize>(at: *mut T, values: [T; LANES]) {
    // SAFETY: an array is aligned as its elements.
    unsafe { at.cast::<[T; LANES]>().write(values) }
}

multiversion! {
    /// # Safety
    /// `x` and `y` have the shapes of `spec` and do not overlap; `rows` are rows of y's image that nobody else uses.
    unsafe fn max<T: Kept>(spec: &PoolSpec, image: usize, rows: Range<usize>, x: *const T, y: *mut T) {
        let c_all = spec.channels;
        for out_y in rows {
            for out_x in 0..spec.out_w {
                let window = spec.window(out_y, out_x);
                let out = ((image * spec.out_h + out_y) * spec.out_w + out_x) * c_all;
                by_block!(c_all, |c, LANES| {
                    let mut best = [T::Number::LOWEST; LANES];
                    for in_y in window.y.clone() {
                        for in_x in window.x.clone() {
                            let at = ((image * spec.in_h + in_y) * spec.in_w + in_x) * c_all + c;
                            // SAFETY: a block of channels of a pixel of x.
                            let value = each(unsafe { load::<T, LANES>(x.add(at)) }, T::widen);
                            for lane in 0..LANES {
                                best[lane] = if beats(value[lane], best[lane]) { value[lane] } else { best[lane] };
                            }
                        }
                    }
                    // SAFETY: a block of channels of a pixel of y.
                    unsafe { store::<T, LANES>(y.add(out + c), each(best, T::narrow)) };
                });
            }
        }
    }
}

multiversion! {
    /// # Safety
    /// As [`max`]; `u` has the shape of `x`.
    unsafe fn max_pick<T: Kept>(
        spec: &PoolSpec, image: usize, rows: Range<usize>, x: *const T, u: *const T::Number, y: *mut T::Number
    ) {
        let c_all = spec.channels;
        for out_y in rows {
            for out_x in 0..spec.out_w {
                let window = spec.window(out_y, out_x);
                let out = ((image * spec.out_h + out_y) * spec.out_w + out_x) * c_all;
                let first = ((image * spec.in_h + window.y.start) * spec.in_w + window.x.start) * c_all;
                let empty = window.y.is_empty() || window.x.is_empty();
                by_block!(c_all, |c, LANES| {
                    let mut best = [T::Number::LOWEST; LANES];
                    let mut picked = [T::Number::ZERO; LANES];
                    if !empty {
                        // The first cell wins where all are -infinity.
                        // SAFETY: a block of channels of a pixel of u.
                        picked = unsafe { load::<T::Number, LANES>(u.add(first + c)) };
                    }
                    for in_y in window.y.clone() {
                        for in_x in window.x.clone() {
                            let at = ((image * spec.in_h + in_y) * spec.in_w + in_x) * c_all + c;
                            // SAFETY: a block of channels of a pixel of x.
                            let value = each(unsafe { load::<T, LANES>(x.add(at)) }, T::widen);
                            // SAFETY: a block of channels of a pixel of u.
                            let other = unsafe { load::<T::Number, LANES>(u.add(at)) };
                            for lane in 0..LANES {
                                let wins = beats(value[lane], best[lane]);
                                best[lane] = if wins { value[lane] } else { best[lane] };
                                picked[lane] = if wins { other[lane] } else { picked[lane] };
                            }
                        }
                    }
                    // SAFETY: a block of channels of a pixel of y.
                    unsafe { store::<T::Number, LANES>(y.add(out + c), picked) };
                });
            }
        }
    }
}

multiversion! {
    /// # Safety
    /// `x` and `dx` have the shape of an input of `spec`, `dy` of an output; `dx` overlaps neither; `rows` are rows of
    /// dx's image that nobody else uses.
    unsafe fn max_scatter<T: Kept>(
        spec: &PoolSpec, image: usize, rows: Range<usize>, x: *const T, dy: *const T::Number, dx: *mut T::Number
    ) {
        let c_all = spec.channels;
        let mut clean = rows.start;
        for out_y in spec.touching(&rows) {
            let reach = spec.span(0, out_y, spec.in_h).end.min(rows.end);
            // SAFETY: rows of dx that are ours.
            unsafe { clear(spec, image, clean..reach, dx) };
            clean = clean.max(reach);
            for out_x in 0..spec.out_w {
                let window = spec.window(out_y, out_x);
                let out = ((image * spec.out_h + out_y) * spec.out_w + out_x) * c_all;
                let mine = window.y.start.max(rows.start)..window.y.end.min(rows.end);
                by_block!(c_all, |c, LANES| {
                    let mut best = [T::Number::LOWEST; LANES];
                    // The number of the winning cell, in the type of the lanes.
                    let mut winner = [T::Number::ZERO; LANES];
                    for in_y in window.y.clone() {
                        for in_x in window.x.clone() {
                            let at = ((image * spec.in_h + in_y) * spec.in_w + in_x) * c_all + c;
                            let cell = T::Number::count((in_y - window.y.start) * spec.window[1] + (in_x - window.x.start));
                            // SAFETY: a block of channels of a pixel of x.
                            let value = each(unsafe { load::<T, LANES>(x.add(at)) }, T::widen);
                            for lane in 0..LANES {
                                let wins = beats(value[lane], best[lane]);
                                best[lane] = if wins { value[lane] } else { best[lane] };
                                winner[lane] = if wins { cell } else { winner[lane] };
                            }
                        }
                    }
                    // SAFETY: a block of channels of a pixel of dy.
                    let gradient = unsafe { load::<T::Number, LANES>(dy.add(out + c)) };
                    for in_y in mine.clone() {
                        for in_x in window.x.clone() {
                            let at = ((image * spec.in_h + in_y) * spec.in_w + in_x) * c_all + c;
                            let cell = T::Number::count((in_y - window.y.start) * spec.window[1] + (in_x - window.x.start));
                            // SAFETY: a block of channels of a pixel of dx in our rows.
                            let mut sum = unsafe { load::<T::Number, LANES>(dx.add(at)) };
                            for lane in 0..LANES {
                                sum[lane] = sum[lane] + if winner[lane] == cell { gradient[lane] } else { T::Number::ZERO };
                            }
                            // SAFETY: as above.
                            unsafe { store::<T::Number, LANES>(dx.add(at), sum) };
                        }
                    }
                });
            }
        }
        // SAFETY: rows of dx that are ours.
        unsafe { clear(spec, image, clean..rows.end, dx) };
    }
}

multiversion! {
    /// # Safety
    /// As [`max`].
    unsafe fn avg<T: Kept>(
        spec: &PoolSpec, count_include_pad: bool, image: usize, rows: Range<usize>, x: *const T, y: *mut T::Number
    ) {
        let c_all = spec.channels;
        for out_y in rows {
            for out_x in 0..spec.out_w {
                let window = spec.window(out_y, out_x);
                let divisor = T::Number::count(spec.divisor(count_include_pad, &window, out_y, out_x));
                let out = ((image * spec.out_h + out_y) * spec.out_w + out_x) * c_all;
                by_block!(c_all, |c, LANES| {
                    let mut sum = [T::Number::ZERO; LANES];
                    for in_y in window.y.clone() {
                        for in_x in window.x.clone() {
                            let at = ((image * spec.in_h + in_y) * spec.in_w + in_x) * c_all + c;
                            // SAFETY: a block of channels of a pixel of x.
                            let value = each(unsafe { load::<T, LANES>(x.add(at)) }, T::widen);
                            for lane in 0..LANES {
                                sum[lane] = sum[lane] + value[lane];
                            }
                        }
                    }
                    let mean = each(sum, |sum| sum / divisor);
                    // SAFETY: a block of channels of a pixel of y.
                    unsafe { store::<T::Number, LANES>(y.add(out + c), mean) };
                });
            }
        }
    }
}

multiversion! {
    /// # Safety
    /// As [`max_scatter`].
    unsafe fn avg_scatter<T: Float>(
        spec: &PoolSpec, count_include_pad: bool, image: usize, rows: Range<usize>, dy: *const T, dx: *mut T
    ) {
        let c_all = spec.channels;
        let mut clean = rows.start;
        for out_y in spec.touching(&rows) {
            let reach = spec.span(0, out_y, spec.in_h).end.min(rows.end);
            // SAFETY: rows of dx that are ours.
            unsafe { clear(spec, image, clean..reach, dx) };
            clean = clean.max(reach);
            for out_x in 0..spec.out_w {
                let window = spec.window(out_y, out_x);
                let divisor = T::count(spec.divisor(count_include_pad, &window, out_y, out_x));
                let out = ((image * spec.out_h + out_y) * spec.out_w + out_x) * c_all;
                let mine = window.y.start.max(rows.start)..window.y.end.min(rows.end);
                by_block!(c_all, |c, LANES| {
                    // SAFETY: a block of channels of a pixel of dy.
                    let gradient = each(unsafe { load::<T, LANES>(dy.add(out + c)) }, |dy| dy / divisor);
                    for in_y in mine.clone() {
                        for in_x in window.x.clone() {
                            let at = ((image * spec.in_h + in_y) * spec.in_w + in_x) * c_all + c;
                            // SAFETY: a block of channels of a pixel of dx in our rows.
                            let mut sum = unsafe { load::<T, LANES>(dx.add(at)) };
                            for lane in 0..LANES {
                                sum[lane] = sum[lane] + gradient[lane];
                            }
                            // SAFETY: as above.
                            unsafe { store::<T, LANES>(dx.add(at), sum) };
                        }
                    }
                });
            }
        }
        // SAFETY: rows of dx that are ours.
        unsafe { clear(spec, image, clean..rows.end, dx) };
    }
}

/// Zeroes rows of an image of dx.
///
/// # Safety
/// The rows, if any, are within `dx` and the caller's.
#[inline(always)]
unsafe fn clear<T: Float>(spec: &PoolSpec, image: usize, rows: Range<usize>, dx: *mut T) {
    let row = spec.in_w * spec.channels;
    // SAFETY: the caller's promise; zero bits are the number 0.
    unsafe { dx.add((image * spec.in_h + rows.start) * row).write_bytes(0, rows.len() * row) };
}

#[cfg(test)]
mod tests;
