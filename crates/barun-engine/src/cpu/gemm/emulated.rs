//! The AMX tiles in plain Rust, so that packing and the loops around them are tested on every machine, and the
//! instructions against their definition where there are any.

use half::bf16;

use super::micro::Panel;
use crate::bfloat::widen;

/// The two numbers of a cell.
pub(crate) fn parts(cell: f32) -> [f32; 2] {
    let bits = cell.to_bits();
    [bits as u16, (bits >> 16) as u16].map(|half| widen(bf16::from_bits(half)))
}

/// What `tiles::panel` computes: over 16 cells the first of all pairs are summed apart from the second, then both sums
/// are added together, and that to what is there.
///
/// # Safety
/// As for `tiles::panel`.
pub(crate) unsafe fn panel(p: &Panel<'_, f32>) {
    const CELLS: usize = 16;
    assert!(p.runs.len() == 1 && p.runs[0].len.is_multiple_of(CELLS) && p.a_column == 1);
    for (&a_row, &c_row) in p.a_rows.iter().zip(p.c_rows) {
        for j in 0..p.columns {
            // SAFETY: the caller's.
            unsafe {
                let c = p.c.add(c_row + j);
                let mut sum = if p.add { *c } else { 0.0 };
                for step in (0..p.runs[0].len).step_by(CELLS) {
                    let mut sums = [0f32; 2];
                    for cell in step..step + CELLS {
                        let left = parts(*p.a.add(a_row + p.runs[0].offset + cell));
                        let right = parts(*p.b.add(cell * p.b_row + j));
                        for half in 0..2 {
                            sums[half] = left[half].mul_add(right[half], sums[half]);
                        }
                    }
                    sum += sums[0] + sums[1];
                }
                *c = sum;
            }
        }
    }
}
