//! What every reader of tables is put through: a file of the given bytes is opened, prepared and read to the end. Whatever
//! the bytes are, the answer is data or an error.

use barun_data::{Dataset, Features, OpenOptions, Quantile, Split, TableOptions};
use std::path::PathBuf;

/// Opens `bytes` as a file with the given ending.
#[allow(dead_code, reason = "not every target reads tables")]
pub fn open(bytes: &[u8], ending: &str, table: TableOptions) {
    let path = file(ending);
    if std::fs::write(&path, bytes).is_err() {
        return;
    }
    let Ok(data) = Dataset::open_with(&path, &OpenOptions { table, ..OpenOptions::default() }) else {
        return;
    };
    let Features::Table(_) = data.features() else { return };
    let Ok(split) = data.split(Split::random(0.5, 0.0, 0.5)) else { return };
    let Ok(prepared) = split.fit(Quantile) else { return };
    for batch in prepared.test().batches(1) {
        let _ = batch;
    }
    let _ = std::fs::remove_file(&path);
}

/// A file of this process's own, in memory where the system has such a folder.
pub fn file(ending: &str) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
    folder.join(format!("barun-fuzz-{}{ending}", std::process::id()))
}
