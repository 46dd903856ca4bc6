//! A peer: a Python process that computes with the same networks and answers with its figures, a JSON document a line.
//!
//! The programs under `peers/` travel inside the binary, so a comparison works from any folder.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::compare::PeerVersion;
use crate::error::{Error, Result};
use crate::measure::Tell;

const PROGRAMS: [(&str, &str); 5] = [
    ("protocol.py", include_str!("../peers/protocol.py")),
    ("torch_nets.py", include_str!("../peers/torch_nets.py")),
    ("torch_peer.py", include_str!("../peers/torch_peer.py")),
    ("jax_peer.py", include_str!("../peers/jax_peer.py")),
    ("onnxruntime_peer.py", include_str!("../peers/onnxruntime_peer.py")),
];

/// A peer's name, which is also that of the Python package it needs, and the program that speaks for it.
pub(crate) type Program = (&'static str, &'static str);

pub(crate) const TORCH: Program = ("torch", "torch_peer.py");
pub(crate) const JAX: Program = ("jax", "jax_peer.py");
pub(crate) const ONNXRUNTIME: Program = ("onnxruntime", "onnxruntime_peer.py");

/// The peers' programs in a folder that is removed in the end.
pub(crate) fn unpack() -> Result<TempDir> {
    let folder = tempfile::tempdir().map_err(Error::Unpack)?;
    for (name, text) in PROGRAMS {
        std::fs::write(folder.path().join(name), text).map_err(Error::Unpack)?;
    }
    Ok(folder)
}

/// Starts those of `programs` that the Python can run and tells of the others; an error if there is none.
pub(crate) fn start(
    programs: &[Program],
    folder: &Path,
    python: &Path,
    tell: &mut Tell<'_>,
) -> Result<Vec<Peer>> {
    let (mut peers, mut problems) = (Vec::new(), Vec::new());
    for (name, program) in programs {
        tell(&format!("starting {name}"))?;
        match Peer::start(name, &folder.join(program), python) {
            Ok(peer) => peers.push(peer),
            Err(problem) => problems.push(problem.to_string()),
        }
    }
    if peers.is_empty() {
        let wanted: Vec<&str> = programs.iter().map(|(name, _)| *name).collect();
        return Err(Error::NoPeer { problems: problems.join("; "), wanted: wanted.join(" or ") });
    }
    problems.iter().try_for_each(|problem| tell(&format!("without {problem}")))?;
    Ok(peers)
}

/// What a peer can be asked for.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Quantity {
    /// The time of a training step.
    Steps,
    /// The time of a model's step where many small models train together.
    Fleet,
    /// The time of predicting one row.
    Latency,
    /// The memory of training.
    Memory,
}

/// What a peer is asked.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Request<'a> {
    pub measure: Quantity,
    pub workload: &'a str,
    pub mode: &'a str,
    pub threads: usize,
    pub steps: usize,
}

/// What it says of itself when it is ready.
#[derive(Debug, Deserialize)]
struct Ready {
    version: String,
    modes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Measured(T),
    Refused { error: String },
}

#[derive(Debug, Deserialize)]
struct StepTime {
    us_per_step: f64,
}

/// A running peer.
pub(crate) struct Peer {
    pub name: &'static str,
    pub version: String,
    /// The ways it can train.
    pub modes: Vec<String>,
    python: String,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a peer and waits until it is ready.
    pub fn start(name: &'static str, program: &Path, python: &Path) -> Result<Peer> {
        let fail =
            |problem: String| Error::Peer { peer: name, program: python.display().to_string(), problem };
        let mut child = Command::new(python)
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| fail(error.to_string()))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(fail("its input and output cannot be had".to_string()));
        };
        let mut peer = Peer {
            name,
            version: String::new(),
            modes: Vec::new(),
            python: python.display().to_string(),
            child,
            requests,
            answers: BufReader::new(answers),
        };
        let line =
            peer.read().map_err(|_| fail(format!("it did not start; does this Python have {name}?")))?;
        let ready: Ready = serde_json::from_str(&line).map_err(|_| fail(format!("it said `{line}`")))?;
        (peer.version, peer.modes) = (ready.version, ready.modes);
        Ok(peer)
    }

    /// The median microseconds of a step, or why the peer does not do this.
    pub fn time(&mut self, request: &Request<'_>) -> Result<f64, String> {
        Ok(self.ask::<StepTime>(request)?.us_per_step)
    }

    /// What it measured, or why it does not do this.
    pub fn ask<T: DeserializeOwned>(&mut self, request: &Request<'_>) -> Result<T, String> {
        let ask = |peer: &mut Peer| -> Result<String, std::io::Error> {
            let text = serde_json::to_string(request)?;
            writeln!(peer.requests, "{text}")?;
            peer.requests.flush()?;
            peer.read()
        };
        let line = ask(self).map_err(|error| format!("{} ({}) ended: {error}", self.name, self.python))?;
        match serde_json::from_str(&line) {
            Ok(Answer::Measured(answer)) => Ok(answer),
            Ok(Answer::Refused { error }) => Err(error),
            Err(_) => Err(format!("{} said `{line}`", self.name)),
        }
    }

    /// The Python that runs it.
    pub fn python(&self) -> &str {
        &self.python
    }

    /// Who it is.
    pub fn version(&self) -> PeerVersion {
        PeerVersion { peer: self.name.to_string(), version: self.version.clone() }
    }

    fn read(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim().to_string()),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Given the chance it ends its own helpers; one that hangs is ended.
        let _ = writeln!(self.requests, "quit");
        for _ in 0..50 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
