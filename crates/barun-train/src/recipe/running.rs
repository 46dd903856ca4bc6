//! `[train.early_stopping]`, `[train.checkpoint]` and `[doctor]`: when a run ends, how much of it a crash may cost, and who
//! watches it.

use super::declare::{names, section};
use super::rules::{AT_LEAST_ONE_IF_GIVEN, NOT_NEGATIVE, POSITIVE};
use super::setting::Fallback::Is;

names! {
    /// By which figure on the validation part epochs are compared.
    pub enum BestBy, "a figure to choose by" {
        /// Classes: the accuracy, of equals the loss. Numbers: the loss. Of equals the earlier epoch.
        Auto = "auto",
        /// The lowest loss.
        Loss = "loss",
        /// The highest accuracy, of equals the lower loss.
        Accuracy = "accuracy",
        /// The lowest mean absolute error.
        Mae = "mae",
        /// The lowest root of the mean squared error.
        Rmse = "rmse",
        /// The highest share of the target's variance that is explained.
        R2 = "r2",
    }
}

section! {
    /// `[train.early_stopping]`: ending a run that no longer gets better by `train.best_by`. The weights of the best epoch
    /// are kept in any case.
    pub struct EarlyStopping {
        /// End after so many epochs in a row that were no better. Not given: train all epochs.
        patience: Option<usize> = Is(|_| None), AT_LEAST_ONE_IF_GIVEN;
        /// The same in steps, looked at when an epoch ends; only one of the two may be given.
        patience_steps: Option<usize> = Is(|_| None), AT_LEAST_ONE_IF_GIVEN;
        /// What an epoch must be better by to count, in units of the figure; 0: by anything.
        min_delta: f64 = Is(|_| 0.0), NOT_NEGATIVE;
    }
}

section! {
    /// `[train.checkpoint]`: how often the whole state is written, so that `barun resume` can go on from there. The first
    /// is written after the first epoch, the last at the end, also of an interrupted run.
    pub struct Checkpoint {
        /// So many seconds after the last one; where writing is slow, so rarely that it takes no more than a twentieth of
        /// the time.
        seconds: f64 = Is(|_| 10.0), POSITIVE;
        /// Also after so many steps. Not given: only by time.
        steps: Option<usize> = Is(|_| None), AT_LEAST_ONE_IF_GIVEN;
        /// Also after so many epochs. Not given: only by time.
        epochs: Option<usize> = Is(|_| None), AT_LEAST_ONE_IF_GIVEN;
    }
}

names! {
    /// What the doctor may do.
    pub enum DoctorMode, "a mode of the doctor" {
        /// Nobody watches.
        Off = "off",
        /// It says what is wrong and what mends it, and changes nothing.
        Advise = "advise",
        /// It also tries what mends it on copies of the run, and goes on with what is better by more than chance.
        Repair = "repair",
    }
}

section! {
    /// `[doctor]`: who watches the run.
    pub struct Doctor {
        /// What the doctor may do.
        mode: DoctorMode = Is(|_| DoctorMode::Advise);
        /// Rules whose findings are known and meant, such as "R24"; they are not told again.
        acknowledge: Vec<String> = Is(|_| Vec::new());
        /// The steps that all trials of repairs together may take, as a part of the run's planned steps. Beyond it the doctor
        /// advises.
        budget: f64 = Is(|_| 0.1), NOT_NEGATIVE;
        /// End a run that cannot end well: at the end of an epoch it has learned nothing, and an error of the doctor stands
        /// that is not one of the data.
        abandon: bool = Is(|_| false);
    }
}
