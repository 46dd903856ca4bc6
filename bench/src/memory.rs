//! The memory that training takes: the greatest resident size of a process while it builds and trains a network, less
//! its resident size before. Each in a fresh process, since a process keeps memory that it once had.

use std::path::Path;
use std::process::{Command, Stdio};

use barun_engine::{Device, DeviceOptions};
use serde::{Deserialize, Serialize};

use crate::compare::PeerVersion;
use crate::error::{Error, Result};
use crate::measure::Tell;
use crate::peer::{Quantity, Request, TORCH, start, unpack};
use crate::workloads::{Precision, Workload};

/// Steps of everyone: the first touches all memory, one more shows what stays.
const STEPS: usize = 3;

/// The peer's mode.
const MODE: &str = "eager";

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryReport {
    /// Threads of everyone.
    pub threads: usize,
    /// Steps of everyone.
    pub steps: usize,
    /// Who else took part.
    pub peers: Vec<PeerVersion>,
    /// One for each workload.
    pub workloads: Vec<MemoryUse>,
}

/// The memory of training on a workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryUse {
    /// Barun's.
    #[serde(flatten)]
    pub barun: OwnMemory,
    /// The peers'.
    pub peers: Vec<PeerMemory>,
}

/// Barun's memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnMemory {
    /// The workload.
    pub workload: String,
    /// Bytes of the resident peak less those before the model was built.
    pub bytes: usize,
    /// Of these, the bytes that the compiler planned: the state (parameters, what the optimiser remembers) and the
    /// arena (activations, gradients, workspace).
    pub planned_bytes: usize,
}

/// A peer's memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerMemory {
    /// Who.
    pub peer: String,
    /// In which way.
    pub mode: String,
    /// Bytes of the resident peak less those before the network was built.
    pub bytes: usize,
    /// Its bytes over Barun's: above 1 where Barun takes less.
    pub ratio: f64,
}

/// The memory of training on one workload in this process, which should have done nothing before.
pub fn own_memory(workload: &Workload, threads: Option<usize>) -> Result<OwnMemory> {
    let before = resident("VmRSS")?;
    // The peak starts again from here (man 5 proc); where that is refused it is the peak since the process began.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let device = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?;
    let mut training = workload.training(&device, Precision::F32)?;
    for _ in 0..STEPS {
        training.step()?;
    }
    let bytes = resident("VmHWM")?.saturating_sub(before);
    let planned_bytes = training.program()?.memory().total();
    Ok(OwnMemory { workload: workload.name.to_string(), bytes, planned_bytes })
}

/// Measures `workloads`, each in a process of its own, beside PyTorch where a Python is given.
///
/// `child` makes the command whose standard output is [`own_memory`] of a workload as JSON.
pub fn memory(
    workloads: &[&Workload],
    child: &dyn Fn(&Workload) -> Command,
    python: Option<&Path>,
    threads: Option<usize>,
    tell: &mut Tell<'_>,
) -> Result<MemoryReport> {
    let threads = Device::new(DeviceOptions { threads, ..DeviceOptions::default() })?.threads();
    let mut report = MemoryReport { threads, steps: STEPS, peers: Vec::new(), workloads: Vec::new() };
    for workload in workloads {
        tell(workload.name)?;
        let barun = of_child(child(workload))?;
        let mut peers = Vec::new();
        if let Some(python) = python {
            let (version, of_peer) = of_peer(workload, python, threads, barun.bytes, tell)?;
            peers.push(of_peer);
            if report.peers.is_empty() {
                report.peers.push(version);
            }
        }
        report.workloads.push(MemoryUse { barun, peers });
    }
    Ok(report)
}

fn of_child(mut command: Command) -> Result<OwnMemory> {
    let arguments = command.get_args().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let program = command.get_program().to_string_lossy().into_owned();
    let fail = |problem| Error::Child { program: program.clone(), arguments: arguments.clone(), problem };
    let output = command.stdin(Stdio::null()).output().map_err(|error| fail(error.to_string()))?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_string();
    serde_json::from_slice(&output.stdout).map_err(|error| match said() {
        said if said.is_empty() => fail(error.to_string()),
        said => fail(said),
    })
}

fn of_peer(
    workload: &Workload,
    python: &Path,
    threads: usize,
    barun: usize,
    tell: &mut Tell<'_>,
) -> Result<(PeerVersion, PeerMemory)> {
    #[derive(Deserialize)]
    struct Footprint {
        bytes: usize,
    }
    let folder = unpack()?;
    let mut peers = start(&[TORCH], folder.path(), python, tell)?;
    let peer = &mut peers[0];
    let request =
        Request { measure: Quantity::Memory, workload: workload.name, mode: MODE, threads, steps: STEPS };
    let fail = |problem| Error::Peer { peer: TORCH.0, program: python.display().to_string(), problem };
    let Footprint { bytes } = peer.ask(&request).map_err(fail)?;
    let ratio = bytes as f64 / barun as f64;
    let found = PeerMemory { peer: peer.name.to_string(), mode: MODE.to_string(), bytes, ratio };
    Ok((peer.version(), found))
}

/// A line of this process's status, in bytes.
fn resident(field: &str) -> Result<usize> {
    let status =
        std::fs::read_to_string("/proc/self/status").map_err(|error| Error::Resident(error.to_string()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    Ok(1024 * kilobytes.ok_or_else(|| Error::Resident(format!("it has no {field}")))?)
}
