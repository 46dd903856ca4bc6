//! Operators: each breaks a training that is well, in one way, and states beforehand which rules name the cause.
//!
//! A file has the operators of one place: inputs, labels, leaks, head and loss, first weights, activations, rate and optimiser,
//! regularisation, normalisation and batches, layers of one's own, recurrent layers. An operator belongs to one part, and its
//! causes were written down before any result was looked at. A symptom is no cause: that the loss stands still (R16) is never
//! among them, and a divergence (R15) only where the loss itself is turned round.

mod activations;
mod batches;
mod first_weights;
mod head;
mod inputs;
mod labels;
mod layers;
mod leaks;
mod rate;
mod recurrent;
mod regularization;

use barun_engine::random::Stream;

use crate::bases::{BASES, Base, Part};
use crate::error::Result;
use crate::plan::Plan;

/// What an operator harms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harms {
    /// The run: it is worse on fresh rows.
    Run,
    /// The estimate: what is reported of the test part is not what it is worth on fresh rows.
    Estimate,
}

/// A way to break a training.
pub struct Operator {
    /// What it is called.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// Which part it belongs to.
    pub part: Part,
    /// What it harms.
    pub harms: Harms,
    /// The rules that name the cause.
    pub causes: &'static [&'static str],
    /// How strongly it is done, once for each number; what the number means is the operator's.
    pub strengths: &'static [f64],
    /// Which trainings it can be done to.
    pub fits: fn(&Base) -> bool,
    /// Does it.
    pub apply: fn(&mut Plan, f64, &mut Stream) -> Result<()>,
}

impl Operator {
    /// Of the run, of the tuning part.
    const fn tuning(name: &'static str, about: &'static str, causes: &'static [&'static str]) -> Operator {
        Operator {
            name,
            about,
            part: Part::Tuning,
            harms: Harms::Run,
            causes,
            strengths: &[1.0],
            fits: |_| true,
            apply: |_, _, _| Ok(()),
        }
    }

    /// Of the run, of the scored part.
    const fn scored(name: &'static str, about: &'static str, causes: &'static [&'static str]) -> Operator {
        Operator { part: Part::Scored, ..Operator::tuning(name, about, causes) }
    }

    /// The trainings of its part that it can be done to.
    pub fn bases(&self) -> impl Iterator<Item = &'static Base> {
        let (part, fits) = (self.part, self.fits);
        BASES.iter().filter(move |base| base.part == part && fits(base))
    }
}

/// Every operator, file by file.
pub fn all() -> impl Iterator<Item = &'static Operator> {
    let files: [&'static [Operator]; 11] = [
        inputs::ALL,
        labels::ALL,
        leaks::ALL,
        head::ALL,
        first_weights::ALL,
        activations::ALL,
        rate::ALL,
        regularization::ALL,
        batches::ALL,
        layers::ALL,
        recurrent::ALL,
    ];
    files.into_iter().flatten()
}

/// The operator called `name`.
pub fn by_name(name: &str) -> Option<&'static Operator> {
    all().find(|operator| operator.name == name)
}

/// A training without anything special: layers one after the other, no sequence.
fn is_plain(base: &Base) -> bool {
    !base.is_recurrent()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Form;
    use crate::sources::Library;
    use std::collections::BTreeSet;

    #[test]
    fn operators_have_names_of_their_own_and_causes_that_are_rules() {
        let names: BTreeSet<&str> = all().map(|operator| operator.name).collect();
        assert_eq!(names.len(), all().count());
        for operator in all() {
            let known = |id: &&str| barun_doctor::rules::by_name(id).is_some();
            assert!(!operator.causes.is_empty() && operator.causes.iter().all(known), "{}", operator.name);
            assert!(operator.bases().next().is_some(), "{} fits nothing", operator.name);
        }
    }

    /// What can be broken without files is broken, and the network can still be built.
    #[test]
    fn each_operator_can_be_done_to_what_it_fits() {
        let library = Library::new(None);
        for operator in all() {
            for base in operator.bases().filter(|base| library.has(base.source)) {
                let mut plan = base.plan(&library, 1).unwrap();
                for strength in operator.strengths {
                    (operator.apply)(&mut plan, *strength, &mut Stream::new(1, operator.name)).unwrap();
                }
                let form = plan.parts.train.form;
                let is_flat = form == Form::Columns || !base.is_image();
                let built = plan.network.build(form, plan.parts.train.width, plan.outputs());
                assert!(built.is_ok() || !is_flat, "{} on {}: {:?}", operator.name, base.name(), built.err());
                assert!(plan.parts.train.dataset("data").is_ok(), "{} on {}", operator.name, base.name());
            }
        }
    }
}
