//! `docs/coverage.md` is true: every test that it names is where it says, every number of a family has its row, and a row
//! that names no test says what is left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One line of a table: `| TENSOR-01 | what | shown by | left |`.
struct Row {
    family: String,
    number: usize,
    shown: String,
    left: String,
}

fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(root().join("docs/coverage.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (family, number) = cells.first()?.split_once('-')?;
        let number = number.parse().ok()?;
        assert_eq!(cells.len(), 4, "{line}");
        let text = |cell: usize| cells[cell].trim_matches('|').trim().to_string();
        Some(Row { family: family.to_string(), number, shown: text(2), left: text(3) })
    };
    page.lines().filter(|line| line.starts_with("| ")).filter_map(row).collect()
}

/// The tests a cell names, with their files: `` `name` (file)<br>`name` (file) ``.
fn tests(shown: &str) -> Vec<(&str, &str)> {
    let one = |part| -> Option<(&str, &str)> {
        let (name, file) = str::strip_prefix(part, "`")?.split_once("` (")?;
        Some((name, file.strip_suffix(')')?))
    };
    let parts = shown.split("<br>").filter(|part| !part.is_empty());
    parts.map(|part| one(part).unwrap_or_else(|| panic!("no test with its file: {part}"))).collect()
}

#[test]
fn every_test_that_the_page_names_is_in_the_file_it_names() {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    let rows = rows();
    let mut count = 0;
    for (name, file) in rows.iter().flat_map(|row| tests(&row.shown)) {
        let text = files.entry(file).or_insert_with(|| {
            std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
        });
        assert!(text.contains(&format!("fn {name}(")), "docs/coverage.md: {file} has no test `{name}`");
        count += 1;
    }
    assert!(count > 200, "{count} tests are named");
}

#[test]
fn every_number_of_a_family_has_one_row_and_a_row_without_a_test_says_what_is_left() {
    let mut families: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for row in rows() {
        let name = format!("{}-{:02}", row.family, row.number);
        assert!(!row.shown.is_empty() || !row.left.is_empty(), "{name} has neither a test nor what is left");
        families.entry(row.family).or_default().push(row.number);
    }
    assert_eq!(families.len(), 13, "{:?}", families.keys());
    for (family, numbers) in families {
        let expected: Vec<usize> = (1..=numbers.len()).collect();
        assert_eq!(numbers, expected, "{family}");
    }
}
