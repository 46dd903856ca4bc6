//! What entering a run and meeting at a barrier cost on this machine.
//!
//!     cargo run --release -p barun-engine --example team_latency -- [threads]

use barun_engine::cpu::team::{Team, default_threads};
use std::time::{Duration, Instant};

fn main() {
    let wanted = std::env::args().nth(1).and_then(|word| word.parse().ok());
    let threads = match default_threads(wanted) {
        Ok(threads) => threads,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    let team = Team::new(threads);
    println!("threads                  {}", team.threads());

    let barriers = 200_000;
    let best = best_of(10, || {
        team.run(&|member| {
            for _ in 0..barriers {
                member.barrier();
            }
        });
    });
    println!("barrier_ns               {:.0}", best.as_secs_f64() * 1e9 / f64::from(barriers));

    let runs = 20_000;
    let best = best_of(10, || {
        for _ in 0..runs {
            team.run(&|_| {});
        }
    });
    println!("run_while_spinning_us    {:.3}", best.as_secs_f64() * 1e6 / f64::from(runs));

    let gaps: [(&str, fn()); 2] = [
        ("caller busy 1 ms ", || busy(Duration::from_millis(1))),
        ("caller slept 1 ms", || std::thread::sleep(Duration::from_millis(1))),
    ];
    for (name, gap) in gaps {
        let mut times: Vec<f64> = (0..200).map(|_| after(gap, || team.run(&|_| {}))).collect();
        times.sort_by(f64::total_cmp);
        println!("run_us, {name} {:.1} (median), {:.1} (90 %)", times[100], times[180]);
    }
}

/// Microseconds that `work` takes after `gap`.
fn after(gap: fn(), work: impl Fn()) -> f64 {
    gap();
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e6
}

fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// The shortest of `times` calls: what the machine does when nobody disturbs it.
fn best_of(times: usize, work: impl Fn()) -> Duration {
    let time = || {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..times).map(|_| time()).min().unwrap_or_default()
}
