//! Reads a table and tells how long it took: `cargo run --release -p barun-data --example read_table FILE [MIB]`. Cells
//! beyond MIB lie on disk. `bench/peers/pandas_read.py` writes such a table and reads
//! it with pandas.

use std::time::Instant;

use barun_data::{Dataset, OpenOptions, Reading, TableOptions};

fn main() -> barun_data::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let mebibytes: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1024);
    let reading = Reading { memory_bytes: mebibytes << 20, ..Reading::default() };
    let options =
        OpenOptions { table: TableOptions { reading, ..TableOptions::default() }, ..OpenOptions::default() };
    let begin = Instant::now();
    let data = Dataset::open_with(path, &options)?;
    println!("{data} in {:.2} s", begin.elapsed().as_secs_f64());
    Ok(())
}
