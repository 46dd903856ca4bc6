//! That workloads run and reports have their shape. How fast they are is for `barun bench` to say.

use std::sync::Arc;

use barun_bench::{
    LoaderSettings, Pace, Precision, compare, compile_time, doctor, fleet, latency, loader, measure,
    oversubscription, scaling, watching, workloads,
};
use serde_json::Value;

/// Every number of a document, wherever it stands.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Number(number) => number.as_f64().into_iter().collect(),
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        Value::Object(entries) => entries.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

fn document_of_positive_numbers(report: &impl serde::Serialize) -> Value {
    let document = serde_json::to_value(report).unwrap();
    let numbers = numbers(&document);
    assert!(!numbers.is_empty() && numbers.iter().all(|number| *number > 0.0), "{document}");
    document
}

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

#[test]
fn a_fleet_is_measured_on_one_thread_and_on_all() {
    let report = fleet(None, Some(2), &Pace::glance(), &mut |_| Ok(())).unwrap();
    let document = document_of_positive_numbers(&report);
    assert_eq!((&document["models"], &document["workload"]), (&32.into(), &"tab32".into()));
    let threads: Vec<usize> = report.fleets.iter().map(|fleet| fleet.threads).collect();
    assert_eq!(threads, [1, 2]);
    assert_eq!(report.fleets[0].speedup, 1.0);
}

#[test]
fn a_fleet_on_one_thread_alone_is_measured_once() {
    let report = fleet(None, Some(1), &Pace::glance(), &mut |_| Ok(())).unwrap();
    assert_eq!(report.fleets.len(), 1);
}

#[test]
fn the_latency_of_every_network_can_be_measured() {
    let chosen: Vec<_> = workloads::ALL.iter().collect();
    let report = latency::latency(&chosen, None, Some(1), &Pace::glance(), &mut |_| Ok(())).unwrap();
    document_of_positive_numbers(&report);
    assert_eq!(report.workloads.len(), workloads::ALL.len());
    assert!(report.workloads.iter().all(|row| row.us_median <= row.us_p99));
}

#[test]
fn compiling_is_measured_with_its_growth() {
    let workload = workloads::by_name("lenet64").unwrap();
    let report = compile_time(&[workload], Some(1), &Pace::glance(), &mut |_| Ok(())).unwrap();
    document_of_positive_numbers(&report);
    assert!(report.workloads[0].kernels > 1);
    assert!(report.growth[0].what.ends_with("100 layers") && report.growth[1].what.ends_with("640 rows"));
}

#[test]
fn what_threads_bring_is_measured_beside_what_they_bring_to_multiply_adds() {
    let workload = workloads::by_name("tab32").unwrap();
    let report = scaling::scaling(&[workload], Some(2), &Pace::glance(), &mut |_| Ok(())).unwrap();
    document_of_positive_numbers(&report);
    assert_eq!((report.threads, report.workloads[0].workload.as_str()), (2, "tab32"));
}

#[test]
fn watched_steps_are_measured_in_turns_with_plain_ones() {
    let workload = workloads::by_name("tab32").unwrap();
    let report = watching(&[workload], Some(1), Precision::F32, 3, &Pace::glance(), &mut |_| Ok(())).unwrap();
    let row = &report.workloads[0];
    assert_eq!((report.every, row.workload.as_str()), (3, "tab32"));
    assert!(row.us_per_step > 0.0 && row.overhead_percent.is_finite() && row.every_for_one_percent >= 20);
    assert!((row.overhead_percent_at_20 - row.overhead_percent * 3.0 / 20.0).abs() < 1e-9);
}

#[test]
fn the_doctor_is_measured_in_turns_with_plain_steps_and_finds_nothing_wrong() {
    let workload = workloads::by_name("tab32").unwrap();
    let pace = Pace { rounds: 2, ..Pace::glance() };
    let measure = |stop: bool| doctor(&[workload], Some(1), &pace, &Arc::new(stop.into()), &mut |_| Ok(()));
    let report = measure(false).unwrap();
    let row = &report.workloads[0];
    assert_eq!((row.workload.as_str(), row.steps, row.alarms.len()), ("tab32", 800, 0));
    assert!(row.us_per_step > 0.0 && row.overhead_percent.is_finite() && row.watched > 0, "{row:?}");
    assert!(matches!(measure(true), Err(barun_bench::Error::Stopped)));
}

#[test]
fn crowded_cores_come_with_what_a_fair_share_would_take() {
    let report = oversubscription::oversubscription("tab32", &Pace::glance(), &mut |_| Ok(())).unwrap();
    document_of_positive_numbers(&serde_json::json!([report.us_per_step, report.cores]));
    let cases: Vec<_> = report.cases.iter().map(|case| (case.threads, case.neighbours)).collect();
    let cores = report.cores;
    assert_eq!(cases, [(cores, cores), (2 * cores, 0), (2 * cores, cores)]);
    assert!(report.cases.iter().all(|case| case.us_per_step > 0.0 && case.fair_slowdown >= 1.0));
}

#[test]
fn an_epoch_visits_its_images_in_whole_batches() {
    let settings = LoaderSettings {
        data: "digits".to_string(),
        model: "mlp".to_string(),
        batch: 100,
        images: Some(750),
        threads: Some(1),
        ..LoaderSettings::default()
    };
    let report = loader(&settings, &Pace::glance(), &mut |_| Ok(())).unwrap();
    document_of_positive_numbers(&report);
    assert_eq!((report.steps, report.batch), (7, 100));
}

#[test]
fn a_loader_needs_images_with_classes() {
    let settings = LoaderSettings { data: "moons".to_string(), ..LoaderSettings::default() };
    let error = loader(&settings, &Pace::glance(), &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("moons is no set of images"), "{error}");
}
