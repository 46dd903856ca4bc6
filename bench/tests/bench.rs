//! That workloads run and reports have their shape. How fast they are is for `barun bench` to say.

use barun_bench::{Pace, Precision, compare, measure, workloads};

#[test]
fn a_glance_at_the_smallest_workload_gives_the_promised_document() {
    let workload = workloads::by_name("tab32").unwrap();
    let mut told = Vec::new();
    let report = measure(&[workload], Some(1), Precision::F32, &Pace::glance(), &mut |text| {
        told.push(text.to_string());
        Ok(())
    });
    let document = serde_json::to_value(report.unwrap()).unwrap();
    assert_eq!(document["threads"], 1);
    let row = &document["workloads"][0];
    assert_eq!(row["workload"], "tab32");
    let us = row["us_per_step"].as_f64().unwrap();
    let samples = row["samples_per_second"].as_f64().unwrap();
    assert!((us * samples / 1e6 - 32.0).abs() < 1e-6, "{row}");
    assert_eq!(row["us_per_step_range"].as_array().unwrap().len(), 2);
    assert_eq!(told, ["tab32"]);
}

#[test]
fn training_on_a_workload_lowers_its_loss() {
    let device = barun_engine::Device::shared().unwrap();
    let mut training = workloads::by_name("tab32").unwrap().training(&device, Precision::F32).unwrap();
    let losses: Vec<f64> = (0..50).map(|_| training.step().unwrap()).collect();
    assert!(losses[49] < losses[0], "{losses:?}");
    assert!(training.program().unwrap().describe().contains("MFLOP"));
}

#[test]
fn a_step_in_bf16_trains_and_needs_less_memory_than_one_in_f32() {
    let device = barun_engine::Device::shared().unwrap();
    for (name, most) in [("cnn64", 0.9), ("resnet18_64", 0.75)] {
        let workload = workloads::by_name(name).unwrap();
        let arena = |precision| {
            let training = workload.training(&device, precision).unwrap();
            training.program().unwrap().memory().arena_bytes as f64
        };
        let part = arena(Precision::Bf16) / arena(Precision::F32);
        assert!(part < most, "{name}: {part}");
    }
    let mut training = workloads::by_name("cnn64").unwrap().training(&device, Precision::Bf16).unwrap();
    let losses: Vec<f64> = (0..8).map(|_| training.step().unwrap()).collect();
    assert!(losses[7] < losses[0], "{losses:?}");
}

#[test]
fn a_precision_that_is_not_known_names_those_that_are() {
    let message = Precision::by_name("fp16").err().unwrap().to_string();
    assert!(message.contains("f32") && message.contains("bf16"), "{message}");
}

#[test]
fn a_workload_that_is_not_known_suggests_the_nearest() {
    let message = workloads::by_name("mlp12").err().unwrap().to_string();
    assert!(message.contains("did you mean `mlp128`?"), "{message}");
}

#[test]
fn a_python_that_is_not_there_is_told_with_what_to_do() {
    let workload = workloads::by_name("tab32").unwrap();
    let none = std::path::Path::new("no/such/python");
    let error = compare(&[workload], none, &[], Some(1), Precision::F32, &Pace::glance(), &mut |_| Ok(()))
        .unwrap_err();
    let message = error.to_string();
    assert!(message.contains("torch (no/such/python)") && message.contains("--python PATH"), "{message}");
}
