#![no_main]

mod table;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = table::file(".idx");
    if std::fs::write(&path, bytes).is_ok() {
        let _ = barun_data::idx::read(&path, 1);
        let _ = barun_data::image_arrays(&path);
    }
});
