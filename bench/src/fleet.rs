//! Many small models trained together: model-steps a second, on one thread and on all, beside JAX's `vmap`.

use std::path::Path;
use std::time::Instant;

use barun_engine::{Device, DeviceOptions, Fleet};
use barun_nn::layers::Sequential;
use barun_nn::{Batch, Step};
use serde::Serialize;

use crate::compare::{PeerResult, PeerVersion};
use crate::error::{Error, Result};
use crate::measure::{Pace, Tell, median, one_and, ratio};
use crate::peer::{JAX, Peer, Quantity, Request, start, unpack};
use crate::workloads::{self, Workload};

/// Models of the fleet; the peer has as many.
pub const MODELS: usize = 32;

/// Which model there are many of.
const WORKLOAD: &str = "tab32";

/// The peer's mode: 50 steps of the models side by side in one compiled loop.
const MODE: &str = "vmap_scan";

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetReport {
    /// The workload each model trains on.
    pub workload: String,
    /// Models of the fleet.
    pub models: usize,
    /// Rounds of each contender.
    pub rounds: usize,
    /// Who else took part.
    pub peers: Vec<PeerVersion>,
    /// One for each number of threads, ascending.
    pub fleets: Vec<FleetTime>,
}

/// The fleet on so many threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FleetTime {
    /// Threads of everyone.
    pub threads: usize,
    /// The median microseconds of one model's step: the time of a step of all, divided by their number.
    pub us_per_model_step: f64,
    /// Steps a second, of all models together.
    pub model_steps_per_second: f64,
    /// How many times as fast as on one thread, by rounds in turns.
    pub speedup: f64,
    /// The least and the greatest round's speedup.
    pub speedup_range: [f64; 2],
    /// The peers' times of a model's step.
    pub peers: Vec<PeerResult>,
}

/// Measures a fleet of [`MODELS`] models on one thread and on `threads`, beside JAX where a Python is given.
pub fn fleet(
    python: Option<&Path>,
    threads: Option<usize>,
    pace: &Pace,
    tell: &mut Tell<'_>,
) -> Result<FleetReport> {
    let workload = workloads::by_name(WORKLOAD)?;
    let most = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?.threads();
    let folder = unpack()?;
    let mut contenders = Vec::new();
    for threads in one_and(most) {
        tell(&format!("{threads} threads: barun"))?;
        let mut contender = Contender::new(workload, threads, pace)?;
        if let Some(python) = python {
            // A process for each: JAX fixes its threads when it starts.
            let peer = start(&[JAX], folder.path(), python, tell)?.pop();
            contender.peer = peer.map(|peer| Rival { peer, steps: 1, rounds: Vec::new() });
            contender.warm_up_peer(pace)?;
        }
        contenders.push(contender);
    }
    let rounds = pace.rounds.max(1);
    for round in 1..=rounds {
        tell(&format!("round {round} of {rounds}"))?;
        contenders.iter_mut().try_for_each(|contender| contender.round(pace))?;
    }
    let peers = contenders.iter().filter_map(|contender| contender.peer.as_ref());
    let peers = peers.map(|rival| rival.peer.version()).take(1).collect();
    let alone = contenders[0].rounds.clone();
    let fleets = contenders.into_iter().map(|contender| contender.result(&alone)).collect();
    Ok(FleetReport { workload: workload.name.to_string(), models: MODELS, rounds, peers, fleets })
}

/// The fleet on so many threads, with its times so far.
struct Contender {
    threads: usize,
    models: Models,
    steps: usize,
    rounds: Vec<f64>,
    peer: Option<Rival>,
}

struct Rival {
    peer: Peer,
    steps: usize,
    rounds: Vec<f64>,
}

impl Contender {
    fn new(workload: &Workload, threads: usize, pace: &Pace) -> Result<Contender> {
        let device = Device::new(DeviceOptions { threads: Some(threads), ..DeviceOptions::default() })?;
        let mut models = Models::new(workload, &device)?;
        let start = Instant::now();
        let mut us = models.timed_step()?;
        while start.elapsed() < pace.warm_up {
            us = models.timed_step()?;
        }
        let steps = pace.steps(us * MODELS as f64);
        Ok(Contender { threads: device.threads(), models, steps, rounds: Vec::new(), peer: None })
    }

    fn warm_up_peer(&mut self, pace: &Pace) -> Result<()> {
        if let Some(us) = self.ask_peer()?
            && let Some(rival) = &mut self.peer
        {
            rival.steps = pace.steps(us);
        }
        Ok(())
    }

    fn round(&mut self, pace: &Pace) -> Result<()> {
        std::thread::sleep(pace.rest);
        let times: Result<Vec<f64>> = (0..self.steps).map(|_| self.models.timed_step()).collect();
        self.rounds.push(median(&mut times?));
        std::thread::sleep(pace.rest);
        let time = self.ask_peer()?;
        if let (Some(time), Some(rival)) = (time, &mut self.peer) {
            rival.rounds.push(time);
        }
        Ok(())
    }

    fn ask_peer(&mut self) -> Result<Option<f64>> {
        let Some(Rival { peer, steps, .. }) = &mut self.peer else { return Ok(None) };
        let request = Request {
            measure: Quantity::Fleet,
            workload: WORKLOAD,
            mode: MODE,
            threads: self.threads,
            steps: *steps,
        };
        let (name, program) = (peer.name, peer.python().to_string());
        let time = peer.time(&request);
        time.map(Some).map_err(|problem| Error::Peer { peer: name, program, problem })
    }

    /// `alone` are the rounds on one thread.
    fn result(self, alone: &[f64]) -> FleetTime {
        let (speedup, speedup_range) = ratio(alone, &self.rounds);
        let peers = self.peer.into_iter().map(|mut rival| {
            let (ratio, ratio_range) = ratio(&rival.rounds, &self.rounds);
            PeerResult {
                peer: rival.peer.name.to_string(),
                mode: MODE.to_string(),
                us_per_step: median(&mut rival.rounds),
                ratio,
                ratio_range,
            }
        });
        let peers = peers.collect();
        let us_per_model_step = median(&mut self.rounds.clone());
        FleetTime {
            threads: self.threads,
            us_per_model_step,
            model_steps_per_second: 1e6 / us_per_model_step,
            speedup,
            speedup_range,
            peers,
        }
    }
}

/// Models that train side by side, each on its own batch.
struct Models {
    step: Step<Sequential>,
    fleet: Fleet,
    batches: Vec<Batch>,
    lrs: Vec<f64>,
}

impl Models {
    fn new(workload: &Workload, device: &Device) -> Result<Models> {
        let step = workload.step(device)?;
        let seeds = 0..MODELS as u64;
        let states: barun_nn::Result<Vec<_>> = seeds.clone().map(|seed| step.init(seed)).collect();
        let batches = seeds.map(|seed| workload.batch(seed)).collect();
        Ok(Models { step, fleet: Fleet { states: states? }, batches, lrs: vec![1e-3; MODELS] })
    }

    /// One step of every model; the microseconds of one.
    fn timed_step(&mut self) -> Result<f64> {
        let start = Instant::now();
        self.step.run_fleet(&mut self.fleet, &self.batches, &self.lrs)?;
        Ok(start.elapsed().as_secs_f64() * 1e6 / MODELS as f64)
    }
}
