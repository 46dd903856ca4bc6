//! `barun check --overfit-batch` and `--lr-find`, through the binary.

mod common;

use common::{Scratch, flowers};

#[test]
fn a_network_is_tried_on_a_batch_and_at_rising_rates_and_nothing_is_kept_but_the_picture() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(300));
    let ran = scratch.run(&["check", "flowers.csv", "--overfit-batch", "--lr-find", "--out", "lr.svg"]);
    assert!(ran.out.contains("One batch by heart: learned 16 rows in "), "{}", ran.out);
    assert!(ran.out.contains("Learning rate: the loss falls steepest at "), "{}", ran.out);
    assert!(
        ran.out.contains("--set train.lr=") && ran.out.contains("The curve is in lr.svg."),
        "{}",
        ran.out
    );
    assert!(scratch.holds_only(&["flowers.csv", "lr.svg"]));
    let picture = std::fs::read_to_string(scratch.path("lr.svg")).unwrap();
    assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" "), "{}", &picture[..200]);
    assert!(picture.contains("learning rate") && picture.contains("steepest: "), "{picture}");

    let again = scratch.run(&["check", "flowers.csv", "--lr-find", "--out", "lr.svg"]);
    assert!(again.refusal().contains("lr.svg already exists"), "{}", again.err);
    let lone = scratch.run(&["check", "flowers.csv", "--out", "x.svg"]);
    assert!(lone.err.contains("--lr-find"), "{}", lone.err);
}

#[test]
fn the_document_has_what_the_help_promises() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(200));
    let found = scratch.run(&["check", "flowers.csv", "--overfit-batch", "--lr-find", "--json"]).json();
    assert_eq!(found["overfit_batch"]["learned"], true);
    for key in ["rows", "steps", "most_steps", "lr", "loss", "loss_of_guessing", "error_rate"] {
        assert!(found["overfit_batch"][key].is_number(), "{key}: {}", found["overfit_batch"]);
    }
    assert!(found["lr_find"]["suggestion"].is_number() && found["lr_find"]["recipe_lr"].is_number());
    assert!(found["lr_find"]["points"][3]["smoothed"].is_number());
    let plain = scratch.run(&["check", "flowers.csv", "--json"]).json();
    assert!(plain.get("overfit_batch").is_none() && plain.get("lr_find").is_none());
}

#[test]
fn what_cannot_learn_a_batch_by_heart_is_in_trouble_and_the_cause_is_told_first() {
    let scratch = Scratch::new();
    scratch.write("flowers.csv", flowers(200));
    let check = ["check", "flowers.csv", "--overfit-batch", "--set", "train.lr=1e-9"];
    let found = scratch.run(&[&check[..], &["--json"]].concat()).json();
    let cause = &found["doctor"]["findings"][0];
    assert_eq!((&cause["rule"], &cause["level"]), (&"R13".into(), &"warn".into()), "{:#}", found["doctor"]);
    assert!(cause["evidence"].to_string().contains("R06 CANNOT_OVERFIT_BATCH"), "{cause:#}");
    let told = scratch.run(&check).out;
    assert!(told.contains("warning R13 UPDATE_RATIO") && told.contains("also: R06"), "{told}");
}
