//! Which vector instructions the kernels use.
//!
//! One binary carries every path. The choice is made at run time and handed to each kernel when it is built, so two
//! programs in one process may differ; `BARUN_ISA` sets the default.

use std::fmt;
use std::str::FromStr;

/// A set of vector instructions that kernels are written for, from the plainest to the widest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust: runs everywhere; whatever the compiler makes of it.
    Scalar,
    /// 256-bit vectors and fused multiply-add (`avx2` and `fma`).
    Avx2,
    /// 512-bit vectors (`avx512f`, `avx512bw`, `avx512dq`, `avx512vl`).
    Avx512,
    /// As [`Isa::Avx512`], and contractions of bf16 on instructions that multiply pairs (`avx512bf16`).
    Avx512Bf16,
    /// As [`Isa::Avx512Bf16`], and matrix products of bf16 on tile registers (`amx-tile`, `amx-bf16`), where the
    /// system lets the process use them.
    Amx,
}

/// Why a wished-for instruction set cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IsaError {
    /// The word is none of the names.
    #[error("BARUN_ISA: `{0}` is no instruction set; use scalar, avx2, avx512, avx512bf16 or amx")]
    Unknown(String),
    /// The name is known and the processor lacks it.
    #[error("BARUN_ISA: this machine has no {wished}; the best it has is {best}")]
    Missing {
        /// What was asked for.
        wished: Isa,
        /// What [`Isa::detect`] gives.
        best: Isa,
    },
}

impl Isa {
    const ALL: [Isa; 5] = [Isa::Scalar, Isa::Avx2, Isa::Avx512, Isa::Avx512Bf16, Isa::Amx];

    /// The widest set this machine has.
    pub fn detect() -> Isa {
        Isa::available().pop().unwrap_or(Isa::Scalar)
    }

    /// All sets this machine has, the plainest first.
    pub fn available() -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// Whether this machine has the set.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => Isa::Avx512.is_available() && is_x86_feature_detected!("avx512bf16"),
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => Isa::Avx512Bf16.is_available() && super::amx::is_usable(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// The widest set within this one that computes in f32 and f64: what all but contractions of bf16 use.
    pub fn vectors(self) -> Isa {
        self.min(Isa::Avx512)
    }

    /// What `BARUN_ISA` asks for (`scalar`, `avx2`, `avx512`, `avx512bf16` or `amx`), else the best the machine has.
    ///
    /// # Errors
    /// A word that is none of these, or a set this machine lacks.
    pub fn from_env_or_detect() -> Result<Isa, IsaError> {
        match std::env::var_os("BARUN_ISA") {
            Some(word) if !word.is_empty() => Isa::wished(&word.to_string_lossy()),
            _ => Ok(Isa::detect()),
        }
    }

    fn wished(word: &str) -> Result<Isa, IsaError> {
        let wished: Isa = word.parse()?;
        if wished.is_available() {
            Ok(wished)
        } else {
            Err(IsaError::Missing { wished, best: Isa::detect() })
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Bf16 => "avx512bf16",
            Isa::Amx => "amx",
        })
    }
}

impl FromStr for Isa {
    type Err = IsaError;

    fn from_str(word: &str) -> Result<Isa, IsaError> {
        Isa::ALL
            .into_iter()
            .find(|isa| isa.to_string().eq_ignore_ascii_case(word.trim()))
            .ok_or_else(|| IsaError::Unknown(word.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_machine_has_the_scalar_path_and_the_best_is_available() {
        assert_eq!(Isa::available()[0], Isa::Scalar);
        assert!(Isa::detect().is_available());
    }

    #[test]
    fn names_round_trip() {
        for isa in Isa::ALL {
            assert_eq!(isa.to_string().parse(), Ok(isa));
        }
    }

    #[test]
    fn a_wrong_word_says_what_may_be_used() {
        let message = Isa::wished("sse9").unwrap_err().to_string();
        assert!(message.contains("sse9") && message.contains("avx2"), "{message}");
    }

    #[test]
    fn a_missing_set_is_refused_with_what_the_machine_has() {
        for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
            let message = Isa::wished(&isa.to_string()).unwrap_err().to_string();
            assert!(message.contains(&Isa::detect().to_string()), "{message}");
        }
    }
}
