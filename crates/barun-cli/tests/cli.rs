//! The binary as a shell sees it: exit codes, the two outputs, and what it says of mistakes. [TRAIN-15]

use std::process::{Command, Output, Stdio};

fn barun(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barun"));
    command.args(arguments).env_remove("BARUN_DATA").env("NO_COLOR", "1");
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = barun(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_version_and_the_help_are_on_standard_output() {
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, out.as_str()), (0, concat!("barun ", env!("CARGO_PKG_VERSION"), "\n")));
    for command in
        ["train", "resume", "memory", "eval", "predict", "runs", "export", "list", "explain", "bench"]
    {
        let (code, out, _) = run(&[command, "--help"]);
        assert_eq!(code, 0);
        assert!(out.contains("Examples:\n  barun "), "{out}");
    }
}

#[test]
fn every_measurement_of_the_bench_says_what_its_json_holds() {
    for kind in
        ["compile", "fleet", "latency", "loader", "memory", "optimizers", "oversubscription", "scaling"]
    {
        let (code, out, _) = run(&["bench", kind, "--help"]);
        assert_eq!(code, 0);
        assert!(out.contains("With --json: "), "{out}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_memory_of_a_workload_is_measured_in_a_process_of_its_own() {
    let (code, out, err) = run(&["bench", "memory", "--only", "tab32", "--threads", "1", "--json"]);
    assert_eq!((code, err.as_str()), (0, "tab32\n"), "{err}");
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    let row = &document["workloads"][0];
    assert_eq!((&row["workload"], &document["threads"]), (&"tab32".into(), &1.into()));
    assert!(row["bytes"].as_u64() >= row["planned_bytes"].as_u64(), "{row}");
    assert!(row["planned_bytes"].as_u64() > Some(0), "{row}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    assert_eq!(run(&[]).0, 2);
    assert_eq!(run(&["train"]).0, 2);
    assert_eq!(run(&["train", "digits", "--epochs", "ten"]).0, 2);
    assert_eq!(run(&["train", "digits", "--threads", "0"]).0, 2);
    let (code, out, err) = run(&["trian"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("train"), "{err}");
}

#[test]
fn a_mistake_in_the_input_is_exit_code_1_and_one_error_line() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["train", "digits", "--set", "train.optimiser=adam"],
            "error: --set train.optimiser=adam: unknown key `train.optimiser`; did you mean `train.optimizer`?\n",
        ),
        (
            &["train", "digits", "--set", "train.lr=NaN"],
            "error: --set train.lr=NaN: `train.optimizer.lr` is nan; it must be a finite number above 0\n",
        ),
        (
            &["train", "digits", "--epochs", "0"],
            "error: --epochs 0: `train.epochs` is 0; it must be 1 or more\n",
        ),
        (
            &["train", "digits", "--model", "lnet", "--json"],
            "error: --model lnet: `model` is \"lnet\", which is not a model; did you mean \"lenet\"? \
             Known: layers, mlp, lenet, cnn, notes_cnn, resnet9, resnet18, vgg11, mobilenet, rnn, lstm, transformer, \
             autoencoder, tabular\n",
        ),
    ];
    for (arguments, message) in cases {
        assert_eq!(run(arguments), (1, String::new(), message.to_string()));
    }
}

#[test]
fn an_error_names_its_cause_and_shows_no_backtrace() {
    let (code, out, err) = run(&["train", "no such/recipe.toml"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("error: cannot read no such/recipe.toml\n  because: "), "{err}");
    assert_eq!(err.lines().count(), 2);
}

#[test]
fn the_options_override_the_recipe_and_the_result_is_a_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my recipe.toml");
    std::fs::write(
        &path,
        "[data]\nsource = \"t.csv\"\n[model]\nhidden = [9]\n[train]\nepochs = 7\nlr = 0.5\n",
    )
    .unwrap();
    let recipe = path.to_str().unwrap();
    let overrides =
        ["--epochs", "3", "--seed", "11", "--target", "42", "--precision", "f64", "--set", "train.lr=0.25"];
    let (code, out, err) = run(&[&["train", recipe, "--print-recipe"][..], &overrides].concat());
    assert_eq!((code, err.as_str()), (0, ""));
    for line in
        ["epochs = 3", "seed = 11", "target = \"42\"", "precision = \"f64\"", "lr = 0.25", "hidden = [9]"]
    {
        assert!(out.lines().any(|written| written == line), "{line} in\n{out}");
    }
    std::fs::write(&path, &out).unwrap();
    assert_eq!(run(&["train", recipe, "--print-recipe"]).1, out);
    let (_, json, _) = run(&["train", recipe, "--print-recipe", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["train"]["optimizer"]["lr"], 0.25);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "printing writes nothing");
}

#[test]
fn what_is_set_of_a_model_holds_for_the_model_that_is_named() {
    for arguments in [
        ["train", "mnist", "--model", "cnn", "--set", "model.init=lecun_normal", "--print-recipe"],
        ["train", "mnist", "--set", "model.init=lecun_normal", "--model", "cnn", "--print-recipe"],
    ] {
        let (code, out, err) = run(&arguments);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains("name = \"cnn\"") && out.contains("init = \"lecun_normal\""), "{out}");
    }
    let (code, _, err) =
        run(&["train", "mnist", "--model", "cnn", "--set", "model.width=8", "--print-recipe"]);
    assert_eq!(code, 1);
    assert!(
        err.contains("\"cnn\" has no `width`, it belongs to resnet9, resnet18, vgg11, mobilenet"),
        "{err}"
    );
}

#[test]
fn the_list_shows_names_and_every_key() {
    let (code, out, _) = run(&["list", "optimizers"]);
    assert_eq!(code, 0);
    assert!(
        out.starts_with(
            "optimizers\n  sgd       Stochastic gradient descent: a step against the gradient.\n"
        ),
        "{out}"
    );
    let (_, json, _) = run(&["list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["models"][1]["name"], "mlp");
    let (_, keys, _) = run(&["list", "keys"]);
    assert!(keys.contains("train.batch_size = not given\n    How many rows one step learns from."), "{keys}");
}

#[test]
fn a_name_is_explained_by_its_own_documentation() {
    let (code, out, err) = run(&["explain", "adam"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("adam (optimizer)\n\nAdam: momentum over gradients"), "{out}");
    for part in ["    m <- beta1 m + (1 - beta1) g;", "Kingma & Ba, 2014", "lr = 0.001", "Learning rate."] {
        assert!(out.contains(part), "{part} in\n{out}");
    }
    assert!(!out.contains("[OPT-") && !out.contains("```") && !out.contains("]("), "{out}");
    // A name of two families is explained twice.
    let (_, out, _) = run(&["explain", "linear"]);
    assert!(out.contains("linear (layer)") && out.contains("linear (schedule)"), "{out}");
    let (code, out, err) = run(&["explain", "adm"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.starts_with("error: nothing is called `adm` (did you mean `adam`?); `barun list`"), "{err}");
    let (_, json, _) = run(&["explain", "gelu", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["family"], &json[0]["settings"][0]["name"]), (&"activation".into(), &"form".into()));
}

#[test]
fn every_name_of_the_list_is_explained() {
    let (_, json, _) = run(&["list", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let topics =
        ["models", "layers", "activations", "initializers", "losses", "optimizers", "schedules", "rules"];
    for topic in topics {
        for item in json[topic].as_array().unwrap() {
            let name = item["name"].as_str().unwrap();
            // A list of layers of one's own is no model that could be explained.
            let (code, out, err) = run(&["explain", name]);
            assert_eq!(code, i32::from(name == "layers"), "{topic} {name}: {err}");
            assert!(code == 1 || out.lines().count() >= 3, "{out}");
        }
    }
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = barun(&["list", "keys"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn an_existing_answer_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("answers.csv");
    std::fs::write(&out, "precious").unwrap();
    let (code, _, err) = run(&["predict", "runs/x", "t.csv", "--out", out.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        err.ends_with("already exists; choose another name with --out, or give --force to write over it\n")
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "precious");
}
