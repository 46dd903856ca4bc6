//! Tables as people have them: gaps, categories, dates, other formats - and everything that can be wrong with them.

mod common;

use common::Scratch;

/// Boats that come home or do not, with every kind of column.
fn boats(rows: usize) -> String {
    let mut text = String::from("id,name,length,crew,port,insured,left,home\n");
    for row in 0..rows {
        let length = 4.0 + (row * 7 % 13) as f64;
        let crew = if row % 11 == 3 { "NA".to_string() } else { (1 + row * 5 % 4).to_string() };
        let port = ["Kiel", "Riga", "Turku"][row * 5 % 3];
        let home = if length > 9.0 || port == "Riga" { "yes" } else { "no" };
        text.push_str(&format!(
            "{},boat {row},{length:.1},{crew},{port},{},2024-{:02}-{:02} {:02}:30,{home}\n",
            1000 + row,
            ["true", "false"][row * 3 % 2],
            1 + row % 12,
            1 + row % 28,
            row % 24,
        ));
    }
    text
}

#[test]
fn a_table_of_every_kind_of_column_is_trained_on_and_predicted_by_name() {
    let scratch = Scratch::new();
    scratch.write("boats.csv", boats(200));
    let ran = scratch.run(&["train", "boats.csv", "--epochs", "30", "--out", "run", "--json"]);
    let report = ran.json();
    assert!(report["test"]["accuracy"].as_f64().unwrap() > 0.8, "{report}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("column 'id' is left out: it numbers the rows"), "{notes}");
    assert!(notes.contains("column 'name' is left out: it is text that hardly repeats"), "{notes}");
    assert!(ran.err.contains("note: column 'id' is left out"), "{}", ran.err);

    // Another order, no id, no name, an extra column, a gap where training had none, a port it has never seen.
    scratch.write(
        "new.csv",
        "colour,insured,port,left,crew,length\nred,true,Riga,2024-05-01 10:00,2,5\nblue,,Oslo,2024-05-02 10:00,,12\n",
    );
    let ran = scratch.run(&["predict", "run", "new.csv", "--json"]);
    let report = ran.json();
    assert_eq!(report["predictions"].as_array().unwrap().len(), 2);
    assert_eq!(report["ignored_columns"].to_string(), r#"["colour"]"#);
    assert!(
        ran.err.contains(
            "note: column 'port' has a value that training did not have ('Oslo'); taken for none of the known"
        ),
        "{}",
        ran.err
    );
    let missing =
        scratch.write("short.csv", "insured,prot,left,crew,length\ntrue,Riga,2024-05-01 10:00,2,5\n");
    let refusal = scratch.run(&["predict", "run", "short.csv"]);
    assert!(
        refusal.refusal().contains("there is no column 'port' (did you mean 'prot'?)"),
        "{missing:?} {}",
        refusal.err
    );

    scratch.write("later.csv", boats(50));
    let measured = scratch.run(&["eval", "run", "later.csv", "--json"]).json();
    assert_eq!(measured["samples"], 50);
    assert!(measured["accuracy"].as_f64().unwrap() > 0.8, "{measured}");
}

#[test]
fn the_columns_of_a_table_are_shown_with_what_they_are_taken_for_and_why() {
    let scratch = Scratch::new();
    scratch.write("boats.csv", boats(60));
    let shown = scratch.run(&["check", "boats.csv"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    // Words, whatever stands between them.
    let out = shown.out.split_whitespace().collect::<Vec<&str>>().join(" ");
    for line in [
        "boats: 60 rows x 8 columns, target 'home' with 2 classes",
        "column holds missing distinct min mean median max becomes",
        "id numbers 60 1000 1030 1030 1059 left out: it numbers the rows: its name says so, and no value comes twice",
        "crew numbers 6 4 1.000 2.463 2.000 4.000 scaled; 2 where missing, and a flag for that",
        "port categories 3 3 flags",
        "insured yes or no 2 0 or 1",
        "left dates 60 month, day, weekday, year sine, year cosine",
        "port: categories, because 'Kiel' is no number",
        "left: dates, because all are such as '2024-01-01 00:30'",
        "The network takes 17 numbers of a row.",
    ] {
        assert!(out.contains(line), "{line} is not in\n{}", shown.out);
    }
    assert!(!out.contains("--drop id"), "it is left out already: {}", shown.out);
    assert!(scratch.holds_only(&["boats.csv"]));
}

#[test]
fn a_table_on_disk_trains_to_the_same_network_as_one_in_memory() {
    let scratch = Scratch::new();
    scratch.write("boats.csv", boats(300));
    let train = |out: &str, more: &[&str]| {
        let train = ["train", "boats.csv", "--epochs", "3", "--out", out, "--json"];
        scratch.run(&[&train[..], more].concat()).json();
        common::bytes_of(&scratch.path(&format!("{out}/log.jsonl")))
    };
    let figures = |log: Vec<u8>| -> Vec<String> {
        let text = String::from_utf8(log).unwrap();
        text.lines()
            .filter_map(|line| line.split("\"train\":").nth(1)?.split("},").next().map(String::from))
            .collect()
    };
    let (memory, disk) = (train("a", &[]), train("b", &["--set", "data.table.in_memory_mib=0"]));
    assert_eq!(figures(memory), figures(disk));
}

#[test]
fn whole_numbers_are_classes_until_a_task_says_otherwise() {
    let scratch = Scratch::new();
    let rows: String = (0..90).map(|row| format!("{},{}\n", row % 10, row % 3)).collect();
    scratch.write("t.csv", format!("x,y\n{rows}"));
    let train = ["train", "t.csv", "--epochs", "1", "--json", "--out"];
    let report = scratch.run(&[&train[..], &["a"]].concat()).json();
    assert!(
        report["notes"][0].as_str().unwrap().contains("--task regression takes them for numbers"),
        "{report}"
    );
    assert!(report["train"]["accuracy"].is_number());
    let report = scratch.run(&[&train[..], &["b", "--task", "regression"]].concat()).json();
    assert!(report["train"]["rmse"].is_number(), "{report}");
    let refusal = scratch.run(&["train", "t.csv", "--task", "ranking"]);
    assert!(refusal.refusal().contains("which is not a task"), "{}", refusal.err);
}

/// What `barun train` says of a file of these bytes.
fn refusal_of(name: &str, bytes: impl AsRef<[u8]>, more: &[&str]) -> String {
    let scratch = Scratch::new();
    scratch.write(name, bytes);
    let refusal = scratch.run(&[&["train", name][..], more].concat()).refusal().to_string();
    assert!(scratch.holds_only(&[name]), "nothing is written");
    refusal
}

#[test]
fn files_that_are_no_tables_are_refused_with_what_they_are() {
    assert_eq!(
        refusal_of("t.csv", "", &[]),
        "error: t.csv is empty: it has 0 bytes; check that it was written or fetched whole"
    );
    assert!(refusal_of("t.csv", b"a,y\n1,caf\xe9\n", &[]).contains("line 2 (byte 9): not UTF-8 text"));
    assert!(
        refusal_of("t.csv", b"\xff\xfea\0,\0", &[]).contains("this is UTF-16 text; save the table as UTF-8")
    );
    assert!(
        refusal_of("t.parquet", "a,y\n1,2\n", &[]).contains("it is not Parquet, or damaged or cut short")
    );
    assert!(refusal_of("t.npy", "a,y\n1,2\n", &[]).contains("it does not begin as a NumPy array does"));
    assert!(refusal_of("t.npz", b"PK\x03\x04 and no more", &[]).contains("the zip is damaged"));
    assert!(refusal_of("t.csv.gz", b"\x1f\x8b\x08\0garbage", &[]).contains("the gzip stream is damaged"));

    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path("folder.csv")).unwrap();
    let refusal = scratch.run(&["train", "folder.csv"]);
    assert_eq!(refusal.refusal(), "error: folder.csv is a folder; name a file in it");
}

#[test]
fn tables_with_too_little_in_them_are_refused_with_the_reason() {
    assert!(
        refusal_of("t.csv", "a,y\n1,0.5\n2,1.5\n", &[])
            .contains("the valid part would be empty: 0.1 of 2 samples")
    );
    let one_class: String = (0..40).map(|row| format!("{row},x\n")).collect();
    assert!(
        refusal_of("t.csv", format!("a,y\n{one_class}"), &[]).contains("the target 'y' has only one, 'x'"),
    );
    let empty: String = (0..40).map(|row| format!(",{}\n", row % 2)).collect();
    assert_eq!(
        refusal_of("t.csv", format!("a,y\n{empty}"), &[]),
        "error: nothing is left to learn from: 'a': it is empty"
    );
    assert!(
        refusal_of("t.csv", "a,y\n1,2\n", &["--set", "data.table.delimiter=ab"])
            .contains("it must be one ASCII character")
    );
}

#[test]
fn rows_without_a_target_are_left_out_visibly() {
    let scratch = Scratch::new();
    let rows: String = (0..60)
        .map(|row| format!("{row},{}\n", if row % 10 == 4 { "NaN" } else { ["a", "b"][row % 2] }))
        .collect();
    scratch.write("t.csv", format!("x,y\n{rows}"));
    let ran = scratch.run(&["train", "t.csv", "--epochs", "1", "--json"]);
    ran.json();
    assert!(
        ran.err.contains("note: 6 rows without a value in the target 'y' were left out, the first on line 6"),
        "{}",
        ran.err
    );
}
