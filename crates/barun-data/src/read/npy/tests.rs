use std::io::Write;
use std::path::PathBuf;

use super::*;
use crate::dataset::FeaturesRef;

/// An array as NumPy writes it.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.bytes());
    bytes.extend(data);
    bytes
}

fn singles(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn write(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(bytes).unwrap();
    (folder, path)
}

fn read_npy(bytes: &[u8]) -> Result<Dataset> {
    let (_folder, path) = write("a.npy", bytes);
    to_train(&path, &TableOptions::default())
}

fn rows(data: &Dataset) -> Vec<Vec<f32>> {
    (0..data.len())
        .map(|row| match data.get(row).unwrap().features {
            FeaturesRef::Row(row) => row.into_owned(),
            FeaturesRef::Image(_) => panic!("rows"),
        })
        .collect()
}

#[test]
fn a_matrix_is_a_table_whose_last_column_is_the_target() {
    let data =
        read_npy(&npy("<f4", false, "(3, 3)", &singles(&[1.0, 2.0, 0.5, 3.0, 4.0, 1.5, 5.0, 6.0, 2.5])))
            .unwrap();
    assert_eq!(data.to_string(), "a: 3 rows x 2 columns, target 'column_3' with numbers");
    assert_eq!(rows(&data), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
}

#[test]
fn other_orders_and_types_give_the_same_numbers() {
    let expected = rows(&read_npy(&npy("<f4", false, "(2, 2)", &singles(&[1.0, 0.5, 2.0, 1.5]))).unwrap());
    let big: Vec<u8> = [1.0f64, 0.5, 2.0, 1.5].iter().flat_map(|value| value.to_be_bytes()).collect();
    assert_eq!(rows(&read_npy(&npy(">f8", false, "(2, 2)", &big)).unwrap()), expected);
    let columns_first = singles(&[1.0, 2.0, 0.5, 1.5]);
    assert_eq!(rows(&read_npy(&npy("<f4", true, "(2, 2)", &columns_first)).unwrap()), expected);
    let half: Vec<u8> =
        [0x3c00u16, 0x3800, 0x4000, 0x3e00].iter().flat_map(|bits| bits.to_le_bytes()).collect();
    assert_eq!(rows(&read_npy(&npy("<f2", false, "(2, 2)", &half)).unwrap()), expected);
    let whole: Vec<u8> = [-1i16, 7, -2, 9].iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(rows(&read_npy(&npy("<i2", false, "(2, 2)", &whole)).unwrap()), [[-1.0], [-2.0]]);
}

#[test]
fn each_damage_has_its_own_message() {
    let good = npy("<f4", false, "(2, 2)", &singles(&[1.0, 0.5, 2.0, 1.5]));
    let message = |bytes: &[u8]| read_npy(bytes).unwrap_err().to_string();
    for (bytes, expected) in [
        (b"PNG.....".to_vec(), "does not begin as a NumPy array does"),
        (good[..9].to_vec(), "ends within its header"),
        (good[..good.len() - 1].to_vec(), "announces 16 bytes but 15 follow"),
        ([good.clone(), vec![0]].concat(), "goes on after the 16 bytes"),
        (npy("|O", false, "(2, 2)", &[]), "Python objects"),
        (npy("<U5", false, "(2, 2)", &[]), "type '<U5' is not numbers"),
        (npy("<f4", false, "(99999999999, 99999999999)", &[]), "beyond 64 GiB"),
        (npy("<f4", false, "(1000000, 1000)", &[0; 64]), "announces 4000000000 bytes but 64 follow"),
        (npy("<f4", false, "(0, 2)", &[]), "has no rows"),
        (npy("<f4", false, "(4,)", &[0; 16]), "no column is left"),
        (
            npy("<f4", false, "(1, 2)", &singles(&[f32::INFINITY, 1.0])),
            "row 1, column 'column_1': inf is not a finite",
        ),
        (npy("<f4", false, "(1, 2)", &singles(&[1.0, f32::NAN])), "no row has a value in the target"),
    ] {
        assert!(message(&bytes).contains(expected), "{} instead of {expected}", message(&bytes));
    }
}

#[cfg(feature = "npz")]
mod zips {
    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::dataset::Targets;

    fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            zip.start_file(format!("{name}.npy"), SimpleFileOptions::default().large_file(true)).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn read_npz(arrays: &[(&str, Vec<u8>)]) -> Result<Dataset> {
        let (_folder, path) = write("a.npz", &npz(arrays));
        to_train(&path, &TableOptions::default())
    }

    #[test]
    fn bytes_of_rank_three_are_images_and_a_test_part_is_kept() {
        let images = |count: usize| npy("|u1", false, &format!("({count}, 2, 2)"), &vec![7; 4 * count]);
        let labels = |labels: &[u8]| npy("|u1", false, &format!("({},)", labels.len()), labels);
        let data = read_npz(&[
            ("x_train", images(4)),
            ("y_train", labels(&[0, 1, 0, 1])),
            ("x_test", images(2)),
            ("y_test", labels(&[1, 0])),
        ])
        .unwrap();
        assert_eq!(data.to_string(), "a: 6 images of 2 x 2 x 1, target 'y' with 2 classes");
        assert_eq!(data.given_test(), [4, 5]);
        let Targets::Classes { labels, .. } = data.targets() else { panic!("classes") };
        assert_eq!(labels, &[0, 1, 0, 1, 1, 0]);
    }

    #[test]
    fn arrays_under_other_names_or_of_other_lengths_are_refused() {
        let x = || npy("<f4", false, "(2, 2)", &singles(&[1.0, 2.0, 3.0, 4.0]));
        let y = |n: usize| npy("<f4", false, &format!("({n},)"), &vec![0; 4 * n]);
        let message = |arrays: &[(&str, Vec<u8>)]| read_npz(arrays).unwrap_err().to_string();
        assert!(message(&[("a", x()), ("b", y(2))]).contains("it holds a, b; features must be called x"));
        assert!(message(&[("x", x()), ("y", y(3))]).contains("x has 2 samples but y has 3"));
        assert_eq!(read_npz(&[("X", x()), ("targets", y(2))]).unwrap().len(), 2);
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unzipped() {
        // 320 MiB of zeros in a third of one.
        let bytes = 5 << 26;
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("x.npy", SimpleFileOptions::default()).unwrap();
        zip.write_all(&npy("<f4", false, &format!("({}, 4)", bytes / 16), &[])).unwrap();
        let zeros = vec![0; 1 << 20];
        (0..bytes >> 20).for_each(|_| zip.write_all(&zeros).unwrap());
        let (_folder, path) = write("bomb.npz", &zip.finish().unwrap().into_inner());
        let message = to_train(&path, &TableOptions::default()).unwrap_err().to_string();
        assert!(message.contains("would unzip to 335544320, which is not data"), "{message}");
        let lying = npy("<f4", false, "(100000000, 4)", &[0; 64]);
        let message =
            read_npz(&[("x", lying), ("y", npy("|u1", false, "(1,)", &[1]))]).unwrap_err().to_string();
        assert!(message.contains("announces 1600000000 bytes but the zip has"), "{message}");
    }
}

proptest::proptest! {
    #[test]
    fn any_header_gives_a_result_and_never_a_panic(
        text in "[{}'a-z0-9(), :<|_]{0,80}", data in proptest::collection::vec(0u8.., 0..40),
    ) {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.bytes());
        bytes.extend(data);
        let _ = read_npy(&bytes);
    }
}
