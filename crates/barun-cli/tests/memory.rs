//! What a training takes, through the binary. [DEV-09..DEV-15]

mod common;

use common::{Scratch, flowers};
use serde_json::Value;

fn bytes(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number of bytes"))
}

/// Few threads, so that the numbers are the same on every machine with the same instructions.
const DIGITS: &[&str] = &["memory", "digits", "--threads", "2"];

/// DEV-11
#[test]
fn the_parts_sum_to_the_total_and_nothing_is_written() {
    let scratch = Scratch::new();
    for more in [&[][..], &["--model", "lenet"], &["--set", "model.batch_norm=true"]] {
        let report = scratch.run(&[DIGITS, more, &["--json"]].concat()).json();
        let parts = report["parts"].as_array().unwrap();
        let sum: u64 = parts.iter().map(|part| bytes(&part["bytes"])).sum();
        assert_eq!(sum, bytes(&report["total_bytes"]), "{report}");
        let part = |name: &str| parts.iter().find(|part| part["name"] == name).unwrap();
        assert_eq!(bytes(&part("parameters")["bytes"]), 4 * bytes(&report["params"]));
        // Adam: with the gradients four times the parameters. [DEV-10]
        assert_eq!(bytes(&part("optimizer state")["bytes"]), 2 * bytes(&part("parameters")["bytes"]));
        assert!(bytes(&part("activations")["most_bytes"]) > 0, "{report}");
    }
    assert!(scratch.holds_only(&[]));
}

/// DEV-09, ERR-13
#[test]
fn the_textbook_formula_is_printed_with_what_it_leaves_out() {
    let scratch = Scratch::new();
    let small = ["--set", "model.hidden=[50]", "--set", "train.batch_size=100"];
    let ran = scratch.run(&[DIGITS, &small].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(
        ran.out.starts_with("mlp on digits: 39,760 parameters, batches of 100, 2 threads\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains(" says 159,040 + 3,136 x 100 = 472,640 bytes.\n"), "{}", ran.out);
    assert!(ran.out.contains("the formula leaves out gradients, what the optimizer remembers,\nactivations"));
}

/// DEV-12, DEV-13
#[test]
fn smaller_batches_take_less_and_the_largest_within_a_limit_is_found() {
    let scratch = Scratch::new();
    let report = scratch.run(&[DIGITS, &["--memory-limit", "20MB", "--json"]].concat()).json();
    let totals: Vec<u64> =
        report["batches"].as_array().unwrap().iter().map(|batch| bytes(&batch["total_bytes"])).collect();
    assert!(totals.len() == 5 && totals.is_sorted(), "{report}");
    assert_eq!((&report["limit"]["from"], &report["limit"]["bytes"]), (&"given".into(), &20_000_000.into()));
    let (largest, next) = (&report["largest_batch"], &report["next_batch"]);
    assert_eq!(bytes(&largest["batch_size"]) + 1, bytes(&next["batch_size"]));
    assert!(bytes(&largest["total_bytes"]) <= 20_000_000 && bytes(&next["total_bytes"]) > 20_000_000);
    // What was found is what a training accepts, and the next is what it refuses.
    let plan = |batch: &Value| {
        let size = format!("train.batch_size={}", batch["batch_size"]);
        scratch.run(&[DIGITS, &["--set", &size, "--json"]].concat()).json()["total_bytes"].clone()
    };
    assert_eq!((&plan(largest), &plan(next)), (&largest["total_bytes"], &next["total_bytes"]));
}

/// DEV-15
#[test]
fn a_training_beyond_its_limit_is_refused_before_anything_is_written() {
    let scratch = Scratch::new();
    let train = ["train", "digits", "--threads", "2", "--memory-limit"];
    let refusal = |limit: &str| scratch.run(&[&train[..], &[limit]].concat()).refusal().to_string();
    let text = refusal("16MB");
    assert!(text.starts_with("error: training in batches of 128 takes 16,"), "{text}");
    assert!(text.contains(" of memory, but the limit is 16,000,000 bytes (15.3 MiB); batches of "), "{text}");
    let size = text.split("--set ").nth(1).unwrap().split(',').next().unwrap();
    let text = refusal("1MiB");
    assert!(text.contains("the limit is 1,048,576 bytes (1.0 MiB); even batches of "), "{text}");
    assert!(
        text.ends_with(
            "the parameters alone are 2,143,272 bytes (2.0 MiB): choose a smaller network, or allow more"
        ),
        "{text}"
    );
    assert!(scratch.holds_only(&[]));
    // What it proposes is accepted.
    let few = ["--set", size, "--epochs", "1", "--json"];
    assert_eq!(scratch.run(&[&train[..], &["16MB"], &few].concat()).json()["epochs"], 1);
}

#[test]
fn a_table_of_numbers_has_a_plan_too() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(60));
    let options = ["--target", "length", "--ignore", "kind", "--set", "train.batch_size=42", "--json"];
    let report = scratch.run(&[&["memory", "flowers.csv"][..], &options].concat()).json();
    assert_eq!((&report["model"], &report["textbook"]["sample_bytes"]), (&"tabular".into(), &8.into()));
    assert!(report["next_batch"].is_null() && report["largest_batch"]["batch_size"] == 42, "{report}");
}

#[test]
fn mistakes_are_told_as_training_tells_them() {
    let scratch = Scratch::new();
    let refusal = scratch.run(&[DIGITS, &["--set", "train.batch_size=100000"]].concat());
    assert!(refusal.refusal().contains("`train.batch_size` is 100000, but the training part has 9600 rows"));
    assert!(scratch.run(&["memory", "digist"]).refusal().contains("'digist' is not a data source"));
    for (size, complaint) in [
        ("much", "'much' is no unit of memory; write a size such as 512MiB"),
        ("2XB", "'XB' is no unit of memory"),
        ("0", "no memory at all is too little"),
    ] {
        let ran = scratch.run(&[DIGITS, &["--memory-limit", size]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        assert!(ran.err.contains("'--memory-limit <SIZE>'") && ran.err.contains(complaint), "{}", ran.err);
    }
}
