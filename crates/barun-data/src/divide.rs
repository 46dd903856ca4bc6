//! Which columns of a table divide its rows, and parts that lie in files of their own.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::dataset::{Dataset, Features, Targets};
use crate::error::{Error, Result};
use crate::keys::{Groups, Times};
use crate::lazy::{ImageSource, LazyImages};
use crate::table::{self, TableOptions};

/// Columns of a table by which its rows are divided. They are not learned from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DividingColumns {
    /// Rows with the same cell stay in one part; see [`Dataset::with_groups`].
    pub group: Option<String>,
    /// The future is the test; see [`Dataset::with_times`].
    pub time: Option<String>,
    /// Says `train`, `valid` or `test` of each row; see [`Dataset::with_part_column`].
    pub part: Option<String>,
}

impl DividingColumns {
    /// Their names.
    pub fn names(&self) -> Vec<&str> {
        [&self.group, &self.time, &self.part].into_iter().flatten().map(String::as_str).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names().is_empty()
    }

    /// Reads the columns of the table at `path` and gives them to the data set that was read from it by `options`.
    ///
    /// # Errors
    /// A column that does not exist, or is the target; a cell that is no moment or no part.
    pub fn attach(&self, dataset: Dataset, path: &Path, options: &TableOptions) -> Result<Dataset> {
        let names = self.names();
        if let Some(column) = names.iter().find(|name| **name == dataset.targets().name()) {
            return Err(Error::DividesByTarget { column: column.to_string() });
        }
        let cells = table::texts(path, &names, options)?;
        let mut dataset = dataset;
        for (name, cells) in names.iter().zip(&cells) {
            let is = |column: &Option<String>| column.as_deref() == Some(*name);
            dataset = match () {
                () if is(&self.group) => dataset.with_groups(name, cells)?,
                () if is(&self.time) => dataset.with_times(name, cells)?,
                () => dataset.with_part_column(name, cells)?,
            };
        }
        Ok(dataset)
    }
}

/// A part that can come with data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenPart {
    /// To choose by.
    Valid,
    /// To judge by at the end.
    Test,
}

impl Dataset {
    /// All samples of `other` after those of this data set, as its part `part`.
    ///
    /// # Errors
    /// Other columns, another size of images, another kind of target, other classes; a part that there is already.
    pub fn with_part(mut self, part: GivenPart, other: &Dataset) -> Result<Dataset> {
        let begin = self.len();
        let refuse = |problem: String| Err(Error::Inconsistent { name: other.name().to_string(), problem });
        let taken = match part {
            GivenPart::Valid => &mut self.given_valid,
            GivenPart::Test => &mut self.given_test,
        };
        if !taken.is_empty() {
            return refuse("the data already has such a part; leave one of them out".to_string());
        }
        *taken = (begin..begin + other.len()).collect();
        let features = match (self.features(), other.features()) {
            (Features::Rows { values, names }, Features::Rows { values: more, names: others })
                if names == others =>
            {
                Features::Rows { values: [&values[..], more].concat(), names: names.clone() }
            }
            (Features::Table(table), Features::Table(more)) if table.is_like(more) => {
                Features::Table(table.joined(more)?)
            }
            (features @ (Features::Images { .. } | Features::Lazy(_)), more)
                if features.image_shape() == more.image_shape() =>
            {
                joined(features, more)?
            }
            _ => return refuse(format!("its samples are not like those of '{}'", self.name())),
        };
        let targets = match (self.targets(), other.targets()) {
            (
                Targets::Classes { name, labels, classes },
                Targets::Classes { labels: more, classes: others, .. },
            ) if classes == others => Targets::Classes {
                name: name.clone(),
                labels: [&labels[..], more].concat(),
                classes: classes.clone(),
            },
            (Targets::Values { name, values }, Targets::Values { values: more, .. }) => {
                Targets::Values { name: name.clone(), values: [&values[..], more].concat() }
            }
            _ => return refuse(format!("its targets are not like those of '{}'", self.name())),
        };
        self.groups = join_groups(self.groups(), other.groups()).map(Arc::new);
        self.times = join_times(self.times(), other.times()).map(Arc::new);
        let notes = other.notes().iter().map(|note| format!("{}: {note}", other.name()));
        Ok(self.replaced(Some(features), Some(targets)).with_notes(notes.collect()))
    }
}

/// The images of both, in memory where both lie there.
fn joined(images: &Features, more: &Features) -> Result<Features> {
    if let (Features::Images { pixels, shape }, Features::Images { pixels: more, .. }) = (images, more) {
        return Ok(Features::Images { pixels: [&pixels[..], more].concat(), shape: *shape });
    }
    let both =
        Both { shape: images.image_shape().unwrap_or_default(), images: [images.clone(), more.clone()] };
    // What has been made is kept by each of them.
    Ok(Features::Lazy(LazyImages::new(both, 0)))
}

/// Images of two sources, one after the other.
#[derive(Debug)]
struct Both {
    shape: [usize; 3],
    images: [Features; 2],
}

impl ImageSource for Both {
    fn len(&self) -> usize {
        self.images.iter().map(Features::len).sum()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn make(&self, index: usize) -> Result<Vec<u8>> {
        let [first, second] = &self.images;
        let image = match index.checked_sub(first.len()) {
            None => first.image(index)?,
            Some(index) => second.image(index)?,
        };
        Ok(image.into_owned())
    }
}

fn join_groups(one: Option<&Groups>, other: Option<&Groups>) -> Option<Groups> {
    let (one, other) = (one?, other?);
    let cells = |groups: &Groups| -> Vec<String> {
        groups.of.iter().map(|&group| groups.names[group as usize].clone()).collect()
    };
    Some(Groups::new(&one.column, &[cells(one), cells(other)].concat()))
}

fn join_times(one: Option<&Times>, other: Option<&Times>) -> Option<Times> {
    let (one, other) = (one?, other?);
    Some(Times { column: one.column.clone(), of: [&one.of[..], &other.of].concat() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Split};

    #[test]
    fn columns_that_divide_are_read_and_not_learned_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("visits.csv");
        let rows = (0..40).map(|row| {
            format!("patient {},2024-01-{:02},{},{}\n", row / 4, 1 + row % 28, row * 7 % 40, row % 2)
        });
        std::fs::write(&path, "who,day,x,y\n".to_string() + &rows.collect::<String>()).unwrap();
        let open = |divide: DividingColumns, ignore: &[&str]| {
            let ignore = ignore.iter().map(|name| name.to_string()).collect();
            let table = TableOptions { ignore, ..TableOptions::default() };
            OpenOptions { divide, table, ..OpenOptions::default() }.open(&path)
        };
        let column = |name: &str| Some(name.to_string());
        let grouped = DividingColumns { group: column("who"), ..DividingColumns::default() };
        let data = open(grouped, &["day"]).unwrap();
        assert_eq!((data.features().width(), data.groups().unwrap().names.len()), (1, 10));
        let timed = DividingColumns { time: column("day"), ..DividingColumns::default() };
        let data = open(timed, &["who"]).unwrap();
        let parts = data.clone().split(Split::default()).unwrap();
        let latest =
            |rows: &[usize]| rows.iter().map(|&row| data.times().unwrap().of[row]).fold(0.0, f64::max);
        assert!(latest(parts.train()) < latest(parts.test()));
        let by_target = DividingColumns { group: column("y"), ..DividingColumns::default() };
        let message = open(by_target, &["who", "day"]).unwrap_err().to_string();
        assert_eq!(
            message,
            "the rows cannot be divided by 'y': it is the target; name another column, or another target"
        );
        let none = DividingColumns { group: column("whom"), ..DividingColumns::default() };
        assert!(open(none, &["day"]).unwrap_err().to_string().contains("did you mean 'who'?"));
        let message = OpenOptions {
            divide: DividingColumns { group: column("who"), ..DividingColumns::default() },
            ..OpenOptions::default()
        };
        let message = message.open("digits").unwrap_err().to_string();
        assert_eq!(message, "digits has no columns by which rows could be divided, so there is no 'who'");
    }

    #[test]
    fn a_part_may_come_from_another_source_if_it_is_alike() {
        let open = |name: &str, seed| {
            OpenOptions { seed, samples: Some(40), ..OpenOptions::default() }.open(name).unwrap()
        };
        let data = open("moons", 1).with_part(GivenPart::Test, &open("moons", 2)).unwrap();
        let parts = data.clone().split(Split::default()).unwrap();
        assert_eq!(parts.test(), (40..80).collect::<Vec<_>>());
        let refused =
            |part: &Dataset| data.clone().with_part(GivenPart::Valid, part).unwrap_err().to_string();
        assert!(refused(&open("digits", 1)).contains("its samples are not like those of 'moons'"));
        let twice = data.clone().with_part(GivenPart::Test, &open("moons", 3)).unwrap_err().to_string();
        assert!(twice.contains("already has such a part"), "{twice}");
    }
}
