//! How long a prediction of one row takes, from the call to the result: the median, and the 99th percentile, which
//! tells whether something hiccups. One call after the other, beside PyTorch and ONNX Runtime.

use std::path::Path;
use std::time::Instant;

use barun_engine::{Buffer, Device, DeviceOptions, State};
use barun_nn::Step;
use barun_nn::layers::Sequential;
use serde::{Deserialize, Serialize};

use crate::compare::PeerVersion;
use crate::error::Result;
use crate::measure::{Pace, Tell, median, quantile, ratio};
use crate::peer::{ONNXRUNTIME, Peer, Quantity, Request, TORCH, start, unpack};
use crate::workloads::Workload;

/// The peers' modes: PyTorch as it comes, in inference mode; a session of ONNX Runtime.
const MODES: [(&str, &str); 2] = [("torch", "eager"), ("onnxruntime", "session")];

/// The workloads whose networks are measured unless others are asked for.
pub const DEFAULT: [&str; 2] = ["mlp128", "cnn64"];

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LatencyReport {
    /// Threads of everyone.
    pub threads: usize,
    /// Rounds of each contender.
    pub rounds: usize,
    /// Who else took part.
    pub peers: Vec<PeerVersion>,
    /// One for each workload.
    pub workloads: Vec<Latency>,
}

/// The latency of a workload's network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// The workload.
    pub workload: String,
    /// The median microseconds of a prediction: the median round's median.
    pub us_median: f64,
    /// The fastest and the slowest round's median.
    pub us_median_range: [f64; 2],
    /// The 99th percentile: the median round's.
    pub us_p99: f64,
    /// The peers', fastest first.
    pub peers: Vec<PeerLatency>,
}

/// A peer's latency.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerLatency {
    /// Who.
    pub peer: String,
    /// In which way.
    pub mode: String,
    /// The median microseconds of a prediction.
    pub us_median: f64,
    /// The 99th percentile.
    pub us_p99: f64,
    /// The median over rounds of its median over Barun's: above 1 where Barun is faster.
    pub ratio: f64,
    /// The least and the greatest round's ratio.
    pub ratio_range: [f64; 2],
    /// The same ratio of the 99th percentiles.
    pub ratio_p99: f64,
}

/// A round: the median and the 99th percentile of its calls.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Calls {
    us_median: f64,
    us_p99: f64,
}

/// Measures the networks of `workloads` in eval mode, beside the peers where a Python is given. Nobody computes while
/// another does.
pub fn latency(
    workloads: &[&Workload],
    python: Option<&Path>,
    threads: Option<usize>,
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<LatencyReport> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let folder = unpack()?;
    let mut peers = match python {
        Some(python) => start(&[TORCH, ONNXRUNTIME], folder.path(), python, tell)?,
        None => Vec::new(),
    };
    let mut found = Vec::new();
    for workload in workloads {
        found.push(one(workload, &device, &mut peers, pace, tell)?);
    }
    Ok(LatencyReport {
        threads: device.threads(),
        rounds: pace.rounds.max(1),
        peers: peers.iter().map(Peer::version).collect(),
        workloads: found,
    })
}

fn one(
    workload: &Workload,
    device: &Device,
    peers: &mut [Peer],
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<Latency> {
    let mut rivals = Vec::new();
    for peer in peers {
        let mut rival = Rival { peer, workload, threads: device.threads(), calls: 1, rounds: Vec::new() };
        match rival.ask() {
            Ok(calls) => {
                rival.calls = pace.steps(calls.us_median);
                rivals.push(rival);
            }
            Err(problem) => tell(&format!("{}: without {}: {problem}", workload.name, rival.peer.name))?,
        }
    }
    let predictor = Predictor::new(workload, device)?;
    let calls = pace.steps(predictor.warm_up(pace)?);
    let mut rounds = Vec::new();
    for round in 1..=pace.rounds.max(1) {
        tell(&format!("{}: round {round} of {}", workload.name, pace.rounds.max(1)))?;
        std::thread::sleep(pace.rest);
        rounds.push(predictor.round(calls)?);
        for rival in &mut rivals {
            std::thread::sleep(pace.rest);
            let calls = rival.ask();
            rival.rounds.extend(calls.ok());
        }
    }
    rivals.retain(|rival| rival.rounds.len() == rounds.len());
    let mut peers: Vec<PeerLatency> = rivals.iter().map(|rival| rival.result(&rounds)).collect();
    peers.sort_by(|a, b| a.us_median.total_cmp(&b.us_median));
    let [mut medians, mut tails] = both(&rounds);
    Ok(Latency {
        workload: workload.name.to_string(),
        us_median: median(&mut medians),
        us_median_range: [medians[0], medians[medians.len() - 1]],
        us_p99: median(&mut tails),
        peers,
    })
}

/// A peer and its rounds so far.
struct Rival<'a> {
    peer: &'a mut Peer,
    workload: &'a Workload,
    threads: usize,
    calls: usize,
    rounds: Vec<Calls>,
}

impl Rival<'_> {
    fn mode(&self) -> &'static str {
        MODES.iter().find(|(name, _)| *name == self.peer.name).map_or("eager", |(_, mode)| mode)
    }

    fn ask(&mut self) -> Result<Calls, String> {
        let request = Request {
            measure: Quantity::Latency,
            workload: self.workload.name,
            mode: self.mode(),
            threads: self.threads,
            steps: self.calls,
        };
        self.peer.ask(&request)
    }

    fn result(&self, barun: &[Calls]) -> PeerLatency {
        let ([mut medians, mut tails], [our_medians, our_tails]) = (both(&self.rounds), both(barun));
        let (ratio_of_medians, ratio_range) = ratio(&medians, &our_medians);
        let (ratio_p99, _) = ratio(&tails, &our_tails);
        PeerLatency {
            peer: self.peer.name.to_string(),
            mode: self.mode().to_string(),
            us_median: median(&mut medians),
            us_p99: median(&mut tails),
            ratio: ratio_of_medians,
            ratio_range,
            ratio_p99,
        }
    }
}

fn both(rounds: &[Calls]) -> [Vec<f64>; 2] {
    [rounds.iter().map(|calls| calls.us_median).collect(), rounds.iter().map(|calls| calls.us_p99).collect()]
}

/// A network with a row to predict.
struct Predictor {
    step: Step<Sequential>,
    state: State,
    x: Buffer,
}

impl Predictor {
    fn new(workload: &Workload, device: &Device) -> Result<Predictor> {
        let step = workload.step(device)?;
        let state = step.init(0)?;
        Ok(Predictor { step, state, x: workload.single() })
    }

    /// The microseconds of the last of some untimed calls, of which the first compiles.
    fn warm_up(&self, pace: &Pace) -> Result<f64> {
        self.call()?;
        let start = Instant::now();
        let mut us = self.call()?;
        while start.elapsed() < pace.warm_up {
            us = self.call()?;
        }
        Ok(us)
    }

    fn round(&self, calls: usize) -> Result<Calls> {
        let times: Result<Vec<f64>> = (0..calls).map(|_| self.call()).collect();
        let mut times = times?;
        let us_median = median(&mut times);
        Ok(Calls { us_median, us_p99: quantile(&times, 0.99) })
    }

    fn call(&self) -> Result<f64> {
        let start = Instant::now();
        std::hint::black_box(self.step.predict(&self.state, &self.x)?);
        Ok(start.elapsed().as_secs_f64() * 1e6)
    }
}
