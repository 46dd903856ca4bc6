//! The defaults that depend on the kind of data. The others stand at their key.

use super::running::BestBy;

/// What the data is made of, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Images.
    Images,
    /// A table: a `.csv` or `.tsv` file, or drawn points.
    Table,
}

impl Kind {
    /// The kind of the data called `source`. Looks at the name only.
    pub fn of(source: &str) -> Kind {
        match source {
            "digits" | "mnist" | "fashion-mnist" => Kind::Images,
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
pub struct Defaults {
    pub(crate) model: &'static str,
    pub(crate) hidden: &'static [usize],
    pub(crate) epochs: Option<usize>,
    pub(crate) batch_size: Option<usize>,
    pub(crate) optimizer: &'static str,
    /// Where the default of an optimiser's setting is not the library's: optimiser, setting, value.
    pub(crate) settings: &'static [(&'static str, &'static str, f64)],
    pub(crate) best_by: BestBy,
    pub(crate) train_share: f64,
    pub(crate) test_share: f64,
}

/// Ten epochs of this train the drawn digits above 0.97 test accuracy well within a minute on two cores.
pub(crate) const IMAGES: Defaults = Defaults {
    model: "mlp",
    hidden: &[512, 256],
    epochs: Some(10),
    batch_size: Some(128),
    optimizer: "adam",
    settings: &[("sgd", "lr", 0.1), ("momentum", "lr", 0.01), ("nesterov", "lr", 0.01)],
    best_by: BestBy::Auto,
    train_share: 0.8,
    test_share: 0.1,
};

/// Tables are small: a larger test part, so that a number means something; weights that decay by a
/// thousandth a step (rate times decay, about RealMLP's), since a few hundred rows hold little; and the best epoch by its
/// loss, since of a few dozen rows the accuracy is a matter of luck.
pub(crate) const TABLES: Defaults = Defaults {
    model: "tabular",
    hidden: &[64, 64],
    epochs: None,
    batch_size: None,
    optimizer: "adamw",
    settings: &[
        ("sgd", "lr", 0.1),
        ("momentum", "lr", 0.01),
        ("nesterov", "lr", 0.01),
        ("adam", "lr", 2e-3),
        ("adamw", "lr", 2e-3),
        ("adamw", "weight_decay", 0.5),
    ],
    best_by: BestBy::Loss,
    train_share: 0.7,
    test_share: 0.2,
};

/// Rows that a table's training sees in all, as long as that is 10 epochs at least and 100 at most.
const TABLE_SAMPLES: usize = 1_000_000;

/// The epochs for a table of so many training rows: 100, and for large tables fewer, which then see as much.
pub(crate) fn epochs_for(rows: usize) -> usize {
    (TABLE_SAMPLES / rows.max(1)).clamp(10, 100)
}

/// The rows of a step for a table of so many training rows: a power of two from 16 to 256 that makes at least four steps of
/// an epoch. With smaller batches a small table is learned by heart before the validation part has been looked at twice.
pub(crate) fn batch_size_for(rows: usize) -> usize {
    let wanted = (rows / 4).clamp(16, 256);
    let power = wanted.next_power_of_two();
    if power > wanted { power / 2 } else { power }.min(rows.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_any_size_has_batches_that_fit_and_epochs_that_end() {
        for rows in (1..2_000).chain([20_000, 1_000_000, 100_000_000]) {
            let batch = batch_size_for(rows);
            assert!(batch >= 1 && batch <= rows.min(256), "{rows} rows in batches of {batch}");
            assert!((10..=100).contains(&epochs_for(rows)), "{rows} rows");
        }
        assert_eq!((batch_size_for(105), batch_size_for(600), batch_size_for(20_000)), (16, 128, 256));
        assert_eq!((epochs_for(10_000), epochs_for(20_000), epochs_for(1_000_000)), (100, 50, 10));
    }
}
