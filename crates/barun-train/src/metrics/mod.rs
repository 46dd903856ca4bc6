//! How good a model is, in figures, each with its formula and source, and how sure each figure is.
//!
//! | family | figures | file |
//! |---|---|---|
//! | while training | loss, accuracy, MAE, RMSE, R2, batch by batch | `running` |
//! | answers | accuracy, balanced accuracy, precision, recall, F1, MCC, the confusion matrix | `confusion` |
//! | order | areas under the ROC and the precision-recall curve | `ranking` |
//! | probabilities | log loss, Brier score, calibration error with its bins, top-k accuracy | `probability` |
//! | numbers | MAE, MSE, RMSE, R2, MAPE, median absolute error | `numbers` |
//! | uncertainty | bootstrap intervals of any figure | `bootstrap` |
//! | all of a part | an [`Evaluation`] of [`Predictions`] | `evaluation` |
//!
//! **Conventions.** Definitions are scikit-learn's where it has the thing, and the tests compare with it. A figure that
//! does not exist - the area under a curve of one class - is NaN, and `null` in JSON. A prediction that is not finite is
//! never right: it answers no class, and makes figures of numbers and probabilities NaN.
//!
//! ```
//! use barun_train::metrics::{Average, Confusion, Weights, auroc};
//!
//! let confusion = Confusion::of(&[0, 0, 1, 2], &[Some(0), Some(1), Some(1), Some(2)], 3, Weights::ONCE);
//! assert_eq!(confusion.accuracy(), 0.75);
//! assert_eq!(confusion.f1(Average::Macro), (2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 3.0);
//! assert_eq!(auroc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), 0.75);
//! ```

mod bootstrap;
mod confusion;
mod evaluation;
mod numbers;
mod probability;
mod ranking;
mod running;
mod weights;

pub use bootstrap::{Bootstrap, Interval};
pub use confusion::{Average, Confusion};
pub use evaluation::{ClassFigures, Evaluation, Figure, Figures, Measure, Predictions};
pub use numbers::Residuals;
pub use probability::{Probabilities, ReliabilityBin};
pub use ranking::{Ranking, auprc, auroc};
pub(crate) use running::null_is_nan;
pub use running::{Errors, Mean, Metrics, argmax, hits};
pub use weights::Weights;
