use super::*;
use crate::table::{Column, ColumnKind, Table};
use crate::{Dataset, Error, Features, Split, SplitData, Targets};

const NONE: f32 = f32::NAN;

fn category(name: &str, categories: &[&str]) -> Column {
    let categories = categories.iter().map(|text| text.to_string()).collect();
    Column { kind: ColumnKind::Category { categories }, ..Column::number(name) }
}

/// A table of one column, all rows of which are trained on but the last `held_out`.
fn split(columns: Vec<Column>, cells: Vec<f32>, held_out: usize) -> SplitData {
    let rows = cells.len() / columns.len();
    let mut table = Table::of_numbers(&vec![String::new(); columns.len()], cells);
    table.replace_columns(columns);
    let targets = Targets::Values { name: "y".into(), values: (0..rows).map(|row| row as f32).collect() };
    let data = Dataset::new("t", Features::Table(table), targets).unwrap();
    let data = if held_out > 0 { data.with_given_test(rows - held_out..rows).unwrap() } else { data };
    data.split(Split::random(1.0, 0.0, 0.0)).unwrap()
}

fn fitted(
    column: Column,
    cells: &[f32],
    held_out: usize,
    preprocess: impl Into<Preprocess>,
) -> (Encoding, Vec<Vec<f32>>) {
    // A second column, so that one may be left out.
    let columns = vec![column, Column::number("other")];
    let cells = cells.iter().enumerate().flat_map(|(row, &cell)| [cell, row as f32]).collect();
    let data = split(columns, cells, held_out).fit(preprocess).unwrap();
    let Features::Rows { values, names } = data.dataset().features() else { panic!("rows") };
    let rows = values.chunks(names.len()).map(|row| row[..row.len() - 1].to_vec()).collect();
    (data.encoding().unwrap().clone(), rows)
}

fn names(encoding: &Encoding) -> Vec<String> {
    let features = encoding.features();
    features[..features.len() - 1].iter().map(|feature| feature.name.clone()).collect()
}

#[test]
fn a_missing_number_becomes_the_training_median_with_a_flag() {
    let (encoding, rows) = fitted(Column::number("age"), &[1.0, NONE, 3.0, 5.0, NONE], 1, Scaling::NONE);
    assert_eq!(names(&encoding), ["age", "age missing"]);
    assert_eq!(rows, [[1.0, 0.0], [3.0, 1.0], [3.0, 0.0], [5.0, 0.0], [3.0, 1.0]]);
    assert_eq!(encoding.fate("age"), "as it is; 3 where missing, and a flag for that");
    // Gaps that training does not have say nothing, and are filled all the same.
    let (encoding, rows) = fitted(Column::number("age"), &[1.0, 3.0, 5.0, NONE], 1, Scaling::NONE);
    assert_eq!((names(&encoding), rows[3].clone()), (vec!["age".to_string()], vec![3.0]));
}

#[test]
fn data_08_the_test_part_decides_nothing() {
    let of = |last: f32| fitted(Column::number("x"), &[1.0, NONE, 2.0, 3.0, last], 1, Robust::default()).0;
    assert_eq!(of(1e6), of(-5.0));
    let of =
        |last: f32| fitted(category("c", &["a", "b", "z"]), &[0.0, 1.0, 0.0, 1.0, last], 1, Scaling::NONE).0;
    assert_eq!(of(2.0), of(0.0));
}

#[test]
fn categories_become_flags_and_one_that_training_does_not_have_is_none_of_them() {
    let (encoding, rows) =
        fitted(category("port", &["S", "C", "Q"]), &[0.0, 1.0, 0.0, 1.0, 2.0, NONE], 2, Scaling::NONE);
    assert_eq!(names(&encoding), ["port=C", "port=S"]);
    assert_eq!(rows, [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]);
    let encoder =
        encoding.bind(&[category("port", &["S", "X", "Y", "Z", "U"]), Column::number("other")]).unwrap();
    assert_eq!(
        encoder.notes(),
        [
            "column 'port' has 4 values that training did not have ('X', 'Y', 'Z', ...); taken for none of the known"
        ]
    );
}

#[test]
fn of_many_categories_the_most_frequent_get_flags_and_the_others_share_one() {
    let codes: Vec<f32> = (0..60).map(|row| [0.0, 0.0, 1.0, (row % 10) as f32][row % 4]).collect();
    let all: Vec<String> = (0..10).map(|code| format!("c{code}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let categories = Categories { most_one_hot: 3, beyond: Beyond::Frequent };
    let (encoding, rows) =
        fitted(category("c", &all), &codes, 0, Preprocess { categories, scaling: Scaling::NONE });
    assert_eq!(names(&encoding), ["c=c0", "c=c1", "c other"]);
    assert_eq!(
        (&rows[0][..], &rows[2][..], &rows[3][..]),
        (&[1.0, 0.0, 0.0][..], &[0.0, 1.0, 0.0][..], &[0.0, 0.0, 1.0][..])
    );

    let categories = Categories { most_one_hot: 3, beyond: Beyond::Codes };
    let (encoding, rows) =
        fitted(category("c", &all), &codes, 0, Preprocess { categories, scaling: Scaling::NONE });
    let kinds: Vec<FeatureKind> = encoding.features().iter().map(|feature| feature.kind).collect();
    assert!(matches!(kinds[0], FeatureKind::Code { count } if count > 3) && encoding.has_codes());
    assert_eq!((rows[0][0], rows[2][0]), (1.0, 2.0), "the most frequent come first; 0 is for the unknown");
}

#[test]
fn yes_and_no_are_one_number() {
    let (encoding, rows) =
        fitted(category("member", &["No", "yes"]), &[1.0, 0.0, NONE, 1.0], 0, Scaling::NONE);
    assert_eq!(names(&encoding), ["member", "member missing"]);
    assert_eq!(rows, [[1.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 0.0]]);
}

#[test]
fn dates_say_what_changes_in_them() {
    let column = Column { kind: ColumnKind::Date { order: DateOrder::YearFirst }, ..Column::number("when") };
    // Three days of one week of one month.
    let (encoding, rows) = fitted(column, &[19_782.0, 19_783.0, 19_781.0], 0, Scaling::NONE);
    assert!(!names(&encoding).contains(&"when year".to_string()), "{:?}", names(&encoding));
    let weekday = names(&encoding).iter().position(|name| name == "when weekday").unwrap();
    assert_eq!(rows.iter().map(|row| row[weekday]).collect::<Vec<_>>(), [3.0, 4.0, 2.0]);
    let schema = encoding.schema("y", None);
    assert_eq!(schema.columns[0].kind, SchemaKind::Date { order: DateOrder::YearFirst, time: false });
}

#[test]
fn a_date_and_its_time_are_one_column_of_the_file() {
    let order = DateOrder::YearFirst;
    let columns = vec![
        Column { kind: ColumnKind::Date { order }, ..Column::number("when") },
        Column { kind: ColumnKind::Time { order }, ..Column::number(format!("when{TIME_SUFFIX}")) },
    ];
    let cells = (0..20).flat_map(|row| [19_000.0 + row as f32, 3600.0 * row as f32]).collect();
    let data = split(columns, cells, 0).fit(Scaling::NONE).unwrap();
    let schema = data.encoding().unwrap().schema("y", None);
    assert_eq!(
        schema.columns,
        [SchemaColumn { name: "when".into(), kind: SchemaKind::Date { order, time: true } }]
    );
    assert!(data.dataset().features().names().unwrap().contains(&"when hour".to_string()));
}

#[test]
fn columns_that_say_nothing_are_left_out_with_the_reason() {
    let words: Vec<String> = (0..8).map(|row| format!("word {row}")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let codes: Vec<f32> = (0..8).map(|row| row as f32).collect();
    let ids: Vec<f32> = (0..8).map(|row| (row * 37 % 8 + 100) as f32).collect();
    let cases = [
        (Column { kind: ColumnKind::Empty, ..Column::number("c") }, vec![NONE; 8], "it is empty"),
        (Column::number("c"), vec![NONE; 8], "it has no value in the training part"),
        (Column::number("c"), vec![5.0; 8], "it never changes"),
        (category("c", &["a"]), vec![0.0; 8], "it is 'a' in every row of the training part"),
        (category("c", &words), codes, "it is text that hardly repeats: 8 different in 8 rows"),
        (Column::number("user_id"), ids.clone(), "it numbers the rows"),
        (Column::number("PassengerId"), ids.clone(), "it numbers the rows"),
    ];
    for (column, cells, why) in cases {
        let (encoding, _) = fitted(column.clone(), &cells, 0, Scaling::NONE);
        assert_eq!(encoding.left_out.len(), 1, "{why}");
        assert!(encoding.left_out[0].why.starts_with(why), "{:?} instead of {why}", encoding.left_out[0]);
        assert_eq!(encoding.schema("y", None).unused, [column.name]);
    }
    assert!(
        fitted(Column::number("width"), &ids, 0, Scaling::NONE).0.left_out.is_empty(),
        "a number, not an id"
    );
    let asked = Column { asked: true, ..category("c", &words) };
    let kept = fitted(asked, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 0, Scaling::NONE).0;
    assert!(kept.left_out.is_empty());
}

#[test]
fn where_nothing_is_left_to_learn_from_each_column_has_its_reason() {
    let error = split(vec![Column::number("a")], vec![1.0; 6], 0).fit(Scaling::NONE).unwrap_err();
    assert!(matches!(error, Error::NothingToLearnFrom { .. }));
    assert_eq!(error.to_string(), "nothing is left to learn from: 'a': it never changes");
}

#[test]
fn one_scaling_for_all_columns_is_that_of_all_their_numbers() {
    let columns = vec![Column::number("a"), Column::number("b")];
    let cells = vec![1.0, 10.0, 2.0, 20.0, 4.0, 60.0];
    let data = split(columns, cells.clone(), 0).fit(Standardize::global()).unwrap();
    let Features::Rows { values, .. } = data.dataset().features() else { panic!("rows") };
    let mean = cells.iter().sum::<f32>() / 6.0;
    let deviation = (cells.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 6.0).sqrt();
    for (value, cell) in values.iter().zip(&cells) {
        assert!((value - (cell - mean) / deviation).abs() < 1e-5);
    }
}

#[test]
fn an_encoding_survives_json_and_binds_to_columns_in_any_order() {
    let (encoding, rows) = fitted(category("c", &["a", "b"]), &[0.0, 1.0, 0.0, 1.0], 0, Quantile);
    let json = serde_json::to_string(&encoding).unwrap();
    assert_eq!(serde_json::from_str::<Encoding>(&json).unwrap(), encoding);

    let turned = [Column::number("other"), category("c", &["b", "a"])];
    let mut features = Vec::new();
    encoding.bind(&turned).unwrap().encode(&[1.0, 0.0], &mut features);
    assert_eq!(features[..2], rows[1]);
    assert!(matches!(encoding.bind(&turned[..1]), Err(Error::NoSuchColumn { .. })));
    let other = [Column::number("other"), Column::number("c")];
    assert!(matches!(encoding.bind(&other), Err(Error::OtherColumn { expected: "categories", .. })));
}
