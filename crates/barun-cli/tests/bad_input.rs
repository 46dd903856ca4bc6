//! Everything that can be wrong with what a user gives: exit code 1, a message that says what, where and what to do, and
//! nothing written.

mod common;

use common::{Scratch, flowers, idx};

/// Trains on a table that holds `text`.
fn refused_table(text: &str, more: &[&str]) -> String {
    let scratch = Scratch::new();
    scratch.write("t.csv", text);
    let refusal = scratch.run(&[&["train", "t.csv"][..], more].concat()).refusal().to_string();
    assert!(scratch.holds_only(&["t.csv"]), "nothing is written");
    refusal
}

#[test]
fn a_table_with_a_mistake_is_refused_with_its_line() {
    assert_eq!(
        refused_table("a,b,y\n1,2,x\n1,2\n", &[]),
        "error: t.csv, line 3: 2 fields where the header has 3; look for a missing or extra delimiter or an open quote"
    );
    assert_eq!(
        refused_table("a,b,y\n1,2,x\n1,two,x\n", &[]),
        "error: t.csv, line 3, column 'b': 'two' is not a number; correct it, name it in data.table.missing if it means that \
         there is no value, name the column in data.table.categorical if it holds categories, or leave it out (--ignore)"
    );
    assert_eq!(
        refused_table("a,b,y\n1,2,\n1,2,\n", &[]),
        "error: t.csv: no row has a value in the target 'y'; choose another target"
    );
    assert_eq!(
        refused_table(&flowers(30), &["--target", "kin"]),
        "error: t.csv: there is no column 'kin' (did you mean 'kind'?); the columns are length, width, noise, kind"
    );
    assert_eq!(refused_table("a,b,y\n", &[]), "error: t.csv: no rows after the header; a table needs data");
    assert_eq!(
        refused_table(
            &(0..10).fold("a,y\n".to_string(), |table, row| table + &format!("{row},5.5\n")),
            &["--set", "train.batch_size=2"]
        ),
        "error: the target 'y' is 5.5 in every training row, so there is nothing to learn; choose another target"
    );
}

#[test]
fn a_batch_larger_than_the_data_is_refused_with_what_would_do() {
    assert_eq!(
        refused_table(&flowers(30), &["--set", "train.batch_size=64"]),
        "error: `train.batch_size` is 64, but the training part has 21 rows; choose at most that: \
         --set train.batch_size=21"
    );
}

#[test]
fn a_loss_that_does_not_suit_the_target_is_refused() {
    assert_eq!(
        refused_table(&flowers(60), &["--set", "train.loss=mse"]),
        "error: the loss mse needs numbers, but the target 'kind' has 3 classes; use cross_entropy, or another target"
    );
    assert_eq!(
        refused_table(&flowers(60), &["--set", "train.loss=bce_with_logits"]),
        "error: the loss bce_with_logits needs two classes, but the target 'kind' has 3 classes; use cross_entropy"
    );
    assert_eq!(
        refused_table(
            &flowers(60),
            &["--set", "train.loss=cross_entropy", "--target", "length", "--ignore", "kind"]
        ),
        "error: the loss cross_entropy needs classes, but the target 'length' has numbers; use mse or mae, \
         or another target"
    );
}

#[test]
fn layers_that_do_not_fit_are_refused_with_layer_shapes_and_fix() {
    let scratch = Scratch::new();
    scratch.write(
        "r.toml",
        "data.source = \"digits\"\n[model]\nlayers = [{ type = \"conv\", channels = 4 }, { type = \"linear\", units = \"classes\" }]\n",
    );
    assert_eq!(
        scratch.run(&["train", "r.toml"]).refusal(),
        "error: `model.layers[1]` (linear) takes a row of numbers [features], but gets [26, 26, 4]; \
         put \"flatten\" before it"
    );
    assert_eq!(
        scratch.run(&["train", "xor", "--model", "cnn"]).refusal(),
        "error: cnn works on images [height, width, channels]; the data has rows of shape [2]: \
         for a table there are tabular and mlp"
    );
    assert!(scratch.holds_only(&["r.toml"]));
}

#[test]
fn a_recipe_with_a_slip_is_refused_with_its_line() {
    let scratch = Scratch::new();
    scratch.write("r.toml", "[data]\nsource = \"xor\"\n[train]\noptimiser = \"adam\"\n");
    assert_eq!(
        scratch.run(&["train", "r.toml"]).refusal(),
        "error: r.toml:4: unknown key `train.optimiser`; did you mean `train.optimizer`?"
    );
    scratch.write("r.toml", "[data]\nsource = \"xor\"\n[train]\nlr = nan\n");
    assert_eq!(
        scratch.run(&["train", "r.toml", "--json"]).refusal(),
        "error: r.toml:4: `train.optimizer.lr` is nan; it must be a finite number above 0"
    );
    assert!(scratch.holds_only(&["r.toml"]));
}

/// The four files of a tiny MNIST, of which one is broken by the caller.
fn tiny_mnist(scratch: &Scratch) {
    let images = |count: u32| idx(&[count, 28, 28], &vec![7; count as usize * 784]);
    let labels = |count: u32| idx(&[count], &(0..count).map(|at| (at % 10) as u8).collect::<Vec<u8>>());
    scratch.write("data/mnist/train-images-idx3-ubyte", images(60));
    scratch.write("data/mnist/train-labels-idx1-ubyte", labels(60));
    scratch.write("data/mnist/t10k-images-idx3-ubyte", images(20));
    scratch.write("data/mnist/t10k-labels-idx1-ubyte", labels(20));
}

#[test]
fn damaged_image_files_are_refused_with_the_byte() {
    let scratch = Scratch::new();
    let train = ["train", "mnist", "--data-dir", "data", "--epochs", "1", "--set", "train.batch_size=16"];
    let refusal = || {
        let refusal = scratch.run(&train).refusal().to_string();
        assert!(scratch.holds_only(&["data"]), "nothing is written");
        refusal
    };
    tiny_mnist(&scratch);
    let mut short = idx(&[60, 28, 28], &vec![7; 60 * 784]);
    short.truncate(5000);
    scratch.write("data/mnist/train-images-idx3-ubyte", short);
    assert_eq!(
        refusal(),
        "error: data/mnist/train-images-idx3-ubyte, byte 5000: the file ends early, 47056 bytes were announced; \
         fetch the file again"
    );
    scratch.write("data/mnist/train-images-idx3-ubyte", b"<html>not found</html>");
    assert!(refusal().contains("byte 0: not an IDX file"));
    tiny_mnist(&scratch);
    scratch.write("data/mnist/train-labels-idx1-ubyte", idx(&[59], &[1; 59]));
    assert_eq!(
        refusal(),
        "error: data/mnist/train-images-idx3-ubyte holds 60 images but data/mnist/train-labels-idx1-ubyte holds \
         59 labels; the two files do not belong together"
    );
    std::fs::remove_file(scratch.path("data/mnist/t10k-labels-idx1-ubyte")).unwrap();
    assert!(refusal().contains("put t10k-labels-idx1-ubyte there"));
    tiny_mnist(&scratch);
    let ran = scratch.run(&[&train[..], &["--json"]].concat()).json();
    assert_eq!(ran["epochs"], 1);
}

#[test]
fn what_is_no_model_is_refused() {
    let scratch = Scratch::new();
    scratch.write("note.safetensors", "not a model");
    scratch.write("t.csv", flowers(9));
    assert!(
        scratch
            .run(&["predict", "note.safetensors", "t.csv"])
            .refusal()
            .contains("note.safetensors: it is not a model file")
    );
    let message = scratch.run(&["eval", "runs/nothing"]);
    assert!(message.refusal().starts_with("error: runs/nothing is not a run: there is nothing of that name"));
    let message = scratch.run(&["train", "mode.bin"]);
    assert!(message.refusal().starts_with("error: 'mode.bin' is not a data source"), "{}", message.err);
    let message = scratch.run(&["train", "flowers.csv"]);
    assert!(message.refusal().starts_with("error: there is no file flowers.csv"), "{}", message.err);
}

#[test]
fn data_unlike_that_of_the_training_is_refused() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(60));
    scratch.run(&["train", "flowers.csv", "--epochs", "2", "--out", "run", "--json"]).json();
    assert!(scratch.run(&["eval", "run", "moons"]).refusal().contains("the columns length, width, noise"));
    assert!(
        scratch
            .run(&["predict", "run", "digits"])
            .refusal()
            .starts_with("error: the model takes the columns")
    );
}
