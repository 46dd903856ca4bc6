//! `multiversion!`: one portable loop, compiled once for each instruction set.
//!
//! The compiler vectorises a loop for the instructions the function it sits in may use. The macro takes a function,
//! compiles its body in one copy per [`Isa`](super::isa::Isa), and gives a function of the same name with the
//! instruction set as an additional first argument:
//!
//! ```
//! use barun_engine::cpu::isa::Isa;
//! use barun_engine::multiversion;
//!
//! multiversion! {
//!     /// y <- y + a * x
//!     pub fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
//!         for (y, x) in y.iter_mut().zip(x) {
//!             *y += a * x;
//!         }
//!     }
//! }
//!
//! let mut y = [1.0, 2.0];
//! axpy(Isa::detect(), 2.0, &[10.0, 20.0], &mut y);
//! assert_eq!(y, [21.0, 42.0]);
//! ```
//!
//! - Generic functions work, with one bound per parameter (`<T: Real, F: Fn(T) -> T, const N: usize>`) and lifetimes
//!   left out. Arguments are plain names.
//! - `unsafe fn` gives an `unsafe` dispatcher under the same contract.
//! - What the body calls must be `#[inline(always)]` (or a closure it receives), or it is compiled for the baseline.
//! - Every copy gives the same bits as long as the body does not use `mul_add`: the compiler never fuses or reorders
//!   floating-point operations by itself.
//! - The dispatcher looks at what the machine has (a cached flag); asked for instructions the machine lacks it runs
//!   the portable copy. So it is safe to call with any `Isa`.

/// Compiles a function once per instruction set; see the [module docs](crate::cpu::multiversion).
#[macro_export]
macro_rules! multiversion {
    // The name of a generic parameter: `T` of `T: Bound`, `N` of `const N: usize`.
    (@name $name:ident) => { $name };
    (@name const $name:ident) => { $name };

    (
        $(#[$meta:meta])*
        $vis:vis unsafe fn $name:ident
        $(<$($g:ident $($g2:ident)? $(: $bound:path)?),+ $(,)?>)?
        ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, clippy::missing_safety_doc)]
        $vis unsafe fn $name $(<$($g $($g2)? $(: $bound)?),+>)?
        (isa: $crate::cpu::isa::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            unsafe fn portable $(<$($g $($g2)? $(: $bound)?),+>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2 $(<$($g $($g2)? $(: $bound)?),+>)? ($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: the caller keeps the contract of the function that the macro was given.
                unsafe { portable $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            unsafe fn avx512 $(<$($g $($g2)? $(: $bound)?),+>)? ($($arg: $ty),*) $(-> $ret)? {
                // SAFETY: as above.
                unsafe { portable $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*) }
            }

            match isa.vectors() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the guard saw the instructions; the rest is the caller's contract.
                $crate::cpu::isa::Isa::Avx512 if $crate::cpu::multiversion::has_avx512() => unsafe {
                    avx512 $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*)
                },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::cpu::isa::Isa::Avx2 if $crate::cpu::multiversion::has_avx2() => unsafe {
                    avx2 $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*)
                },
                // SAFETY: the caller's contract.
                _ => unsafe { portable $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*) },
            }
        }
    };

    (
        $(#[$meta:meta])*
        $vis:vis fn $name:ident
        $(<$($g:ident $($g2:ident)? $(: $bound:path)?),+ $(,)?>)?
        ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$($g $($g2)? $(: $bound)?),+>)?
        (isa: $crate::cpu::isa::Isa, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable $(<$($g $($g2)? $(: $bound)?),+>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 $(<$($g $($g2)? $(: $bound)?),+>)? ($($arg: $ty),*) $(-> $ret)? {
                portable $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512 $(<$($g $($g2)? $(: $bound)?),+>)? ($($arg: $ty),*) $(-> $ret)? {
                portable $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*)
            }

            match isa.vectors() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the guard saw that the machine has the instructions.
                $crate::cpu::isa::Isa::Avx512 if $crate::cpu::multiversion::has_avx512() => unsafe {
                    avx512 $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*)
                },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                $crate::cpu::isa::Isa::Avx2 if $crate::cpu::multiversion::has_avx2() => unsafe {
                    avx2 $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*)
                },
                _ => portable $(::<$($crate::multiversion!(@name $g $($g2)?)),+>)? ($($arg),*),
            }
        }
    };
}

/// Whether the machine runs what `multiversion!` compiles for `Isa::Avx2`.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Whether the machine runs what `multiversion!` compiles for `Isa::Avx512`.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

#[cfg(test)]
mod tests {
    use crate::cpu::isa::Isa;
    use std::ops::{Add, Mul};

    trait Number: Copy + Add<Output = Self> + Mul<Output = Self> {}
    impl Number for f32 {}
    impl Number for f64 {}

    multiversion! {
        /// y <- f(a * x + y); says how many blocks of `N` there were.
        fn axpy<T: Number, F: Fn(T) -> T, const N: usize>(f: F, a: T, x: &[T], y: &mut [T]) -> usize {
            for (y, x) in y.iter_mut().zip(x) {
                *y = f(a * *x + *y);
            }
            y.len() / N
        }
    }

    multiversion! {
        /// Doubles `count` numbers.
        ///
        /// # Safety
        /// `x` is valid for `count` numbers.
        unsafe fn double(x: *mut f32, count: usize) {
            for i in 0..count {
                // SAFETY: within `count`.
                unsafe { *x.add(i) *= 2.0 };
            }
        }
    }

    #[test]
    fn every_copy_gives_the_same_bits() {
        let x: Vec<f32> = (0..1003).map(|i| (i as f32).sqrt()).collect();
        let run = |isa| {
            let mut y: Vec<f32> = (0..1003).map(|i| 1.0 / (1.0 + i as f32)).collect();
            assert_eq!(axpy::<f32, _, 8>(isa, |v| v * 3.0, 1.7, &x, &mut y), 125);
            // SAFETY: the pointer is valid for the length of `y`.
            unsafe { double(isa, y.as_mut_ptr(), y.len()) };
            y
        };
        let expected: Vec<f32> =
            (0..1003).map(|i| (1.7 * (i as f32).sqrt() + 1.0 / (1.0 + i as f32)) * 3.0 * 2.0).collect();
        for isa in [Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::detect()] {
            assert_eq!(run(isa), expected, "{isa:?}");
        }
    }
}
