//! Matrix products.
//!
//! `Gemm` computes `C = A B` for operands of any strides, so transposes and broadcast batches cost no copy. The work
//! is cut by shape alone into a grid of tasks, each of which packs its own share of `B` (`gemm/blocked.rs`) and runs
//! register tiles over it (`gemm/micro.rs`). A product with a small output and long sums is also cut along `k`; the
//! parts are then added in order by a second phase. A right operand that stays the same from run to run is packed as a
//! whole by a phase that runs once (`gemm/packed.rs`).
//!
//! Bits: within a block of `k` an output element is a chain of fused multiply-adds in increasing `k`, and blocks are
//! added in order. Where blocks end depends on `k` (and, for long sums, `m` and `n`) alone; so any team of threads,
//! AVX2 and AVX-512 give the same bits. A product with a single row or column whose operand is contiguous along `k`
//! is a number of dot products instead, each summed in the same lanes under all of them.

pub(crate) mod blocked;
#[cfg(test)]
pub(crate) mod emulated;
pub(crate) mod grid;
pub(crate) mod lines;
pub(crate) mod micro;
mod packed;
pub(crate) mod pairs;
pub(crate) mod row;
pub(crate) mod simd;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
pub(crate) mod tiles;

use crate::cpu::isa::Isa;
use crate::cpu::kernel::{Block, Io, Kernel};
use crate::cpu::memory::ALIGN;
use blocked::{
    Matrix, MatrixLeft, Region, columns_in_place, depth_of_blocks, product, scratch_elements, share,
};
use grid::{Grid, SMALLEST_TASK_FLOPS, tasks_of_row};
pub use micro::Real;
use micro::{Dots, Micro};
use packed::{MatrixRight, Packed};
use std::ops::Range;

/// Distances in elements between neighbours along each axis of a batch of matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatrixStrides {
    /// From one matrix to the next; 0 if all are the same.
    pub batch: usize,
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub column: usize,
}

impl MatrixStrides {
    /// Row-major `[batch, rows, columns]` without gaps.
    pub fn row_major(rows: usize, columns: usize) -> MatrixStrides {
        MatrixStrides { batch: rows * columns, row: columns, column: 1 }
    }

    /// A `[batch, rows, columns]` view of row-major `[batch, columns, rows]`.
    pub fn transposed(rows: usize, columns: usize) -> MatrixStrides {
        MatrixStrides { batch: rows * columns, row: 1, column: rows }
    }
}

/// The shape of `C[batch, m, n] = A[batch, m, k] B[batch, k, n]`; `C` is contiguous and overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GemmSpec {
    /// Number of products.
    pub batch: usize,
    /// Rows of `A` and `C`.
    pub m: usize,
    /// Columns of `B` and `C`.
    pub n: usize,
    /// Columns of `A`, rows of `B`.
    pub k: usize,
    /// Where the elements of `A` are.
    pub a: MatrixStrides,
    /// Where the elements of `B` are.
    pub b: MatrixStrides,
}

impl GemmSpec {
    fn flops(&self) -> f64 {
        2.0 * self.batch as f64 * self.m as f64 * self.n as f64 * self.k as f64
    }

    /// A batch of which all share `B` and whose rows follow each other evenly is one taller product.
    fn folded(mut self) -> GemmSpec {
        if self.batch > 1 && self.b.batch == 0 && self.a.batch == self.m * self.a.row {
            self.m *= self.batch;
            self.batch = 1;
        }
        self
    }
}

/// How the products are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Register tiles.
    Tiles,
    /// `C` is a column and so are the rows of `A`: `C^T = B^T A^T` by tiles, of which the spec has been made.
    Swapped,
    /// `C` is a row, its elements products of contiguous columns of `B` with the row of `A`.
    RowOfDots,
    /// `C` is a column, its elements products of contiguous rows of `A` with the column of `B`.
    ColumnOfDots,
}

impl Way {
    fn of<T: Real>(spec: &GemmSpec) -> Way {
        // Dot products are made of operands in place.
        if !T::IN_PLACE {
            return if spec.n == 1 { Way::Swapped } else { Way::Tiles };
        }
        if spec.m == 1 && spec.b.row == 1 && spec.n > 1 {
            Way::RowOfDots
        } else if spec.n == 1 && spec.a.column == 1 {
            Way::ColumnOfDots
        } else if spec.n == 1 && spec.a.row == 1 {
            Way::Swapped
        } else {
            Way::Tiles
        }
    }

    fn of_dots(self) -> bool {
        matches!(self, Way::RowOfDots | Way::ColumnOfDots)
    }
}

/// Whether a product's right operand may be another in the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RightOperand {
    Varying,
    Constant,
}

/// When the right operand is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packs {
    /// By each task of each run, its own share.
    EachTime,
    /// As a whole by the first phase, which runs once and is cut into so many tasks.
    Once { tasks: usize },
}

/// The batched matrix product as a [`Kernel`] with inputs `[a, b]` of type `T` and an output of its sums' type.
pub struct Gemm<T: Real> {
    spec: GemmSpec,
    way: Way,
    micro: &'static Micro<T>,
    /// Groups of consecutive products of the batch.
    groups: usize,
    /// How one product is cut.
    grid: Grid,
    /// Number of stretches `k` is cut into that are summed apart.
    splits: usize,
    /// Length of a block of `k`.
    depth: usize,
    packs: Packs,
    phases: Vec<usize>,
}

impl<T: Real> Gemm<T> {
    /// Plans the product for fixed shapes.
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    pub fn new(spec: GemmSpec, isa: Isa) -> Gemm<T> {
        Gemm::plan(spec, RightOperand::Varying, T::micro(isa))
    }

    /// As [`Gemm::new`] for a right operand that stays the same over many runs. If products would pack it, a first phase
    /// does so once for all of them ([`Kernel::prepares`]).
    ///
    /// # Panics
    /// If this machine lacks `isa`.
    pub fn of_constant_right(spec: GemmSpec, isa: Isa) -> Gemm<T> {
        Gemm::plan(spec, RightOperand::Constant, T::micro(isa))
    }

    fn plan(spec: GemmSpec, right: RightOperand, micro: &'static Micro<T>) -> Gemm<T> {
        let mut spec = spec.folded();
        let way = Way::of::<T>(&spec);
        if way == Way::Swapped {
            let turned = |strides: MatrixStrides| MatrixStrides {
                row: strides.column,
                column: strides.row,
                ..strides
            };
            spec = GemmSpec { m: 1, n: spec.m, a: turned(spec.b), b: turned(spec.a), ..spec };
        }
        let GemmSpec { batch, m, n, k, .. } = spec;
        let most = ((spec.flops() / SMALLEST_TASK_FLOPS) as usize).clamp(1, 64);
        let groups = batch.min(most);
        let unit = micro.group * micro.granule;
        let splits = if batch == 1 && !way.of_dots() { splits_of_depth(m, n, k, unit) } else { 1 };
        let stretch = k.div_ceil(splits);
        let depth = depth_of_blocks(stretch, unit);
        let packs = match right {
            RightOperand::Constant if way == Way::Tiles && packs_right(micro, &spec, depth) => {
                Packs::Once { tasks: grid::tasks_of_pass(k * n).min(n.div_ceil(micro.columns)) }
            }
            _ => Packs::EachTime,
        };
        let left_cost = if spec.a.column == 1 && T::IN_PLACE { 0.0 } else { 0.3 };
        let right_cost = match packs {
            Packs::Once { .. } => 0.0,
            Packs::EachTime if spec.b.column == 1 => 0.25,
            Packs::EachTime => 0.4,
        };
        let grid = if groups < batch {
            Grid { rows: 1, columns: 1 }
        } else if way.of_dots() {
            Grid { rows: 1, columns: most.div_ceil(groups).min((m * n).div_ceil(16)) }
        } else if is_one_row::<T>(&spec) {
            Grid { rows: 1, columns: tasks_of_row(n, stretch * n * size_of::<T>()) }
        } else {
            Grid::choose(micro, m, n, stretch, most.div_ceil(groups * splits), splits, left_cost, right_cost)
        };
        let mut phases = Vec::new();
        if let Packs::Once { tasks } = packs {
            phases.push(tasks);
        }
        phases.push(groups * splits * grid.tasks());
        if splits > 1 {
            phases.push(grid::tasks_of_pass(m * n * splits).min(m));
        }
        Gemm { spec, way, micro, groups, grid, splits, depth, packs, phases }
    }

    /// The right operand at `b`, or what is packed of it at `packed`.
    fn right(&self, b: *const T, packed: *mut T::Sum) -> MatrixRight<T> {
        match self.packs {
            Packs::EachTime => MatrixRight::Plain(self.right_matrix(b)),
            Packs::Once { .. } => MatrixRight::Packed(self.packed_right(packed)),
        }
    }

    fn right_matrix(&self, b: *const T) -> Matrix<T> {
        Matrix { at: b, row: self.spec.b.row, column: self.spec.b.column }
    }

    fn packed_right(&self, at: *mut T::Sum) -> Packed<T> {
        Packed { at, columns: self.spec.n, depth: self.depth }
    }

    /// Bytes of the workspace before the parts of long sums: the packed right operand.
    fn packed_bytes(&self) -> usize {
        match self.packs {
            Packs::EachTime => 0,
            Packs::Once { .. } => {
                let elements = Packed::elements(self.micro, self.spec.k, self.spec.n, self.depth);
                (elements * size_of::<T::Sum>()).next_multiple_of(ALIGN)
            }
        }
    }

    /// One cell of a product that is a row or a column of dot products.
    ///
    /// # Safety
    /// As for [`Kernel::run`].
    unsafe fn dots(
        &self,
        item: usize,
        cell: usize,
        a: *const T::Sum,
        b: *const T::Sum,
        c: *mut T::Sum,
        scratch: *mut T::Sum,
    ) -> Block {
        let GemmSpec { m, n, k, a: a_strides, b: b_strides, .. } = self.spec;
        let (matrix, row, vector, step) = match self.way {
            Way::RowOfDots => (b, b_strides.column, a, a_strides.column),
            _ => (a, a_strides.row, b, b_strides.row),
        };
        let share = share(m * n, 1, self.grid.columns, cell);
        // SAFETY: the vector has `k` elements and so has the scratch; the rows and results of the share exist.
        unsafe {
            let mut contiguous = vector;
            if step != 1 {
                (0..k).for_each(|p| *scratch.add(p) = *vector.add(p * step));
                contiguous = scratch;
            }
            (self.micro.dots)(&Dots {
                matrix: matrix.add(share.start * row),
                row,
                count: share.len(),
                vector: contiguous,
                k,
                to: c.add(share.start),
            });
        }
        match self.way {
            Way::RowOfDots => Block { rows: item..item + 1, columns: share },
            _ => Block { rows: item * m + share.start..item * m + share.end, columns: 0..1 },
        }
    }

    /// One cell of the grid for one product and one stretch of `k`.
    ///
    /// # Safety
    /// As for [`Kernel::run`].
    unsafe fn cell(
        &self,
        (row, column, split): (usize, usize, usize),
        a: *const T,
        right: &MatrixRight<T>,
        output: *mut T::Sum,
        scratch: *mut T::Sum,
        finished: &mut dyn FnMut(Range<usize>, Range<usize>),
    ) {
        let GemmSpec { m, n, k, a: a_strides, .. } = self.spec;
        let columns = share(n, self.micro.columns, self.grid.columns, column);
        let region = Region {
            rows: share(m, self.micro.rows, self.grid.rows, row),
            ks: share(k, self.depth, self.splits, split),
            depth: self.depth,
            output,
            output_row: n,
            columns,
            add: false,
        };
        let left = MatrixLeft {
            matrix: Matrix { at: a, row: a_strides.row, column: a_strides.column },
            pack: a_strides.column != 1 && region.columns.len() > 2 * self.micro.columns,
        };
        // SAFETY: the region lies within the output; the rest is the caller's.
        unsafe { product(self.micro, &left, right, &region, scratch, finished) };
    }
}

/// Whether each product reads its right operand once, and as it lies.
fn is_one_row<T: Real>(spec: &GemmSpec) -> bool {
    T::IN_PLACE && spec.m == 1 && spec.b.column == 1
}

/// Whether each product would pack its right operand, the same one for all of a batch.
fn packs_right<T: Real>(micro: &Micro<T>, spec: &GemmSpec, depth: usize) -> bool {
    let right = Matrix::<T> { at: std::ptr::null(), row: spec.b.row, column: spec.b.column };
    let is_one = spec.batch == 1 || spec.b.batch == 0;
    is_one && columns_in_place(micro, &right, depth, spec.m, spec.n) == 0
}

/// Rows of a column that was computed as the row `block.rows.start` of `n` elements.
fn swapped_rows(block: &Block, n: usize) -> Range<usize> {
    block.rows.start * n + block.columns.start..block.rows.start * n + block.columns.end
}

/// In how many stretches the sums are cut: more than one only if they are long and the output is too small to keep
/// a team busy. It must not depend on the instruction set.
fn splits_of_depth(m: usize, n: usize, k: usize, unit: usize) -> usize {
    let cells = m.div_ceil(96) * n.div_ceil(64);
    if cells >= 16 || k < 2048 {
        return 1;
    }
    // A power of two suits most teams; and every stretch has at least a block.
    let splits = 1 << (16 / cells).min(k / 512).ilog2();
    let depth = depth_of_blocks(k.div_ceil(splits), unit);
    splits.min(k.div_ceil(depth))
}

impl<T: Real> Kernel for Gemm<T> {
    fn phases(&self) -> &[usize] {
        &self.phases
    }

    fn prepares(&self) -> bool {
        self.packs != Packs::EachTime
    }

    fn workspace_bytes(&self) -> usize {
        let parts = if self.splits == 1 { 0 } else { self.splits * self.spec.m * self.spec.n };
        self.packed_bytes() + parts * size_of::<T::Sum>()
    }

    fn scratch_bytes(&self) -> usize {
        if self.way.of_dots() {
            return self.spec.k * size_of::<T::Sum>();
        }
        let rows = self.spec.m.div_ceil(self.grid.rows) + self.micro.rows;
        let columns = self.spec.n.div_ceil(self.grid.columns) + self.micro.columns;
        scratch_elements(self.micro, rows, columns.min(self.spec.n), self.depth) * size_of::<T::Sum>()
    }

    fn flops(&self) -> f64 {
        self.spec.flops()
    }

    fn estimate_ns(&self) -> f64 {
        // As fast as the right operand comes out of the caches.
        let bytes_per_flop = if is_one_row::<T>(&self.spec) { size_of::<T>() as f64 / 2.0 } else { 0.0 };
        self.spec.flops() * (bytes_per_flop / 50.0).max(1.0 / 40.0)
    }

    unsafe fn run(
        &self,
        phase: usize,
        task: usize,
        io: &Io<'_>,
        scratch: *mut u8,
        finished: &mut dyn FnMut(Block),
    ) {
        let GemmSpec { batch, m, n, k, .. } = self.spec;
        let (mut a, mut b) = (io.inputs[0].cast::<T>(), io.inputs[1].cast::<T>());
        // What was turned is told as it was.
        let mut told = |block: Block| match self.way {
            Way::Swapped => finished(Block { rows: swapped_rows(&block, n), columns: 0..1 }),
            _ => finished(block),
        };
        if self.way == Way::Swapped {
            (a, b) = (b, a);
        }
        let output = io.output.cast::<T::Sum>();
        let packed = io.workspace.cast::<T::Sum>();
        let workspace = io.workspace.wrapping_add(self.packed_bytes()).cast::<T::Sum>();
        if self.prepares() && phase == 0 {
            let columns = share(n, self.micro.columns, self.phases[0], task);
            // SAFETY: the workspace begins with room for the panels, and shares are whole panels.
            return unsafe { self.packed_right(packed).fill(self.micro, &self.right_matrix(b), k, columns) };
        }
        if phase == 1 + usize::from(self.prepares()) {
            let rows = share(m, 1, self.phases[phase], task);
            let start = rows.start * n;
            // SAFETY: the workspace holds `splits` outputs, all written by the first phase.
            unsafe {
                let parts = workspace.add(start);
                (self.micro.sum)(parts, self.splits, m * n, output.add(start), rows.len() * n);
            }
            return told(Block { rows, columns: 0..n });
        }
        let (cell, rest) = (task % self.grid.tasks(), task / self.grid.tasks());
        let (row, column) = (cell / self.grid.columns, cell % self.grid.columns);
        if self.splits > 1 {
            let (right, part) = (self.right(b, packed), workspace.wrapping_add(rest * m * n));
            // SAFETY: as the caller vouches; the part is this stretch's own.
            return unsafe {
                self.cell((row, column, rest), a, &right, part, scratch.cast(), &mut |_, _| {})
            };
        }
        for item in share(batch, 1, self.groups, rest) {
            let a = a.wrapping_add(item * self.spec.a.batch);
            let b = b.wrapping_add(item * self.spec.b.batch);
            let c = output.wrapping_add(item * m * n);
            if self.way.of_dots() {
                // SAFETY: as the caller vouches.
                told(unsafe { self.dots(item, column, a.cast(), b.cast(), c, scratch.cast()) });
                continue;
            }
            let right = self.right(b, packed);
            // SAFETY: as the caller vouches.
            unsafe {
                self.cell((row, column, 0), a, &right, c, scratch.cast(), &mut |rows, columns| {
                    told(Block { rows: item * m + rows.start..item * m + rows.end, columns })
                });
            }
        }
    }
}
