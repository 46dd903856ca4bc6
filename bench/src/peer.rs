//! A peer: a Python process that trains the same networks and answers with its step times, a JSON document a line.
//!
//! The programs under `peers/` travel inside the binary, so a comparison works from any folder.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::error::{Error, Result};

const PROGRAMS: [(&str, &str); 4] = [
    ("protocol.py", include_str!("../peers/protocol.py")),
    ("torch_nets.py", include_str!("../peers/torch_nets.py")),
    ("torch_peer.py", include_str!("../peers/torch_peer.py")),
    ("jax_peer.py", include_str!("../peers/jax_peer.py")),
];

/// The peers there are, each with the program that speaks for it.
pub(crate) const PEERS: [(&str, &str); 2] = [("torch", "torch_peer.py"), ("jax", "jax_peer.py")];

/// The peers' programs in a folder that is removed in the end.
pub(crate) fn unpack() -> Result<TempDir> {
    let folder = tempfile::tempdir().map_err(Error::Unpack)?;
    for (name, text) in PROGRAMS {
        std::fs::write(folder.path().join(name), text).map_err(Error::Unpack)?;
    }
    Ok(folder)
}

/// What a peer is asked.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Request<'a> {
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
enum Answer {
    Time { us_per_step: f64 },
    Refused { error: String },
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
        let ask = |peer: &mut Peer| -> Result<String, std::io::Error> {
            let text = serde_json::to_string(request)?;
            writeln!(peer.requests, "{text}")?;
            peer.requests.flush()?;
            peer.read()
        };
        let line = ask(self).map_err(|error| format!("{} ({}) ended: {error}", self.name, self.python))?;
        match serde_json::from_str(&line) {
            Ok(Answer::Time { us_per_step }) => Ok(us_per_step),
            Ok(Answer::Refused { error }) => Err(error),
            Err(_) => Err(format!("{} said `{line}`", self.name)),
        }
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
