#![no_main]

mod table;

use barun_data::table::TextEncoding;
use barun_data::{Reading, TableOptions, TargetKind};

// The first byte chooses how the others are read.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let encoding = if choice & 1 == 0 { TextEncoding::Utf8 } else { TextEncoding::Latin1 };
    let memory_bytes = if choice & 2 == 0 { usize::MAX } else { 16 };
    let target_kind = match choice >> 2 & 3 {
        0 => TargetKind::Classes,
        1 => TargetKind::Values,
        _ => TargetKind::Auto,
    };
    let reading = Reading { encoding, memory_bytes, ..Reading::default() };
    let ending = if choice & 16 == 0 { ".csv" } else { ".csv.gz" };
    table::open(bytes, ending, TableOptions { target_kind, reading, ..TableOptions::default() });
});
