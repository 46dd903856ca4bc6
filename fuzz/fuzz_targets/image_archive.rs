#![no_main]

use barun_data::{Features, OpenOptions};

// The first byte chooses how the archive is read; the others are the archive.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let path = std::env::temp_dir().join(format!("barun-fuzz-{}.zip", std::process::id()));
    if std::fs::write(&path, bytes).is_err() {
        return;
    }
    let options = OpenOptions {
        skip_unreadable: choice & 1 == 1,
        image_size: (choice & 2 == 2).then_some([3, 5]),
        image_cache: if choice & 4 == 4 { 0 } else { 1 << 20 },
        ..OpenOptions::default()
    };
    let Ok(dataset) = options.open(&path) else { return };
    let Features::Lazy(images) = dataset.features() else { return };
    for index in 0..images.len() {
        let read = images.get(index);
        assert!(read.is_ok() || !options.skip_unreadable, "what cannot be read was to be left out");
    }
});
