//! The fused loop: one pass over an iteration space that loads, computes a chain of element-wise instructions tile by
//! tile, stores, and reduces.
//!
//! Where what is reduced are short rows, a tile holds whole rows: reductions are instructions of the chain, and what
//! they give can be read again for each element of its row (`ReduceRows` and `FillRows` of `tile.rs`), so that a
//! softmax, its loss and its gradient are one visit.
//!
//! Reductions follow one tree that depends on the shape alone: rows are cut into leaves of [`TILE`] elements reduced in
//! sixteen lanes, leaves are added in order within a span, spans in order; columns are added row by row within blocks
//! of `BLOCK_ROWS`, blocks in order. Where rows are shorter than `BLOCK_WIDTH`, as many as fit lie side by side
//! like one row, and are added at the end of the block. Where the blocks are too few for a team, tasks share their
//! columns, each of which is summed as before.

mod access;

use super::isa::Isa;
use super::native::Step;
use super::tile::{
    Each, Instr, LANES, Number, Reduction, TILE, TileOp, accumulate, fill, reduce, run_tile, sum_of_products,
};
use crate::graph::{Binary, Literal};
use crate::tensor::DType;
pub use access::Access;
use access::{gather, prefetch, repeat, repeat_period};

/// Names the element type of `dtype` as `$T` in `$body`; reductions are over numbers alone.
macro_rules! with_number {
    ($dtype:expr, $T:ident, $body:block) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            _ => {
                type $T = i64;
                $body
            }
        }
    };
}

/// From this size on the operands of a loop are not in the first-level cache.
const PREFETCH_ELEMENTS: usize = 64 * TILE;
/// Rows of a block of the column reduction, each of as many short rows as make [`BLOCK_WIDTH`].
const BLOCK_ROWS: usize = 128;
/// Sums of the column reduction that are worth a pass: fewer would wait for each other.
const BLOCK_WIDTH: usize = 64;
/// Tasks from which on the columns of blocks are not shared: a tile is longer where rows are whole.
const ENOUGH_TASKS: usize = 16;
/// The fewest columns of a task.
const FEWEST_COLUMNS: usize = 256;
/// Elements of a span of the row reduction.
const SPAN: usize = 64 * TILE;
/// Elements of a task of a loop without reduction, for a chain of one instruction.
const TASK_ELEMENTS: usize = 64 * TILE;

/// An operand: value `value` of the tile is read from `pointers[pointer]`.
#[derive(Clone, Debug)]
pub struct Load {
    /// Which of the loop's pointers.
    pub pointer: usize,
    /// Element type.
    pub dtype: DType,
    /// Where its elements lie; those for each row contiguous, or all the same.
    pub access: Access,
    /// What it has elements for.
    pub each: Each,
    /// The tile value.
    pub value: u16,
}

/// A result written element by element or row by row, contiguous in the order of the iteration.
#[derive(Clone, Debug)]
pub struct Store {
    /// Which of the loop's pointers.
    pub pointer: usize,
    /// Element type.
    pub dtype: DType,
    /// What it has elements for.
    pub each: Each,
    /// The tile value.
    pub value: u16,
    /// Whether the instruction writes to memory itself; otherwise the tile is copied out at its end (needed where the
    /// memory is also an operand that is read later).
    pub direct: bool,
}

/// A reduction of a tile value, of which a result takes more than one tile.
#[derive(Clone, Debug)]
pub struct Reduce {
    /// Which of the loop's pointers takes the result.
    pub pointer: usize,
    /// Element type.
    pub dtype: DType,
    /// The tile value.
    pub value: u16,
    /// Sum or maximum.
    pub reduction: Reduction,
}

/// The iteration space of a reduction: `[outer, reduced, inner]`, of which the middle disappears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Product of the kept axes before.
    pub outer: usize,
    /// Product of the reduced axes.
    pub reduced: usize,
    /// Product of the kept axes after.
    pub inner: usize,
}

impl Pattern {
    /// Elements of a row, if what is reduced are rows of which a tile holds at least one. Tiles are then of whole rows,
    /// and what is reduced can be read again in the same visit.
    pub fn short_row(self) -> Option<usize> {
        (self.inner == 1 && (1..=TILE).contains(&self.reduced)).then_some(self.reduced)
    }

    /// Rows of a column reduction that lie side by side.
    fn rows_side_by_side(self) -> usize {
        (BLOCK_WIDTH / self.inner.max(1)).max(1)
    }

    fn rows_of_block(self) -> usize {
        BLOCK_ROWS * self.rows_side_by_side()
    }
}

/// A fused loop; see the module docs.
#[derive(Clone, Debug)]
pub struct FusedLoop {
    /// Axes of the iteration, for strided loads.
    pub sizes: Vec<usize>,
    /// Operands.
    pub loads: Vec<Load>,
    /// Constants: value, type, literal.
    pub constants: Vec<(u16, DType, Literal)>,
    /// The chain.
    pub code: Vec<Instr>,
    /// Element-wise results.
    pub stores: Vec<Store>,
    /// Reductions, all of one pattern.
    pub reduces: Vec<Reduce>,
    /// The pattern, if there are reductions.
    pub pattern: Option<Pattern>,
    /// The pointer and element offset of a truth value without which the loop does nothing.
    pub guard: Option<(usize, isize)>,
    /// The register of each tile value, or `None` if it lives in memory.
    pub registers: Vec<Option<u16>>,
    /// How many registers there are.
    pub register_count: usize,
    /// Who does which instructions of the chain.
    pub steps: Vec<Step>,
    /// Whether it needs no tiles: machine code does all of it, from memory to memory, and the processor itself sees what
    /// comes next.
    pub is_one_walk: bool,
    /// How often values that stay the same over the whole loop are repeated in their registers.
    pub repeats: usize,
    /// Instruction set.
    pub isa: Isa,
}

/// Pointers of a run: one per distinct buffer the loop touches.
pub type Pointers<'a> = &'a [*mut u8];

const REGISTER_BYTES: usize = TILE * 8;

impl FusedLoop {
    /// Elements of the iteration.
    pub fn elements(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Bytes of private memory of a task.
    pub fn scratch_bytes(&self) -> usize {
        // Registers, one row of sums per column reduction, and where each value lies.
        let sums = if self.pattern.is_some_and(|pattern| pattern.inner > 1) { self.reduces.len() } else { 0 };
        (self.register_count + sums) * REGISTER_BYTES + self.registers.len() * size_of::<*mut u8>()
    }

    /// Where the pointers of the values are in the scratch memory.
    fn values_at(&self, scratch: *mut u8) -> *mut *mut u8 {
        let bytes = self.scratch_bytes() - self.registers.len() * size_of::<*mut u8>();
        scratch.wrapping_add(bytes).cast()
    }

    /// Bytes shared by the tasks of a run: partial results of split reductions.
    pub fn workspace_bytes(&self) -> usize {
        match self.pattern {
            Some(pattern) if self.parts(pattern) > 1 => {
                self.reduces.len() * self.parts(pattern) * pattern.outer * pattern.inner * 8
            }
            _ => 0,
        }
    }

    /// Pieces each reduced range is cut into.
    fn parts(&self, pattern: Pattern) -> usize {
        let piece = if pattern.inner == 1 { SPAN } else { pattern.rows_of_block() };
        pattern.reduced.div_ceil(piece).max(1)
    }

    /// The cost of an element, in instructions.
    fn weight(&self) -> usize {
        self.chain_weight() + self.loads.len() + self.stores.len() + self.reduces.len()
    }

    fn chain_weight(&self) -> usize {
        self.code.iter().map(|instr| instr.op.weight()).sum()
    }

    /// Nanoseconds the loop is expected to take on one thread; decides what is worth sharing.
    pub fn estimate_ns(&self) -> f64 {
        let memory = self.loads.len() + self.stores.len();
        self.elements() as f64 * (self.chain_weight() as f64 * 0.06 + memory as f64 * 0.1)
    }

    /// The number of tasks of each phase.
    pub fn phases(&self) -> Vec<usize> {
        match self.pattern {
            None => vec![self.elements().div_ceil(self.even_task_elements()).max(1)],
            Some(pattern) => {
                let units = self.units(pattern);
                let first = units.div_ceil(self.units_per_task(pattern)).max(1);
                if self.parts(pattern) > 1 { vec![first, 1] } else { vec![first] }
            }
        }
    }

    fn task_elements(&self) -> usize {
        (TASK_ELEMENTS * 4 / self.weight().max(4)).next_multiple_of(TILE)
    }

    /// The elements of a task of a loop without reductions: tasks of about one size.
    fn even_task_elements(&self) -> usize {
        let tasks = self.elements().div_ceil(self.task_elements()).max(1);
        self.elements().div_ceil(tasks).next_multiple_of(TILE).max(TILE)
    }

    /// The smallest pieces of a reducing loop that a task can take: rows (or spans of one), or shares of the columns of a
    /// block.
    fn units(&self, pattern: Pattern) -> usize {
        pattern.outer * self.parts(pattern) * self.shares(pattern)
    }

    fn units_per_task(&self, pattern: Pattern) -> usize {
        let units = self.parts(pattern) * self.shares(pattern);
        let elements = (pattern.reduced * pattern.inner).div_ceil(units).max(1);
        (self.task_elements() / elements).max(1)
    }

    /// How many units share the columns of a block.
    fn shares(&self, pattern: Pattern) -> usize {
        pattern.inner.div_ceil(self.columns_of_share(pattern)).max(1)
    }

    fn columns_of_share(&self, pattern: Pattern) -> usize {
        let blocks = (pattern.outer * self.parts(pattern)).max(1);
        let tasks = (self.elements() / self.task_elements()).min(ENOUGH_TASKS);
        let shares = (tasks / blocks).clamp(1, (pattern.inner / FEWEST_COLUMNS).max(1));
        pattern.inner.div_ceil(shares).next_multiple_of(LANES).clamp(1, pattern.inner.max(1))
    }

    /// Runs one task.
    ///
    /// # Safety
    /// `pointers` are valid for what the loop reads and writes, `scratch` and `workspace` have the sizes asked for.
    pub unsafe fn run(
        &self,
        phase: usize,
        task: usize,
        pointers: Pointers<'_>,
        scratch: *mut u8,
        workspace: *mut u8,
    ) {
        // SAFETY: passed on; the guard is one byte of an operand.
        unsafe {
            if self.guard.is_some_and(|(pointer, offset)| pointers[pointer].offset(offset).read() == 0) {
                return;
            }
            match self.pattern {
                None => {
                    let start = task * self.even_task_elements();
                    let end = (start + self.even_task_elements()).min(self.elements());
                    self.begin(pointers, scratch).run_range(start, end);
                }
                Some(pattern) if phase == 1 => self.combine(pattern, pointers, workspace),
                Some(pattern) => {
                    let first = task * self.units_per_task(pattern);
                    let last = (first + self.units_per_task(pattern)).min(self.units(pattern));
                    if pattern.inner == 1 {
                        self.reduce_rows(pattern, first, last, pointers, scratch, workspace);
                    } else {
                        self.reduce_columns(pattern, first, last, pointers, scratch, workspace);
                    }
                }
            }
        }
    }

    /// The pointers and element offsets of two operands, if all that the loop does is to add up their products, as for the
    /// norm of a gradient: these then go from memory into the lanes of the sum, and no tile of them is written.
    fn products(&self) -> Option<[(usize, isize); 2]> {
        let ([instr], [sum], []) = (&self.code[..], &self.reduces[..], &self.stores[..]) else { return None };
        let is_sum_of_products = sum.reduction == Reduction::Sum
            && sum.value == instr.result
            && sum.dtype == instr.dtype
            && matches!(instr.op, TileOp::Binary(Binary::Mul));
        let factor = |value: u16| {
            let load = self.loads.iter().find(|load| load.value == value)?;
            match load.access {
                Access::Contiguous { offset } if load.each == Each::Element => Some((load.pointer, offset)),
                _ => None,
            }
        };
        let [a, b, _] = instr.operands;
        is_sum_of_products.then_some([factor(a)?, factor(b)?])
    }

    /// Begins to run a loop without reductions; also the epilogue of a contraction, block by block.
    ///
    /// # Safety
    /// As [`FusedLoop::run`].
    pub unsafe fn begin<'a>(&'a self, pointers: Pointers<'a>, scratch: *mut u8) -> Tile<'a> {
        // SAFETY: passed on.
        unsafe { Tile::new(self, pointers, scratch) }
    }

    unsafe fn reduce_rows(
        &self,
        pattern: Pattern,
        first: usize,
        last: usize,
        pointers: Pointers<'_>,
        scratch: *mut u8,
        workspace: *mut u8,
    ) {
        // SAFETY: the caller's contract; each unit writes its own place.
        unsafe {
            let mut tile = Tile::new(self, pointers, scratch);
            let row = pattern.reduced;
            if pattern.short_row().is_some() {
                let rows_per_tile = TILE / row;
                let mut unit = first;
                while unit < last {
                    let rows = rows_per_tile.min(last - unit);
                    tile.run(unit * row, rows * row);
                    unit += rows;
                }
                return;
            }
            let products = self.products();
            let parts = self.parts(pattern);
            for unit in first..last {
                let (outer, part) = (unit / parts, unit % parts);
                let (from, to) = (part * SPAN, ((part + 1) * SPAN).min(row));
                if row == 0 {
                    for one in &self.reduces {
                        with_number!(one.dtype, T, {
                            pointers[one.pointer].cast::<T>().add(outer).write(one.reduction.identity());
                        });
                    }
                }
                let mut at = from;
                while at < to {
                    let count = TILE.min(to - at);
                    let start = outer * row + at;
                    if products.is_none() {
                        tile.run(start, count);
                    }
                    for (index, one) in self.reduces.iter().enumerate() {
                        with_number!(one.dtype, T, {
                            let leaf = match products {
                                None => reduce(self.isa, one.reduction, tile.slice::<T>(one.value, count)),
                                Some(factors) => {
                                    let [a, b] = factors.map(|(pointer, offset)| {
                                        let first = pointers[pointer].cast::<T>().offset(offset);
                                        std::slice::from_raw_parts(first.add(start), count)
                                    });
                                    sum_of_products(self.isa, a, b)
                                }
                            };
                            let place = if parts == 1 {
                                pointers[one.pointer].cast::<T>().add(outer)
                            } else {
                                self.partial(pattern, workspace, index, part).cast::<T>().add(outer)
                            };
                            place.write(if at == from {
                                leaf
                            } else {
                                one.reduction.combine(place.read(), leaf)
                            });
                        });
                    }
                    at += count;
                }
            }
        }
    }

    unsafe fn reduce_columns(
        &self,
        pattern: Pattern,
        first: usize,
        last: usize,
        pointers: Pointers<'_>,
        scratch: *mut u8,
        workspace: *mut u8,
    ) {
        // SAFETY: the caller's contract; each unit writes its own place; the sums lie behind the registers.
        unsafe {
            let mut tile = Tile::new(self, pointers, scratch);
            let sums_at = |index: usize| scratch.add((self.register_count + index) * REGISTER_BYTES);
            let (parts, inner) = (self.parts(pattern), pattern.inner);
            let (shares, columns_of_share) = (self.shares(pattern), self.columns_of_share(pattern));
            for unit in first..last {
                let (share, unit) = (unit % shares, unit / shares);
                let (outer, part) = (unit / parts, unit % parts);
                let block = pattern.rows_of_block();
                let (from, to) = (part * block, ((part + 1) * block).min(pattern.reduced));
                let base = outer * pattern.reduced * inner;
                let width = inner.min(TILE);
                let side_by_side = pattern.rows_side_by_side();
                let rows_per_tile = TILE / width / side_by_side * side_by_side;
                let mut column = share * columns_of_share;
                let end = (column + columns_of_share).min(inner);
                while column < end {
                    let columns = width.min(end - column);
                    for (index, one) in self.reduces.iter().enumerate() {
                        with_number!(one.dtype, T, {
                            let width = columns * side_by_side;
                            let sums = std::slice::from_raw_parts_mut(sums_at(index).cast::<T>(), width);
                            sums.fill(one.reduction.identity());
                        });
                    }
                    let mut row = from;
                    while row < to {
                        // Several whole rows to a tile where they are short, a piece of one row where they are long.
                        let rows = if columns == inner { rows_per_tile.min(to - row) } else { 1 };
                        tile.run(base + row * inner + column, rows * columns);
                        for (index, one) in self.reduces.iter().enumerate() {
                            with_number!(one.dtype, T, {
                                let width = columns * side_by_side;
                                let sums = std::slice::from_raw_parts_mut(sums_at(index).cast::<T>(), width);
                                accumulate(
                                    self.isa,
                                    one.reduction,
                                    tile.slice::<T>(one.value, rows * columns),
                                    sums,
                                );
                            });
                        }
                        row += rows;
                    }
                    for (index, one) in self.reduces.iter().enumerate() {
                        let target = if parts == 1 {
                            pointers[one.pointer]
                        } else {
                            self.partial(pattern, workspace, index, part)
                        };
                        if side_by_side > 1 {
                            with_number!(one.dtype, T, {
                                let width = columns * side_by_side;
                                let sums = std::slice::from_raw_parts_mut(sums_at(index).cast::<T>(), width);
                                let (first, others) = sums.split_at_mut(columns);
                                accumulate(self.isa, one.reduction, others, first);
                            });
                        }
                        let size = one.dtype.size();
                        let place = target.add((outer * inner + column) * size);
                        std::ptr::copy_nonoverlapping(sums_at(index), place, columns * size);
                    }
                    column += columns;
                }
            }
        }
    }

    /// The partial results of reduction `index` for piece `part`, one per kept element.
    unsafe fn partial(&self, pattern: Pattern, workspace: *mut u8, index: usize, part: usize) -> *mut u8 {
        let kept = pattern.outer * pattern.inner;
        // SAFETY: `workspace_bytes` counts as many places of 8 bytes.
        unsafe { workspace.add((index * self.parts(pattern) + part) * kept * 8) }
    }

    unsafe fn combine(&self, pattern: Pattern, pointers: Pointers<'_>, workspace: *mut u8) {
        let kept = pattern.outer * pattern.inner;
        for (index, one) in self.reduces.iter().enumerate() {
            // SAFETY: all partial results were written in the first phase.
            unsafe {
                with_number!(one.dtype, T, {
                    let out = std::slice::from_raw_parts_mut(pointers[one.pointer].cast::<T>(), kept);
                    for part in 0..self.parts(pattern) {
                        let partial = self.partial(pattern, workspace, index, part).cast::<T>();
                        let partial = std::slice::from_raw_parts(partial, kept);
                        if part == 0 {
                            out.copy_from_slice(partial);
                        } else {
                            accumulate(self.isa, one.reduction, partial, out);
                        }
                    }
                });
            }
        }
    }
}

/// The running state of a task: where each tile value lies at the moment.
pub struct Tile<'a> {
    program: &'a FusedLoop,
    pointers: Pointers<'a>,
    /// The registers.
    scratch: *mut u8,
    /// In the scratch memory, behind everything else.
    values: &'a mut [*mut u8],
    /// The most elements that are computed at once.
    most: usize,
    /// Whether operands come from far enough away that asking for the next tile while this one is computed pays.
    prefetch: bool,
}

impl<'a> Tile<'a> {
    /// Points every value to its register and fills what stays the same over the whole loop.
    unsafe fn new(program: &'a FusedLoop, pointers: Pointers<'a>, scratch: *mut u8) -> Self {
        let register = |register: &Option<u16>| match register {
            // SAFETY: scratch holds all registers.
            Some(index) => unsafe { scratch.add(*index as usize * REGISTER_BYTES) },
            None => std::ptr::null_mut(),
        };
        let count = program.registers.len();
        // SAFETY: the scratch memory has room for them, for this tile alone.
        let values = unsafe { std::slice::from_raw_parts_mut(program.values_at(scratch), count) };
        values.iter_mut().zip(&program.registers).for_each(|(value, index)| *value = register(index));
        let count = program.repeats;
        for &(value, dtype, literal) in &program.constants {
            // SAFETY: the register has room for a tile.
            unsafe { fill(literal, dtype, values[value as usize], count) }
        }
        for load in &program.loads {
            if let Access::Uniform { offset } = load.access {
                let size = load.dtype.size();
                // SAFETY: the operand has this element, the register room for a tile.
                unsafe {
                    let from = pointers[load.pointer].offset(offset * size as isize);
                    repeat(from, values[load.value as usize], size, count);
                }
            }
            if let Access::Periodic { offset, period } = load.access {
                let size = load.dtype.size();
                // SAFETY: the operand has a whole period; the register has room for a tile and a period.
                unsafe {
                    let from = pointers[load.pointer].offset(offset * size as isize);
                    let count = TILE.min(program.elements()) + period;
                    repeat_period(from, values[load.value as usize], size * period, size * count);
                }
            }
        }
        let most = if program.is_one_walk { usize::MAX } else { TILE };
        let prefetch = !program.is_one_walk && program.elements() >= PREFETCH_ELEMENTS;
        Tile { program, pointers, scratch, values, most, prefetch }
    }

    /// Computes and stores the elements of a flat range.
    ///
    /// # Safety
    /// As [`FusedLoop::run`].
    pub unsafe fn run_range(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let count = self.most.min(end - at);
            // SAFETY: passed on.
            unsafe { self.run(at, count) }
            at += count;
        }
    }

    /// Computes and stores the `count` elements from flat position `start` on.
    unsafe fn run(&mut self, start: usize, count: usize) {
        if count == 0 {
            return;
        }
        let program = self.program;
        let row = program.pattern.and_then(Pattern::short_row).unwrap_or(1);
        let part = |each: Each| match each {
            Each::Element => (start, count),
            Each::Row => (start / row, count / row),
        };
        // SAFETY: the loop's loads and stores lie inside its buffers for every element of the iteration.
        unsafe {
            for load in &program.loads {
                let base = self.pointers[load.pointer];
                let size = load.dtype.size() as isize;
                let (start, count) = part(load.each);
                match &load.access {
                    Access::Contiguous { offset } => {
                        let from = base.offset((offset + start as isize) * size);
                        self.values[load.value as usize] = from;
                        if self.prefetch {
                            prefetch(from.wrapping_add(TILE * size as usize), count * size as usize);
                        }
                    }
                    Access::Uniform { .. } => {}
                    Access::Periodic { period, .. } => {
                        let register = program.registers[load.value as usize].unwrap_or_default();
                        let first = register as usize * REGISTER_BYTES + start % period * size as usize;
                        self.values[load.value as usize] = self.scratch.add(first);
                    }
                    Access::Strided { offset, strides } => {
                        let from = base.offset(offset * size);
                        let to = self.values[load.value as usize];
                        match size {
                            1 => gather(from, to, &program.sizes, strides, start, count),
                            2 => gather(from.cast::<u16>(), to.cast(), &program.sizes, strides, start, count),
                            4 => gather(from.cast::<u32>(), to.cast(), &program.sizes, strides, start, count),
                            _ => gather(from.cast::<u64>(), to.cast(), &program.sizes, strides, start, count),
                        }
                    }
                }
            }
            for store in &program.stores {
                if store.direct {
                    let (start, _) = part(store.each);
                    self.values[store.value as usize] =
                        self.pointers[store.pointer].add(start * store.dtype.size());
                }
            }
            for step in &program.steps {
                let (start, count) = part(program.code[step.range().start].each);
                match step {
                    Step::Native(_, native) => native.run(self.values, count),
                    Step::Interpreted(range) => {
                        run_tile(program.isa, &program.code[range.clone()], self.values, start, count);
                    }
                }
            }
            for store in &program.stores {
                if !store.direct {
                    let size = store.dtype.size();
                    let (start, count) = part(store.each);
                    let to = self.pointers[store.pointer].add(start * size);
                    std::ptr::copy(self.values[store.value as usize], to, count * size);
                }
            }
        }
    }

    /// The elements of a tile value after [`Tile::run`].
    unsafe fn slice<T: Number>(&self, value: u16, count: usize) -> &[T] {
        // SAFETY: the caller names a value of this type that holds `count` elements.
        unsafe { std::slice::from_raw_parts(self.values[value as usize].cast(), count) }
    }
}
