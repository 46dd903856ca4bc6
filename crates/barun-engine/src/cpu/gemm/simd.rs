//! The few vector operations the micro-kernels are written in, once per instruction set.
//!
//! Every method is `#[inline(always)]` and is only ever inlined into a function that enables the features it needs
//! (see `micro.rs`), which is what makes the intrinsics legal there.

/// Vectors of `T` and what a contraction does with them.
pub(crate) trait Simd<T: Copy>: Copy {
    /// A vector register.
    type V: Copy;
    /// Elements in a vector.
    const LANES: usize;

    /// All lanes zero.
    ///
    /// # Safety
    /// As for all methods here: the processor has the instruction set.
    unsafe fn zero() -> Self::V;
    /// One element in all lanes.
    ///
    /// # Safety
    /// `from` can be read.
    unsafe fn splat(from: *const T) -> Self::V;
    /// # Safety
    /// `LANES` elements can be read.
    unsafe fn load(from: *const T) -> Self::V;
    /// # Safety
    /// `LANES` elements can be written.
    unsafe fn store(to: *mut T, v: Self::V);
    /// The first `count <= LANES` elements, the other lanes zero; memory behind them is not touched.
    ///
    /// # Safety
    /// `count` elements can be read.
    unsafe fn load_part(from: *const T, count: usize) -> Self::V;
    /// # Safety
    /// `count` elements can be written.
    unsafe fn store_part(to: *mut T, v: Self::V, count: usize);
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once (twice on the scalar path of a machine without a fused instruction).
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// Side of the square that [`Simd::transpose`] turns.
    const SIDE: usize;
    /// `to[j * to_row + i] = from[i * from_row + j]` for `i, j < SIDE`, in order of `j`: rows of `to` that overlap end
    /// as the later one.
    ///
    /// # Safety
    /// `SIDE` rows of `SIDE` elements can be read and written.
    unsafe fn transpose(from: *const T, from_row: usize, to: *mut T, to_row: usize);
}

/// Plain Rust with `L` lanes; the compiler vectorises it as far as the target's baseline goes.
#[derive(Clone, Copy)]
pub(crate) struct Portable<const L: usize>;

/// As [`Portable`], but always with one rounding: the reference for the vector paths' bits.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(crate) struct Fused<const L: usize>;

macro_rules! portable {
    ($name:ident, $t:ty, $fma:expr) => {
        impl<const L: usize> Simd<$t> for $name<L> {
            type V = [$t; L];
            const LANES: usize = L;
            const SIDE: usize = 4;

            #[inline(always)]
            unsafe fn zero() -> Self::V {
                [0.0; L]
            }
            #[inline(always)]
            unsafe fn splat(from: *const $t) -> Self::V {
                // SAFETY: the caller vouches for `from`.
                [unsafe { *from }; L]
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self::V {
                // SAFETY: the caller vouches for `L` elements; an array of them has their alignment.
                unsafe { *from.cast() }
            }
            #[inline(always)]
            unsafe fn store(to: *mut $t, v: Self::V) {
                // SAFETY: the caller vouches for `L` elements; an array of them has their alignment.
                unsafe { *to.cast() = v }
            }
            #[inline(always)]
            unsafe fn load_part(from: *const $t, count: usize) -> Self::V {
                let mut v = [0.0; L];
                for (i, lane) in v.iter_mut().enumerate().take(count) {
                    // SAFETY: the caller vouches for `count` elements.
                    *lane = unsafe { *from.add(i) };
                }
                v
            }
            #[inline(always)]
            unsafe fn store_part(to: *mut $t, v: Self::V, count: usize) {
                for (i, lane) in v.iter().enumerate().take(count) {
                    // SAFETY: the caller vouches for `count` elements.
                    unsafe { *to.add(i) = *lane };
                }
            }
            #[inline(always)]
            unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] + b[i])
            }
            #[inline(always)]
            unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] - b[i])
            }
            #[inline(always)]
            unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i] * b[i])
            }
            #[inline(always)]
            unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                let fma: fn($t, $t, $t) -> $t = $fma;
                std::array::from_fn(|i| fma(a[i], b[i], c[i]))
            }
            #[inline(always)]
            unsafe fn transpose(from: *const $t, from_row: usize, to: *mut $t, to_row: usize) {
                for j in 0..4 {
                    for i in 0..4 {
                        // SAFETY: the caller vouches for both squares.
                        unsafe { *to.add(j * to_row + i) = *from.add(i * from_row + j) };
                    }
                }
            }
        }
    };
}

// Where the baseline has a fused instruction (aarch64) use it: the bits then equal the x86 vector paths'.
#[cfg(target_arch = "aarch64")]
portable!(Portable, f32, |a, b, c| a.mul_add(b, c));
#[cfg(target_arch = "aarch64")]
portable!(Portable, f64, |a, b, c| a.mul_add(b, c));
#[cfg(not(target_arch = "aarch64"))]
portable!(Portable, f32, |a, b, c| a * b + c);
#[cfg(not(target_arch = "aarch64"))]
portable!(Portable, f64, |a, b, c| a * b + c);
#[cfg(test)]
portable!(Fused, f32, |a, b, c| a.mul_add(b, c));
#[cfg(test)]
portable!(Fused, f64, |a, b, c| a.mul_add(b, c));

/// Vectors of cells (see `pairs.rs`): those of `$plain` with another multiply-add.
macro_rules! cells {
    ($(#[$meta:meta])* $name:ident, $plain:ty, $dot:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        // SAFETY of the blocks below: the trait's contract is passed on.
        impl Simd<f32> for $name {
            type V = <$plain as Simd<f32>>::V;
            const LANES: usize = <$plain as Simd<f32>>::LANES;
            const SIDE: usize = <$plain as Simd<f32>>::SIDE;

            #[inline(always)]
            unsafe fn zero() -> Self::V {
                unsafe { <$plain as Simd<f32>>::zero() }
            }
            #[inline(always)]
            unsafe fn splat(from: *const f32) -> Self::V {
                unsafe { <$plain as Simd<f32>>::splat(from) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self::V {
                unsafe { <$plain as Simd<f32>>::load(from) }
            }
            #[inline(always)]
            unsafe fn store(to: *mut f32, v: Self::V) {
                unsafe { <$plain as Simd<f32>>::store(to, v) }
            }
            #[inline(always)]
            unsafe fn load_part(from: *const f32, count: usize) -> Self::V {
                unsafe { <$plain as Simd<f32>>::load_part(from, count) }
            }
            #[inline(always)]
            unsafe fn store_part(to: *mut f32, v: Self::V, count: usize) {
                unsafe { <$plain as Simd<f32>>::store_part(to, v, count) }
            }
            #[inline(always)]
            unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
                unsafe { <$plain as Simd<f32>>::add(a, b) }
            }
            #[inline(always)]
            unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
                unsafe { <$plain as Simd<f32>>::sub(a, b) }
            }
            #[inline(always)]
            unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
                unsafe { <$plain as Simd<f32>>::mul(a, b) }
            }
            /// The products of two pairs and `c`.
            #[inline(always)]
            unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
                $dot(a, b, c)
            }
            #[inline(always)]
            unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
                unsafe { <$plain as Simd<f32>>::transpose(from, from_row, to, to_row) }
            }
        }
    };
}

#[cfg(test)]
cells!(
    /// AVX512-BF16 in plain Rust, but for its denormals: of each pair first the second product is added.
    FusedPairs,
    Fused<16>,
    |a: [f32; 16], b: [f32; 16], c: [f32; 16]| std::array::from_fn(|i| {
        let (a, b) = (super::emulated::parts(a[i]), super::emulated::parts(b[i]));
        a[0].mul_add(b[0], a[1].mul_add(b[1], c[i]))
    })
);

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Bf16};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    /// 256-bit vectors.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2;

    /// 512-bit vectors.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512;

    cells!(
        /// 512-bit vectors of pairs of bf16, added up in f32.
        Avx512Bf16,
        Avx512,
        // SAFETY: inlined into a function that enables the feature; the types differ in name only.
        |a: __m512, b: __m512, c: __m512| unsafe {
            _mm512_dpbf16_ps(c, std::mem::transmute::<__m512, __m512bh>(a), std::mem::transmute::<__m512, __m512bh>(b))
        }
    );

    /// `MASK_32[8 - n..]` has its first `n` lanes set.
    static MASK_32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    static MASK_64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

    #[inline(always)]
    unsafe fn mask_32(count: usize) -> __m256i {
        debug_assert!(count <= 8);
        // SAFETY: `count <= 8`, so eight of the sixteen lanes follow.
        unsafe { _mm256_loadu_si256(MASK_32.as_ptr().add(8 - count).cast()) }
    }

    #[inline(always)]
    unsafe fn mask_64(count: usize) -> __m256i {
        debug_assert!(count <= 4);
        // SAFETY: `count <= 4`, so four of the eight lanes follow.
        unsafe { _mm256_loadu_si256(MASK_64.as_ptr().add(4 - count).cast()) }
    }

    // SAFETY of the blocks below: each is one intrinsic on memory that the trait's contract vouches for, inlined into
    // a function that enables the feature; masked loads and stores do not touch lanes whose mask is off, and
    // partial stores write `count` elements in pieces.
    impl Simd<f32> for Avx2 {
        type V = __m256;
        const LANES: usize = 8;
        const SIDE: usize = 8;

        #[inline(always)]
        unsafe fn zero() -> __m256 {
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn splat(from: *const f32) -> __m256 {
            unsafe { _mm256_broadcast_ss(&*from) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m256 {
            unsafe { _mm256_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: __m256) {
            unsafe { _mm256_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f32, count: usize) -> __m256 {
            unsafe { _mm256_maskload_ps(from, mask_32(count)) }
        }
        #[inline(always)]
        unsafe fn store_part(to: *mut f32, v: __m256, count: usize) {
            // Not a masked store: those take tens of cycles on AMD's processors.
            unsafe {
                if count == 8 {
                    return _mm256_storeu_ps(to, v);
                }
                let (mut rest, mut to) = (_mm256_castps256_ps128(v), to);
                if count & 4 != 0 {
                    _mm_storeu_ps(to, rest);
                    (rest, to) = (_mm256_extractf128_ps::<1>(v), to.add(4));
                }
                if count & 2 != 0 {
                    _mm_storel_epi64(to.cast(), _mm_castps_si128(rest));
                    (rest, to) = (_mm_movehl_ps(rest, rest), to.add(2));
                }
                if count & 1 != 0 {
                    _mm_store_ss(to, rest);
                }
            }
        }
        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m256, b: __m256) -> __m256 {
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
            unsafe {
                // Halves of rows i and i+4 side by side, so that all that follows stays within 128-bit lanes.
                let row = |i: usize, j: usize| {
                    let low = _mm256_castps128_ps256(_mm_loadu_ps(from.add(i * from_row + j)));
                    _mm256_insertf128_ps::<1>(low, _mm_loadu_ps(from.add((i + 4) * from_row + j)))
                };
                for half in 0..2 {
                    let j = 4 * half;
                    let (r0, r1, r2, r3) = (row(0, j), row(1, j), row(2, j), row(3, j));
                    let (t0, t1) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
                    let (t2, t3) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
                    _mm256_storeu_ps(to.add(j * to_row), _mm256_shuffle_ps::<0x44>(t0, t2));
                    _mm256_storeu_ps(to.add((j + 1) * to_row), _mm256_shuffle_ps::<0xEE>(t0, t2));
                    _mm256_storeu_ps(to.add((j + 2) * to_row), _mm256_shuffle_ps::<0x44>(t1, t3));
                    _mm256_storeu_ps(to.add((j + 3) * to_row), _mm256_shuffle_ps::<0xEE>(t1, t3));
                }
            }
        }
    }

    impl Simd<f64> for Avx2 {
        type V = __m256d;
        const LANES: usize = 4;
        const SIDE: usize = 4;

        #[inline(always)]
        unsafe fn zero() -> __m256d {
            unsafe { _mm256_setzero_pd() }
        }
        #[inline(always)]
        unsafe fn splat(from: *const f64) -> __m256d {
            unsafe { _mm256_broadcast_sd(&*from) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f64) -> __m256d {
            unsafe { _mm256_loadu_pd(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f64, v: __m256d) {
            unsafe { _mm256_storeu_pd(to, v) }
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f64, count: usize) -> __m256d {
            unsafe { _mm256_maskload_pd(from, mask_64(count)) }
        }
        #[inline(always)]
        unsafe fn store_part(to: *mut f64, v: __m256d, count: usize) {
            unsafe {
                if count == 4 {
                    return _mm256_storeu_pd(to, v);
                }
                let (mut rest, mut to) = (_mm256_castpd256_pd128(v), to);
                if count & 2 != 0 {
                    _mm_storeu_pd(to, rest);
                    (rest, to) = (_mm256_extractf128_pd::<1>(v), to.add(2));
                }
                if count & 1 != 0 {
                    _mm_store_sd(to, rest);
                }
            }
        }
        #[inline(always)]
        unsafe fn add(a: __m256d, b: __m256d) -> __m256d {
            unsafe { _mm256_add_pd(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m256d, b: __m256d) -> __m256d {
            unsafe { _mm256_sub_pd(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m256d, b: __m256d) -> __m256d {
            unsafe { _mm256_mul_pd(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m256d, b: __m256d, c: __m256d) -> __m256d {
            unsafe { _mm256_fmadd_pd(a, b, c) }
        }
        #[inline(always)]
        unsafe fn transpose(from: *const f64, from_row: usize, to: *mut f64, to_row: usize) {
            unsafe {
                // Halves of rows i and i+2 side by side, as above.
                let row = |i: usize, j: usize| {
                    let low = _mm256_castpd128_pd256(_mm_loadu_pd(from.add(i * from_row + j)));
                    _mm256_insertf128_pd::<1>(low, _mm_loadu_pd(from.add((i + 2) * from_row + j)))
                };
                for half in 0..2 {
                    let j = 2 * half;
                    let (r0, r1) = (row(0, j), row(1, j));
                    _mm256_storeu_pd(to.add(j * to_row), _mm256_unpacklo_pd(r0, r1));
                    _mm256_storeu_pd(to.add((j + 1) * to_row), _mm256_unpackhi_pd(r0, r1));
                }
            }
        }
    }

    impl Simd<f32> for Avx512 {
        type V = __m512;
        const LANES: usize = 16;
        const SIDE: usize = 8;

        #[inline(always)]
        unsafe fn zero() -> __m512 {
            unsafe { _mm512_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn splat(from: *const f32) -> __m512 {
            unsafe { _mm512_set1_ps(*from) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f32) -> __m512 {
            unsafe { _mm512_loadu_ps(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f32, v: __m512) {
            unsafe { _mm512_storeu_ps(to, v) }
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f32, count: usize) -> __m512 {
            unsafe { _mm512_maskz_loadu_ps(((1u32 << count) - 1) as __mmask16, from) }
        }
        #[inline(always)]
        unsafe fn store_part(to: *mut f32, v: __m512, count: usize) {
            unsafe { _mm512_mask_storeu_ps(to, ((1u32 << count) - 1) as __mmask16, v) }
        }
        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_add_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m512, b: __m512) -> __m512 {
            unsafe { _mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
            unsafe { _mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
            unsafe { <Avx2 as Simd<f32>>::transpose(from, from_row, to, to_row) }
        }
    }

    impl Simd<f64> for Avx512 {
        type V = __m512d;
        const LANES: usize = 8;
        const SIDE: usize = 4;

        #[inline(always)]
        unsafe fn zero() -> __m512d {
            unsafe { _mm512_setzero_pd() }
        }
        #[inline(always)]
        unsafe fn splat(from: *const f64) -> __m512d {
            unsafe { _mm512_set1_pd(*from) }
        }
        #[inline(always)]
        unsafe fn load(from: *const f64) -> __m512d {
            unsafe { _mm512_loadu_pd(from) }
        }
        #[inline(always)]
        unsafe fn store(to: *mut f64, v: __m512d) {
            unsafe { _mm512_storeu_pd(to, v) }
        }
        #[inline(always)]
        unsafe fn load_part(from: *const f64, count: usize) -> __m512d {
            unsafe { _mm512_maskz_loadu_pd(((1u32 << count) - 1) as __mmask8, from) }
        }
        #[inline(always)]
        unsafe fn store_part(to: *mut f64, v: __m512d, count: usize) {
            unsafe { _mm512_mask_storeu_pd(to, ((1u32 << count) - 1) as __mmask8, v) }
        }
        #[inline(always)]
        unsafe fn add(a: __m512d, b: __m512d) -> __m512d {
            unsafe { _mm512_add_pd(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m512d, b: __m512d) -> __m512d {
            unsafe { _mm512_sub_pd(a, b) }
        }
        #[inline(always)]
        unsafe fn mul(a: __m512d, b: __m512d) -> __m512d {
            unsafe { _mm512_mul_pd(a, b) }
        }
        #[inline(always)]
        unsafe fn fma(a: __m512d, b: __m512d, c: __m512d) -> __m512d {
            unsafe { _mm512_fmadd_pd(a, b, c) }
        }
        #[inline(always)]
        unsafe fn transpose(from: *const f64, from_row: usize, to: *mut f64, to_row: usize) {
            unsafe { <Avx2 as Simd<f64>>::transpose(from, from_row, to, to_row) }
        }
    }
}
