//! Rows or answers that reach the part to judge by from the part to learn from, and parts that are not alike.
//!
//! What the checks of the data have found (`barun check`), under this number: copies and near copies across parts, groups and
//! times that overlap, columns that give the target away, columns that only number the rows, parts whose columns or labels
//! are distributed otherwise. Figures on the test part are then too good, or of other data.
//!
//! Threshold: one copy is a warning, 1 % of the part an error; see `barun_data::integrity`. Deepchecks allows 5 %.
//!
//! Cannot see: rows of one source that differ in everything, such as two photographs of one thing, without a column that says so.

use super::{About, Found, Kind, Rule};
use crate::data;
use crate::history::History;

/// See the [module](self).
pub struct SplitLeakDrift;

impl Rule for SplitLeakDrift {
    fn about(&self) -> About {
        About {
            id: "R25",
            name: "SPLIT_LEAK_DRIFT",
            summary: "The part to judge by has been seen, is given away, or is not like the part to learn from.",
            kind: Kind::Data,
            persist: (1, 1),
            // All that is told by the part to judge by.
            explains: &["R18", "R20", "R26"],
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
    fn several_findings_of_the_data_are_one_with_the_others_as_evidence() {
        let history =
            reported(&[(Kind::CopiesAcrossParts, Severity::Error), (Kind::TargetLeak, Severity::Warning)]);
        let found = SplitLeakDrift.judge(&history).unwrap();
        assert_eq!((found.level, found.evidence.len()), (Level::Error, 1));
    }
}
