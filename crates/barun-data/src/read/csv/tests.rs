use std::io::Write;
use std::path::PathBuf;

use super::*;
use crate::dataset::{Dataset, Features, Target, Targets};
use crate::table::{
    ColumnKind, Header, Schema, SchemaColumn, SchemaKind, Table, TableOptions, TargetKind, TextEncoding,
};

fn write(name: &str, text: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(text.as_ref()).unwrap();
    (folder, path)
}

fn read_with(text: impl AsRef<[u8]>, options: TableOptions) -> Result<Dataset> {
    let (_folder, path) = write("table.csv", text);
    crate::read::to_train(&path, &options)
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

fn reading(reading: Reading) -> TableOptions {
    TableOptions { reading, ..TableOptions::default() }
}

fn classes(data: &Dataset) -> Vec<&str> {
    data.targets().classes().unwrap().iter().map(String::as_str).collect()
}

fn table(data: &Dataset) -> &Table {
    let Features::Table(table) = data.features() else { panic!("a table") };
    table
}

fn cells(data: &Dataset) -> Vec<f32> {
    let mut cells = Vec::new();
    let rows: Vec<usize> = (0..data.len()).collect();
    table(data)
        .each(&rows, |row| {
            cells.extend_from_slice(row);
            Ok(())
        })
        .unwrap();
    cells
}

fn told(data: &Dataset) -> Vec<String> {
    table(data).columns().iter().map(ToString::to_string).collect()
}

const FLOWERS: &str = "length,width,kind\n1.5,2,rose\n3,4,aster\n5,6,rose\n7,8,aster\n";

#[test]
fn data_29_number_columns_and_a_text_target() {
    let data = read_csv(FLOWERS).unwrap();
    assert_eq!(data.to_string(), "table: 4 rows x 2 columns, target 'kind' with 2 classes");
    assert_eq!(classes(&data), ["aster", "rose"]);
    assert_eq!(data.get(0).unwrap().target, Target::Class(1));
    assert_eq!(cells(&data), [1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    assert_eq!(data.features().names().unwrap(), ["length", "width"]);
}

#[test]
fn columns_of_every_kind_are_told_apart_and_say_why() {
    let data = read_csv(
        "age,zip,port,member,when,at,nothing,y\n\
         31,02134,S,yes,2024-02-29 18:30,12:00,,0.5\n\
         NA,10115,C,no,2024-03-01,,?,1.5\n\
         7.5,10115,S,,2024-03-02 00:00,6:15,NA,2.5\n",
    )
    .unwrap();
    assert_eq!(
        told(&data),
        [
            "age: numbers; 1 missing",
            "zip: categories, 2 different, because '02134' begins with a zero",
            "port: categories, 2 different, because 'S' is no number",
            "member: yes or no (yes, no), because 'yes' is no number; 1 missing",
            "when: dates, because all are such as '2024-02-29 18:30'",
            "when (time): times of day, because all are such as '2024-02-29 18:30'",
            "at: times of day, because all are such as '12:00'; 1 missing",
            "nothing: empty",
        ]
    );
    let cells = cells(&data);
    assert_eq!(cells[..7], [31.0, 0.0, 0.0, 0.0, 19_782.0, 66_600.0, 43_200.0]);
    assert!(cells[8].is_nan() && cells[7].is_nan() && cells[14].is_nan());
    assert_eq!(cells[9..11], [1.0, 1.0]);
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
        "a|b|y\r1|2|0.5\r3|4|1.5\r",
        "\"a\", b ,y\n\n1,\"2\",0.5\n\n\n3, 4,1.5\n\n",
    ] {
        assert_eq!(read_csv(text).unwrap(), plain, "{text:?}");
    }
    let (_folder, path) = write("table.tsv", "a,1\tb\ty\n1\t2\t0.5\n3\t4\t1.5\n");
    let data = crate::read::to_train(&path, &TableOptions::default()).unwrap();
    assert_eq!(data.features().names().unwrap(), ["a,1", "b"]);
    let asked = Reading { delimiter: Some(b':'), ..Reading::default() };
    assert_eq!(read_with("a:b:y\n1:2:0.5\n3:4:1.5\n", reading(asked)).unwrap(), plain);
}

#[test]
fn gzipped_tables_read_like_plain_ones() {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(FLOWERS.as_bytes()).unwrap();
    let zipped = zipped.finish().unwrap();
    let (_folder, path) = write("flowers.csv.gz", &zipped);
    let data = crate::read::to_train(&path, &TableOptions::default()).unwrap();
    assert_eq!(cells(&data), cells(&read_csv(FLOWERS).unwrap()));
    let (_folder, path) = write("cut.csv.gz", &zipped[..zipped.len() - 12]);
    assert!(matches!(crate::read::to_train(&path, &TableOptions::default()), Err(Error::Gzip { .. })));
}

#[test]
fn latin_1_is_read_where_it_is_asked_for_and_refused_with_its_place_where_not() {
    let text = b"a,y\n1,caf\xe9\n2,caf\xe9\n3,tea\n4,tea\n";
    let error = read_csv(text).unwrap_err();
    assert!(matches!(error, Error::NotUtf8 { line: 2, offset: 9, .. }), "{error}");
    let latin = Reading { encoding: TextEncoding::Latin1, ..Reading::default() };
    assert_eq!(classes(&read_with(text, reading(latin)).unwrap()), ["café", "tea"]);
    let utf16: Vec<u8> = "\u{feff}a,y\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read_csv(utf16).unwrap_err().to_string().contains("UTF-16"));
}

#[test]
fn a_file_without_a_header_has_numbered_columns_and_says_so() {
    let data = read_csv("5.1,3.5,setosa\n4.9,3.0,setosa\n6.0,3.1,rosa\n6.1,3.3,rosa\n").unwrap();
    assert_eq!(data.features().names().unwrap(), ["column_1", "column_2"]);
    assert_eq!(data.len(), 4);
    assert!(data.notes()[0].contains("the first line is taken for a row"), "{:?}", data.notes());
    let asked = Reading { header: Header::No, ..Reading::default() };
    assert_eq!(read_with("x,a\ny,a\nx,b\ny,b\n", reading(asked)).unwrap().len(), 4);
}

#[test]
fn the_marks_of_missing_values_can_be_chosen() {
    let missing = Some(vec!["-999".to_string(), "n/k".to_string()]);
    let data = read_with(
        "a,b,y\n-999,x,0.5\n1,n/k,1.5\n2,NA,2.5\n3,x,-999\n",
        reading(Reading { missing, ..Reading::default() }),
    );
    let data = data.unwrap();
    assert_eq!(told(&data)[0], "a: numbers; 1 missing");
    assert_eq!(table(&data).columns()[1].categories(), ["x", "NA"]);
    assert_eq!(data.len(), 3);
}

#[test]
fn rows_without_a_target_are_left_out_and_counted() {
    let data = read_csv("a,y\n1,0.5\n2,\n3,NaN\n4,1.5\n").unwrap();
    assert_eq!(cells(&data), [1.0, 4.0]);
    assert_eq!(data.notes(), ["2 rows without a value in the target 'y' were left out, the first on line 3"]);
    assert!(matches!(read_csv("a,y\n1,\n2,\n"), Err(Error::EmptyTarget { .. })));
}

#[test]
fn the_target_is_chosen_by_name_and_columns_can_be_left_out() {
    let options = TableOptions { ignore: vec!["kind".into()], ..target("length") };
    let data = read_with(FLOWERS, options).unwrap();
    assert_eq!((data.features().names().unwrap(), data.targets().name()), (vec!["width".into()], "length"));

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
fn columns_can_be_asked_to_be_categories_or_numbers() {
    let options =
        TableOptions { categorical: vec!["a".into()], numeric: vec!["b".into()], ..TableOptions::default() };
    let data = read_with("a,b,y\n1,007,0.5\n2,010,1.5\n", options.clone()).unwrap();
    assert_eq!(table(&data).columns()[0].categories(), ["1", "2"]);
    assert_eq!(table(&data).columns()[1].kind, ColumnKind::Number);
    let both = TableOptions { numeric: vec!["a".into()], ..options };
    assert!(matches!(read_with("a,b,y\n1,2,3\n", both), Err(Error::TwoKinds { .. })));
}

#[test]
fn every_mistake_names_its_place() {
    let message = |text: &str| read_csv(text).unwrap_err().to_string();
    let cases = [
        ("a,b,y\n1,2,3\n\r\n4,5\n", "line 4: 2 fields where the header has 3"),
        ("a,y\n1,2\n\n\nx7,3\n", "line 5, column 'a': 'x7' is not a number"),
        ("a,y\n1,2\n-inf,3\n", "line 3, column 'a': -inf is not a finite"),
        ("a,y\n1,2.5\n1e39,3\n", "line 3, column 'a': 1e39 is not a finite"),
        ("a,y\n1,2.5\n2,3.5\n3,oops\n", "line 4, column 'y': 'oops' is not a number"),
        (
            "a,y\n1,u\n2,v\n3,w\n",
            "target 'y' is text with 3 different values in 3 rows (first on line 2: 'u')",
        ),
        ("a,b,a\n1,2,3\n", "columns 1 and 3 are both called 'a'"),
        ("a,y\n", "no rows after the header"),
        ("", "no rows"),
        ("\n\n", "no rows"),
        ("y\n1\n", "no column is left to learn from besides the target 'y'"),
        (
            "a,y\n\"1,2\n3,4\n",
            "line 2: 1 fields where the header has 2; look for a missing or extra delimiter or an open quote",
        ),
        ("a,y\n3,1\n4,1\n\"1\n2\",2\n", "line 4, column 'a': '1\\n2' is not a number"),
    ];
    for (text, expected) in cases {
        assert!(message(text).contains(expected), "{text:?} gives {:?}", message(text));
    }
    assert!(matches!(
        read(Path::new("no/such.csv"), &Wanted::Training(&TableOptions::default()), &Reading::default()),
        Err(Error::Read { .. })
    ));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        Chunks::open(folder.path(), TextEncoding::Utf8).err(),
        Some(Error::IsFolder { .. } | Error::Read { .. })
    ));
}

/// A table of so many rows, each with an odd cell from row `odd` on.
fn long(rows: usize, odd: usize, cell: &str) -> String {
    let row = |at: usize| format!("{},{},{}.5\n", at, if at >= odd { cell } else { "17" }, at % 7);
    std::iter::once("n,a,y\n".to_string()).chain((0..rows).map(row)).collect()
}

#[test]
fn what_the_first_lines_promise_is_revised_by_later_ones() {
    let rows = 60_000;
    let told_of = |cell: &str, from: usize| told(&read_csv(long(rows, from, cell)).unwrap())[1].clone();
    assert_eq!(told_of("1.5", 50_000), "a: numbers");
    assert_eq!(
        told_of("x", 20_000),
        "a: categories, 2 different, because 40000 of 60000 cells are no numbers, such as 'x'"
    );
    assert_eq!(told_of("05", 59_000), "a: categories, 2 different, because '05' begins with a zero");
    let message = read_csv(long(rows, 59_999, "oops")).unwrap_err().to_string();
    assert!(message.contains("line 60001, column 'a': 'oops' is not a number"), "{message}");
    let ragged = long(rows, rows, "") + "1,2\n";
    assert!(read_csv(ragged).unwrap_err().to_string().contains("line 60002: 2 fields"));
}

#[test]
fn a_large_file_in_many_chunks_reads_like_a_small_one_and_on_disk_like_in_memory() {
    let rows = 500_000;
    let text: String = std::iter::once("n,word,y\n".to_string())
        .chain((0..rows).map(|at| format!("{at},\"w,{}\n\",{}.5\n", (at * at) % 1013, at % 1000)))
        .collect();
    assert!(text.len() > 8 << 20, "several chunks");
    let (_folder, path) = write("table.csv", text);
    let read = |memory_bytes| {
        let options = reading(Reading { memory_bytes, ..Reading::default() });
        crate::read::to_train(&path, &options).unwrap()
    };
    let (memory, disk) = (read(1 << 30), read(1 << 16));
    assert!(!table(&memory).is_on_disk() && table(&disk).is_on_disk());
    assert_eq!((memory.len(), table(&memory).columns()), (rows, table(&disk).columns()));
    assert_eq!(memory.targets(), disk.targets());
    let cells = cells(&memory);
    assert_eq!(cells, self::cells(&disk));
    let categories = table(&memory).columns()[1].categories();
    for at in [0, 1, 77, 131_071, 399_999] {
        assert_eq!(cells[2 * at], at as f32);
        assert_eq!(categories[cells[2 * at + 1] as usize], format!("w,{}", (at * at) % 1013));
    }
    let Targets::Values { values, .. } = memory.targets() else { panic!("numbers") };
    assert_eq!(values[399_999], 999.5);
}

fn schema() -> Schema {
    Schema {
        columns: vec![
            SchemaColumn::number("length"),
            SchemaColumn { name: "hue".into(), kind: SchemaKind::Category },
        ],
        unused: vec!["row".into()],
        target: "kind".into(),
        classes: Some(vec!["aster".into(), "rose".into()]),
    }
}

#[test]
fn rows_for_prediction_are_matched_by_column_name() {
    let (_folder, path) = write("new.csv", "note,hue,row,length,kind\nhello,red,1,5,\nbye,7,2,NA,\n");
    let rows = schema().read(&path, &Reading::default()).unwrap();
    let Features::Table(table) = &rows.features else { panic!("a table") };
    assert_eq!(rows.features.names().unwrap(), ["hue", "length"]);
    assert_eq!(table.columns()[0].categories(), ["red", "7"], "as in training, whatever it looks like");
    assert_eq!(rows.ignored, ["note"]);
    assert_eq!(schema().read_labelled(&path, &Reading::default()).unwrap().targets, None);

    let (_folder, path) = write("new.csv", "kind,length,hue\nrose,1,red\naster,2,red\n,3,red\n");
    let rows = schema().read_labelled(&path, &Reading::default()).unwrap();
    let Some(Targets::Classes { labels, .. }) = rows.targets else { panic!("classes") };
    assert_eq!((labels, rows.features.len()), (vec![1, 0], 2));
    assert_eq!(rows.notes, ["1 row without a target left out"]);
}

#[test]
fn whole_number_classes_are_recognised_in_any_spelling() {
    let schema = Schema { classes: Some(vec!["3".into(), "5".into()]), ..schema() };
    let (_folder, path) = write("new.csv", "length,hue,kind\n1,a,5.0\n2,b,03\n");
    let Some(Targets::Classes { labels, .. }) =
        schema.read_labelled(&path, &Reading::default()).unwrap().targets
    else {
        panic!("classes")
    };
    assert_eq!(labels, [1, 0]);
}

#[test]
fn mistakes_in_rows_for_prediction_name_their_place() {
    let message = |text: &str| {
        let (_folder, path) = write("new.csv", text);
        schema().read_labelled(&path, &Reading::default()).unwrap_err().to_string()
    };
    let missing = message("lenght,hue\n1,2\n");
    assert!(missing.contains("no column 'length' (did you mean 'lenght'?)"), "{missing}");
    let number = message("length,hue\n1,2\nwide,2\n");
    assert!(number.contains("line 3, column 'length': 'wide' is not a number"), "{number}");
    let class = message("length,hue,kind\n1,2,rosse\n");
    assert!(
        class.contains(
            "line 2, column 'kind': class 'rosse' was not in the training data (did you mean 'rose'?)"
        ),
        "{class}"
    );
}

#[test]
fn the_texts_of_columns_belong_to_the_rows_that_are_kept() {
    let (_folder, path) = write("t.csv", "site,when,y\n01,2024-01-01,0.5\n02,,\n,2024-01-03,1.5\n");
    let texts = crate::table::texts(&path, &["when", "site"], &TableOptions::default()).unwrap();
    assert_eq!(texts, [["2024-01-01", "2024-01-03"], ["01", ""]]);
}

proptest::proptest! {
    #[test]
    fn any_text_gives_a_result_and_never_a_panic(text in "[a-c0-9.,;\"\r\n: -]{0,60}") {
        let _ = read_csv(text);
    }
}
