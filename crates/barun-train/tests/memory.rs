//! What was planned is what a training takes, as the system measures it. [DEV-10, DEV-12]

#![cfg(target_os = "linux")]

use std::process::Command;

use barun_data::{Dataset, Features, MinMax, PreparedData, Split, Targets};
use barun_engine::random::Stream;
use barun_nn::layers::Sequential;
use barun_nn::losses::CrossEntropy;
use barun_nn::models::{Architecture, Cnn, Mlp};
use barun_train::Trainer;

const BATCH_SIZES: [usize; 2] = [32, 512];

/// Noise: what it takes matters here, not what is learned.
fn data() -> PreparedData {
    let (rows, pixels) = (1200, 28 * 28);
    let mut stream = Stream::new(1, "noise");
    let features = Features::Images {
        pixels: (0..rows * pixels).map(|_| stream.below(256) as u8).collect(),
        shape: [28, 28, 1],
    };
    let targets = Targets::Classes {
        name: "label".into(),
        labels: (0..rows as i64).map(|row| row % 10).collect(),
        classes: (0..10).map(|class| class.to_string()).collect(),
    };
    let dataset = Dataset::new("noise", features, targets).unwrap();
    dataset.split(Split::random(0.8, 0.2, 0.0)).unwrap().fit(MinMax::default()).unwrap()
}

fn trainer(model: &str, batch_size: usize) -> Trainer<Sequential> {
    let input = [28, 28, 1].into();
    let model = match model {
        "tiny" => Mlp { hidden: vec![8], ..Mlp::default() }.build(&input, 10),
        "mlp" => Mlp { hidden: vec![1024, 512], ..Mlp::default() }.build(&input, 10),
        _ => Cnn::default().build(&input, 10),
    };
    Trainer::new(model.unwrap(), CrossEntropy::default()).epochs(2).batch_size(batch_size)
}

/// A figure of this process, in bytes; `None` where the system does not tell it.
fn status(name: &str) -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches(':').trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1024)
}

/// The child: prints what was measured and what was planned.
#[test]
#[ignore = "run by the other test, in a process of its own"]
fn child() {
    let (Ok(model), Ok(batch_size)) = (std::env::var("BARUN_TEST_MODEL"), std::env::var("BARUN_TEST_BATCH"))
    else {
        return;
    };
    let batch_size = batch_size.parse().unwrap();
    let data = data();
    // A first training wakes the threads and loads the code.
    trainer("tiny", 32).fit(&data).unwrap();
    // The peak counts from now on.
    let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let (Some(before), Some(peak_before)) = (status("VmRSS"), status("VmHWM")) else { return };
    if !is_reset && peak_before > before + (4 << 20) {
        return;
    }
    trainer(&model, batch_size).fit(&data).unwrap();
    let peak = status("VmHWM").unwrap();
    let planned = trainer(&model, batch_size).memory(&data).unwrap().total_bytes;
    println!("\nmeasured {} planned {planned}", peak - before);
}

/// Bytes measured and planned; `None` where this system does not tell the peak.
fn measure(model: &str, batch_size: usize) -> Option<(usize, usize)> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("BARUN_TEST_MODEL", model)
        .env("BARUN_TEST_BATCH", batch_size.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.strip_prefix("measured "))?;
    let (measured, planned) = line.split_once(" planned ")?;
    Some((measured.parse().unwrap(), planned.parse().unwrap()))
}

#[test]
fn the_plan_is_within_a_fifth_of_the_measured_peak_and_smaller_batches_take_less() {
    for model in ["mlp", "cnn"] {
        let mut before = (0, 0);
        for batch_size in BATCH_SIZES {
            let Some((measured, planned)) = measure(model, batch_size) else {
                eprintln!("skipped: this system does not tell the peak of a process's memory");
                return;
            };
            println!("{model} {batch_size}: measured {measured}, planned {planned}");
            let ratio = planned as f64 / measured as f64;
            assert!((0.8..1.2).contains(&ratio), "{model}, batch {batch_size}: {planned} of {measured}");
            assert!(measured > before.0 && planned > before.1, "{model}, batch {batch_size}");
            before = (measured, planned);
        }
    }
}
