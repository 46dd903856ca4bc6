//! Persistence and trouble: what tells a symptom from a curiosity, and a state from a moment.
//!
//! A rule *holds* when it was true in p of its last n looks. Dead units, saturation, fast updates are found in many runs
//! that end well; they are told as more than information only while the run is in fact in trouble: while a rule of the kind
//! [`Trouble`](crate::rules::Kind::Trouble) or [`Outcome`](crate::rules::Kind::Outcome) holds. Its loss left the finite numbers, diverges, or
//! stands still where it began, or the network learns less than a simple model does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rules::{About, Kind};

/// What each rule has seen in its last looks; part of every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Looks {
    /// By the rule's number, the latest look last.
    looks: BTreeMap<String, Vec<bool>>,
}

impl Looks {
    /// Adds a look of a rule, and tells whether it holds.
    pub fn add(&mut self, about: &About, is_true: bool) -> bool {
        let (_, of) = about.persist;
        // Of most rules there is never anything to remember.
        if !is_true && !self.looks.contains_key(about.id) {
            return false;
        }
        let looks = self.looks.entry(about.id.to_string()).or_default();
        looks.push(is_true);
        looks.drain(..looks.len().saturating_sub(of));
        if looks.iter().all(|look| !look) {
            self.looks.remove(about.id);
            return false;
        }
        self.holds(about)
    }

    /// Whether a rule held when it last looked.
    pub fn holds(&self, about: &About) -> bool {
        let seen = self.looks.get(about.id).map_or(0, |looks| looks.iter().filter(|look| **look).count());
        seen >= about.persist.0
    }

    /// Whether the run is in trouble, by the rules that tell so.
    pub fn is_in_trouble<'a>(&self, rules: impl IntoIterator<Item = &'a About>) -> bool {
        rules
            .into_iter()
            .any(|about| matches!(about.kind, Kind::Trouble | Kind::Outcome) && self.holds(about))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: About =
        About { id: "R15", name: "X", summary: "", kind: Kind::Trouble, persist: (2, 3), explains: &[] };

    #[test]
    fn a_rule_holds_when_it_was_true_in_two_of_three_looks() {
        let mut looks = Looks::default();
        let seen = [false, true, false, true, true, false, false, false];
        let held: Vec<bool> = seen.into_iter().map(|look| looks.add(&RULE, look)).collect();
        assert_eq!(held, [false, false, false, true, true, true, false, false]);
        assert_eq!(looks, Looks::default(), "nothing is left to remember");
    }

    #[test]
    fn the_run_is_in_trouble_while_a_rule_of_that_kind_holds() {
        let mut looks = Looks::default();
        let symptom = About { id: "R11", kind: Kind::Symptom, ..RULE };
        for about in [&RULE, &symptom] {
            looks.add(about, true);
        }
        assert!(!looks.is_in_trouble([&RULE, &symptom]));
        looks.add(&symptom, true);
        assert!(looks.holds(&symptom) && !looks.is_in_trouble([&RULE, &symptom]));
        looks.add(&RULE, true);
        assert!(looks.is_in_trouble([&RULE, &symptom]));
    }
}
