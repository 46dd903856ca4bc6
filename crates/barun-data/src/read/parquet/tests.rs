use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::dataset::{Dataset, Features, Targets};
use crate::table::{Table, TableOptions};

const SCHEMA: &str = "message t {
    OPTIONAL DOUBLE age;
    REQUIRED INT32 born (DATE);
    OPTIONAL BYTE_ARRAY port (UTF8);
    REQUIRED BOOLEAN member;
    REQUIRED INT64 seen (TIMESTAMP_MILLIS);
    REQUIRED INT32 price (DECIMAL(9, 2));
    REPEATED INT32 visits;
    OPTIONAL INT64 y;
}";

/// Four rows: in the second `age` is null, in the third `port`, in the fourth the target.
fn file(compression: Compression) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    macro_rules! column {
        ($type:ty, $values:expr, $levels:expr) => {
            let mut column = group.next_column().unwrap().unwrap();
            let levels: Option<&[i16]> = $levels;
            column.typed::<$type>().write_batch($values, levels, None).unwrap();
            column.close().unwrap();
        };
    }
    column!(DoubleType, &[31.5, f64::NAN, 7.0], Some(&[1, 0, 1, 1]));
    column!(Int32Type, &[19_782, 0, -1, 1], None);
    column!(
        ByteArrayType,
        &[b"S".to_vec().into(), b"C".to_vec().into(), b"S".to_vec().into()],
        Some(&[1, 1, 0, 1])
    );
    column!(BoolType, &[true, false, true, true], None);
    column!(Int64Type, &[19_782 * 86_400_000 + 66_600_000, 0, -1, 5], None);
    column!(Int32Type, &[1234, -50, 0, 7], None);
    let mut visits = group.next_column().unwrap().unwrap();
    visits.typed::<Int32Type>().write_batch(&[1, 2], Some(&[1, 1, 0, 0, 0]), Some(&[0, 1, 0, 0, 0])).unwrap();
    visits.close().unwrap();
    column!(Int64Type, &[1, 0, 1], Some(&[1, 1, 1, 0]));
    group.close().unwrap();
    writer.into_inner().unwrap()
}

fn write(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read_bytes(bytes: &[u8], options: &TableOptions) -> Result<Dataset> {
    let (_folder, path) = write(bytes);
    crate::read::to_train(&path, options)
}

fn table(data: &Dataset) -> &Table {
    let Features::Table(table) = data.features() else { panic!("a table") };
    table
}

fn row(data: &Dataset, row: usize) -> Vec<f32> {
    let mut cells = Vec::new();
    table(data)
        .each(&[row], |row| {
            cells.extend_from_slice(row);
            Ok(())
        })
        .unwrap();
    cells
}

#[test]
fn typed_columns_become_cells_whatever_the_compression() {
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default())]
    {
        let options = TableOptions { target_kind: crate::TargetKind::Classes, ..TableOptions::default() };
        let data = read_bytes(&file(compression), &options).unwrap();
        let told: Vec<String> = table(&data).columns().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "age: numbers; 2 missing",
                "born: dates",
                "port: categories, 2 different; 1 missing",
                "member: yes or no (true, false)",
                "seen: dates",
                "seen (time): times of day",
                "price: numbers",
            ]
        );
        assert_eq!(row(&data, 0), [31.5, 19_782.0, 0.0, 0.0, 19_782.0, 66_600.0, 12.34]);
        let second = row(&data, 1);
        assert!(second[0].is_nan());
        assert_eq!(second[1..], [0.0, 1.0, 1.0, 0.0, 0.0, -0.5]);
        assert_eq!(row(&data, 2)[4], -1.0, "a millisecond before 1970 is the day before");
        let Targets::Classes { labels, .. } = data.targets() else { panic!("classes") };
        assert_eq!(labels, &[1, 0, 1]);
        assert!(
            data.notes()[0].contains("column 'visits' is left out: it holds lists"),
            "{:?}",
            data.notes()
        );
        assert!(data.notes()[1].contains("1 row without a value in the target 'y'"), "{:?}", data.notes());
        assert!(data.notes()[1].contains("on row 4"), "{:?}", data.notes());
    }
}

#[test]
fn columns_can_be_asked_to_be_categories_and_text_that_is_no_number_names_its_row() {
    let options = TableOptions { categorical: vec!["price".into()], ..TableOptions::default() };
    let data = read_bytes(&file(Compression::SNAPPY), &options).unwrap();
    assert_eq!(table(&data).columns()[6].categories(), ["12.34", "-0.5", "0"]);
    let options = TableOptions { numeric: vec!["port".into()], ..TableOptions::default() };
    let message = read_bytes(&file(Compression::SNAPPY), &options).unwrap_err().to_string();
    assert!(message.contains("row 1, column 'port': 'S' is not a number"), "{message}");
    let options = TableOptions { categorical: vec!["visits".into()], ..TableOptions::default() };
    let message = read_bytes(&file(Compression::SNAPPY), &options).unwrap_err().to_string();
    assert!(message.contains("column 'visits' holds lists"), "{message}");
}

#[test]
fn a_file_cut_short_anywhere_is_an_error_and_so_is_one_that_is_none() {
    let whole = file(Compression::SNAPPY);
    for length in (0..whole.len()).step_by(7) {
        let error = read_bytes(&whole[..length], &TableOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Parquet { .. }), "{length}: {error}");
    }
    let message = read_bytes(b"a,b\n1,2\n", &TableOptions::default()).unwrap_err().to_string();
    assert!(message.contains("it is not Parquet, or damaged or cut short"), "{message}");
}
