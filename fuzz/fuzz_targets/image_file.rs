#![no_main]

// The first byte chooses the shape; the others are the file.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let channels = if choice & 1 == 0 { 1 } else { 3 };
    let (height, width) = (1 + usize::from(choice >> 1 & 7), 1 + usize::from(choice >> 4));
    let shape = [height, width, channels];
    if let Ok(pixels) = barun_data::images::decode_image("fuzzed", bytes, shape) {
        assert_eq!(pixels.len(), height * width * channels);
    }
});
