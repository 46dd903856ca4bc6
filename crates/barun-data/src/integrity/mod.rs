//! Is the data what it seems? Checks of a split data set before anything is trained on it.
//!
//! | check | what it finds | file |
//! |---|---|---|
//! | copies | rows of the test part that are also trained on; one input with two labels | `copies` |
//! | near copies | images that are another with a little noise or other brightness | `near` |
//! | overlap | groups on both sides of a split; a test part that lies in the past | `overlap` |
//! | leaks | columns that give the target away, alone or added up | `leaks` |
//! | encodings | columns that are the mean answers of the rows that have them | `encodings` |
//! | columns | identifiers, constants, values far out | `columns` |
//! | classes | classes that are rare or absent | `classes` |
//! | drift | a part whose columns or labels are distributed otherwise | `drift` |
//!
//! A [`Finding`] says what, how much, which rows and what to do. Nothing is ever removed: what to leave out is the user's
//! to decide. Checks take time in proportion to the data; where a check would take longer, it looks at a sample, and the
//! [`Report`] says so. The same data gives the same report.
//!
//! ```
//! use barun_data::{Dataset, Split, integrity};
//!
//! let parts = Dataset::open("moons")?.split(Split::default())?;
//! let report = integrity::inspect(&parts)?;
//! assert!(report.is_clean(), "{:?}", report.findings);
//! # Ok::<(), barun_data::Error>(())
//! ```

mod cells;
mod classes;
pub mod columns;
pub(crate) mod copies;
mod drift;
mod duplicates;
mod encodings;
mod finding;
mod fingerprint;
mod leaks;
mod linear;
mod near;
mod overlap;
mod pictures;
mod sample;
mod statistics;

pub use finding::{Examples, Finding, Kind, Report, Severity};
pub use fingerprint::fingerprint;

use crate::error::Result;
use crate::split::SplitData;
use sample::Sampled;

/// Runs every check on a split. See the [module](self).
///
/// # Errors
/// Rows of a table on disk that cannot be read.
pub fn inspect(split: &SplitData) -> Result<Report> {
    let mut report = Report::of(split);
    let mut sampled = Sampled::default();
    let mut findings = duplicates::find(split)?;
    findings.extend(near::find(split, &mut sampled)?);
    findings.extend(overlap::find(split));
    findings.extend(leaks::find(split, &mut sampled)?);
    findings.extend(encodings::find(split, &mut sampled)?);
    findings.extend(columns::find(split, &mut sampled)?);
    findings.extend(classes::find(split));
    findings.extend(drift::find(split, &mut sampled)?);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    report.findings = findings;
    report.sampled = sampled.notes;
    Ok(report)
}
