//! From the cells of a target column to classes or numbers, with what there is to say about it.

use std::collections::BTreeSet;
use std::path::Path;

use super::TargetKind;
use super::builder::TargetCells;
use crate::dataset::Targets;
use crate::error::{Error, Place, Result};

/// The most different whole numbers that are taken for classes.
const MOST_INTEGER_CLASSES: usize = 20;

/// The targets that a column holds, by the rule in the docs of [tables](super), and notes for people.
pub(crate) fn targets(
    path: &Path,
    name: &str,
    cells: TargetCells,
    kind: TargetKind,
) -> Result<(Targets, Vec<String>)> {
    let rows = cells.values.len();
    if rows == 0 {
        return Err(Error::EmptyTarget { path: path.to_path_buf(), column: name.to_string() });
    }
    let mut notes = Vec::new();
    if cells.unlabelled > 0 {
        notes.push(format!(
            "{} without a value in the target '{name}' {} left out, the first on {}",
            counted(cells.unlabelled, "row"),
            if cells.unlabelled == 1 { "was" } else { "were" },
            Place::in_file(path, cells.first_unlabelled),
        ));
    }
    let targets = match cells.texts {
        Some(texts) => text_classes(path, name, cells.values, texts, kind)?,
        None => match whole_classes(&cells.values, kind) {
            Some(classes) => {
                if kind == TargetKind::Auto {
                    notes.push(format!(
                        "the target '{name}' is taken for {} classes: its {rows} values are {} whole numbers; \
                         --task regression takes them for numbers",
                        classes.len(),
                        classes.len(),
                    ));
                }
                number_classes(name, &cells.values, &classes)
            }
            None if kind == TargetKind::Classes => {
                let different = distinct(&cells.values, usize::MAX).unwrap_or_default();
                number_classes(name, &cells.values, &different)
            }
            None => values(path, name, &cells.values)?,
        },
    };
    Ok((targets, notes))
}

/// `1 row`, `2 rows`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn text_classes(
    path: &Path,
    name: &str,
    codes: Vec<f64>,
    texts: Vec<(String, u64)>,
    kind: TargetKind,
) -> Result<Targets> {
    if kind == TargetKind::Auto && 2 * texts.len() > codes.len() {
        let (value, place) = texts.first().cloned().unwrap_or_default();
        return Err(Error::TargetNotClasses {
            path: path.to_path_buf(),
            column: name.to_string(),
            distinct: texts.len(),
            rows: codes.len(),
            place: Place::in_file(path, place),
            value,
        });
    }
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|&a, &b| texts[a].0.cmp(&texts[b].0));
    let mut label = vec![0; texts.len()];
    order.iter().zip(0..).for_each(|(&code, at)| label[code] = at);
    Ok(Targets::Classes {
        name: name.to_string(),
        labels: codes.iter().map(|&code| label[code as usize]).collect(),
        classes: order.into_iter().map(|code| texts[code].0.clone()).collect(),
    })
}

/// The different values where they are classes by the rule for whole numbers.
fn whole_classes(values: &[f64], kind: TargetKind) -> Option<Vec<f64>> {
    if kind != TargetKind::Auto {
        return None;
    }
    let different = distinct(values, MOST_INTEGER_CLASSES)?;
    let whole = different.iter().all(|value| value.fract() == 0.0 && value.abs() < 1e15);
    (whole && 2 * different.len() <= values.len()).then_some(different)
}

/// The different values in order, or nothing where there are more than `most`.
fn distinct(values: &[f64], most: usize) -> Option<Vec<f64>> {
    let mut seen = BTreeSet::new();
    for &value in values {
        // -0.0 is 0; the order of the bits is that of total_cmp.
        let value = value + 0.0;
        let bits = value.to_bits() as i64;
        seen.insert(bits ^ (((bits >> 63) as u64) >> 1) as i64);
        if seen.len() > most {
            return None;
        }
    }
    Some(
        seen.into_iter()
            .map(|key| f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64))
            .collect(),
    )
}

fn number_classes(name: &str, values: &[f64], classes: &[f64]) -> Targets {
    let label = |value: f64| classes.partition_point(|class| class.total_cmp(&(value + 0.0)).is_lt()) as i64;
    Targets::Classes {
        name: name.to_string(),
        labels: values.iter().map(|&value| label(value)).collect(),
        classes: classes.iter().map(f64::to_string).collect(),
    }
}

fn values(path: &Path, name: &str, values: &[f64]) -> Result<Targets> {
    let numbers: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(at) => Err(Error::NotFinite {
            path: path.to_path_buf(),
            place: Place::Row(at as u64 + 1),
            column: name.to_string(),
            value: values[at].to_string(),
        }),
        None => Ok(Targets::Values { name: name.to_string(), values: numbers }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], texts: Option<&[&str]>, kind: TargetKind) -> Result<(Targets, Vec<String>)> {
        let texts =
            texts.map(|texts| texts.iter().zip(2..).map(|(text, line)| (text.to_string(), line)).collect());
        let cells = TargetCells { values: values.to_vec(), texts, unlabelled: 0, first_unlabelled: 0 };
        targets(Path::new("t.csv"), "y", cells, kind)
    }

    fn classes(values: &[f64], kind: TargetKind) -> Option<Vec<String>> {
        of(values, None, kind).unwrap().0.classes().map(<[String]>::to_vec)
    }

    #[test]
    fn few_whole_numbers_are_classes_and_it_is_said_how_to_have_numbers() {
        let (found, notes) = of(&[3.0, -1.0, 3.0, -1.0, -0.0, 0.0], None, TargetKind::Auto).unwrap();
        assert_eq!(found.classes().unwrap(), ["-1", "0", "3"]);
        let Targets::Classes { labels, .. } = found else { panic!("classes") };
        assert_eq!(labels, [2, 0, 2, 0, 1, 1]);
        assert!(notes[0].contains("3 classes") && notes[0].contains("--task regression"), "{notes:?}");
    }

    #[test]
    fn fractions_many_numbers_and_numbers_that_do_not_repeat_are_numbers_unless_classes_are_asked_for() {
        assert_eq!(classes(&[0.5, 0.5, 1.0, 1.0], TargetKind::Auto), None);
        assert_eq!(classes(&[1.0, 2.0, 3.0], TargetKind::Auto), None);
        assert_eq!(classes(&(0..42).map(|i| f64::from(i % 21)).collect::<Vec<_>>(), TargetKind::Auto), None);
        assert_eq!(classes(&[0.0, 1.0, 0.0, 1.0], TargetKind::Values), None);
        assert_eq!(classes(&[1.5, 0.5], TargetKind::Classes).unwrap(), ["0.5", "1.5"]);
    }

    #[test]
    fn texts_that_do_not_repeat_are_no_classes_unless_asked_for() {
        let error = of(&[0.0, 1.0, 2.0], Some(&["u", "v", "w"]), TargetKind::Auto).unwrap_err().to_string();
        assert!(error.contains("3 different values in 3 rows (first on line 2: 'u')"), "{error}");
        let (found, _) = of(&[0.0, 1.0], Some(&["v", "u"]), TargetKind::Classes).unwrap();
        assert_eq!(found.classes().unwrap(), ["u", "v"]);
    }

    #[test]
    fn rows_without_a_target_are_noted() {
        let cells = TargetCells { values: vec![0.5, 1.5], texts: None, unlabelled: 2, first_unlabelled: 7 };
        let (_, notes) = targets(Path::new("t.csv"), "y", cells, TargetKind::Auto).unwrap();
        assert_eq!(notes, ["2 rows without a value in the target 'y' were left out, the first on line 7"]);
    }

    #[test]
    fn a_target_without_any_value_and_one_beyond_32_bits_are_errors() {
        assert!(matches!(of(&[], None, TargetKind::Auto), Err(Error::EmptyTarget { .. })));
        assert!(matches!(of(&[0.5, 1e39], None, TargetKind::Auto), Err(Error::NotFinite { .. })));
    }
}
