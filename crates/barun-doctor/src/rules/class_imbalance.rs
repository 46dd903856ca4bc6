//! Classes that are rare, or that a part does not have.
//!
//! What the checks of the data have found (`barun check`), under this number: a class ten times as frequent as another is
//! INFO, since many data sets are so and learn well, and WARN where the rarer one has fewer than 20 training rows; a class that
//! the training part does not have, and the others do, WARN.
//!
//! Threshold: 10, as SageMaker Debugger has it; the 20 is ours; see `barun_data::integrity`.
//!
//! Cannot see: whether the rare class is the one that matters.

use super::{About, Found, Kind, Rule};
use crate::data;
use crate::history::History;

/// See the [module](self).
pub struct ClassImbalance;

impl Rule for ClassImbalance {
    fn about(&self) -> About {
        About {
            id: "R24",
            name: "CLASS_IMBALANCE",
            summary: "Classes are rare, or missing from a part.",
            kind: Kind::Data,
            persist: (1, 1),
            explains: &["R18"],
        }
    }

    fn judge(&self, history: &History) -> Option<Found> {
        data::worst(history, self.about().id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::reported;
    use barun_data::integrity::{Kind, Severity};
    use barun_train::diagnosis::Level;

    #[test]
    fn the_gravest_finding_of_the_data_is_told_under_this_number() {
        let history = reported(&[(Kind::ClassImbalance, Severity::Note), (Kind::AbsentClass, Severity::Warning)]);
        assert_eq!(ClassImbalance.judge(&history).unwrap().level, Level::Warn);
        assert_eq!(ClassImbalance.judge(&reported(&[(Kind::Drift, Severity::Warning)])), None);
    }
}
