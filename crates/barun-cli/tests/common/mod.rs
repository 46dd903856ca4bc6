//! A scratch folder to run the binary in.

// Each file of tests is a program of its own and uses a part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// What a run of the binary has given.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Standard output as the one JSON document it is.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }

    /// The one line of an error that is the user's to mend.
    pub fn refusal(&self) -> &str {
        assert_eq!((self.code, self.out.as_str()), (1, ""), "{}", self.err);
        let line = self.err.lines().find(|line| line.starts_with("error: "));
        line.unwrap_or_else(|| panic!("no error in {}", self.err))
    }
}

/// A folder of its own, in which the binary runs.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Scratch {
        Scratch(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barun"));
        command.current_dir(self.0.path()).args(arguments);
        command
            .env_remove("BARUN_DATA")
            .env_remove("BARUN_THREADS")
            .env("NO_COLOR", "1")
            .env("BARUN_OFFLINE", "1")
            // Looks at test parts are counted for this folder alone.
            .env("BARUN_STATE", self.0.path().join(".state"));
        command
    }

    /// Runs the binary in the folder.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
    }

    /// Whether nothing has been written but what the test wrote.
    pub fn holds_only(&self, names: &[&str]) -> bool {
        let mut found: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        found.sort();
        found == names
    }
}

/// Flowers that a small network tells apart: three kinds, two measures that matter and one that does not.
pub fn flowers(rows: usize) -> String {
    let mut text = String::from("length,width,noise,kind\n");
    for row in 0..rows {
        let kind = row % 3;
        let wobble = (row * 7 % 11) as f64 / 11.0;
        let (length, width) = (kind as f64 * 2.0 + wobble, 5.0 - kind as f64 + wobble / 2.0);
        text.push_str(&format!(
            "{length:.3},{width:.3},{},{}\n",
            row * 5 % 13,
            ["rose", "tulip", "lily"][kind]
        ));
    }
    text
}

/// An IDX file: magic, sizes, bytes.
pub fn idx(sizes: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| file.extend(size.to_be_bytes()));
    file.extend(bytes);
    file
}

/// The bytes of a file.
pub fn bytes_of(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
