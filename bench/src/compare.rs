//! Barun and its peers in turns: a round of one, a round of the next, and again, within the same minutes.

use std::path::Path;
use std::time::Instant;

use barun_engine::{Device, DeviceOptions};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::measure::{Measured, Pace, Tell, median, ratio};
use crate::peer::{JAX, Peer, Quantity, Request, TORCH, start, unpack};
use crate::workloads::{Precision, Workload};

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Threads of everyone.
    pub threads: usize,
    /// What Barun computed in.
    pub precision: String,
    /// Rounds of each workload and each contender.
    pub rounds: usize,
    /// Who took part.
    pub peers: Vec<PeerVersion>,
    /// One for each workload.
    pub workloads: Vec<Compared>,
}

/// A peer that took part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerVersion {
    /// Its name.
    pub peer: String,
    /// Its version.
    pub version: String,
}

/// One workload, Barun's times and the peers'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Barun's.
    #[serde(flatten)]
    pub barun: Measured,
    /// The peers', fastest first.
    pub peers: Vec<PeerResult>,
}

/// How a peer did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerResult {
    /// Who.
    pub peer: String,
    /// In which way.
    pub mode: String,
    /// The median round's microseconds of a step.
    pub us_per_step: f64,
    /// The median over rounds of its time over Barun's: above 1 where Barun is faster.
    pub ratio: f64,
    /// The least and the greatest round's ratio.
    pub ratio_range: [f64; 2],
}

/// A peer in one of its modes, and its times so far.
struct Contender {
    peer: usize,
    mode: String,
    steps: usize,
    rounds: Vec<f64>,
}

/// Compares on `workloads`. `modes` are the peers' modes to try; none means all that compute in `precision`.
///
/// Nobody computes while another does. A peer that cannot do a workload is left out there.
pub fn compare(
    workloads: &[&Workload],
    python: &Path,
    modes: &[String],
    threads: Option<usize>,
    precision: Precision,
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<Comparison> {
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let folder = unpack()?;
    let mut peers = start(&[TORCH, JAX], folder.path(), python, tell)?;
    let mut round = Round { device: &device, peers: &mut peers, modes, precision, pace, tell };
    let workloads: Result<Vec<Compared>> = workloads.iter().map(|workload| round.compare(workload)).collect();
    Ok(Comparison {
        threads: device.threads(),
        precision: precision.name().to_string(),
        rounds: pace.rounds,
        workloads: workloads?,
        peers: peers.iter().map(Peer::version).collect(),
    })
}

/// Those who take part, and how.
struct Round<'a> {
    device: &'a Device,
    peers: &'a mut [Peer],
    modes: &'a [String],
    precision: Precision,
    pace: &'a Pace,
    tell: &'a mut Tell<'a>,
}

impl Round<'_> {
    fn compare(&mut self, workload: &Workload) -> Result<Compared> {
        let mut contenders = self.contenders(workload)?;
        (self.tell)(&format!("{}: barun", workload.name))?;
        let mut training = workload.training(self.device, self.precision)?;
        let steps = self.pace.steps(training.warm_up(self.pace)?);
        let mut barun = Vec::new();
        for round in 1..=self.pace.rounds.max(1) {
            (self.tell)(&format!("{}: round {round} of {}", workload.name, self.pace.rounds.max(1)))?;
            std::thread::sleep(self.pace.rest);
            barun.push(training.round(steps)?);
            for contender in &mut contenders {
                let time = self.time(workload, contender, contender.steps);
                contender.rounds.extend(time.ok());
            }
        }
        contenders.retain(|contender| contender.rounds.len() == barun.len());
        let mut peers: Vec<PeerResult> =
            contenders.into_iter().map(|contender| self.result(contender, &barun)).collect();
        peers.sort_by(|a, b| a.us_per_step.total_cmp(&b.us_per_step));
        Ok(Compared { barun: Measured::of(workload, barun), peers })
    }

    /// Builds and warms up every peer in every mode that can do this workload.
    fn contenders(&mut self, workload: &Workload) -> Result<Vec<Contender>> {
        let wanted = |mode: &String| match self.modes {
            [] => mode.starts_with(Precision::Bf16.name()) == (self.precision == Precision::Bf16),
            modes => modes.contains(mode),
        };
        let all = self.peers.iter().enumerate();
        let all = all.flat_map(|(peer, process)| process.modes.iter().map(move |mode| (peer, mode)));
        let candidates: Vec<Contender> = all
            .filter(|(_, mode)| wanted(mode))
            .map(|(peer, mode)| Contender { peer, mode: mode.clone(), steps: 1, rounds: Vec::new() })
            .collect();
        let mut contenders = Vec::new();
        for mut contender in candidates {
            let start = Instant::now();
            match self.time(workload, &contender, 1) {
                Ok(us_per_step) => {
                    contender.steps = self.pace.steps(us_per_step);
                    let seconds = start.elapsed().as_secs_f64();
                    let (name, mode) = (self.peers[contender.peer].name, &contender.mode);
                    (self.tell)(&format!("{}: {name} {mode} ready in {seconds:.1} s", workload.name))?;
                    contenders.push(contender);
                }
                Err(problem) => {
                    (self.tell)(&format!("{}: without {}: {problem}", workload.name, contender.mode))?;
                }
            }
        }
        Ok(contenders)
    }

    fn time(&mut self, workload: &Workload, contender: &Contender, steps: usize) -> Result<f64, String> {
        std::thread::sleep(self.pace.rest);
        let request = Request {
            measure: Quantity::Steps,
            workload: workload.name,
            mode: &contender.mode,
            threads: self.device.threads(),
            steps,
        };
        self.peers[contender.peer].time(&request)
    }

    fn result(&self, mut contender: Contender, barun: &[f64]) -> PeerResult {
        let (ratio, ratio_range) = ratio(&contender.rounds, barun);
        PeerResult {
            peer: self.peers[contender.peer].name.to_string(),
            mode: contender.mode,
            us_per_step: median(&mut contender.rounds),
            ratio,
            ratio_range,
        }
    }
}
