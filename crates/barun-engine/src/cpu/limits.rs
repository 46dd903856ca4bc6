//! What the machine can do at most: the rate of fused multiply-adds in registers and the bandwidth of its memories.
//!
//! Kernels are held against these figures. Each is the best of several tries on all members of a team, since other
//! load can only make a try slower.

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::isa::Isa;
use super::memory::{Lives, Memory};
use super::team::Team;
use crate::device::Device;
use crate::multiversion;

/// Tries of each figure, and about how long one takes.
const TRIES: usize = 5;
const TRY: Duration = Duration::from_millis(20);

/// Bytes of the arrays that [`Limits::measure`] walks, of all threads together: for the caches of a core, the caches
/// they share, and the memory.
const SIZES: [usize; 4] = [48 << 10, 1 << 20, 8 << 20, 256 << 20];

/// What the machine can do at most with the threads and instructions of a device.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Floating-point operations a second: f32 multiply-adds that wait for nothing. [DEV-02]
    pub flops_per_second: f64,
    /// Bytes a second of `a[i] = a[i] + s * b[i]` for arrays of so many bytes in all, ascending. The triad of the STREAM
    /// benchmark, which writes a third array, fetches that array too without counting it, and so tells less. [DEV-03]
    pub bytes_per_second: Vec<(usize, f64)>,
}

impl Limits {
    /// Measures, which takes about half a second.
    pub fn measure(device: &Device) -> Limits {
        let (team, isa) = (device.team(), device.isa());
        Limits {
            flops_per_second: multiply_add_rate(team, isa),
            bytes_per_second: SIZES.map(|size| (size, bandwidth(team, isa, size / team.threads()))).to_vec(),
        }
    }

    /// The least seconds for so many contractions' operations, and for moving so many bytes in whichever memory they fit.
    pub fn seconds(&self, flops: f64, bytes: usize) -> f64 {
        let fits = self.bytes_per_second.iter().find(|(size, _)| bytes <= *size);
        let bandwidth =
            fits.or(self.bytes_per_second.last()).map_or(f64::INFINITY, |(_, bandwidth)| *bandwidth);
        (flops / self.flops_per_second).max(bytes as f64 / bandwidth)
    }
}

fn multiply_add_rate(team: &Team, isa: Isa) -> f64 {
    const TURNS: usize = 10_000;
    // As many sums as the registers hold beside the two factors.
    let (sums, run): (usize, fn(Isa, usize) -> f32) = match isa.vectors() {
        Isa::Avx512 => (16 * 16, |isa, turns| multiply_add::<256>(isa, turns)),
        Isa::Avx2 => (8 * 12, |isa, turns| multiply_add::<96>(isa, turns)),
        _ => (4 * 8, |isa, turns| multiply_add_apart::<32>(isa, turns)),
    };
    rate(team, (2 * sums * TURNS) as f64, |_| {
        black_box(run(isa, black_box(TURNS)));
    })
}

/// Each member on two arrays of `bytes` in all; a turn reads both and writes one.
fn bandwidth(team: &Team, isa: Isa, bytes: usize) -> f64 {
    let elements = (bytes / 8).max(64);
    // In the kind of memory that states and arenas lie in.
    let array = |value: f32| {
        let mut array = Memory::zeroed(elements * size_of::<f32>(), Lives::Long);
        array.slice_mut(0, elements).fill(value);
        array
    };
    let arrays: Vec<Mutex<[Memory; 2]>> =
        (0..team.threads()).map(|_| Mutex::new([0.0, 1.0].map(array))).collect();
    rate(team, (12 * elements) as f64, |member| {
        let mut arrays = arrays[member].lock().unwrap_or_else(PoisonError::into_inner);
        let [a, b] = &mut *arrays;
        add_scaled(isa, black_box(3.0), a.slice_mut(0, elements), b.slice(0, elements));
        black_box(a);
    })
}

/// How much of `amount` all members do a second, where `job` does so much on one of them: the best of some tries.
fn rate(team: &Team, amount: f64, job: impl Fn(usize) + Sync) -> f64 {
    let rates = Mutex::new(vec![0.0; team.threads()]);
    let mut best = 0.0f64;
    for _ in 0..TRIES {
        team.run(&|member| {
            job(member.index);
            member.barrier();
            let (start, mut turns) = (Instant::now(), 0);
            while start.elapsed() < TRY {
                job(member.index);
                turns += 1;
            }
            let rate = turns as f64 * amount / start.elapsed().as_secs_f64();
            rates.lock().unwrap_or_else(PoisonError::into_inner)[member.index] = rate;
        });
        best = best.max(rates.lock().unwrap_or_else(PoisonError::into_inner).iter().sum());
    }
    best
}

multiversion! {
    /// `N` sums that grow side by side.
    fn multiply_add<const N: usize>(turns: usize) -> f32 {
        let (x, y) = (black_box(0.5f32), black_box(0.25f32));
        let mut sums = [0.0f32; N];
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = x.mul_add(*sum, y);
            }
        }
        sums.iter().sum()
    }
}

multiversion! {
    /// As [`multiply_add`] for a machine without the fused instruction.
    fn multiply_add_apart<const N: usize>(turns: usize) -> f32 {
        let (x, y) = (black_box(0.5f32), black_box(0.25f32));
        let mut sums = [0.0f32; N];
        for _ in 0..turns {
            for sum in &mut sums {
                *sum = x * *sum + y;
            }
        }
        sums.iter().sum()
    }
}

multiversion! {
    /// a = a + s b
    fn add_scaled(s: f32, a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += s * *b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceOptions;

    #[test]
    fn limits_are_positive_and_the_floor_is_the_dearer_of_work_and_traffic() {
        for isa in [Isa::Scalar, Isa::detect()] {
            let device = Device::new(DeviceOptions { threads: Some(2), isa: Some(isa) }).unwrap();
            let limits = Limits::measure(&device);
            assert!(limits.flops_per_second > 0.0);
            assert!(limits.bytes_per_second.iter().all(|(_, bandwidth)| *bandwidth > 0.0));
        }
        let limits = Limits { flops_per_second: 1e9, bytes_per_second: vec![(100, 1e3), (1000, 1e2)] };
        assert_eq!(limits.seconds(1e9, 100), 1.0);
        assert_eq!(limits.seconds(1.0, 100), 0.1);
        assert_eq!(limits.seconds(1.0, 2000), 20.0);
    }
}
