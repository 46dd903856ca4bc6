//! Panels on AMX: tile registers of 16 rows of 64 bytes, and the instruction that multiplies them.
//!
//! Four of the eight registers hold 32 x 32 sums, two hold 32 rows by 16 cells of the left operand, two 16 cells by 32
//! columns of the right one (cells: see `pairs.rs`). Rust has no stable intrinsics for them, so the whole loop over
//! `k` is assembly.
//!
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, LDTILECFG and TDPBF16PS; Georganas et al.,
//! 2021, "Tensor Processing Primitives", on two by two tiles.

use std::arch::asm;

use super::micro::Panel;

/// Cells of a row of a tile, and rows of a tile.
pub(super) const CELLS: usize = 16;

/// Memory that tiles are read from and written to where the output's rows cannot be: 32 rows of 32 sums.
#[repr(align(64))]
struct Sums([f32; 4 * CELLS * CELLS]);

/// What `ldtilecfg` loads: palette 1, then from byte 16 on the bytes of a row of each tile, and from byte 48 on the rows.
#[repr(align(64))]
struct Configuration([u8; 64]);

impl Configuration {
    /// For `rows` of the left operand and of the sums, at most 32: tiles 0 to 3 are sums, two by two, 4 and 5 the left
    /// operand, 6 and 7 the right one.
    fn of(rows: usize) -> Configuration {
        let upper = rows.min(CELLS) as u8;
        let lower = rows as u8 - upper;
        let mut bytes = [0; 64];
        bytes[0] = 1;
        for (tile, rows) in [upper, upper, lower, lower, upper, lower, 16, 16].into_iter().enumerate() {
            if rows > 0 {
                bytes[16 + 2 * tile] = 64;
                bytes[48 + tile] = rows;
            }
        }
        Configuration(bytes)
    }
}

/// At most 32 rows of a panel.
struct Strip {
    a: *const f32,
    /// Distance between rows, in bytes; so are all below.
    a_row: usize,
    b: *const f32,
    b_row: usize,
    /// Steps of 16 cells.
    steps: usize,
    c: *mut f32,
    c_row: usize,
    /// Begin with what `c` holds instead of zero.
    add: bool,
}

/// The loop over `k` for some number of tiles down and across.
macro_rules! strip {
    ($name:ident, zero: [$($zero:literal)*], load: [$($load:literal)*], step: [$($step:literal)*],
     store: [$($store:literal)*]) => {
        /// # Safety
        /// The tiles are configured for the strip's rows, and whole tiles of it can be read and written.
        unsafe fn $name(strip: &Strip) {
            // SAFETY: reads and writes what the caller vouches for, and nothing but the registers told.
            unsafe {
                asm!(
                    $($zero,)*
                    "mov {c_low}, {c_row}",
                    "shl {c_low}, 4",
                    "add {c_low}, {c}",
                    "test {add}, {add}",
                    "jz 2f",
                    $($load,)*
                    "2:",
                    $($step,)*
                    "add {a}, 64",
                    "add {a_low}, 64",
                    "add {b}, {b_step}",
                    "dec {steps}",
                    "jnz 2b",
                    $($store,)*
                    a = inout(reg) strip.a => _,
                    a_low = inout(reg) strip.a.wrapping_byte_add(CELLS * strip.a_row) => _,
                    a_row = in(reg) strip.a_row,
                    b = inout(reg) strip.b => _,
                    b_row = in(reg) strip.b_row,
                    b_step = in(reg) CELLS * strip.b_row,
                    steps = inout(reg) strip.steps => _,
                    c = in(reg) strip.c,
                    c_low = out(reg) _,
                    c_row = in(reg) strip.c_row,
                    add = in(reg) usize::from(strip.add),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

strip!(two_by_two,
    zero: ["tilezero tmm0" "tilezero tmm1" "tilezero tmm2" "tilezero tmm3"],
    load: ["tileloadd tmm0, [{c} + {c_row}*1]" "tileloadd tmm1, [{c} + {c_row}*1 + 64]"
           "tileloadd tmm2, [{c_low} + {c_row}*1]" "tileloadd tmm3, [{c_low} + {c_row}*1 + 64]"],
    step: ["tileloadd tmm4, [{a} + {a_row}*1]" "tileloadd tmm6, [{b} + {b_row}*1]"
           "tdpbf16ps tmm0, tmm4, tmm6"
           "tileloadd tmm7, [{b} + {b_row}*1 + 64]"
           "tdpbf16ps tmm1, tmm4, tmm7"
           "tileloadd tmm5, [{a_low} + {a_row}*1]"
           "tdpbf16ps tmm2, tmm5, tmm6"
           "tdpbf16ps tmm3, tmm5, tmm7"],
    store: ["tilestored [{c} + {c_row}*1], tmm0" "tilestored [{c} + {c_row}*1 + 64], tmm1"
            "tilestored [{c_low} + {c_row}*1], tmm2" "tilestored [{c_low} + {c_row}*1 + 64], tmm3"]);

strip!(two_by_one,
    zero: ["tilezero tmm0" "tilezero tmm2"],
    load: ["tileloadd tmm0, [{c} + {c_row}*1]" "tileloadd tmm2, [{c_low} + {c_row}*1]"],
    step: ["tileloadd tmm4, [{a} + {a_row}*1]" "tileloadd tmm6, [{b} + {b_row}*1]"
           "tdpbf16ps tmm0, tmm4, tmm6"
           "tileloadd tmm5, [{a_low} + {a_row}*1]"
           "tdpbf16ps tmm2, tmm5, tmm6"],
    store: ["tilestored [{c} + {c_row}*1], tmm0" "tilestored [{c_low} + {c_row}*1], tmm2"]);

strip!(one_by_two,
    zero: ["tilezero tmm0" "tilezero tmm1"],
    load: ["tileloadd tmm0, [{c} + {c_row}*1]" "tileloadd tmm1, [{c} + {c_row}*1 + 64]"],
    step: ["tileloadd tmm4, [{a} + {a_row}*1]" "tileloadd tmm6, [{b} + {b_row}*1]"
           "tdpbf16ps tmm0, tmm4, tmm6"
           "tileloadd tmm7, [{b} + {b_row}*1 + 64]"
           "tdpbf16ps tmm1, tmm4, tmm7"],
    store: ["tilestored [{c} + {c_row}*1], tmm0" "tilestored [{c} + {c_row}*1 + 64], tmm1"]);

strip!(one_by_one,
    zero: ["tilezero tmm0"],
    load: ["tileloadd tmm0, [{c} + {c_row}*1]"],
    step: ["tileloadd tmm4, [{a} + {a_row}*1]" "tileloadd tmm6, [{b} + {b_row}*1]" "tdpbf16ps tmm0, tmm4, tmm6"],
    store: ["tilestored [{c} + {c_row}*1], tmm0"]);

/// A panel of either width, its operands packed by `pairs.rs` in whole steps of [`CELLS`].
///
/// # Safety
/// As for [`Micro::panel`](super::micro::Micro::panel); this process may use the tiles.
pub(super) unsafe fn panel(p: &Panel<'_, f32>) {
    debug_assert!(p.runs.len() == 1 && p.runs[0].len.is_multiple_of(CELLS) && p.a_column == 1);
    let mut configured = 0;
    for first in (0..p.a_rows.len()).step_by(2 * CELLS) {
        let rows = (p.a_rows.len() - first).min(2 * CELLS);
        // SAFETY: the caller's; the tiles are configured for the rows of the strip, and released behind the last.
        unsafe {
            if rows != configured {
                asm!("ldtilecfg [{}]", in(reg) Configuration::of(rows).0.as_ptr(), options(nostack));
                configured = rows;
            }
            strip(p, first, rows);
        }
    }
    // SAFETY: without tiles in use the system need not save them.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// Rows `first .. first + rows` of a panel, by way of memory of its own where they cannot be stored as whole tiles.
///
/// # Safety
/// As for [`panel`]; the tiles are configured for `rows`.
unsafe fn strip(p: &Panel<'_, f32>, first: usize, rows: usize) {
    const F32: usize = size_of::<f32>();
    let (a_rows, c_rows) = (&p.a_rows[first..first + rows], &p.c_rows[first..first + rows]);
    let step = |rows: &[usize]| if rows.len() > 1 { rows[1].wrapping_sub(rows[0]) } else { 0 };
    let is_even = c_rows.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step(c_rows));
    let mut strip = Strip {
        a: p.a.wrapping_add(a_rows[0] + p.runs[0].offset),
        a_row: step(a_rows) * F32,
        b: p.b,
        b_row: p.b_row * F32,
        steps: p.runs[0].len / CELLS,
        c: p.c.wrapping_add(c_rows[0]),
        c_row: step(c_rows).wrapping_mul(F32),
        add: p.add,
    };
    let run = match (rows > CELLS, p.b_row > CELLS) {
        (true, true) => two_by_two,
        (true, false) => two_by_one,
        (false, true) => one_by_two,
        (false, false) => one_by_one,
    };
    // SAFETY: the caller's; the memory holds 32 rows of 32 sums.
    unsafe {
        if is_even && p.columns == p.b_row {
            return run(&strip);
        }
        let mut sums = Sums([0.0; 4 * CELLS * CELLS]);
        let row = |i: usize| 2 * CELLS * i..2 * CELLS * i + p.columns;
        (strip.c, strip.c_row) = (sums.0.as_mut_ptr(), 2 * CELLS * F32);
        if p.add {
            for (i, &c) in c_rows.iter().enumerate() {
                sums.0[row(i)].copy_from_slice(std::slice::from_raw_parts(p.c.add(c), p.columns));
            }
            strip.c = sums.0.as_mut_ptr();
        }
        run(&strip);
        for (i, &c) in c_rows.iter().enumerate() {
            std::slice::from_raw_parts_mut(p.c.add(c), p.columns).copy_from_slice(&sums.0[row(i)]);
        }
    }
}
