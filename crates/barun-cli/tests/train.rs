//! Training, measuring and asking through the binary, as a user does it. [TRAIN-15]

mod common;

use common::{Scratch, bytes_of, flowers, idx};

/// Some digits, an epoch in well under a second.
const FEW_DIGITS: &[&str] = &[
    "train",
    "digits",
    "--set",
    "data.split={ train = 0.05, valid = 0.02, test = 0.02 }",
    "--set",
    "train.batch_size=32",
    "--epochs",
    "3",
    "--json",
];

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_network_learns_xor_and_moons_from_the_defaults() {
    let scratch = Scratch::new();
    for source in ["xor", "moons"] {
        let report = scratch.run(&["train", source, "--json"]).json();
        assert!(number(&report["test"]["accuracy"]) >= 0.95, "{report}");
    }
}

#[test]
fn the_document_of_a_training_has_its_fields_and_the_folder_its_files() {
    let scratch = Scratch::new();
    let ran = scratch.run(FEW_DIGITS);
    let report = ran.json();
    assert_eq!(report["run"], "runs/digits-mlp-1");
    assert_eq!(report["params"], 535_818);
    assert_eq!((&report["epochs"], &report["seed"]), (&3.into(), &0.into()));
    for part in ["train", "valid", "test"] {
        assert!(number(&report[part]["loss"]) > 0.0, "{report}");
        assert!((0.0..=1.0).contains(&number(&report[part]["accuracy"])), "{report}");
        assert!(report[part].get("mae").is_none(), "{report}");
    }
    assert!(number(&report["train"]["accuracy"]) > 0.8, "{report}");
    assert!(number(&report["seconds"]) > 0.0 && number(&report["samples_per_second"]) > 0.0);
    // Progress goes to standard error: a line when it begins, a line an epoch.
    assert_eq!(ran.err.lines().count(), 4, "{}", ran.err);
    for file in ["recipe.toml", "log.jsonl", "checkpoints/best.safetensors", "checkpoints/last.safetensors"] {
        assert!(scratch.path("runs/digits-mlp-1").join(file).is_file(), "{file}");
    }
    let log = std::fs::read_to_string(scratch.path("runs/digits-mlp-1/log.jsonl")).unwrap();
    let epochs: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(epochs.iter().map(|epoch| epoch["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    // 600 rows in batches of 32: 18 whole ones and one of 24. [TRAIN-12]
    assert_eq!((&epochs[2]["step"], &epochs[2]["samples"]), (&57.into(), &1800.into()));
    // The rate of the last step of a cosine is not yet its end. [SCHED-03]
    assert!(number(&epochs[2]["lr"]) < 1e-5 && number(&epochs[2]["lr"]) > 0.0);
    let best = epochs.iter().rev().find(|epoch| epoch["best"] == true).unwrap();
    assert_eq!(report["best_epoch"], best["epoch"]);
    assert_eq!(report["valid"], best["valid"]);
}

#[test]
fn a_regression_is_measured_in_the_targets_own_unit() {
    let scratch = Scratch::new();
    let mut table = String::from("area,price\n");
    (0..200).for_each(|row| table.push_str(&format!("{row},{}\n", 100_000 + 2_000 * row)));
    scratch.write("houses.csv", table);
    let report = scratch.run(&["train", "houses.csv", "--json"]).json();
    let test = &report["test"];
    assert!(number(&test["r2"]) > 0.99, "{report}");
    // The prices span 400,000: an error of some thousands is small, one below 1 would be in units of the deviation.
    assert!((1.0..20_000.0).contains(&number(&test["mae"])), "{report}");
    assert!(number(&test["rmse"]) >= number(&test["mae"]));
    assert!(test.get("accuracy").is_none());
    let asked = scratch.run(&["predict", "runs/houses-tabular-1", "houses.csv", "--json"]).json();
    let price = number(&asked["predictions"][100]["prediction"]);
    assert!((price - 300_000.0).abs() < 20_000.0, "{price}");
}

#[test]
fn two_classes_may_be_learned_with_one_output() {
    let scratch = Scratch::new();
    let report = scratch.run(&["train", "moons", "--set", "train.loss=bce_with_logits", "--json"]).json();
    assert!(number(&report["test"]["accuracy"]) >= 0.95, "{report}");
    let (columns, members) = (2 * (2 * 16 + 3 * 16 + 3), 8 * 8 + 8 * (256 + 1));
    assert_eq!(report["params"], columns + members + 8 * 256 + 256 + 256 * 256 + 256);
    let asked = scratch.run(&["predict", "runs/moons-tabular-1", "moons", "--json"]).json();
    let row = &asked["predictions"][0];
    let likely = row["probabilities"].as_array().unwrap().iter().map(number).fold(0.0, f64::max);
    assert_eq!(number(&row["probability"]), likely);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_other_ones() {
    let scratch = Scratch::new();
    let train = |out: &str, more: &[&str]| {
        let report = scratch.run(&[FEW_DIGITS, &["--out", out], more].concat()).json();
        let file = |name: &str| bytes_of(&scratch.path(out).join("checkpoints").join(name));
        (file("best.safetensors"), file("last.safetensors"), report["valid"].clone(), report["test"].clone())
    };
    let one = train("one", &["--seed", "1", "--threads", "1"]);
    assert!(one == train("again", &["--seed", "1", "--threads", "1"]), "the same seed");
    assert!(one == train("two-threads", &["--seed", "1", "--threads", "2"]), "two threads");
    let other = train("other", &["--seed", "2", "--threads", "1"]);
    assert!(one.0 != other.0 && one.1 != other.1 && one.3 != other.3, "another seed");
}

#[test]
fn dropout_and_batch_norm_too_are_the_same_for_any_number_of_threads() {
    let scratch = Scratch::new();
    let train = |out: &str, threads: &str| {
        let options = ["--set", "model={ batch_norm = true, dropout = 0.3, hidden = [32] }", "--out", out];
        scratch.run(&[FEW_DIGITS, &options, &["--threads", threads]].concat()).json();
        bytes_of(&scratch.path(out).join("checkpoints/last.safetensors"))
    };
    assert!(train("a", "1") == train("b", "2"));
}

#[test]
fn eval_of_the_run_gives_the_numbers_of_the_training() {
    let scratch = Scratch::new();
    let report = scratch.run(FEW_DIGITS).json();
    for part in ["train", "valid", "test"] {
        let found = scratch.run(&["eval", "runs/digits-mlp-1", "--part", part, "--json"]).json();
        assert_eq!(found["accuracy"], report[part]["accuracy"], "{part}");
        assert_eq!(found["loss"], report[part]["loss"], "{part}");
        assert_eq!((&found["part"], &found["source"]), (&part.into(), &"digits".into()));
    }
    let text = scratch.run(&["eval", "runs/digits-mlp-1/checkpoints/last.safetensors"]).out;
    assert!(text.starts_with("digits (valid, 240 rows): loss "), "{text}");
}

#[test]
fn training_in_bf16_learns_keeps_f32_weights_and_is_evaluated_the_same() {
    let scratch = Scratch::new();
    let bf16 =
        ["train", "digits", "--precision", "bf16", "--set", "train.batch_size=64", "--epochs", "5", "--json"];
    let report = scratch.run(&bf16).json();
    assert!(number(&report["test"]["accuracy"]) > 0.97, "{report}");
    let found = scratch.run(&["eval", "runs/digits-mlp-1", "--part", "test", "--json"]).json();
    assert_eq!(found["accuracy"], report["test"]["accuracy"]);
    assert_eq!(found["loss"], report["test"]["loss"]);
    let model = std::fs::read(scratch.path("runs/digits-mlp-1/checkpoints/best.safetensors")).unwrap();
    let header =
        String::from_utf8_lossy(&model[8..8 + model[0] as usize + ((model[1] as usize) << 8)]).into_owned();
    assert!(header.contains("\"F32\"") && !header.contains("\"BF16\""), "{header}");
}

/// LAYER-16
#[test]
fn a_moved_model_file_gives_identical_answers() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(90));
    let options =
        ["--set", "model={ name = \"mlp\", batch_norm = true }", "--epochs", "3", "--json", "--out", "run"];
    scratch.run(&[&["train", "flowers.csv"][..], &options].concat()).json();
    let before = scratch.run(&["predict", "run", "flowers.csv", "--probabilities"]);
    std::fs::rename(scratch.path("run/checkpoints/best.safetensors"), scratch.path("moved.safetensors"))
        .unwrap();
    std::fs::remove_dir_all(scratch.path("run")).unwrap();
    let after = scratch.run(&["predict", "moved.safetensors", "flowers.csv", "--probabilities"]);
    assert_eq!((before.code, &before.out), (0, &after.out));
    assert_eq!(before.out.lines().count(), 91);
    assert!(before.out.starts_with("input,prediction,probability,p(lily),p(rose),p(tulip)\n1,"));
}

#[test]
fn a_table_to_predict_is_read_by_the_names_of_its_columns() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(90));
    let report = scratch.run(&["train", "flowers.csv", "--json", "--out", "run"]).json();
    assert!(number(&report["test"]["accuracy"]) > 0.9, "{report}");
    let asked = scratch.run(&["predict", "run", "flowers.csv"]);
    assert_eq!((asked.code, asked.err.as_str()), (0, ""));

    // Other order, a column more, no target: the same answers, and a word about the column.
    let turned: String = flowers(90)
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let cells: Vec<&str> = line.split(',').collect();
            let colour = if at == 0 { "colour" } else { "red" };
            format!("{colour},{},{},{}\n", cells[2], cells[0], cells[1])
        })
        .collect();
    scratch.write("turned.csv", &turned);
    let turned = scratch.run(&["predict", "run", "turned.csv"]);
    assert_eq!(turned.out, asked.out);
    assert_eq!(turned.err, "note: columns that the model does not know were left aside: colour\n");

    // A class that the model has never seen is no obstacle to an answer, but to a measurement.
    scratch.write("unseen.csv", "length,width,noise,kind\n0.1,5.0,1,orchid\n");
    assert_eq!(scratch.run(&["predict", "run", "unseen.csv"]).out.lines().count(), 2);
    let refused = scratch.run(&["eval", "run", "unseen.csv"]);
    assert!(refused.refusal().contains("class 'orchid' was not in the training data"), "{}", refused.err);

    scratch.write("missing.csv", "length,noise\n1,2\n");
    let refused = scratch.run(&["predict", "run", "missing.csv"]);
    let message = "error: missing.csv: there is no column 'width'; the columns are length, noise";
    assert_eq!(refused.refusal(), message);
    let refused = scratch.run(&["eval", "run", "turned.csv"]);
    assert!(refused.refusal().contains("there is no column 'kind', so there is nothing to compare with"));

    // Several inputs say which row is whose.
    let both = scratch.run(&["predict", "run", "flowers.csv", "unseen.csv"]).out;
    assert!(both.lines().last().unwrap().starts_with("unseen.csv:1,"), "{both}");
    let measured = scratch.run(&["eval", "run", "flowers.csv", "--json"]).json();
    assert_eq!((&measured["samples"], &measured["part"]), (&90.into(), &"all".into()));
}

#[test]
fn images_are_asked_about_by_an_idx_file_or_by_name() {
    let scratch = Scratch::new();
    scratch.run(&[FEW_DIGITS, &["--out", "run"]].concat()).json();
    let pixels: Vec<u8> = (0..3 * 784).map(|at| (at % 251) as u8).collect();
    scratch.write("three.idx", idx(&[3, 28, 28], &pixels));
    let asked = scratch.run(&["predict", "run", "three.idx", "--json"]).json();
    let rows = asked["predictions"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| row["input"].as_str().unwrap()).collect::<Vec<_>>(), ["1", "2", "3"]);
    let sum: f64 = rows[0]["probabilities"].as_array().unwrap().iter().map(number).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert_eq!(asked["classes"].as_array().unwrap().len(), 10);

    scratch.write("small.idx", idx(&[1, 8, 8], &[0; 64]));
    let refused = scratch.run(&["predict", "run", "small.idx"]);
    assert_eq!(
        refused.refusal(),
        "error: the model takes images of [28, 28, 1], but this is small.idx with images of [8, 8, 1]; \
         give it data like that it was trained on"
    );
    let all = scratch.run(&["predict", "run", "digits", "--out", "answers.csv"]);
    assert_eq!((all.code, all.out.as_str()), (0, ""));
    let answers = std::fs::read_to_string(scratch.path("answers.csv")).unwrap();
    assert_eq!(answers.lines().count(), 12_001);
}

#[test]
fn a_list_of_layers_trains() {
    let scratch = Scratch::new();
    scratch.write(
        "recipe.toml",
        r#"
        [data]
        source = "digits"
        split = { train = 0.05, valid = 0.02, test = 0.02 }
        [model]
        layers = [
            { type = "conv", channels = 4, stride = 2 }, "relu",
            { type = "residual", layers = [{ type = "conv", channels = 4, padding = 1 }, "batchnorm"] }, "relu",
            "maxpool", "flatten", { type = "dropout", rate = 0.1 }, { type = "linear", units = "classes" },
        ]
        [train]
        epochs = 2
        batch_size = 32
        lr = 0.01
        "#,
    );
    let report = scratch.run(&["train", "recipe.toml", "--json"]).json();
    assert!(number(&report["train"]["accuracy"]) > 0.4, "{report}");
    assert_eq!(report["run"], "runs/digits-layers-1");
}

#[test]
fn an_autoencoder_learns_its_input_and_is_measured_and_asked_for_it() {
    let scratch = Scratch::new();
    let small = "data.split={ train = 0.05, valid = 0.02, test = 0.02 }";
    let train = |more: &[&str]| {
        let all = [
            "train",
            "digits",
            "--model",
            "autoencoder",
            "--set",
            "data.task=reconstruction",
            "--set",
            small,
        ];
        scratch.run(&[&all[..], &["--set", "train.batch_size=32", "--epochs", "8", "--json"], more].concat())
    };
    let ran = train(&["--out", "run"]);
    let report = ran.json();
    // As many outputs as pixels: 784 to 128 to 16 and back.
    assert_eq!(report["params"], 2 * (784 * 128 + 128 * 16) + 128 + 16 + 128 + 784);
    for part in ["train", "valid", "test"] {
        assert!(report[part].get("accuracy").is_none() && report[part].get("r2").is_none(), "{report}");
        let (mae, rmse) = (number(&report[part]["mae"]), number(&report[part]["rmse"]));
        // The scaled pixels have deviation 1: to say their mean would be an error of 1.
        assert!(mae < rmse && rmse < 0.9, "{report}");
        // The loss is the mean squared error over batches.
        assert!((number(&report[part]["loss"]).sqrt() - rmse).abs() < 0.05, "{report}");
    }
    assert!(ran.err.contains("the input"), "{}", ran.err);
    let measured = scratch.run(&["eval", "run", "--json"]).json();
    assert_eq!(measured["rmse"], report["valid"]["rmse"]);
    let valid = number(&measured["evaluation"]["figures"]["rmse"]["value"]);
    assert!((valid - number(&measured["rmse"])).abs() < 1e-4, "{measured}");
    let shown = scratch.run(&["eval", "run"]);
    let figures = ["mae", "mse", "rmse"].map(|name| format!("\n  {name} "));
    assert!(shown.code == 0 && figures.iter().all(|name| shown.out.contains(name)), "{shown:?}");

    // Judged on the test part, with an interval, beside who says the mean of the training rows.
    let judgement = &report["judgement"];
    let figure = |of: &serde_json::Value, name: &str| number(&of["figures"]["mse"][name]);
    let model = &judgement["evaluation"];
    let [low, mse, high] = ["low", "value", "high"].map(|name| figure(model, name));
    assert!(low < mse && mse < high, "{judgement}");
    assert!((mse.sqrt() - number(&report["test"]["rmse"])).abs() < 1e-4, "{judgement}");
    let baselines = judgement["baselines"].as_array().unwrap();
    assert_eq!((baselines.len(), &baselines[0]["about"]), (1, &"the mean of the training rows".into()));
    // One deviation for all pixels: less than 1 by what the mean picture knows of each.
    let mean = figure(&baselines[0], "value");
    assert!(mse < mean && (0.5..1.0).contains(&mean), "{judgement}");
    let page = std::fs::read_to_string(scratch.path("run/report.html")).unwrap();
    assert!(page.contains("On unseen rows") && page.contains("constant: the mean of the training rows"));

    scratch.write(
        "four.csv",
        "a,b,kind\n1,2,x\n2,4,y\n3,6,x\n4,8,y\n5,10,x\n6,12,y\n7,14,x\n8,16,y\n9,18,x\n10,20,y\n",
    );
    let line = scratch.run(&[
        "train",
        "four.csv",
        "--set",
        "data.task=reconstruction",
        "--set",
        "model={ name = \"autoencoder\", hidden = [], code = 1 }",
        "--set",
        "train.lr=0.05",
        "--out",
        "line",
        "--json",
    ]);
    // Two columns on a line: one number is enough.
    assert!(number(&line.json()["train"]["rmse"]) < 0.2, "{}", line.out);
    let answers = scratch.run(&["predict", "line", "four.csv", "--json"]).json();
    assert_eq!(answers["predictions"][0]["reconstruction"].as_array().unwrap().len(), 2);
    let csv = scratch.run(&["predict", "line", "four.csv"]).out;
    assert!(csv.starts_with("input,reconstruction 1,reconstruction 2\n"), "{csv}");

    let refused = train(&["--out", "no", "--set", "train.loss=bce_with_logits"]);
    assert_eq!(
        refused.refusal(),
        "error: `train.loss` is bce_with_logits, but it compares numbers from 0 to 1, which the scaled inputs are not; \
         use mse, or --set data.normalize=minmax"
    );
    let shares =
        train(&["--out", "bce", "--set", "train.loss=bce_with_logits", "--set", "data.normalize=none"])
            .json();
    assert!(number(&shares["test"]["rmse"]) < 0.4, "{shares}");
}

#[test]
fn exact_statistics_of_batch_norm_are_kept_and_measured() {
    let scratch = Scratch::new();
    let train = |out: &str, exact: &str| {
        let more = ["--set", "model.batch_norm=true", "--set", exact, "--out", out];
        scratch.run(&[FEW_DIGITS, &more].concat()).json()
    };
    let (running, exact) =
        (train("running", "train.exact_statistics=false"), train("exact", "train.exact_statistics=true"));
    // The training is the same, what is measured and kept is not.
    assert_ne!(running["valid"]["loss"], exact["valid"]["loss"]);
    assert!(number(&exact["test"]["accuracy"]) > 0.6, "{exact}");
    assert_eq!(scratch.run(&["eval", "exact", "--json"]).json()["loss"], exact["valid"]["loss"]);
}

/// 65 rows in batches of 32 leave one, of which batch normalisation can learn nothing.
#[test]
fn under_batch_norm_a_last_batch_of_one_joins_the_one_before() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(65));
    let train = |batch_norm: &str| {
        let whole = "data.split={ train = 1.0, valid = 0.0, test = 0.0 }";
        let out = format!("run-{batch_norm}");
        let model = format!("model={{ name = \"mlp\", batch_norm = {batch_norm} }}");
        let settings = ["--set", whole, "--set", &model, "--set", "train.batch_size=32"];
        let options = [&settings[..], &["--epochs", "1", "--out", &out, "--json"]].concat();
        let report = scratch.run(&[&["train", "flowers.csv"][..], &options].concat()).json();
        assert!(report["valid"].is_null() && report["test"].is_null(), "{report}");
        let log = std::fs::read_to_string(scratch.path(&out).join("log.jsonl")).unwrap();
        let epoch: serde_json::Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
        (epoch["step"].as_u64().unwrap(), epoch["samples"].as_u64().unwrap())
    };
    assert_eq!(train("false"), (3, 65));
    assert_eq!(train("true"), (2, 65));
}

/// OPT-32
#[test]
fn a_loss_that_leaves_the_numbers_ends_the_run_with_rate_and_step() {
    let scratch = Scratch::new();
    let ran =
        scratch.run(&["train", "sine", "--set", "train.optimizer=sgd", "--set", "train.lr=1e30", "--json"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let message = ran.err.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(message.contains("was not finite in 5 steps in a row (epoch 1, step "), "{message}");
    assert!(message.contains("learning rate ") && message.contains("--set train.lr=1e29"), "{message}");
    // What was reached before is there.
    assert!(scratch.path("runs/sine-tabular-1/checkpoints/last.safetensors").is_file());
}

#[test]
#[cfg(unix)]
fn ctrl_c_leaves_a_state_that_can_be_loaded_and_exit_code_130() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let scratch = Scratch::new();
    let mut child = scratch
        .command(&["train", "digits", "--epochs", "1000", "--out", "run", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The second line says that the first epoch is over.
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.by_ref().nth(1).unwrap().unwrap().starts_with("epoch    1/1000"));
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    lines.for_each(drop);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["interrupted"], &report["test"]), (&true.into(), &serde_json::Value::Null));
    let last = scratch.run(&["eval", "run/checkpoints/last.safetensors", "--json"]).json();
    assert!(number(&last["accuracy"]) > 0.5, "{last}");
    let best = scratch.run(&["eval", "run", "--json"]).json();
    assert_eq!(best["loss"], report["valid"]["loss"]);
}

#[test]
fn an_existing_run_is_refused_unless_forced() {
    let scratch = Scratch::new();
    let train = ["train", "xor", "--epochs", "1", "--out", "run", "--json"];
    scratch.run(&train).json();
    let before = bytes_of(&scratch.path("run/checkpoints/best.safetensors"));
    let refused = scratch.run(&[&train[..], &["--seed", "9"]].concat());
    assert_eq!(
        refused.refusal(),
        "error: run already exists and is not empty; choose another folder with --out, or give --force to train over it"
    );
    assert!(before == bytes_of(&scratch.path("run/checkpoints/best.safetensors")));
    // Bad input does not even write over what may be written over.
    let bad = scratch.run(&["train", "xor", "--out", "run", "--force", "--set", "train.batch_size=100000"]);
    assert!(bad.refusal().contains("`train.batch_size` is 100000, but the training part has 700 rows"));
    assert!(before == bytes_of(&scratch.path("run/checkpoints/best.safetensors")));
    scratch.run(&[&train[..], &["--seed", "9", "--force"]].concat()).json();
    assert!(before != bytes_of(&scratch.path("run/checkpoints/best.safetensors")));
}
