//! Trained networks for other programs, and questions from standard input.

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{Scratch, bytes_of, flowers, idx};

const FEW: &[&str] = &[
    "--set",
    "data.split={ train = 0.02, valid = 0.01, test = 0.01 }",
    "--set",
    "train.batch_size=16",
    "--epochs",
    "1",
    "--json",
];

#[test]
fn every_model_can_be_exported_as_onnx() {
    let scratch = Scratch::new();
    let models = [
        "model={ name = \"mlp\", hidden = [8], batch_norm = true }",
        "model=lenet",
        "model={ name = \"cnn\", channels = [4], hidden = [8] }",
        "model={ name = \"resnet18\", width = 2 }",
    ];
    for (number, model) in models.iter().enumerate() {
        let run = format!("run-{number}");
        scratch.run(&[&["train", "digits", "--set", model, "--out", &run], FEW].concat()).json();
        for layout in ["nhwc", "nchw"] {
            let out = format!("{run}-{layout}.onnx");
            let export = ["export", &run, "--format", "onnx", "--layout", layout, "--out", &out, "--json"];
            let report = scratch.run(&export).json();
            let bytes = bytes_of(&scratch.path(&out));
            assert_eq!(report["bytes"], bytes.len(), "{model}");
            // The fields of a model begin with its IR version, and what it must have is in it.
            assert_eq!(bytes[..2], [8, 8], "{model}");
            for text in ["barun", "probabilities", "classes", "batch"] {
                assert!(bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}: {model}");
            }
        }
    }
}

#[test]
fn exported_weights_are_a_model_without_what_only_training_needs() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(60));
    scratch.run(&["train", "flowers.csv", "--epochs", "2", "--out", "runs/a.b", "--json"]).json();
    let told = scratch.run(&["export", "runs/a.b", "--format", "safetensors"]);
    assert!(told.out.starts_with("a.b.safetensors ("), "{}", told.out);
    let (small, whole) =
        (scratch.path("a.b.safetensors"), scratch.path("runs/a.b/checkpoints/best.safetensors"));
    assert!(bytes_of(&small).len() * 2 < bytes_of(&whole).len());
    let answers = scratch.run(&["predict", "a.b.safetensors", "flowers.csv", "--probabilities"]);
    assert_eq!(answers.out, scratch.run(&["predict", "runs/a.b", "flowers.csv", "--probabilities"]).out);
    let refused = scratch.run(&["export", "runs/a.b", "--format", "safetensors"]);
    assert_eq!(
        refused.refusal(),
        "error: a.b.safetensors already exists; choose another name with --out, or give --force to write over it"
    );
    scratch.run(&["export", "runs/a.b", "--format", "safetensors", "--force", "--json"]).json();
}

fn ask(scratch: &Scratch, arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let piped = |command: &mut std::process::Command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = piped(&mut scratch.command(arguments));
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn rows_and_images_come_from_standard_input() {
    let scratch = Scratch::new();
    let table = flowers(60);
    scratch.write("flowers.csv", &table);
    scratch.run(&["train", "flowers.csv", "--epochs", "2", "--out", "run", "--json"]).json();
    let from_file = scratch.run(&["predict", "run", "flowers.csv"]).out;
    assert!(from_file.starts_with("input,prediction,probability\n1,"), "{from_file}");
    assert_eq!(
        ask(&scratch, &["predict", "run", "-"], table.as_bytes()),
        (Some(0), from_file, String::new())
    );
    let (code, _, err) = ask(&scratch, &["predict", "run", "-"], b"length,width,noise\n1,2\n");
    assert_eq!(code, Some(1));
    assert!(err.starts_with("error: -, line 2: 2 fields where the header has 3"), "{err}");

    scratch.run(&[&["train", "digits", "--set", "model.hidden=[8]", "--out", "digits"], FEW].concat()).json();
    let images = idx(&[2, 28, 28], &[7; 2 * 784]);
    let (code, out, err) = ask(&scratch, &["predict", "digits", "-", "--probabilities"], &images);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out.lines().count(), 3);
    assert!(out.starts_with("input,prediction,probability,p(0),p(1),"), "{out}");
}
