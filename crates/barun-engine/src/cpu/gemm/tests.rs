use super::micro::sealed::Kernels;
use super::*;
use crate::cpu::testing::*;
use half::bf16;

/// `sum of a * b` and `sum of |a * b|` in f64.
fn naive<T: Sample>(spec: &GemmSpec, a: &[T], b: &[T]) -> Vec<(f64, f64)> {
    let mut c = Vec::new();
    for item in 0..spec.batch {
        for i in 0..spec.m {
            for j in 0..spec.n {
                let (mut sum, mut size) = (0.0, 0.0);
                for p in 0..spec.k {
                    let x: f64 = a[item * spec.a.batch + i * spec.a.row + p * spec.a.column].into();
                    let y: f64 = b[item * spec.b.batch + p * spec.b.row + j * spec.b.column].into();
                    sum += x * y;
                    size += (x * y).abs();
                }
                c.push((sum, size));
            }
        }
    }
    c
}

fn elements(strides: MatrixStrides, batch: usize, rows: usize, columns: usize) -> usize {
    (batch - 1) * strides.batch + (rows - 1) * strides.row + (columns - 1) * strides.column + 1
}

/// Strides of one of the ways a matrix may lie in memory.
fn random_strides(dice: &mut Dice, rows: usize, columns: usize) -> MatrixStrides {
    let gap = dice.between(0, 3);
    let mut strides = match dice.between(0, 3) {
        0 => MatrixStrides::row_major(rows, columns),
        1 => MatrixStrides::transposed(rows, columns),
        2 => MatrixStrides { batch: rows * (columns + gap), row: columns + gap, column: 1 },
        _ => MatrixStrides { batch: columns * 2 * rows + gap, row: 2, column: 2 * rows },
    };
    if dice.between(0, 3) == 0 {
        strides.batch = 0;
    }
    strides
}

fn random_spec(dice: &mut Dice, largest: usize) -> GemmSpec {
    let mut size = || if dice.between(0, 3) == 0 { dice.between(1, 4) } else { dice.between(1, largest) };
    let (m, n, k) = (size(), size(), size());
    let batch = if dice.between(0, 2) == 0 { dice.between(2, 5) } else { 1 };
    GemmSpec { batch, m, n, k, a: random_strides(dice, m, k), b: random_strides(dice, k, n) }
}

fn operands<T: Sample>(dice: &mut Dice, spec: &GemmSpec) -> (Vec<T>, Vec<T>) {
    let a = samples(dice, elements(spec.a, spec.batch, spec.m, spec.k));
    let b = samples(dice, elements(spec.b, spec.batch, spec.k, spec.n));
    (a, b)
}

/// Compares with the plain loop, within the bound on the rounding of `k` terms.
fn check<T: Sample>(spec: &GemmSpec, gemm: &Gemm<T>, a: &[T], b: &[T]) -> Vec<T::Sum> {
    let len = spec.batch * spec.m * spec.n;
    let (c, blocks) = run_all(gemm, &[a, b], len, Order::Forwards);
    assert_covers(&blocks, spec.batch * spec.m, spec.n);
    let bound = (spec.k as f64 + 2.0) * T::EPSILON;
    for (i, (&got, (expected, size))) in c.iter().zip(naive(spec, a, b)).enumerate() {
        let got: f64 = got.into();
        assert!((got - expected).abs() <= bound * size, "{spec:?}: element {i} is {got}, not {expected}");
    }
    c
}

fn every_isa_agrees_with_the_plain_loop_on<T: Sample>(
    spec: &GemmSpec,
    dice: &mut Dice,
    wide: &'static Micro<T>,
) {
    let (a, b) = operands::<T>(dice, spec);
    let mut fused: Option<Vec<T::Sum>> = None;
    for isa in Isa::available() {
        let c = check(spec, &Gemm::<T>::new(*spec, isa), &a, &b);
        // Pairs are rounded in another order.
        if isa > Isa::Scalar && !T::micro(isa).of_pairs() {
            let first = fused.get_or_insert_with(|| c.clone());
            assert!(*first == c, "{spec:?}: {isa} differs from a narrower vector path");
        }
    }
    let c = check(spec, &Gemm::plan(*spec, RightOperand::Varying, wide), &a, &b);
    if let Some(fused) = fused {
        assert!(fused == c, "{spec:?}: wide tiles give other bits");
    }
}

#[test]
fn random_products_agree_with_the_plain_loop_under_every_isa() {
    let mut dice = Dice::new(1);
    for round in 0..300 {
        let spec = random_spec(&mut dice, if round % 10 == 0 { 150 } else { 40 });
        every_isa_agrees_with_the_plain_loop_on::<f32>(&spec, &mut dice, &micro::WIDE_F32);
        every_isa_agrees_with_the_plain_loop_on::<f64>(&spec, &mut dice, &micro::WIDE_F64);
        every_isa_agrees_with_the_plain_loop_on::<bf16>(&spec, &mut dice, &micro::WIDE_BF16);
    }
}

#[test]
fn products_that_are_cut_along_k_agree_with_the_plain_loop() {
    let mut dice = Dice::new(2);
    for (m, n, k) in [(3, 5, 2500), (64, 33, 2048), (1, 1, 4099), (7, 200, 3001)] {
        let (a, b) = (MatrixStrides::row_major(m, k), MatrixStrides::transposed(k, n));
        for (a, b) in [(a, b), (MatrixStrides::transposed(m, k), MatrixStrides::row_major(k, n))] {
            let spec = GemmSpec { batch: 1, m, n, k, a, b };
            every_isa_agrees_with_the_plain_loop_on::<f32>(&spec, &mut dice, &micro::WIDE_F32);
            every_isa_agrees_with_the_plain_loop_on::<bf16>(&spec, &mut dice, &micro::WIDE_BF16);
        }
    }
    assert!(splits_of_depth(64, 128, 9216, 1) == 8 && splits_of_depth(128, 512, 784, 1) == 1);
}

#[test]
fn every_edge_of_the_tiles_is_right() {
    let mut dice = Dice::new(3);
    for m in 1..=30 {
        for n in [1, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33] {
            let k = dice.between(1, 12);
            let (a, b) = (random_strides(&mut dice, m, k), random_strides(&mut dice, k, n));
            let spec = GemmSpec { batch: 1, m, n, k, a, b };
            every_isa_agrees_with_the_plain_loop_on::<f32>(&spec, &mut dice, &micro::WIDE_F32);
            every_isa_agrees_with_the_plain_loop_on::<f64>(&spec, &mut dice, &micro::WIDE_F64);
            every_isa_agrees_with_the_plain_loop_on::<bf16>(&spec, &mut dice, &micro::WIDE_BF16);
        }
    }
}

#[test]
fn single_rows_and_columns_agree_with_the_plain_loop() {
    let mut dice = Dice::new(8);
    for round in 0..120 {
        let (long, k) = (dice.between(1, 300), dice.between(1, if round % 8 == 0 { 2500 } else { 90 }));
        let (m, n) = if round % 2 == 0 { (1, long) } else { (long, 1) };
        let batch = dice.between(1, 3);
        let (a, b) = (random_strides(&mut dice, m, k), random_strides(&mut dice, k, n));
        let spec = GemmSpec { batch, m, n, k, a, b };
        every_isa_agrees_with_the_plain_loop_on::<f32>(&spec, &mut dice, &micro::WIDE_F32);
        every_isa_agrees_with_the_plain_loop_on::<f64>(&spec, &mut dice, &micro::WIDE_F64);
        every_isa_agrees_with_the_plain_loop_on::<bf16>(&spec, &mut dice, &micro::WIDE_BF16);
    }
}

fn a_row_alone_has_the_bits_it_has_among_others<T: Sample>(n: usize, k: usize, dice: &mut Dice) {
    let rows = 9;
    let spec = |m| GemmSpec {
        batch: 1,
        m,
        n,
        k,
        a: MatrixStrides::row_major(m, k),
        b: MatrixStrides::row_major(k, n),
    };
    let (a, b) = operands::<T>(dice, &spec(rows));
    for isa in Isa::available() {
        let product =
            |m: usize| run_all(&Gemm::<T>::new(spec(m), isa), &[&a[..m * k], &b], m * n, Order::Forwards).0;
        assert!(product(1) == product(rows)[..n], "{n} columns, {k} terms, {isa}");
    }
}

#[test]
fn a_single_row_has_the_bits_of_the_row_in_a_taller_product() {
    let mut dice = Dice::new(12);
    for (n, k) in [(1100, 37), (512, 784), (130, 300), (128, 2500), (10, 256), (5, 3)] {
        a_row_alone_has_the_bits_it_has_among_others::<f32>(n, k, &mut dice);
        a_row_alone_has_the_bits_it_has_among_others::<f64>(n, k, &mut dice);
    }
}

#[test]
fn a_single_row_is_shared_out_in_wide_strips() {
    let tasks = |n, k| {
        let (a, b) = (MatrixStrides::row_major(1, k), MatrixStrides::row_major(k, n));
        Gemm::<f32>::new(GemmSpec { batch: 1, m: 1, n, k, a, b }, Isa::Scalar).phases()[0]
    };
    assert_eq!([tasks(512, 784), tasks(256, 512), tasks(10, 256)], [4, 2, 1]);
    assert_eq!(tasks(128, 9216), 8, "a long sum is cut along it");
}

fn the_order_does_not_show<T: Sample>(spec: &GemmSpec, dice: &mut Dice) {
    let (a, b) = operands::<T>(dice, spec);
    for isa in Isa::available() {
        let gemm = Gemm::<T>::new(*spec, isa);
        assert!(gemm.phases()[0] > 1, "{spec:?} is one task");
        let [first, second, third] = ORDERS.map(|order| run_all(&gemm, &[&a, &b], spec.m * spec.n, order).0);
        assert!(first == second && first == third, "{spec:?} under {isa}");
    }
}

#[test]
fn the_order_of_tasks_does_not_show_in_the_bits() {
    let mut dice = Dice::new(4);
    let shapes = [(128, 160, 300), (200, 200, 64), (64, 128, 2304), (5, 700, 90), (640, 10, 70)];
    for (m, n, k) in shapes {
        let spec = GemmSpec {
            batch: 1,
            m,
            n,
            k,
            a: MatrixStrides::row_major(m, k),
            b: MatrixStrides::transposed(k, n),
        };
        the_order_does_not_show::<f32>(&spec, &mut dice);
        the_order_does_not_show::<bf16>(&spec, &mut dice);
    }
}

#[test]
fn the_way_it_is_cut_into_tasks_does_not_show_in_the_bits() {
    let mut dice = Dice::new(5);
    let (m, n, k) = (100, 130, 520);
    let (a, b) = (MatrixStrides::transposed(m, k), MatrixStrides::row_major(k, n));
    let spec = GemmSpec { batch: 1, m, n, k, a, b };
    let (a, b) = operands::<f32>(&mut dice, &spec);
    for isa in Isa::available() {
        let mut gemm = Gemm::<f32>::new(spec, isa);
        let (expected, _) = run_all(&gemm, &[&a, &b], m * n, Order::Forwards);
        for grid in [Grid { rows: 1, columns: 1 }, Grid { rows: 3, columns: 2 }, Grid { rows: 7, columns: 5 }]
        {
            gemm.grid = grid;
            gemm.phases = vec![grid.tasks()];
            let (c, blocks) = run_all(&gemm, &[&a, &b], m * n, Order::Backwards);
            assert_covers(&blocks, m, n);
            assert!(c == expected, "{grid:?} under {isa}");
        }
    }
}

#[test]
fn products_agree_with_the_gemm_crate() {
    let mut dice = Dice::new(6);
    for _ in 0..40 {
        let spec = GemmSpec { batch: 1, ..random_spec(&mut dice, 300) };
        let GemmSpec { m, n, k, .. } = spec;
        let (a, b) = operands::<f32>(&mut dice, &spec);
        let mut expected = vec![0f32; m * n];
        // SAFETY: the operands have these shapes and strides.
        unsafe {
            ::gemm::gemm(
                m,
                n,
                k,
                expected.as_mut_ptr(),
                1,
                n as isize,
                false,
                a.as_ptr(),
                spec.a.column as isize,
                spec.a.row as isize,
                b.as_ptr(),
                spec.b.column as isize,
                spec.b.row as isize,
                0.0,
                1.0,
                false,
                false,
                false,
                ::gemm::Parallelism::None,
            );
        }
        let (c, _) = run_all(&Gemm::<f32>::new(spec, Isa::detect()), &[&a, &b], m * n, Order::Forwards);
        let bound = 2.0 * k as f32 * f32::EPSILON;
        for ((&got, &want), (_, size)) in c.iter().zip(&expected).zip(naive(&spec, &a, &b)) {
            assert!((got - want).abs() <= bound * size as f32, "{spec:?}: {got} is not {want}");
        }
    }
}

#[test]
fn small_products_are_one_task_and_large_ones_keep_a_team_busy() {
    let tasks = |m: usize, n: usize, k: usize| {
        let (a, b) = (MatrixStrides::row_major(m, k), MatrixStrides::row_major(k, n));
        Gemm::<f32>::new(GemmSpec { batch: 1, m, n, k, a, b }, Isa::detect()).phases()[0]
    };
    assert_eq!(tasks(32, 32, 32), 1);
    assert_eq!(tasks(1, 10, 512), 1);
    for (m, n, k) in [(128, 512, 784), (128, 256, 512), (784, 512, 128), (64, 128, 9216), (50_000, 64, 288)] {
        assert!((8..=64).contains(&tasks(m, n, k)), "{m} x {n} x {k} has {} tasks", tasks(m, n, k));
    }
}

#[test]
fn packed_transposes_equal_the_plain_loop() {
    fn check<T: Sample>(micro: &Micro<T>, dice: &mut Dice) {
        let (k, columns) = (dice.between(1, 40), dice.between(1, 70));
        let from: Vec<T> = samples(dice, k * columns);
        let width = micro.packed_columns(columns);
        let mut to = vec![T::of(7.0).widen(); k * width];
        let (row, column) = (1, k);
        // SAFETY: `from` is columns x k, `to` k x width.
        unsafe {
            (micro.pack_right)(&micro::Packing {
                from: from.as_ptr(),
                row,
                column,
                k,
                count: columns,
                to: to.as_mut_ptr(),
                whole_k: k,
                first_k: 0,
            });
        }
        let mut panel = 0;
        while panel < columns {
            let wide = micro.panel_width(columns - panel);
            for p in 0..k {
                for j in 0..wide {
                    let expected = if panel + j < columns { from[(panel + j) * k + p] } else { T::default() };
                    let expected = expected.widen();
                    assert!(to[panel * k + p * wide + j] == expected);
                }
            }
            panel += wide;
        }
    }
    let mut dice = Dice::new(7);
    for _ in 0..100 {
        for isa in Isa::available() {
            check::<f32>(f32::micro(isa), &mut dice);
            check::<f64>(f64::micro(isa), &mut dice);
            if !bf16::micro(isa).of_pairs() {
                check::<bf16>(bf16::micro(isa), &mut dice);
            }
        }
        check::<f32>(&micro::WIDE_F32, &mut dice);
        check::<bf16>(&micro::WIDE_BF16, &mut dice);
    }
}

#[test]
fn products_of_bf16_have_the_bits_of_the_same_numbers_in_f32() {
    let mut dice = Dice::new(9);
    for _ in 0..40 {
        let mut spec = random_spec(&mut dice, 120);
        // A single row or column of f32 is summed in another order.
        (spec.m, spec.n) = (spec.m.max(2), spec.n.max(2));
        let (a, b) = (random_strides(&mut dice, spec.m, spec.k), random_strides(&mut dice, spec.k, spec.n));
        spec = GemmSpec { a, b, ..spec };
        let (a, b) = operands::<bf16>(&mut dice, &spec);
        let wide = |from: &[bf16]| from.iter().map(|x| x.to_f32()).collect::<Vec<_>>();
        let len = spec.batch * spec.m * spec.n;
        for isa in Isa::available().into_iter().filter(|&isa| !bf16::micro(isa).of_pairs()) {
            let (narrow, _) = run_all(&Gemm::<bf16>::new(spec, isa), &[&a, &b], len, Order::Forwards);
            let (expected, _) =
                run_all(&Gemm::<f32>::new(spec, isa), &[&wide(&a), &wide(&b)], len, Order::Forwards);
            assert!(narrow == expected, "{spec:?} under {isa}");
        }
    }
}

/// The kernels of pairs, emulated, and the instruction set of the real ones.
const PAIRS: [(Isa, &Micro<bf16>); 2] =
    [(Isa::Avx512Bf16, &pairs::EMULATED_AVX512), (Isa::Amx, &pairs::EMULATED_AMX)];

fn pairs_agree_with_the_plain_loop_on(spec: &GemmSpec, dice: &mut Dice) {
    let (a, b) = operands::<bf16>(dice, spec);
    for (isa, emulated) in PAIRS {
        let expected = check(spec, &Gemm::plan(*spec, RightOperand::Varying, emulated), &a, &b);
        if isa.is_available() {
            let len = spec.batch * spec.m * spec.n;
            let (c, _) = run_all(&Gemm::<bf16>::new(*spec, isa), &[&a, &b], len, Order::Forwards);
            let differs = c.iter().zip(&expected).position(|(got, expected)| got != expected);
            assert!(differs.is_none(), "{spec:?}: element {differs:?} of {isa} differs from its emulation");
        }
    }
}

#[test]
fn products_by_pairs_agree_with_the_plain_loop_and_with_their_emulation() {
    let mut dice = Dice::new(10);
    for round in 0..200 {
        let spec = random_spec(&mut dice, if round % 10 == 0 { 150 } else { 40 });
        pairs_agree_with_the_plain_loop_on(&spec, &mut dice);
    }
}

#[test]
fn every_edge_of_the_tiles_of_pairs_is_right() {
    let mut dice = Dice::new(11);
    for m in [1, 2, 9, 10, 11, 15, 16, 17, 31, 32, 33, 48, 49, 100] {
        for n in [1, 15, 16, 17, 31, 32, 33, 49, 64] {
            for k in [1, 2, 31, 32, 33, 63, 300] {
                let (a, b) = (random_strides(&mut dice, m, k), random_strides(&mut dice, k, n));
                pairs_agree_with_the_plain_loop_on(&GemmSpec { batch: 1, m, n, k, a, b }, &mut dice);
            }
        }
    }
}

#[test]
fn long_sums_of_pairs_are_cut_and_agree_with_the_plain_loop() {
    let mut dice = Dice::new(12);
    for (m, n, k) in [(3, 5, 2500), (64, 33, 2048), (1, 1, 4099), (7, 200, 3001)] {
        let (a, b) = (MatrixStrides::transposed(m, k), MatrixStrides::transposed(k, n));
        let spec = GemmSpec { batch: 1, m, n, k, a, b };
        pairs_agree_with_the_plain_loop_on(&spec, &mut dice);
        let gemm = Gemm::plan(spec, RightOperand::Varying, &pairs::EMULATED_AMX);
        let (a, b) = operands::<bf16>(&mut dice, &spec);
        let [first, second, third] = ORDERS.map(|order| run_all(&gemm, &[&a, &b], m * n, order).0);
        assert!(first == second && first == third, "{spec:?}");
    }
}

#[test]
fn the_way_a_product_of_pairs_is_cut_does_not_show_in_the_bits() {
    let mut dice = Dice::new(13);
    let (m, n, k) = (100, 130, 520);
    let (a, b) = (MatrixStrides::transposed(m, k), MatrixStrides::row_major(k, n));
    let spec = GemmSpec { batch: 1, m, n, k, a, b };
    let (a, b) = operands::<bf16>(&mut dice, &spec);
    let real = PAIRS.into_iter().filter(|(isa, _)| isa.is_available()).map(|(isa, _)| bf16::micro(isa));
    for micro in PAIRS.into_iter().map(|(_, emulated)| emulated).chain(real) {
        let mut gemm = Gemm::plan(spec, RightOperand::Varying, micro);
        let (expected, _) = run_all(&gemm, &[&a, &b], m * n, Order::Forwards);
        for grid in [Grid { rows: 1, columns: 1 }, Grid { rows: 3, columns: 2 }, Grid { rows: 4, columns: 5 }]
        {
            gemm.grid = grid;
            gemm.phases = vec![grid.tasks()];
            let (c, blocks) = run_all(&gemm, &[&a, &b], m * n, Order::Backwards);
            assert_covers(&blocks, m, n);
            assert!(c == expected, "{grid:?}");
        }
    }
}

#[test]
fn numbers_that_are_none_reach_only_the_sums_they_belong_to() {
    let (m, n, k) = (20, 20, 7);
    let spec =
        GemmSpec { batch: 1, m, n, k, a: MatrixStrides::row_major(m, k), b: MatrixStrides::row_major(k, n) };
    let (mut a, mut b) = (vec![bf16::ONE; m * k], vec![bf16::ONE; k * n]);
    (a[3 * k + k - 1], b[5]) = (bf16::NAN, bf16::INFINITY);
    let micros = Isa::available().into_iter().map(bf16::micro);
    for micro in PAIRS.into_iter().map(|(_, emulated)| emulated).chain(micros) {
        let (c, _) =
            run_all(&Gemm::plan(spec, RightOperand::Varying, micro), &[&a, &b], m * n, Order::Forwards);
        for (at, x) in c.into_iter().enumerate() {
            let is_right = match (at / n, at % n) {
                (3, _) => x.is_nan(),
                (_, 5) => x == f32::INFINITY,
                _ => x == k as f32,
            };
            assert!(is_right, "row {} column {} is {x}", at / n, at % n);
        }
    }
}

/// The bits of two runs, with the same right operand and two left ones, of a product that packs each time and of one
/// that packs once; returns whether it does.
fn packing_once_shows_in_no_bit<T: Sample>(
    spec: &GemmSpec,
    micro: &'static Micro<T>,
    dice: &mut Dice,
    order: Order,
) -> bool {
    let (a, b) = operands::<T>(dice, spec);
    let (other, _) = operands::<T>(dice, spec);
    let len = spec.batch * spec.m * spec.n;
    let each = Gemm::plan(*spec, RightOperand::Varying, micro);
    let once = Gemm::plan(*spec, RightOperand::Constant, micro);
    let expected = [&a, &other].map(|a| run_all(&each, &[a, &b], len, Order::Forwards).0);
    // What is packed once is not looked at again.
    let gone = vec![T::of(f64::NAN); b.len()];
    let second = if once.prepares() { &gone } else { &b };
    let found = run_often(&once, &[[&a, &b], [&other, second]], len, order);
    assert!(found == expected, "{spec:?} with {} lanes", micro.lanes);
    once.prepares()
}

#[test]
fn a_right_operand_that_is_packed_once_gives_the_bits_of_one_that_is_packed_each_time() {
    let mut dice = Dice::new(14);
    let mut packed = [0; 3];
    for round in 0..150 {
        let spec = random_spec(&mut dice, if round % 10 == 0 { 150 } else { 40 });
        let order = ORDERS[round % 3];
        let mut all = [false; 3];
        for isa in Isa::available() {
            all[0] = packing_once_shows_in_no_bit(&spec, f32::micro(isa), &mut dice, order);
            all[1] = packing_once_shows_in_no_bit(&spec, f64::micro(isa), &mut dice, order);
            all[2] = packing_once_shows_in_no_bit(&spec, bf16::micro(isa), &mut dice, order);
        }
        packing_once_shows_in_no_bit(&spec, &micro::WIDE_F32, &mut dice, order);
        packing_once_shows_in_no_bit(&spec, &micro::WIDE_F64, &mut dice, order);
        packing_once_shows_in_no_bit(&spec, &micro::WIDE_BF16, &mut dice, order);
        for (_, emulated) in PAIRS {
            packing_once_shows_in_no_bit(&spec, emulated, &mut dice, order);
        }
        packed.iter_mut().zip(all).for_each(|(count, packed)| *count += usize::from(packed));
    }
    assert!(packed.iter().all(|&count| count > 30), "{packed:?} of 150 are packed once");
}

#[test]
fn several_blocks_of_columns_and_of_k_are_packed_once() {
    let mut dice = Dice::new(15);
    for (m, n, k) in [(64, 512, 128), (64, 128, 512), (33, 1100, 600), (3, 40, 2500), (70, 33, 2049)] {
        let (a, plain, turned) =
            (MatrixStrides::row_major(m, k), MatrixStrides::row_major(k, n), MatrixStrides::transposed(k, n));
        for b in [plain, turned] {
            let spec = GemmSpec { batch: 1, m, n, k, a, b };
            let mut is_packed = Vec::new();
            for isa in Isa::available() {
                for order in ORDERS {
                    is_packed.push(packing_once_shows_in_no_bit(&spec, f32::micro(isa), &mut dice, order));
                    packing_once_shows_in_no_bit(&spec, bf16::micro(isa), &mut dice, order);
                }
            }
            packing_once_shows_in_no_bit(&spec, &micro::WIDE_F32, &mut dice, Order::Backwards);
            for (_, emulated) in PAIRS {
                packing_once_shows_in_no_bit(&spec, emulated, &mut dice, Order::Backwards);
            }
            // Few rows read an operand in place whose rows are contiguous.
            assert!(m == 3 || is_packed.iter().all(|&packed| packed), "{spec:?}");
        }
    }
}

#[test]
fn a_single_row_and_a_right_operand_for_each_of_a_batch_are_not_packed_once() {
    let prepares = |batch, m, n, k, b| {
        let spec = GemmSpec { batch, m, n, k, a: MatrixStrides::row_major(m, k), b };
        Gemm::<f32>::of_constant_right(spec, Isa::detect()).prepares()
    };
    for b in [MatrixStrides::row_major(512, 128), MatrixStrides::transposed(512, 128)] {
        assert!(
            prepares(1, 64, 128, 512, b) && !prepares(1, 1, 128, 512, b) && !prepares(2, 64, 128, 512, b)
        );
        assert!(prepares(2, 64, 128, 512, MatrixStrides { batch: 0, ..b }));
    }
}
