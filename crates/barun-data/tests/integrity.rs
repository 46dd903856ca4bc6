//! Faults put into data on purpose are all found, and none are found in data that has none. [EVAL-05, EVAL-06, DIAG-20]

use std::path::{Path, PathBuf};

use barun_data::integrity::{self, Kind, Report, Severity};
use barun_data::{
    Copies, Dataset, Features, Method, OpenOptions, Split, SplitData, TableOptions, TargetKind, Targets,
};
use barun_engine::random::Stream;

fn data_with(wanted: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("BARUN_DATA").map_or_else(beside, PathBuf::from);
    if folder.join(wanted).exists() {
        return Some(folder);
    }
    println!("skipped: no {wanted} in {}", folder.display());
    None
}

fn inspect(split: &SplitData) -> Report {
    integrity::inspect(split).unwrap()
}

fn count(report: &Report, kind: Kind) -> usize {
    report.of_kind(kind).map(|finding| finding.count).sum()
}

fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "{:#?}", report.findings);
}

fn images(data: &Dataset) -> (Vec<u8>, [usize; 3], Vec<i64>, Vec<String>) {
    let Features::Images { pixels, shape } = data.features() else { panic!("images") };
    let Targets::Classes { labels, classes, .. } = data.targets() else { panic!("classes") };
    (pixels.clone(), *shape, labels.clone(), classes.clone())
}

/// The image with noise of standard deviation `sigma` (pixels from 0 to 1) and brightness times `gain`.
fn disturbed(image: &[u8], sigma: f64, gain: f64, random: &mut Stream) -> Vec<u8> {
    let bent = |&pixel: &u8| {
        (f64::from(pixel) * gain + 255.0 * sigma * random.normal()).round().clamp(0.0, 255.0) as u8
    };
    image.iter().map(bent).collect()
}

/// What was put where: rows of the test part that are a training row, nearly one, and inputs with two labels.
struct Faulty {
    data: Dataset,
    exact: Vec<usize>,
    near: Vec<usize>,
    conflicts: usize,
}

/// Writes copies of training images over test images, and adds training images with a wrong label.
fn with_faults(data: &Dataset, train: &[usize], test: &[usize], seed: u64) -> Faulty {
    let (mut pixels, shape, mut labels, classes) = images(data);
    let size = shape.iter().product::<usize>();
    let mut random = Stream::new(seed, "faults");
    let (mut sources, mut places) = (train.to_vec(), test.to_vec());
    random.shuffle(&mut sources);
    random.shuffle(&mut places);
    let (exact, near) = (places[..50].to_vec(), places[50..100].to_vec());
    for (at, &place) in places[..100].iter().enumerate() {
        let source = sources[at];
        let image = pixels[source * size..][..size].to_vec();
        let copy = match at {
            ..50 => image,
            50..65 => disturbed(&image, 0.01, 1.0, &mut random),
            65..75 => disturbed(&image, 0.0, 1.02, &mut random),
            75..85 => disturbed(&image, 0.0, 0.98, &mut random),
            _ => {
                let (sigma, gain) = (random.between(0.002, 0.01), random.between(0.98, 1.02));
                disturbed(&image, sigma, gain, &mut random)
            }
        };
        pixels[place * size..][..size].copy_from_slice(&copy);
        labels[place] = labels[source];
    }
    for &source in &sources[100..130] {
        let image = pixels[source * size..][..size].to_vec();
        pixels.extend(image);
        labels.push((labels[source] + 1) % classes.len() as i64);
    }
    let total = labels.len();
    let targets = Targets::Classes { name: "label".into(), labels, classes };
    let data = Dataset::new("faulty", Features::Images { pixels, shape }, targets).unwrap();
    let cells: Vec<String> = (0..total)
        .map(|row| if test.binary_search(&row).is_ok() { "test" } else { "train" }.to_string())
        .collect();
    Faulty { data: data.with_part_column("part", &cells).unwrap(), exact, near, conflicts: 30 }
}

fn assert_all_found(faulty: Faulty) {
    let parts = faulty.data.split(Split { valid: 0.0, ..Split::default() }).unwrap();
    let report = inspect(&parts);
    let test = parts.test().len();
    let exact: Vec<_> = report.of_kind(Kind::CopiesAcrossParts).collect();
    assert_eq!((exact[0].count, exact[0].of), (faulty.exact.len(), test), "{:#?}", report.findings);
    let near: Vec<_> = report.of_kind(Kind::NearCopiesAcrossParts).collect();
    assert_eq!((near[0].count, near[0].of), (faulty.near.len(), test), "{:#?}", report.findings);
    assert!(exact[0].examples.iter().all(|rows| faulty.exact.contains(&(rows[0] - 1))));
    assert!(near[0].examples.iter().all(|rows| faulty.near.contains(&(rows[0] - 1))));
    assert_eq!(count(&report, Kind::ConflictingLabels), faulty.conflicts);
    let others = report.findings.iter().filter(|finding| finding.severity > Severity::Note).count();
    assert_eq!(others, 3, "{:#?}", report.findings);
}

#[test]
fn of_drawn_digits_every_copy_near_copy_and_conflict_is_found_and_no_other() {
    let data = OpenOptions { samples: Some(6_000), ..OpenOptions::default() }.open("digits").unwrap();
    let parts = data.clone().split(Split::default()).unwrap();
    assert_clean(&inspect(&parts));
    assert_all_found(with_faults(&data, parts.train(), parts.test(), 1));
}

#[test]
fn eval_05_of_mnist_every_copy_near_copy_and_conflict_is_found_and_no_other() {
    let Some(folder) = data_with("mnist") else { return };
    let data = OpenOptions { data_dir: Some(folder), ..OpenOptions::default() }.open("mnist").unwrap();
    let parts = data.clone().split(Split { valid: 0.0, ..Split::default() }).unwrap();
    let begin = std::time::Instant::now();
    let report = inspect(&parts);
    println!("{:.2} s for {} images", begin.elapsed().as_secs_f64(), data.len());
    assert_clean(&report);
    assert_eq!(report.sampled, ["drift, training part: 20000 rows of 60000, drawn at random"]);
    for seed in 0..3 {
        assert_all_found(with_faults(&data, parts.train(), parts.test(), seed));
    }
}

fn table(path: &str, target: &str, ignore: &[&str], kind: TargetKind) -> Option<Dataset> {
    let folder = data_with(&format!("tabular/{path}"))?;
    let table = TableOptions {
        target: Some(target.into()),
        target_kind: kind,
        ignore: ignore.iter().map(|column| column.to_string()).collect(),
        ..TableOptions::default()
    };
    Some(OpenOptions { table, ..OpenOptions::default() }.open(folder.join("tabular").join(path)).unwrap())
}

#[test]
fn clean_tables_give_no_alarm_whatever_the_seed() {
    let tables = [
        table("iris/iris.csv", "species", &[], TargetKind::Auto),
        table("wine-quality/winequality-red.csv", "quality", &[], TargetKind::Values),
        table("wine-quality/winequality-white.csv", "quality", &[], TargetKind::Values),
        table(
            "california-housing/housing.csv",
            "median_house_value",
            &["ocean_proximity", "total_bedrooms"],
            TargetKind::Auto,
        ),
        table(
            "bike-sharing/hour.csv",
            "cnt",
            &["instant", "dteday", "casual", "registered"],
            TargetKind::Auto,
        ),
    ];
    for data in tables.into_iter().flatten() {
        for seed in 0..20 {
            assert_clean(&inspect_cut(&data, seed));
        }
    }
}

/// Of the red wines ten have the grade 3, and 681 the grade 5.
#[test]
fn of_grades_as_classes_the_rare_one_is_told_and_nothing_else() {
    let red = table("wine-quality/winequality-red.csv", "quality", &[], TargetKind::Classes);
    let Some(red) = red else { return };
    for seed in 0..20 {
        let report = inspect_cut(&red, seed);
        let told: Vec<Kind> = report
            .findings
            .iter()
            .filter(|found| found.severity > Severity::Note)
            .map(|found| found.kind)
            .collect();
        assert_eq!(told, [Kind::ClassImbalance], "seed {seed}: {:#?}", report.findings);
    }
}

fn inspect_cut(data: &Dataset, seed: u64) -> Report {
    inspect(&data.clone().split(Split { train: 0.7, test: 0.2, seed, ..Split::default() }).unwrap())
}

#[test]
fn drawn_data_gives_no_alarm_whatever_the_seed() {
    for name in ["moons", "rings", "xor", "sine", "outliers"] {
        for seed in 0..20 {
            let data = OpenOptions { seed, ..OpenOptions::default() }.open(name).unwrap();
            assert_clean(&inspect(&data.split(Split::default().seed(seed)).unwrap()));
        }
    }
}

#[test]
fn two_columns_that_add_up_to_the_target_are_told_before_training() {
    for file in ["bike-sharing/hour.csv", "bike-sharing/day.csv"] {
        let Some(data) = table(file, "cnt", &["dteday"], TargetKind::Auto) else { return };
        let report = inspect(&data.split(Split::default()).unwrap());
        let leak = report.of_kind(Kind::TargetLeak).next().unwrap_or_else(|| panic!("{report:#?}"));
        let mut columns = leak.columns.clone();
        columns.sort();
        assert_eq!(columns, ["casual", "registered"]);
        assert!(leak.message.contains("cnt = "), "{}", leak.message);
        assert!(leak.advice.contains("--drop casual") && leak.advice.contains("--drop registered"));
        let identifiers: Vec<_> = report.of_kind(Kind::Identifier).collect();
        assert_eq!(identifiers.len(), 1);
        assert_eq!(identifiers[0].columns, ["instant"]);
        assert_eq!(report.findings.iter().filter(|finding| finding.severity > Severity::Note).count(), 2);
    }
}

#[test]
fn without_copies_kept_together_wines_that_occur_twice_are_told() {
    let Some(data) = table("wine-quality/winequality-red.csv", "quality", &[], TargetKind::Values) else {
        return;
    };
    let apart = Split { copies: Copies::Apart, ..Split::default() };
    let report = inspect(&data.clone().split(apart).unwrap());
    let copies = report.of_kind(Kind::CopiesAcrossParts).next().unwrap();
    assert_eq!(copies.severity, Severity::Error);
    assert!((20..60).contains(&copies.count), "{copies:?}");
    let together = inspect(&data.split(Split::default()).unwrap());
    assert_eq!(count(&together, Kind::CopiesAcrossParts), 0);
    assert_eq!(count(&together, Kind::CopiesWithinParts), 240);
}

/// Rows of five columns of normal numbers and a target that depends a little on the first two.
struct Made {
    columns: Vec<Vec<f32>>,
    labels: Vec<i64>,
    values: Vec<f32>,
}

impl Made {
    fn new(rows: usize, seed: u64) -> Made {
        let mut random = Stream::new(seed, "made");
        let columns: Vec<Vec<f32>> =
            (0..5).map(|_| (0..rows).map(|_| random.normal() as f32).collect()).collect();
        let values: Vec<f32> =
            (0..rows).map(|row| columns[0][row] + 0.5 * columns[1][row] + random.normal() as f32).collect();
        let labels = values.iter().map(|&value| i64::from(value > 0.0)).collect();
        Made { columns, labels, values }
    }

    fn dataset(&self, classes: bool) -> Dataset {
        let rows = self.values.len();
        let values = (0..rows).flat_map(|row| self.columns.iter().map(move |column| column[row])).collect();
        let names = (0..self.columns.len()).map(|at| format!("c{at}")).collect();
        let targets = match classes {
            true => Targets::Classes {
                name: "y".into(),
                labels: self.labels.clone(),
                classes: vec!["no".into(), "yes".into()],
            },
            false => Targets::Values { name: "y".into(), values: self.values.clone() },
        };
        Dataset::new("made", Features::Rows { values, names }, targets).unwrap()
    }
}

fn leaks(made: &Made, classes: bool) -> Vec<Vec<String>> {
    let report = inspect(&made.dataset(classes).split(Split::default()).unwrap());
    let mut found: Vec<Vec<String>> =
        report.of_kind(Kind::TargetLeak).map(|leak| leak.columns.clone()).collect();
    found.iter_mut().for_each(|columns| columns.sort());
    found
}

#[test]
fn leaks_of_every_shape_are_found_and_honest_columns_are_not_accused() {
    let mut random = Stream::new(9, "leaks");
    for seed in 0..5 {
        let made = Made::new(600, seed);
        assert!(leaks(&made, true).is_empty() && leaks(&made, false).is_empty());
        let with = |column: Vec<f32>| Made {
            columns: [made.columns.clone(), vec![column]].concat(),
            ..Made::new(600, seed)
        };
        // The target with a little noise, a curve of it, and a code for its class with a slip in 400 rows.
        let noisy = made.values.iter().map(|&y| 3.0 - 2.0 * y + 0.01 * random.normal() as f32).collect();
        assert_eq!(leaks(&with(noisy), false), [["c5"]]);
        let curve = made.values.iter().map(|&y| y.powi(3)).collect();
        assert_eq!(leaks(&with(curve), false), [["c5"]]);
        let many = Made::new(3000, seed);
        let slips = |(row, &label): (usize, &i64)| (label ^ i64::from(row % 400 == 7)) as f32;
        let code = many.labels.iter().enumerate().map(slips).collect();
        let columns = [many.columns.clone(), vec![code]].concat();
        assert_eq!(leaks(&Made { columns, ..many }, true), [["c5"]]);
        // What is left of the target when an honest column is taken away; half of the target in each of two columns.
        let rest: Vec<f32> = made.values.iter().zip(&made.columns[2]).map(|(y, x)| y - 10.0 * x).collect();
        assert_eq!(leaks(&with(rest), false), [["c2", "c5"]]);
        let share: Vec<f32> = made.values.iter().map(|_| 5.0 * random.normal() as f32).collect();
        let other: Vec<f32> = made.values.iter().zip(&share).map(|(y, share)| y - share).collect();
        let columns = [made.columns.clone(), vec![share, other]].concat();
        assert_eq!(leaks(&Made { columns, ..Made::new(600, seed) }, false), [["c5", "c6"]]);
        // Flags of which one or the other says the class.
        let is_row = |row: usize, wanted: bool| f32::from(u8::from(row.is_multiple_of(2) == wanted));
        let flags = |wanted: bool| -> Vec<f32> {
            (0..600).map(|row| made.labels[row] as f32 * is_row(row, wanted)).collect()
        };
        let columns = [made.columns.clone(), vec![flags(true), flags(false)]].concat();
        assert_eq!(leaks(&Made { columns, ..Made::new(600, seed) }, true), [["c5", "c6"]]);
    }
}

#[test]
fn a_category_written_as_the_mean_answer_of_its_rows_is_told_and_one_of_other_rows_is_not() {
    let made = Made::new(600, 3);
    let encoded = |answers: &[f32]| -> Vec<f32> {
        let category = |row: usize| row * 7 % 150;
        let of = |row: usize| (0..600).filter(move |&other| category(other) == category(row));
        (0..600)
            .map(|row| of(row).map(|other| answers[other]).sum::<f32>() / of(row).count() as f32)
            .collect()
    };
    let with = |column: Vec<f32>| Made {
        columns: [made.columns.clone(), vec![column]].concat(),
        ..Made::new(600, 3)
    };
    // Before the rows are split, so of answers of all parts.
    assert_eq!(leaks(&with(encoded(&made.values)), false), [["c5"]]);
    let labels: Vec<f32> = made.labels.iter().map(|&label| label as f32).collect();
    assert_eq!(leaks(&with(encoded(&labels)), true), [["c5"]]);
    let others = Made::new(600, 4);
    assert!(leaks(&with(encoded(&others.values)), false).is_empty());
}

/// The last fifth of the rows as the test part that came with the data.
fn last_fifth_is_test(data: Dataset) -> Dataset {
    let n = data.len();
    data.with_given_test(n - n / 5..n).unwrap()
}

#[test]
fn a_shifted_test_part_is_told_with_its_columns() {
    for seed in 0..5 {
        let honest = Made::new(1000, seed);
        assert_clean(&inspect(&last_fifth_is_test(honest.dataset(true)).split(Split::default()).unwrap()));
        let mut shifted = Made::new(1000, seed);
        shifted.columns[3][800..].iter_mut().for_each(|value| *value += 0.7);
        let report = inspect(&last_fifth_is_test(shifted.dataset(true)).split(Split::default()).unwrap());
        let drift: Vec<_> = report.of_kind(Kind::Drift).collect();
        assert_eq!(drift.len(), 1, "{report:#?}");
        assert_eq!(drift[0].columns, ["c3"]);
        assert_eq!(report.findings.iter().filter(|finding| finding.severity > Severity::Note).count(), 1);

        // In the test part two columns follow each other otherwise; each alone is as before.
        let mut together = Made::new(4000, seed);
        for row in 0..4000 {
            let sign = if row < 3200 { 1.0 } else { 0.0 };
            together.columns[4][row] =
                together.columns[3][row] * 0.95 + 0.3 * together.columns[4][row] + 0.15 * (1.0 - sign);
        }
        let report = inspect(&last_fifth_is_test(together.dataset(false)).split(Split::default()).unwrap());
        assert_eq!(report.of_kind(Kind::DistinguishableParts).count(), 1, "{report:#?}");

        let mut labels = Made::new(1000, seed);
        labels.labels[800..].iter_mut().for_each(|label| *label = 1);
        let report = inspect(&last_fifth_is_test(labels.dataset(true)).split(Split::default()).unwrap());
        assert_eq!(report.of_kind(Kind::TargetDrift).count(), 1, "{report:#?}");
    }
}

#[test]
fn brighter_test_images_are_told() {
    let data = OpenOptions { samples: Some(2_000), ..OpenOptions::default() }.open("digits").unwrap();
    let (mut pixels, shape, labels, classes) = images(&data);
    pixels[1_600 * 784..].iter_mut().for_each(|pixel| *pixel = pixel.saturating_add(25));
    let targets = Targets::Classes { name: "label".into(), labels, classes };
    let data = Dataset::new("bright", Features::Images { pixels, shape }, targets).unwrap();
    let report = inspect(&last_fifth_is_test(data).split(Split::default()).unwrap());
    let drift = report.of_kind(Kind::Drift).next().unwrap_or_else(|| panic!("{report:#?}"));
    assert_eq!(drift.columns[0], "brightness");
}

#[test]
fn groups_on_both_sides_and_a_test_part_in_the_past_are_told() {
    let made = Made::new(200, 1);
    let cells: Vec<String> = (0..200).map(|row| format!("patient {}", row % 20)).collect();
    let given = last_fifth_is_test(made.dataset(true)).with_groups("patient", &cells).unwrap();
    let report = inspect(&given.split(Split::default()).unwrap());
    let overlap = report.of_kind(Kind::GroupOverlap).next().unwrap();
    assert_eq!((overlap.count, overlap.of, overlap.severity), (20, 20, Severity::Error));
    let whole = made.dataset(true).with_groups("patient", &cells).unwrap();
    assert_eq!(count(&inspect(&whole.split(Split::default()).unwrap()), Kind::GroupOverlap), 0);

    let days: Vec<String> = (0..200).map(|row| row.to_string()).collect();
    let timed = made.dataset(true).with_times("day", &days).unwrap();
    let random = Split { method: Method::Random, ..Split::default() };
    let report = inspect(&timed.clone().split(random).unwrap());
    assert_eq!(report.of_kind(Kind::TimeOverlap).count(), 2, "{report:#?}");
    assert_eq!(count(&inspect(&timed.split(Split::default()).unwrap()), Kind::TimeOverlap), 0);
}

#[test]
fn dirty_columns_and_classes_are_told() {
    let mut made = Made::new(300, 2);
    made.columns[1] = vec![4.0; 300];
    made.columns[2] = (0..300).map(|row| 5_000.0 + row as f32).collect();
    made.columns[3][17] = -99_999.0;
    made.labels = (0..300).map(|row| i64::from(row % 30 == 0)).collect();
    let report = inspect(&made.dataset(true).split(Split::default()).unwrap());
    let columns =
        |kind: Kind| report.of_kind(kind).flat_map(|finding| finding.columns.clone()).collect::<Vec<_>>();
    assert_eq!(columns(Kind::ConstantColumn), ["c1"]);
    assert_eq!(columns(Kind::Identifier), ["c2"]);
    assert_eq!(columns(Kind::ExtremeValues), ["c3"]);
    assert_eq!(report.of_kind(Kind::ExtremeValues).next().unwrap().examples, [[18]]);
    assert_eq!(count(&report, Kind::ClassImbalance), 1);
    assert_eq!(report.findings.len(), 4, "{report:#?}");
}

#[test]
fn the_report_is_the_same_each_time_and_survives_json() {
    let data = OpenOptions { samples: Some(1_000), ..OpenOptions::default() }.open("digits").unwrap();
    let parts = data.split(Split::default()).unwrap();
    let faulty = with_faults(parts.dataset(), parts.train(), parts.test(), 3);
    let parts = faulty.data.split(Split::default()).unwrap();
    let report = inspect(&parts);
    assert_eq!(report, inspect(&parts));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}
