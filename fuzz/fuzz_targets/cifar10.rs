#![no_main]

use barun_data::OpenOptions;

// What lies where the archive of CIFAR-10 is looked for.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let data_dir = std::env::temp_dir().join(format!("barun-fuzz-{}", std::process::id()));
    let folder = data_dir.join("cifar10");
    let written = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join("cifar-10-binary.tar.gz"), bytes));
    if written.is_ok() {
        let options = OpenOptions { data_dir: Some(data_dir), offline: true, ..OpenOptions::default() };
        let _ = options.open("cifar10");
    }
});
