//! The data sets: drawn ones, which every machine has, and tables and images of a folder.
//!
//! All are small, so that a run takes less than a second: at most a thousand rows to learn from, images at half their size.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use barun_data::table::{TableOptions, TargetKind};
use barun_data::{Dataset, Features, OpenOptions, Scaling, Split, Targets, toy};
use barun_engine::random::Stream;

use crate::error::{Error, Result};
use crate::rows::{Answers, Form, Parts, Rows};

/// A data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Two half circles.
    Moons,
    /// Two circles.
    Rings,
    /// Four clouds, a class for each diagonal.
    Xor,
    /// A sine.
    Sine,
    /// A function of five of eight columns: Friedman, 1991, "Multivariate adaptive regression splines".
    Friedman,
    /// Noisy waves of one of three frequencies, 24 numbers each.
    Waves,
    /// Noise with a bump in the first, second or last third of 21 numbers.
    Bumps,
    /// The impedance of a circuit, of four columns in units of their own: Friedman, 1991.
    Impedance,
    /// Ripples over a plane.
    Ripples,
    /// Coloured squares on a coloured ground, three classes.
    Colours,
    /// Digits drawn by the library.
    Digits,
    /// A table.
    Iris,
    /// A table.
    Penguins,
    /// A table.
    Titanic,
    /// A table of numbers: the quality of red wines.
    Wine,
    /// A table of numbers: bicycles hired on a day.
    Bikes,
    /// A table of numbers: prices of houses.
    Housing,
    /// Handwritten digits.
    Mnist,
    /// Pieces of clothing.
    Fashion,
}

impl Source {
    /// What it is called in the table.
    pub fn name(self) -> &'static str {
        match self {
            Source::Moons => "moons",
            Source::Rings => "rings",
            Source::Xor => "xor",
            Source::Sine => "sine",
            Source::Friedman => "friedman",
            Source::Waves => "waves",
            Source::Bumps => "bumps",
            Source::Impedance => "impedance",
            Source::Ripples => "ripples",
            Source::Colours => "colours",
            Source::Digits => "digits",
            Source::Iris => "iris",
            Source::Penguins => "penguins",
            Source::Titanic => "titanic",
            Source::Wine => "wine",
            Source::Bikes => "bikes",
            Source::Housing => "housing",
            Source::Mnist => "mnist",
            Source::Fashion => "fashion",
        }
    }

    /// How many rows go to train, valid, test, fresh.
    fn sizes(self) -> [usize; 4] {
        match self {
            Source::Iris => [70, 20, 20, 40],
            Source::Penguins => [150, 50, 50, 90],
            Source::Titanic => [400, 100, 100, 290],
            Source::Wine => [700, 150, 150, 590],
            Source::Bikes => [380, 90, 90, 170],
            Source::Digits | Source::Mnist | Source::Fashion => [800, 200, 200, 800],
            Source::Housing => [1000, 200, 200, 1000],
            _ => [400, 100, 100, 500],
        }
    }

    /// Where it lies in the folder of data; none of what is drawn.
    pub fn path(self) -> Option<&'static str> {
        match self {
            Source::Iris => Some("tabular/iris/iris.csv"),
            Source::Penguins => Some("tabular/penguins/penguins.csv"),
            Source::Titanic => Some("tabular/titanic/train.csv"),
            Source::Wine => Some("tabular/wine-quality/winequality-red.csv"),
            Source::Bikes => Some("tabular/bike-sharing/day.csv"),
            Source::Housing => Some("tabular/california-housing/housing.csv"),
            Source::Mnist => Some("mnist"),
            Source::Fashion => Some("fashion-mnist"),
            _ => None,
        }
    }
}

/// Reads each data set once.
pub struct Library {
    folder: Option<PathBuf>,
    read: Mutex<BTreeMap<Source, Arc<Rows>>>,
}

/// So many rows of a source are kept at most.
const MOST_ROWS: usize = 4000;

impl Library {
    /// With the tables and images of `folder`, if there is one.
    pub fn new(folder: Option<PathBuf>) -> Library {
        Library { folder: folder.filter(|folder| folder.is_dir()), read: Mutex::default() }
    }

    /// Whether this machine has the source.
    pub fn has(&self, source: Source) -> bool {
        source.path().is_none_or(|path| self.folder.as_ref().is_some_and(|folder| folder.join(path).exists()))
    }

    /// The parts of `source` for a run with this seed: other rows in each.
    ///
    /// # Errors
    /// Data that cannot be read.
    pub fn parts(&self, source: Source, seed: u64) -> Result<Parts> {
        let rows = self.rows(source)?;
        Ok(Parts::of(&rows, source.sizes(), &mut Stream::new(seed, source.name())))
    }

    fn rows(&self, source: Source) -> Result<Arc<Rows>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = read.get(&source) {
            return Ok(Arc::clone(rows));
        }
        let rows = Arc::new(self.open(source)?);
        read.insert(source, Arc::clone(&rows));
        Ok(rows)
    }

    fn open(&self, source: Source) -> Result<Rows> {
        let rows: usize = source.sizes().iter().sum::<usize>() * 2;
        let drawn = |data: barun_data::Result<Dataset>| rows_of(&data.map_err(barun_train::Error::from)?);
        match source {
            Source::Moons => drawn(toy::moons(rows, 0.12, 0)),
            Source::Rings => drawn(toy::rings(rows, 0.08, 0)),
            Source::Xor => drawn(toy::xor(rows, 0.15, 0)),
            Source::Sine => drawn(toy::sine(rows, 0.1, 0)),
            Source::Friedman => Ok(friedman(rows)),
            Source::Waves => Ok(waves(rows)),
            Source::Bumps => Ok(bumps(rows)),
            Source::Impedance => Ok(impedance(rows)),
            Source::Ripples => Ok(ripples(rows)),
            Source::Colours => Ok(colours(rows)),
            Source::Digits => {
                let options = OpenOptions { samples: Some(MOST_ROWS), ..OpenOptions::default() };
                half_size(&drawn(Dataset::open_with("digits", &options))?)
            }
            Source::Mnist | Source::Fashion => self.images(source),
            Source::Iris | Source::Penguins => self.table(source, "species", &[]),
            Source::Titanic => {
                let ignored = ["PassengerId", "Name", "Ticket", "Cabin"];
                self.table(source, "Survived", &ignored)
            }
            Source::Wine => self.table(source, "quality", &[]),
            Source::Bikes => {
                let ignored = ["instant", "dteday", "casual", "registered", "atemp"];
                self.table(source, "cnt", &ignored)
            }
            Source::Housing => self.table(source, "median_house_value", &[]),
        }
    }

    fn folder(&self) -> Result<&Path> {
        let missing = "tables and images are in no folder: give it with --data or $BARUN_DATA";
        self.folder.as_deref().ok_or_else(|| Error::Data(missing.into()))
    }

    fn images(&self, source: Source) -> Result<Rows> {
        let data_dir = Some(self.folder()?.to_path_buf());
        let options = OpenOptions { data_dir, offline: true, ..OpenOptions::default() };
        let name = source.path().unwrap_or_default();
        let data = Dataset::open_with(name, &options).map_err(barun_train::Error::from)?;
        half_size(&rows_of(&data)?)
    }

    /// A table with its columns as numbers in their own units, categories as yes and no.
    fn table(&self, source: Source, target: &str, ignored: &[&str]) -> Result<Rows> {
        let path = self.folder()?.join(source.path().unwrap_or_default());
        let target_kind = match target {
            "quality" => TargetKind::Values,
            _ => TargetKind::Auto,
        };
        let table = TableOptions {
            target: Some(target.into()),
            target_kind,
            ignore: ignored.iter().map(|name| name.to_string()).collect(),
            ..TableOptions::default()
        };
        let options = OpenOptions { table, ..OpenOptions::default() };
        let whole = Split { valid: 0.0, test: 0.0, ..Split::default() };
        let prepared = Dataset::open_with(&path, &options)
            .and_then(|data| data.split(whole))
            .and_then(|split| split.fit(Scaling::NONE))
            .map_err(barun_train::Error::from)?;
        Ok(distinct(&rows_of(prepared.dataset())?))
    }
}

/// Without the rows that equal an earlier one: a copy on the other side of a split would be a fault of its own.
fn distinct(rows: &Rows) -> Rows {
    let mut seen = BTreeSet::new();
    let is_new =
        |at: &usize| seen.insert(rows.row(*at).iter().map(|value| value.to_bits()).collect::<Vec<_>>());
    rows.only(&(0..rows.len()).filter(is_new).collect::<Vec<_>>())
}

/// The rows of a data set in memory, as plain numbers; of many a spread-out few.
fn rows_of(data: &Dataset) -> Result<Rows> {
    let stride = data.len().div_ceil(MOST_ROWS).max(1);
    let indices: Vec<usize> = (0..data.len()).step_by(stride).collect();
    let (form, all): (Form, Vec<f32>) = match data.features() {
        Features::Images { pixels, shape } => {
            (Form::Image(*shape), pixels.iter().map(|pixel| f32::from(*pixel)).collect())
        }
        Features::Rows { values, .. } => (Form::Columns, values.clone()),
        _ => return Err(Error::Data(format!("{}: its rows are not in memory", data.name()))),
    };
    let answers = match data.targets() {
        Targets::Classes { labels, classes, .. } => Answers::Classes {
            labels: labels.iter().map(|label| *label as usize).collect(),
            classes: classes.len(),
        },
        Targets::Values { values, .. } => Answers::Numbers(values.clone()),
    };
    let rows = Rows { form, width: data.features().width(), values: all, answers };
    Ok(rows.only(&indices))
}

/// Images of half their height and width: the mean of each four pixels.
fn half_size(rows: &Rows) -> Result<Rows> {
    let Form::Image([height, width, 1]) = rows.form else {
        return Err(Error::Data("only grey images are made smaller".into()));
    };
    let (tall, wide) = (height / 2, width / 2);
    let mut values = Vec::with_capacity(rows.len() * tall * wide);
    for image in rows.values.chunks_exact(height * width) {
        for row in 0..tall {
            for column in 0..wide {
                let at = 2 * row * width + 2 * column;
                let four = [at, at + 1, at + width, at + width + 1];
                values.push(four.iter().map(|&at| image[at]).sum::<f32>() / 4.0);
            }
        }
    }
    Ok(Rows { form: Form::Image([tall, wide, 1]), width: tall * wide, values, answers: rows.answers.clone() })
}

/// `10 sin(pi a b) + 20 (c - 0.5)^2 + 10 d + 5 e + noise` of eight columns from 0 to 1.
fn friedman(count: usize) -> Rows {
    let mut random = Stream::new(0, "friedman");
    let width = 8;
    let values: Vec<f32> = (0..count * width).map(|_| random.uniform() as f32).collect();
    let answer = |row: &[f32]| {
        let [a, b, c, d, e, ..] = [row[0], row[1], row[2], row[3], row[4]].map(f64::from);
        10.0 * (std::f64::consts::PI * a * b).sin() + 20.0 * (c - 0.5).powi(2) + 10.0 * d + 5.0 * e
    };
    let numbers = values.chunks_exact(width).map(|row| (answer(row) + random.normal()) as f32).collect();
    Rows { form: Form::Columns, width, values, answers: Answers::Numbers(numbers) }
}

/// Two, three or four waves over 24 numbers, from a random phase, with noise.
fn waves(count: usize) -> Rows {
    let mut random = Stream::new(0, "waves");
    let width = 24;
    let labels: Vec<usize> = (0..count).map(|at| at % 3).collect();
    let mut values = Vec::with_capacity(count * width);
    for label in &labels {
        let phase = random.between(0.0, TAU);
        let turns = (label + 2) as f64;
        values.extend((0..width).map(|at| {
            ((phase + TAU * turns * at as f64 / width as f64).sin() + 0.3 * random.normal()) as f32
        }));
    }
    Rows { form: Form::Columns, width, values, answers: Answers::Classes { labels, classes: 3 } }
}

/// Noise with a bump of five numbers in one of three thirds, seven numbers each.
fn bumps(count: usize) -> Rows {
    let mut random = Stream::new(0, "bumps");
    let (third, bump) = (7, 5);
    let labels: Vec<usize> = (0..count).map(|at| at % 3).collect();
    let mut values = Vec::with_capacity(count * 3 * third);
    for label in &labels {
        let begin = label * third + random.below((third - bump) as u64 + 1) as usize;
        values.extend((0..3 * third).map(|at| {
            let height = if (begin..begin + bump).contains(&at) { 1.5 } else { 0.0 };
            (height + 0.5 * random.normal()) as f32
        }));
    }
    Rows { form: Form::Columns, width: 3 * third, values, answers: Answers::Classes { labels, classes: 3 } }
}

/// `sqrt(r^2 + (w l - 1 / (w c))^2) + noise`: resistance, frequency, inductance, capacity.
fn impedance(count: usize) -> Rows {
    let mut random = Stream::new(0, "impedance");
    let mut values = Vec::with_capacity(4 * count);
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        let (r, w) = (random.between(0.0, 100.0), random.between(40.0 * TAU / 2.0, 560.0 * TAU / 2.0));
        let (l, c) = (random.between(0.0, 1.0), random.between(1.0, 11.0));
        values.extend([r, w, l, c].map(|value| value as f32));
        let impedance = (r * r + (w * l - 1.0 / (w * c)).powi(2)).sqrt();
        numbers.push((impedance + 50.0 * random.normal()) as f32);
    }
    Rows { form: Form::Columns, width: 4, values, answers: Answers::Numbers(numbers) }
}

/// `sin(3 x) cos(2 y) + noise` for x and y from -1.5 to 1.5.
fn ripples(count: usize) -> Rows {
    let mut random = Stream::new(0, "ripples");
    let mut values = Vec::with_capacity(2 * count);
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        let (x, y) = (random.between(-1.5, 1.5), random.between(-1.5, 1.5));
        values.extend([x as f32, y as f32]);
        numbers.push(((3.0 * x).sin() * (2.0 * y).cos() + 0.1 * random.normal()) as f32);
    }
    Rows { form: Form::Columns, width: 2, values, answers: Answers::Numbers(numbers) }
}

/// A square of one of three colours somewhere on a ground of another colour, 10 by 10.
fn colours(count: usize) -> Rows {
    let mut random = Stream::new(0, "colours");
    let (side, square) = (10, 4);
    let labels: Vec<usize> = (0..count).map(|at| at % 3).collect();
    let mut values = Vec::with_capacity(count * side * side * 3);
    for label in &labels {
        let [top, left] = [0, 1].map(|_| random.below((side - square) as u64 + 1) as usize);
        let ground: Vec<f64> = (0..3).map(|_| random.between(60.0, 160.0)).collect();
        for at in 0..side * side {
            let (row, column) = (at / side, at % side);
            let is_inside = (top..top + square).contains(&row) && (left..left + square).contains(&column);
            for (channel, ground) in ground.iter().enumerate() {
                let lit = if is_inside && channel == *label { 60.0 } else { 0.0 };
                values.push((ground + lit + 20.0 * random.normal()).clamp(0.0, 255.0) as f32);
            }
        }
    }
    let form = Form::Image([side, side, 3]);
    Rows { form, width: side * side * 3, values, answers: Answers::Classes { labels, classes: 3 } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_folder_what_is_in_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("tabular/iris")).unwrap();
        std::fs::write(folder.path().join("tabular/iris/iris.csv"), "").unwrap();
        let library = Library::new(Some(folder.path().to_path_buf()));
        let has = [Source::Iris, Source::Mnist, Source::Moons].map(|source| library.has(source));
        assert_eq!(has, [true, false, true]);
        assert!(!Library::new(None).has(Source::Iris));
    }

    #[test]
    fn a_seed_gives_the_same_parts_and_another_seed_others() {
        let library = Library::new(None);
        for source in [Source::Moons, Source::Waves, Source::Colours, Source::Digits, Source::Friedman] {
            let parts = |seed| library.parts(source, seed).unwrap();
            assert_eq!(parts(1).train, parts(1).train, "{}", source.name());
            assert_ne!(parts(1).train, parts(2).train, "{}", source.name());
            assert_eq!(parts(1).valid.len(), source.sizes()[1]);
        }
    }
}
