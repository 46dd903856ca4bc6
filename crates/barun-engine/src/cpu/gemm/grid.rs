//! How a product is cut into tasks.

use super::micro::{Micro, Real};

/// Below this a task costs more to hand out than it gains.
pub(crate) const SMALLEST_TASK_FLOPS: f64 = 0.25e6;

/// Cells of an output: `rows x columns` tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub rows: usize,
    pub columns: usize,
}

impl Grid {
    pub fn tasks(self) -> usize {
        self.rows * self.columns
    }

    /// The grid of at most `most` cells with the least expected time, averaged over teams of 1 to 16 threads.
    /// `copies` is how many times the grid is worked through (stretches of `k`); `left_cost` and `right_cost` are the
    /// cycles it takes to make one element of an operand ready for the micro-kernel.
    #[allow(clippy::too_many_arguments)]
    pub fn choose<T: Real>(
        micro: &Micro<T>,
        rows: usize,
        columns: usize,
        k: usize,
        most: usize,
        copies: usize,
        left_cost: f64,
        right_cost: f64,
    ) -> Grid {
        let (row_tiles, column_tiles) = (rows.div_ceil(micro.rows), columns.div_ceil(micro.columns));
        let cost = |grid: Grid| {
            let rows = (row_tiles.div_ceil(grid.rows) * micro.rows) as f64;
            let columns = (column_tiles.div_ceil(grid.columns) * micro.columns) as f64;
            let multiply = rows * columns / micro.columns as f64;
            let task = 500.0 + k as f64 * (multiply + rows * left_cost + columns * right_cost);
            let tasks = grid.tasks() * copies;
            [1usize, 2, 4, 8, 16]
                .iter()
                .map(|&threads| tasks.div_ceil(threads) as f64 * threads as f64 * task)
                .sum::<f64>()
        };
        let mut best = Grid { rows: 1, columns: 1 };
        let mut least = cost(best);
        for columns in 1..=column_tiles.min(most) {
            for rows in 1..=row_tiles.min(most / columns) {
                let grid = Grid { rows, columns };
                let cost = cost(grid);
                if cost < least {
                    (best, least) = (grid, cost);
                }
            }
        }
        best
    }
}

/// Tasks for a row of so many columns, for which so many bytes are read. Each reads pieces of lines that are long enough
/// to be fetched ahead, and a power of two suits most teams.
pub(crate) fn tasks_of_row(columns: usize, bytes: usize) -> usize {
    const TASK_BYTES: usize = 256 << 10;
    const FEWEST_COLUMNS: usize = 128;
    1 << (bytes / TASK_BYTES).min(columns / FEWEST_COLUMNS).clamp(1, 16).ilog2()
}

/// Tasks for going over `elements` numbers once, such as adding or packing them.
pub(crate) fn tasks_of_pass(elements: usize) -> usize {
    (elements / 32_768).clamp(1, 16)
}
