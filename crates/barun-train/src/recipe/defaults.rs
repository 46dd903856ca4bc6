//! The defaults that depend on the kind of data. The others stand at their key.

use std::path::Path;

use barun_data::Augment;
use barun_nn::hyper::Value;
use barun_nn::optimizers;

use super::augment::Preset;
use super::running::BestBy;
use Given::{Number, Sizes};

/// What the data is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Images.
    Images,
    /// A table, or drawn points.
    Table,
}

impl Kind {
    /// The kind of the data called `source`, by its name; a folder is one of images.
    pub fn of(source: &str) -> Kind {
        let path = Path::new(source);
        let is_archive = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zip"));
        match source {
            "digits" | "mnist" | "fashion-mnist" | "cifar10" | "omniglot" | "omniglot-small" => Kind::Images,
            _ if is_archive || path.is_dir() => Kind::Images,
            _ => Kind::Table,
        }
    }

    pub(crate) fn defaults(self) -> &'static Defaults {
        match self {
            Kind::Images => &IMAGES,
            Kind::Table => &TABLES,
        }
    }
}

/// Defaults of one kind of data.
#[derive(Clone, Debug)]
pub struct Defaults {
    pub(crate) model: &'static str,
    pub(crate) epochs: Option<usize>,
    pub(crate) largest_batch: usize,
    pub(crate) optimizer: &'static str,
    /// Where the default of an optimiser's or a model's setting is not the library's: its name, the setting, the value.
    pub(crate) settings: &'static [(&'static str, &'static str, Given)],
    pub(crate) best_by: BestBy,
    pub(crate) train_share: f64,
    pub(crate) test_share: f64,
    pub(crate) augment: Augment,
}

/// The default of a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given {
    Number(f64),
    Sizes(&'static [i64]),
}

impl Given {
    /// As the library takes it.
    pub(crate) fn to_hyper(self) -> Value {
        match self {
            Given::Number(number) => Value::Number(number),
            Given::Sizes(sizes) => Value::List(sizes.iter().map(|size| Value::Whole(*size)).collect()),
        }
    }
}

impl Defaults {
    /// With the augmentation of a preset; an unknown one is refused where it is read.
    pub(crate) fn varied_by(&self, preset: &str) -> Defaults {
        let known = Preset::ALL.iter().find(|known| known.name() == preset);
        Defaults { augment: known.map_or(Augment::NONE, |known| known.settings()), ..self.clone() }
    }

    /// The rows of a step, of so many training rows: a power of two, 16 at least, that makes at least four steps of an
    /// epoch. With smaller batches a small table is learned by heart before the validation part has been looked at twice.
    pub(crate) fn batch_size_for(&self, rows: usize) -> usize {
        let wanted = (rows / 4).clamp(16, self.largest_batch);
        let power = wanted.next_power_of_two();
        if power > wanted { power / 2 } else { power }.min(rows.max(1))
    }
}

/// The learning rate of recipes that name the optimiser and no rate; none of an optimiser that there is not.
pub fn usual_lr(optimizer: &str) -> Option<f64> {
    let own = IMAGES.settings.iter().find_map(|(name, setting, value)| match value {
        Number(lr) if (*name, *setting) == (optimizer, "lr") => Some(*lr),
        _ => None,
    });
    own.or_else(|| optimizers::by_name(optimizer).ok().map(|known| known.lr()))
}

/// Ten epochs of this train the drawn digits above 0.97 test accuracy well within a minute on two cores.
pub(crate) const IMAGES: Defaults = Defaults {
    model: "mlp",
    epochs: Some(10),
    largest_batch: 128,
    optimizer: "adam",
    settings: &[
        ("sgd", "lr", Number(0.1)),
        ("momentum", "lr", Number(0.01)),
        ("nesterov", "lr", Number(0.01)),
    ],
    best_by: BestBy::Auto,
    train_share: 0.8,
    test_share: 0.1,
    augment: Augment::NONE,
};

/// Tables are small: a larger test part, so that a number means something; weights that decay by a
/// thousandth a step (rate times decay, about RealMLP's), since a few hundred rows hold little; and the best epoch by its
/// loss, since of a few dozen rows the accuracy is a matter of luck.
pub(crate) const TABLES: Defaults = Defaults {
    model: "tabular",
    epochs: None,
    largest_batch: 256,
    optimizer: "adamw",
    settings: &[
        ("sgd", "lr", Number(0.1)),
        ("momentum", "lr", Number(0.01)),
        ("nesterov", "lr", Number(0.01)),
        ("adam", "lr", Number(2e-3)),
        ("adamw", "lr", Number(2e-3)),
        ("adamw", "weight_decay", Number(0.5)),
        ("mlp", "hidden", Sizes(&[64, 64])),
    ],
    best_by: BestBy::Loss,
    train_share: 0.7,
    test_share: 0.2,
    augment: Augment::NONE,
};

/// Rows that a table's training sees in all, as long as that is 10 epochs at least and 100 at most.
const TABLE_SAMPLES: usize = 1_000_000;

/// The epochs for a table of so many training rows: 100, and for large tables fewer, which then see as much.
pub(crate) fn epochs_for(rows: usize) -> usize {
    (TABLE_SAMPLES / rows.max(1)).clamp(10, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_any_size_has_batches_that_fit_and_epochs_that_end() {
        for rows in (1..2_000).chain([20_000, 1_000_000, 100_000_000]) {
            let batch = TABLES.batch_size_for(rows);
            assert!(batch >= 1 && batch <= rows.min(256), "{rows} rows in batches of {batch}");
            assert!((10..=100).contains(&epochs_for(rows)), "{rows} rows");
        }
        assert_eq!([105, 600, 20_000].map(|rows| TABLES.batch_size_for(rows)), [16, 128, 256]);
        assert_eq!([10, 100, 60_000].map(|rows| IMAGES.batch_size_for(rows)), [10, 16, 128]);
        assert_eq!((epochs_for(10_000), epochs_for(20_000), epochs_for(1_000_000)), (100, 50, 10));
    }
}
