//! The way data takes, from opening to batches, as a user of the crate walks it.

use barun_data::{
    BatchFeatures, BatchTargets, Dataset, Error, Features, Fitted, MinMax, OpenOptions, Scaling, Split,
    Standardize, Targets,
};

fn rows(values: Vec<f32>, targets: Vec<f32>) -> Dataset {
    let targets = Targets::Values { name: "y".into(), values: targets };
    Dataset::new("rows", Features::Rows { values, names: vec!["x".into()] }, targets).unwrap()
}

#[test]
fn every_named_source_without_files_opens_and_the_seed_decides_it() {
    for name in ["digits", "moons", "rings", "xor", "sine", "outliers"] {
        let open = |seed| {
            let options = OpenOptions { seed, samples: Some(60), ..OpenOptions::default() };
            Dataset::open_with(name, &options).unwrap()
        };
        assert_eq!(open(1).len(), 60);
        assert_eq!(open(1), open(1), "{name}");
        assert_ne!(open(1), open(2), "{name}");
    }
}

#[test]
fn an_unknown_source_suggests_the_nearest() {
    let message = Dataset::open("fashon-mnist").unwrap_err().to_string();
    assert!(
        message.starts_with("'fashon-mnist' is not a data source (did you mean 'fashion-mnist'?)"),
        "{message}"
    );
    assert!(
        Dataset::open("mode.bin")
            .unwrap_err()
            .to_string()
            .contains("or the path of a .csv, .tsv, .parquet, .npy or .npz file")
    );

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("flowers.csv"), "x,y\n1,2\n").unwrap();
    let message = Dataset::open(folder.path().join("flower.csv")).unwrap_err().to_string();
    assert!(message.contains("did you mean 'flowers.csv'?"), "{message}");
}

#[test]
fn data_08_the_statistics_do_not_see_valid_and_test() {
    let values: Vec<f32> = (0..100).map(|i| i as f32).collect();
    let split = Split::random(0.6, 0.2, 0.2).seed(3);
    let parts = rows(values.clone(), values.clone()).split(split).unwrap();

    let mut disturbed = values.clone();
    for &sample in parts.valid().iter().chain(parts.test()) {
        // All different: equal rows would be kept in one part.
        disturbed[sample] = 1e6 + sample as f32;
    }
    for scaling in [Scaling::from(Standardize::default()), MinMax::default().into()] {
        let fitted = |values: &Vec<f32>| {
            let data = rows(values.clone(), values.clone());
            let prepared = data.split(split).unwrap().fit(scaling).unwrap().standardize_target().unwrap();
            (prepared.scaling().clone(), prepared.target_scaling().cloned())
        };
        assert_eq!(fitted(&values), fitted(&disturbed));
    }
}

#[test]
fn rows_come_scaled_and_images_come_as_bytes_with_the_scaling_left_to_the_step() {
    let prepared =
        Dataset::open("sine").unwrap().split(Split::default()).unwrap().fit(MinMax::default()).unwrap();
    for batch in prepared.train().batches(100) {
        let batch = batch.unwrap();
        let BatchFeatures::Rows(values) = &batch.features else { panic!("rows") };
        assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
    }
    assert_eq!(prepared.scaling_in_step(), Fitted::identity());
    assert_ne!(prepared.scaling(), &Fitted::identity());

    let digits = OpenOptions { samples: Some(200), ..OpenOptions::default() }.open("digits").unwrap();
    let prepared = digits.split(Split::default()).unwrap().fit(Standardize::default()).unwrap();
    assert_eq!(prepared.scaling().shift.len(), 1);
    assert_eq!(&prepared.scaling_in_step(), prepared.scaling());
    let batch = prepared.train().batches(16).next().unwrap().unwrap();
    assert_eq!(batch.shape(), [16, 28, 28, 1]);
    assert_eq!(batch.flat_shape(), [16, 784]);
    let BatchTargets::Classes(labels) = &batch.targets else { panic!("classes") };
    assert_eq!(labels.len(), 16);
}

#[test]
fn per_feature_scaling_of_images_has_a_number_for_each_pixel() {
    let digits = OpenOptions { samples: Some(100), ..OpenOptions::default() }.open("digits").unwrap();
    let prepared = digits.split(Split::default()).unwrap().fit(Standardize::per_feature()).unwrap();
    assert_eq!(prepared.scaling().shift.len(), 784);
}

#[test]
fn a_standardised_target_leads_back_to_its_own_units() {
    let values: Vec<f32> = (0..50).map(|i| 1000.0 + 10.0 * i as f32).collect();
    let data = rows(values.clone(), values.clone());
    let prepared =
        data.split(Split::default()).unwrap().fit(Scaling::NONE).unwrap().standardize_target().unwrap();
    let Targets::Values { values: scaled, .. } = prepared.dataset().targets() else { panic!("numbers") };
    assert!(scaled.iter().all(|value| value.abs() < 3.0));
    let mut back = scaled.clone();
    prepared.target_scaling().unwrap().inverse(&mut back).unwrap();
    assert!(back.iter().zip(&values).all(|(back, value)| (back - value).abs() < 1e-3));

    let moons = Dataset::open("moons").unwrap().split(Split::default()).unwrap().fit(Scaling::NONE).unwrap();
    assert!(matches!(moons.standardize_target(), Err(Error::TargetIsClasses { .. })));
}

#[test]
fn eval_02_parts_have_their_roles_and_cover_the_data() {
    let data = Dataset::open("rings").unwrap().split(Split::stratified(0.6, 0.2, 0.2).seed(1)).unwrap();
    let prepared = data.fit(Standardize::default()).unwrap();
    let parts = [prepared.train(), prepared.valid(), prepared.test()];
    assert_eq!(parts.each_ref().map(|part| part.name()), ["train", "valid", "test"]);
    assert_eq!(parts.each_ref().map(|part| part.len()), [600, 200, 200]);
    let mut all: Vec<usize> = parts.iter().flat_map(|part| part.indices().to_vec()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    for part in parts {
        let Targets::Classes { labels, .. } = part.dataset().targets() else { panic!("classes") };
        let ones = part.indices().iter().filter(|&&i| labels[i] == 1).count();
        assert_eq!(2 * ones, part.len(), "classes keep their share in the {} part", part.name());
    }
}
