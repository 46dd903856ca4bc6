//! The published data sets, where their files are at hand; a test that misses them says so and passes.

use std::path::{Path, PathBuf};

use barun_data::{
    BatchFeatures, Dataset, Error, Features, FeaturesRef, LoaderOptions, OpenOptions, PreparedData, Split,
    Standardize, TableOptions, Target,
};

/// `$BARUN_DATA`, else `../shared/data` next to the workspace, if `wanted` is in it.
fn data_with(wanted: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("BARUN_DATA").map_or_else(beside, PathBuf::from);
    if folder.join(wanted).exists() {
        return Some(folder);
    }
    println!("skipped: no {wanted} in {}", folder.display());
    None
}

#[test]
fn data_09_mnist_has_its_published_shape_and_labels() {
    for name in ["mnist", "fashion-mnist"] {
        let Some(folder) = data_with(name) else { continue };
        let data =
            Dataset::open_with(name, &OpenOptions { data_dir: Some(folder), ..OpenOptions::default() })
                .unwrap();
        assert_eq!(
            data.to_string(),
            format!("{name}: 70000 images of 28 x 28 x 1, target 'label' with 10 classes")
        );
        assert_eq!(data.given_test(), (60_000..70_000).collect::<Vec<_>>());
        let labels: Vec<Target> = (0..5).map(|i| data.get(i).unwrap().target).collect();
        let first = if name == "mnist" { [5, 0, 4, 1, 9] } else { [9, 0, 0, 3, 0] };
        assert_eq!(labels, first.map(Target::Class));

        let parts = data.split(Split::stratified(0.8, 0.1, 0.1).seed(7)).unwrap();
        assert_eq!(parts.test(), (60_000..70_000).collect::<Vec<_>>());
        let sizes = (parts.train().len(), parts.valid().len());
        assert!((53_331..=53_336).contains(&sizes.0) && sizes.0 + sizes.1 == 60_000, "{sizes:?}");

        let prepared = parts.fit(Standardize::global()).unwrap();
        let (mean, deviation) = (prepared.scaling().shift[0], 1.0 / prepared.scaling().scale[0]);
        let known = if name == "mnist" { (33.3, 78.6) } else { (72.9, 90.0) };
        assert!((mean - known.0).abs() < 0.5 && (deviation - known.1).abs() < 0.5, "{mean} {deviation}");

        let loader =
            prepared.train().loader(LoaderOptions { batch: 128, ..LoaderOptions::default() }).unwrap();
        let mut count = 0;
        for batch in loader.epoch(0) {
            let batch = batch.unwrap();
            let BatchFeatures::Images(pixels) = &batch.features else { panic!("images stay bytes") };
            let sample = prepared.dataset().get(batch.indices[0]).unwrap();
            assert_eq!(sample.features, FeaturesRef::Image(pixels[..784].into()));
            count += batch.len();
        }
        assert_eq!(count, sizes.0);
    }
}

#[test]
fn data_29_iris_and_wine_and_housing_read_as_tables() {
    let Some(folder) = data_with("tabular") else { return };
    let open =
        |file: &str, options: OpenOptions| Dataset::open_with(folder.join("tabular").join(file), &options);
    let default = OpenOptions::default;

    let iris = open("iris/iris.csv", default()).unwrap();
    assert_eq!(iris.to_string(), "iris: 150 rows x 4 columns, target 'species' with 3 classes");
    assert_eq!(iris.targets().classes().unwrap(), ["setosa", "versicolor", "virginica"]);

    let wine = open("wine-quality/winequality-red.csv", default()).unwrap();
    assert_eq!(wine.to_string(), "winequality-red: 1599 rows x 11 columns, target 'quality' with 6 classes");
    assert!(wine.notes()[0].contains("'quality' is taken for 6 classes"), "{:?}", wine.notes());

    let headless = open("iris/iris-noheader.csv", default()).unwrap();
    assert_eq!(headless.len(), 150);
    assert!(headless.notes()[0].contains("the first line is taken for a row"), "{:?}", headless.notes());
}

fn table(target: &str, ignore: &[&str]) -> OpenOptions {
    let table = TableOptions {
        target: Some(target.into()),
        ignore: ignore.iter().map(|name| name.to_string()).collect(),
        ..TableOptions::default()
    };
    OpenOptions { table, ..OpenOptions::default() }
}

fn told(data: &PreparedData, column: &str) -> String {
    let of = data.columns().iter().find(|known| known.name == column).unwrap();
    format!("{of} -> {}", data.encoding().unwrap().fate(column))
}

#[test]
fn data_29_columns_of_all_kinds_are_prepared() {
    let Some(folder) = data_with("tabular") else { return };
    let prepared = |file: &str, options: OpenOptions| {
        let data = Dataset::open_with(folder.join("tabular").join(file), &options).unwrap();
        data.split(Split::default()).unwrap().fit(Standardize::default()).unwrap()
    };
    let bikes = prepared("bike-sharing/day.csv", table("cnt", &["casual", "registered"]));
    assert_eq!(
        told(&bikes, "dteday"),
        "dteday: dates, because all are such as '2011-01-01' -> year, month, day, weekday, year sine, year cosine, \
         week sine, week cosine"
    );

    let housing = prepared("california-housing/housing.csv", table("median_house_value", &[]));
    assert!(told(&housing, "total_bedrooms").starts_with("total_bedrooms: numbers; 207 missing -> scaled; "));
    assert_eq!(
        told(&housing, "ocean_proximity"),
        "ocean_proximity: categories, 5 different, because 'NEAR BAY' is no number -> 5 flags"
    );

    let titanic = prepared("titanic/train.csv", table("Survived", &[]));
    assert_eq!(
        told(&titanic, "Embarked"),
        "Embarked: categories, 3 different, because 'S' is no number; 2 missing -> 3 flags; a flag where missing"
    );
    let left_out: Vec<&str> =
        titanic.encoding().unwrap().left_out.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(left_out, ["PassengerId", "Name", "Ticket", "Cabin"]);
    let features = titanic.dataset().features();
    let Features::Rows { values, .. } = features else { panic!("rows") };
    assert!(values.iter().all(|value| value.is_finite()));

    let penguins = prepared("penguins/penguins.csv", table("species", &[]));
    assert!(told(&penguins, "sex").contains("11 missing"), "{}", told(&penguins, "sex"));
}

#[test]
fn data_09_absent_files_are_named_with_the_folder_they_belong_in() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = Some(folder.path().to_path_buf());
    let options = OpenOptions { data_dir, offline: true, ..OpenOptions::default() };
    let message = Dataset::open_with("mnist", &options).unwrap_err().to_string();
    for part in [
        "train-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
        "or with .gz",
        "--data-dir",
        "`digits` needs no files",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(message.contains(&folder.path().join("mnist").display().to_string()), "{message}");
}

#[test]
fn data_09_files_that_do_not_belong_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mnist = folder.path().join("mnist");
    std::fs::create_dir(&mnist).unwrap();
    let images = |count: u32, size: u32| {
        let mut bytes = vec![0, 0, 8, 3];
        [count, size, size].iter().for_each(|n| bytes.extend(n.to_be_bytes()));
        bytes.extend(vec![7; (count * size * size) as usize]);
        bytes
    };
    let labels =
        |labels: &[u8]| [&[0, 0, 8, 1], (labels.len() as u32).to_be_bytes().as_slice(), labels].concat();
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(mnist.join(name), bytes).unwrap();
    let open = || {
        let options = OpenOptions { data_dir: Some(folder.path().to_path_buf()), ..OpenOptions::default() };
        Dataset::open_with("mnist", &options)
    };
    write("train-images-idx3-ubyte", images(3, 2));
    write("train-labels-idx1-ubyte", labels(&[1, 2]));
    write("t10k-images-idx3-ubyte", images(2, 2));
    write("t10k-labels-idx1-ubyte", labels(&[3, 4]));
    assert!(matches!(open(), Err(Error::CountMismatch { image_count: 3, label_count: 2, .. })));

    write("train-labels-idx1-ubyte", labels(&[1, 2, 10]));
    assert!(matches!(open(), Err(Error::LabelByte { offset: 10, label: 10, classes: 10, .. })));

    write("train-labels-idx1-ubyte", labels(&[1, 2, 9]));
    let data = open().unwrap();
    assert_eq!((data.len(), data.given_test()), (5, &[3, 4][..]));
    assert!(matches!(data.features(), Features::Images { shape: [2, 2, 1], .. }));

    write("t10k-images-idx3-ubyte", images(2, 3));
    assert!(matches!(open(), Err(Error::ImageSize { .. })));
}
