//! Where in a run a schedule is asked for the rate, and how long a part of a run is.

use std::fmt;

use crate::hyper::{HyperValue, Value};

/// A step of a run: what a schedule knows when it is asked for the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment<'a> {
    /// The step, from 0.
    pub step: u64,
    /// The steps of the whole run.
    pub total: u64,
    /// The steps of an epoch.
    pub steps_per_epoch: u64,
    /// The validation loss of each epoch so far, for schedules that wait until it no longer falls.
    pub losses: &'a [f64],
}

impl Moment<'static> {
    /// Step `step` of `total`, in epochs of so many steps.
    pub fn new(step: u64, total: u64, steps_per_epoch: u64) -> Self {
        Moment { step, total, steps_per_epoch, losses: &[] }
    }

    /// Step `step` of a run of `total` epochs of one step: a schedule counted in epochs.
    pub fn epoch(step: u64, total: u64) -> Self {
        Moment::new(step, total, 1)
    }
}

/// The length of a part of a run; recipes write it `"5 epochs"`, `"500 steps"` or `"10 %"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span {
    /// So many steps.
    Steps(u64),
    /// So many epochs; halves are fine.
    Epochs(f64),
    /// This part of the whole run, from 0 to 1.
    Share(f64),
}

impl Span {
    /// The whole run.
    pub const RUN: Span = Span::Share(1.0);

    /// The length in steps, not always whole: half an epoch may end between two steps.
    pub fn steps(self, moment: &Moment<'_>) -> f64 {
        match self {
            Span::Steps(steps) => steps as f64,
            Span::Epochs(epochs) => epochs * moment.steps_per_epoch as f64,
            Span::Share(share) => share * moment.total as f64,
        }
    }

    /// How many of these have passed at `moment`; a length of 0 counts as one step.
    pub fn passed(self, moment: &Moment<'_>) -> f64 {
        let length = self.steps(moment);
        moment.step as f64 / if length > 0.0 { length } else { 1.0 }
    }

    /// How much of this length has passed at `moment`: from 0, and 1 from its end on.
    pub fn part(self, moment: &Moment<'_>) -> f64 {
        self.passed(moment).min(1.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Span::Steps(1) => f.write_str("1 step"),
            Span::Steps(steps) => write!(f, "{steps} steps"),
            Span::Epochs(1.0) => f.write_str("1 epoch"),
            Span::Epochs(epochs) => write!(f, "{epochs} epochs"),
            // Not times 100: 0.07 would become 7.000000000000001.
            Span::Share(share) => write!(f, "{} %", (share * 1e8).round() / 1e6),
        }
    }
}

impl HyperValue for Span {
    const EXPECTED: &'static str = "a length such as \"5 epochs\", \"500 steps\" or \"10 %\"";
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        let text = text.trim();
        let split = text.find(|c: char| c.is_alphabetic() || c == '%')?;
        let (number, unit) = (text[..split].trim(), text[split..].trim());
        let amount: f64 = number.parse().ok().filter(|amount: &f64| amount.is_finite() && *amount >= 0.0)?;
        match unit {
            "step" | "steps" => number.parse().ok().map(Span::Steps),
            "epoch" | "epochs" => Some(Span::Epochs(amount)),
            "%" if amount <= 100.0 => Some(Span::Share(amount / 100.0)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Span> {
        Span::from_value(&Value::Text(text.into()))
    }

    #[test]
    fn a_length_is_written_with_its_unit_and_reads_back() {
        let spans =
            [Span::Steps(1), Span::Steps(500), Span::Epochs(1.0), Span::Epochs(2.5), Span::Share(0.07)];
        let texts = ["1 step", "500 steps", "1 epoch", "2.5 epochs", "7 %"];
        for (span, text) in spans.into_iter().zip(texts) {
            assert_eq!(span.to_string(), text);
            assert_eq!(read(text), Some(span));
        }
        assert_eq!(read("3epochs"), Some(Span::Epochs(3.0)));
        for wrong in ["", "5", "five epochs", "2.5 steps", "-1 epochs", "120 %", "3 years", "nan epochs"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(Span::from_value(&Value::Whole(5)), None, "of what?");
    }

    #[test]
    fn a_length_is_counted_in_steps() {
        let moment = Moment::new(30, 200, 20);
        let steps = [Span::Steps(15), Span::Epochs(1.5), Span::Share(0.25)].map(|span| span.steps(&moment));
        assert_eq!(steps, [15.0, 30.0, 50.0]);
        assert_eq!((Span::Epochs(1.0).passed(&moment), Span::Epochs(1.0).part(&moment)), (1.5, 1.0));
        assert_eq!(Span::Steps(0).part(&moment), 1.0);
    }
}
