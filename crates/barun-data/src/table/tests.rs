use std::io::Write;

use super::*;
use crate::dataset::Target;

fn write(name: &str, text: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_ref()).unwrap();
    (folder, path)
}

fn read_with(text: impl AsRef<[u8]>, options: TableOptions) -> Result<Dataset> {
    let (_folder, path) = write("table.csv", text);
    read(&path, &options)
}

fn read_csv(text: impl AsRef<[u8]>) -> Result<Dataset> {
    read_with(text, TableOptions::default())
}

fn target(name: &str) -> TableOptions {
    TableOptions { target: Some(name.into()), ..TableOptions::default() }
}

fn kind(target_kind: TargetKind) -> TableOptions {
    TableOptions { target_kind, ..TableOptions::default() }
}

fn classes(data: &Dataset) -> Vec<&str> {
    data.targets().classes().unwrap().iter().map(String::as_str).collect()
}

const FLOWERS: &str = "length,width,kind\n1.5,2,rose\n3,4,aster\n5,6,rose\n7,8,aster\n";

#[test]
fn data_29_number_columns_and_a_text_target() {
    let data = read_csv(FLOWERS).unwrap();
    assert_eq!(data.to_string(), "table: 4 rows x 2 columns, target 'kind' with 2 classes");
    assert_eq!(classes(&data), ["aster", "rose"]);
    assert_eq!(data.get(0).unwrap().target, Target::Class(1));
    let Features::Rows { values, names } = data.features() else { panic!("rows") };
    assert_eq!(values, &[1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    assert_eq!(names, &["length", "width"]);
}

#[test]
fn the_target_decides_between_classes_and_numbers() {
    let ten = |cell: fn(usize) -> String| (0..40).map(|i| format!("{i},{}\n", cell(i))).collect::<String>();
    let read = |rows: String| read_csv(format!("x,y\n{rows}")).unwrap();

    assert_eq!(
        classes(&read(ten(|i| (i % 11).to_string()))),
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]
    );
    assert_eq!(classes(&read(ten(|i| ["1", "1.0", "01", "0"][i % 4].to_string()))), ["0", "1"]);
    assert!(read(ten(|i| i.to_string())).targets().classes().is_none());
    assert!(read(ten(|i| (0.5 * i as f32).to_string())).targets().classes().is_none());
    let forced = read_with("x,y\n1,3\n2,4\n", kind(TargetKind::Classes)).unwrap();
    assert_eq!(classes(&forced), ["3", "4"]);
    let forced = read_with("x,y\n1,0\n2,1\n3,0\n4,1\n", kind(TargetKind::Values)).unwrap();
    assert_eq!(forced.get(1).unwrap().target, Target::Value(1.0));
}

#[test]
fn delimiters_marks_quotes_and_line_ends_are_understood() {
    let plain = read_csv("a,b,y\n1,2,0.5\n3,4,1.5\n").unwrap();
    for text in [
        "\u{feff}a,b,y\r\n1,2,0.5\r\n3,4,1.5\r\n",
        "a;b;y\n1;2;0.5\n3;4;1.5",
        "a\tb\ty\n1\t2\t0.5\n3\t4\t1.5\n",
        "\"a\", b ,y\n\n1,\"2\",0.5\n\n\n3, 4,1.5\n\n",
    ] {
        assert_eq!(read_csv(text).unwrap(), plain, "{text:?}");
    }
    let (_folder, path) = write("table.tsv", "a,1\tb\ty\n1\t2\t0.5\n3\t4\t1.5\n");
    assert_eq!(read(&path, &TableOptions::default()).unwrap().schema().unwrap().features, ["a,1", "b"]);
}

#[test]
fn the_target_is_chosen_by_name_and_columns_can_be_left_out() {
    let options = TableOptions { ignore: vec!["kind".into()], ..target("length") };
    let data = read_with(FLOWERS, options).unwrap();
    let schema = data.schema().unwrap();
    assert_eq!(
        (schema.features, schema.target.as_str(), schema.classes),
        (vec!["width".into()], "length", None)
    );

    let message = read_with(FLOWERS, target("knid")).unwrap_err().to_string();
    assert!(
        message.contains("no column 'knid' (did you mean 'kind'?); the columns are length, width, kind"),
        "{message}"
    );
    let ignore = vec!["length".into(), "width".into()];
    let error = read_with(FLOWERS, TableOptions { ignore, ..TableOptions::default() }).unwrap_err();
    assert!(matches!(error, Error::NoFeatureColumns { .. }), "{error}");
}

#[test]
fn every_mistake_names_its_place() {
    let message = |text: &str| read_csv(text).unwrap_err().to_string();
    let cases = [
        ("a,b,y\n1,2,3\n\r\n4,5\n", "line 4: 2 fields where the header has 3"),
        ("a,y\n1,2\n\n\nx7,3\n", "line 5, column 'a': 'x7' is not a number"),
        ("a,y\r\n\"1\",2\r\n,3\r\n", "line 3, column 'a': the cell is empty"),
        ("a,y\n1,2\n2,\n", "line 3, column 'y': the cell is empty"),
        ("a,y\n1,2\nNaN,3\n", "line 3, column 'a': NaN is not a finite 32-bit number"),
        ("a,y\n1,2\n-inf,3\n", "line 3, column 'a': -inf is not a finite"),
        ("a,y\n1,2.5\n1e39,3\n", "line 3, column 'a': 1e39 is not a finite"),
        ("a,y\n1,2.5\n2,3.5\n3,oops\n", "line 4, column 'y': 'oops' is not a number"),
        (
            "a,y\n1,u\n2,v\n3,w\n",
            "target 'y' is text with 3 different values in 3 rows (first on line 2: 'u')",
        ),
        ("a,b,a\n1,2,3\n", "columns 1 and 3 are both called 'a'"),
        ("a,,y\n1,2,3\n", "line 1: column 2 has no name"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "line 1: '5.1' is a number where a column name belongs"),
        ("1,2,3\n4,5,6\n", "line 1: '1' is a number"),
        ("a,y\n", "no rows after the header"),
        ("", "no rows"),
        ("\n\n", "no rows"),
        ("y\n1\n", "no column is left to learn from besides the target 'y'"),
        (
            "a,y\n\"1,2\n3,4\n",
            "line 2: 1 fields where the header has 2; look for a missing or extra delimiter or an open quote",
        ),
        ("a,y\n\"1\n2\",2\n", "column 'a': '1\\n2' is not a number"),
    ];
    for (text, expected) in cases {
        assert!(message(text).contains(expected), "{text:?} gives {:?}", message(text));
    }
    let error = read_csv(b"a,y\n1,caf\xe9\n").unwrap_err();
    assert!(matches!(error, Error::NotUtf8 { line: 2, offset: 9, .. }), "{error}");
    assert!(matches!(read(Path::new("no/such.csv"), &TableOptions::default()), Err(Error::Read { .. })));
}

#[test]
fn rows_for_prediction_are_matched_by_column_name() {
    let schema = read_csv(FLOWERS).unwrap().schema().unwrap();
    let (_folder, path) = write("new.csv", "note,width,length\nhello,2,1\nbye,4,3\n");
    let rows = schema.read(&path).unwrap();
    let expected = Features::Rows { values: vec![1.0, 2.0, 3.0, 4.0], names: schema.features.clone() };
    assert_eq!(rows, PredictionRows { features: expected, targets: None, ignored: vec!["note".into()] });

    let (_folder, path) = write("new.csv", "kind,width,length\nrose,2,1\naster,4,3\n");
    let Some(Targets::Classes { labels, .. }) = schema.read(&path).unwrap().targets else {
        panic!("classes")
    };
    assert_eq!(labels, [1, 0]);

    let (_folder, path) = write("new.csv", "kind,width,length\n,2,1\n,4,3\n");
    assert_eq!(schema.read(&path).unwrap().targets, None);
}

#[test]
fn whole_number_classes_are_recognised_in_any_spelling() {
    let schema = read_csv("x,y\n1,3\n2,5\n3,3\n4,5\n").unwrap().schema().unwrap();
    let (_folder, path) = write("new.csv", "x,y\n1,5.0\n2,03\n");
    let Some(Targets::Classes { labels, .. }) = schema.read(&path).unwrap().targets else {
        panic!("classes")
    };
    assert_eq!(labels, [1, 0]);
}

#[test]
fn mistakes_in_rows_for_prediction_name_their_place() {
    let schema = read_csv(FLOWERS).unwrap().schema().unwrap();
    let message = |text: &str| {
        let (_folder, path) = write("new.csv", text);
        schema.read(&path).unwrap_err().to_string()
    };
    let missing = message("length,widht\n1,2\n");
    assert!(missing.contains("no column 'width' (did you mean 'widht'?)"), "{missing}");
    let number = message("length,width\n1,2\n1,wide\n");
    assert!(number.contains("line 3, column 'width': 'wide' is not a number"), "{number}");
    let class = message("length,width,kind\n1,2,rosse\n");
    assert!(class.contains(
        "line 2, column 'kind': class 'rosse' was not in the training data (did you mean 'rose'?)"
    ));
}

#[test]
fn a_schema_survives_json() {
    let schema = read_csv(FLOWERS).unwrap().schema().unwrap();
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
}

proptest::proptest! {
    #[test]
    fn any_text_gives_a_result_and_never_a_panic(text in "[a-c0-9.,;\"\r\n ]{0,60}") {
        let _ = read_csv(text);
    }
}
