//! Folders of images through the binary: training, asking, looking.

mod common;

use std::io::Cursor;

use common::Scratch;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

fn png(width: u32, height: u32, value: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([value, value / 2, (x * 7 + y * 5) as u8]));
    DynamicImage::from(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Dark cats and light dogs.
fn pets(scratch: &Scratch) {
    for at in 0..30 {
        scratch.write(&format!("pets/cat/{at}.png"), png(10, 8, 5 + at));
        scratch.write(&format!("pets/dog/{at}.png"), png(10, 8, 180 + at));
    }
}

#[test]
fn a_folder_is_trained_on_measured_and_asked_about_single_files() {
    let scratch = Scratch::new();
    pets(&scratch);
    let ran = scratch.run(&[
        "train",
        "pets",
        "--augment",
        "natural",
        "--epochs",
        "8",
        "--out",
        "run",
        "--set",
        "train.batch_size=16",
        "--json",
    ]);
    let report = ran.json();
    assert!(report["test"]["accuracy"].as_f64().unwrap() > 0.8, "{report}");
    let recipe = std::fs::read_to_string(scratch.path("run/recipe.toml")).unwrap();
    assert!(recipe.contains("preset = \"natural\"") && recipe.contains("shift = 0.125"), "{recipe}");

    // Files of another size are brought to the model's.
    scratch.write("new/b.png", png(20, 16, 200));
    scratch.write("new/a.png", png(10, 8, 6));
    let answer = scratch.run(&["predict", "run", "new", "pets/dog/3.png", "--json"]).json();
    let told: Vec<(&str, &str)> = answer["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["input"].as_str().unwrap(), row["prediction"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("new/a.png", "cat"), ("new/b.png", "dog"), ("pets/dog/3.png", "dog")]);

    let measured = scratch.run(&["eval", "run", "pets", "--json"]).json();
    assert_eq!(measured["samples"], 60);
    assert!(measured["accuracy"].as_f64().unwrap() > 0.8, "{measured}");
    let missing = scratch.run(&["predict", "run", "new/c.png"]);
    assert!(missing.refusal().contains("new/c.png: not an image that can be read"), "{}", missing.err);
}

#[test]
fn mixed_targets_are_learned_by_either_loss() {
    let scratch = Scratch::new();
    pets(&scratch);
    for loss in ["cross_entropy", "bce_with_logits"] {
        let loss = format!("train.loss={loss}");
        let mix = "data.augment={ mixup = 0.2, cutmix = 1.0 }";
        let ran = scratch.run(&[
            "train",
            "pets",
            "--set",
            mix,
            "--set",
            &loss,
            "--set",
            "train.batch_size=16",
            "--epochs",
            "8",
            "--json",
        ]);
        let report = ran.json();
        assert!(report["test"]["accuracy"].as_f64().unwrap() > 0.8, "{report}");
    }
}

#[test]
fn a_file_that_is_no_image_is_named_and_left_out_on_request() {
    let scratch = Scratch::new();
    pets(&scratch);
    scratch.write("pets/cat/broken.jpg", "half a photograph");
    let arguments = ["train", "pets", "--epochs", "1", "--json"];
    let refused = scratch.run(&arguments);
    assert!(refused.refusal().contains("broken.jpg: not an image that can be read"), "{}", refused.err);
    let ran = scratch.run(&[&arguments[..], &["--skip-unreadable", "--image-size", "4x5"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("note: 1 unreadable files are left out: cat/broken.jpg"), "{}", ran.err);
    assert!(ran.err.contains("scaled to cover 4 x 5"), "{}", ran.err);
}

#[test]
fn a_gallery_shows_images_and_their_variants() {
    let scratch = Scratch::new();
    pets(&scratch);
    let arguments = [
        "gallery",
        "pets",
        "--augment",
        "natural",
        "--out",
        "look.png",
        "--rows",
        "3",
        "--variants",
        "4",
        "--json",
    ];
    let report = scratch.run(&arguments).json();
    assert_eq!(report["rows"], serde_json::json!(["cat", "dog", "cat"]));
    let picture = image::open(scratch.path("look.png")).unwrap();
    // Images of 10 x 8 are shown eight times as large, two pixels apart.
    assert_eq!((picture.width(), picture.height()), (5 * 82 + 2, 3 * 66 + 2));
    assert!(scratch.run(&arguments).refusal().contains("look.png already exists"));
    let table = scratch.run(&["gallery", "moons"]);
    assert!(
        table.refusal().contains("'moons' has rows of numbers, and a gallery shows images"),
        "{}",
        table.err
    );
}

#[test]
fn known_data_that_is_not_there_is_told_where_nothing_is_fetched() {
    let scratch = Scratch::new();
    for (name, file) in [("mnist", "train-images-idx3-ubyte"), ("cifar10", "cifar-10-binary.tar.gz")] {
        let ran = scratch.run(&["train", name, "--data-dir", "sets", "--offline"]);
        let refusal = ran.refusal();
        assert!(refusal.contains(&format!("{name}: not found in sets/{name}; put {file}")), "{refusal}");
    }
    assert!(scratch.holds_only(&[]));
}
