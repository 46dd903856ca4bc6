//! What the answers to held-out rows say of their labels: which are doubtful, and whether they are wrong or their classes are
//! hard to tell apart.
//!
//! [Confident learning](crate::confident) doubts the label of a shirt that looks like a T-shirt as well as that of a T-shirt
//! which somebody called a shirt. What tells the two apart is what wrong labels have in common: given what a row is, they do
//! not depend on what it looks like (the class-conditional noise of Angluin and Laird, 1988, "Learning from noisy examples").
//!
//! * **Strays.** A label at random is as often one of the less likely half of the other classes as one of the likelier half;
//!   the label of a row that is hard to tell is nearly always the runner-up. So the rows whose label is in the less likely half,
//!   over the share of the other classes that this half is, estimate how many labels are random, however hard the classes.
//! * **Twins.** Where one class has two names, rows of both look the same: among rows that bear one of the two names the network
//!   cannot tell which, though it tells all other classes.
//! * **Pairs.** Where one class is called by another's name, the network tells the rows that look like it from the others
//!   well, and yet they bear both names, and those that bear the wrong one look no less like it. Where two classes are hard to
//!   tell apart, rows that bear the other name lie near the border between both.

use barun_train::answers::Answers;
use barun_train::metrics::{Predictions, auroc};
use serde::{Deserialize, Serialize};

use crate::confident::ConfidentJoint;
use crate::curve::median;
use crate::shares::lower_end;

/// Rows are named for people to look at: so many, as `barun check` does.
const MOST_SUSPECTS: usize = 10;
/// So many pairs are kept.
const MOST_PAIRS: usize = 3;
/// Fewer rows of a class called by another's name are no pair.
const FEWEST_CALLED: usize = 5;
/// And no smaller a part of those that look so.
const LEAST_SHARE: f64 = 0.1;
/// The ends of intervals are beyond the true share once in 20 times; of pairs, once in 20 times for all that are looked at
/// together (Bonferroni), since the gravest of many is picked.
const TAIL: f64 = 0.05;
/// Two classes are looked at where they have this much of a row's probability between them, and the one of the two at least that much.
const BOTH: f64 = 0.5;
const EITHER: f64 = 0.1;
/// Twins have so many rows each, which share this much of their probability.
const FEWEST_OF_TWIN: usize = 10;
const SHARED: f64 = 0.25;
/// Two groups of rows are told apart where the middle ones of them differ by this much.
const GAP: f64 = 0.2;

/// What an evaluation says of the labels of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelCheck {
    /// The epoch, from 1.
    pub epoch: usize,
    /// How many rows were answered.
    pub rows: usize,
    /// How many of them surely are of a class, in the sense of [confident learning](crate::confident).
    pub sure: usize,
    /// How many of these have another label.
    pub doubtful: usize,
    /// The share of all rows whose label is not their class, by the calibrated joint.
    pub doubtful_share: f64,
    /// Doubtful rows whose label is among the less likely half of the other classes.
    pub strays: Strays,
    /// Pairs of classes of which the one is called by the other's name, the gravest first.
    pub pairs: Vec<Pair>,
    /// The two classes that look the most alike; none where there are only two, or few rows of each.
    #[serde(default)]
    pub twins: Option<Twins>,
    /// The doubtful rows, the surest first; a few of many.
    pub suspects: Vec<Suspect>,
}

/// Two classes that the network does not tell apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Twins {
    /// Their names.
    pub names: (String, String),
    /// How many rows bear the one name or the other.
    pub rows: usize,
    /// How probable it is that a row with the first name looks more like it than a row with the second; 0.5 where both look the
    /// same.
    pub order: f64,
    /// Three standard errors of that for classes that do look the same.
    pub chance: f64,
    /// The share of all other rows that are taken for what they are not labelled.
    pub wrong_elsewhere: f64,
}

/// Rows with a label that is not even likely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Strays {
    /// How many there are.
    pub rows: usize,
    /// How many there would be of 100 labels that are wrong at random, over 100; 0 of two classes, where there is no less likely half.
    pub chance: f64,
    /// How probable it is that a row with its own label looks more like its class than a stray: 0.5 where labels do not depend
    /// on the looks. None without strays.
    pub order: Option<f64>,
}

/// Rows of one class that bear the name of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// What they look like.
    pub class: String,
    /// What they are called.
    pub called: String,
    /// How many are called so.
    pub rows: usize,
    /// Of how many that look so and have one of the two names.
    pub of: usize,
    /// The lower end of the interval of this share.
    pub least: f64,
    /// How probable it is that a row with its own label looks more like the class than one that is called otherwise; 0.5 where the
    /// label does not depend on the looks.
    pub order: f64,
    /// How many rows lie between those that look like the one and those that look like the other - in the middle third of the
    /// way - as a part of the fewer of both.
    pub between: f64,
    /// The share of all rows but those that look like the class that are taken for what they are not labelled.
    pub wrong_elsewhere: f64,
    /// The rows, the surest first; a few of many.
    pub suspects: Vec<Suspect>,
}

/// A row whose label is doubtful.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The row, from 1 in the order of the data: of a table, the line after the header is row 1.
    pub row: usize,
    /// What it is called.
    pub label: String,
    /// What it looks like.
    pub class: String,
}

/// Probabilities `[rows, classes]` beside the labels.
struct Said<'a> {
    probabilities: &'a [f64],
    labels: &'a [usize],
    classes: &'a [String],
    /// Where each row stands in the data, from 0.
    rows: &'a [usize],
}

/// Rows by what is asked of them for every pair of classes, so that no pair goes through all of them.
struct Sorted {
    /// The rows of each label.
    of_label: Vec<Vec<usize>>,
    /// The rows of which each class may be, beside one other.
    likely: Vec<Vec<usize>>,
    /// Whether a row is taken for another class than its label, and how many are.
    is_wrong: Vec<bool>,
    wrong: usize,
}

impl LabelCheck {
    /// Of the answers to the validation rows; none where no classes are learned, or a number is not finite.
    pub fn of(answers: &Answers<'_>) -> Option<LabelCheck> {
        let Some(Predictions::Classes { probabilities, labels, classes }) = answers.of_classes() else {
            return None;
        };
        LabelCheck::of_rows(answers.epoch, answers.rows, (&probabilities, &labels), &classes)
    }

    /// Of the rows at `rows` of the data, with `[rows, classes]` probabilities and a label each.
    pub fn of_rows(
        epoch: usize,
        rows: &[usize],
        (probabilities, labels): (&[f64], &[usize]),
        classes: &[String],
    ) -> Option<LabelCheck> {
        if rows.is_empty() || classes.len() < 2 || probabilities.iter().any(|p| !p.is_finite()) {
            return None;
        }
        let said = Said { probabilities, labels, classes, rows };
        let joint = ConfidentJoint::of(probabilities, labels, classes.len());
        let sure: Vec<(usize, usize)> =
            (0..labels.len()).filter_map(|at| Some((at, joint.class_of(at)?))).collect();
        let mut doubtful: Vec<(usize, usize)> =
            sure.iter().copied().filter(|&(at, class)| labels[at] != class).collect();
        let margin = |&(at, class): &(usize, usize)| said.of(at)[class] - said.of(at)[labels[at]];
        doubtful.sort_by(|a, b| margin(b).total_cmp(&margin(a)).then(a.0.cmp(&b.0)));
        let sorted = said.sorted();
        Some(LabelCheck {
            epoch,
            rows: labels.len(),
            sure: sure.len(),
            doubtful: doubtful.len(),
            doubtful_share: joint.doubtful_share(),
            strays: said.strays(&sure),
            pairs: said.pairs(&sorted),
            twins: said.twins(&sorted),
            suspects: said.suspects(doubtful.iter().copied()),
        })
    }

    /// The share of random labels that strays tell of; none where they cannot tell.
    pub fn random_share(&self) -> Option<f64> {
        let Strays { rows, chance, .. } = self.strays;
        (chance > 0.0 && self.sure > 0).then(|| rows as f64 / self.sure as f64 / chance)
    }

    /// The lower end of the interval of that share.
    pub fn least_random_share(&self) -> Option<f64> {
        let Strays { rows, chance, .. } = self.strays;
        self.random_share().map(|_| lower_end(rows, self.sure, TAIL) / chance)
    }
}

impl Said<'_> {
    fn of(&self, at: usize) -> &[f64] {
        let width = self.classes.len();
        &self.probabilities[at * width..(at + 1) * width]
    }

    fn suspects(&self, of: impl Iterator<Item = (usize, usize)>) -> Vec<Suspect> {
        let suspect = |(at, class): (usize, usize)| Suspect {
            row: self.rows[at] + 1,
            label: self.classes[self.labels[at]].clone(),
            class: self.classes[class].clone(),
        };
        of.take(MOST_SUSPECTS).map(suspect).collect()
    }

    /// Of rows with the class that each surely has.
    fn strays(&self, sure: &[(usize, usize)]) -> Strays {
        let others = self.classes.len() - 1;
        // So many of the others are likelier than the label.
        let is_far = |likelier: usize| 2 * likelier >= others;
        let chance = (0..others).filter(|&likelier| is_far(likelier)).count() as f64 / others as f64;
        if others < 2 {
            return Strays::default();
        }
        let is_stray = |at: usize, class: usize| {
            let (said, label) = (self.of(at), self.labels[at]);
            let likelier = said.iter().enumerate().filter(|&(other, p)| other != class && *p > said[label]);
            label != class && is_far(likelier.count())
        };
        let strays: Vec<(usize, usize)> =
            sure.iter().copied().filter(|&(at, class)| is_stray(at, class)).collect();
        Strays { rows: strays.len(), chance, order: self.order_of(sure, &strays) }
    }

    /// How often rows with their own label are likelier of their class than strays, class by class, over all such comparisons.
    fn order_of(&self, sure: &[(usize, usize)], strays: &[(usize, usize)]) -> Option<f64> {
        let mut of_class = vec![(Vec::new(), Vec::new()); self.classes.len()];
        let mut add = |at: usize, class: usize, is_own: bool| {
            of_class[class].0.push(self.of(at)[class]);
            of_class[class].1.push(is_own);
        };
        sure.iter()
            .filter(|&&(at, class)| self.labels[at] == class)
            .for_each(|&(at, class)| add(at, class, true));
        strays.iter().for_each(|&(at, class)| add(at, class, false));
        let (mut ordered, mut comparisons) = (0.0, 0.0);
        for (scores, is_own) in &of_class {
            let own = is_own.iter().filter(|own| **own).count();
            let weight = (own * (is_own.len() - own)) as f64;
            if weight > 0.0 {
                ordered += weight * auroc(scores, is_own);
                comparisons += weight;
            }
        }
        (comparisons > 0.0).then(|| ordered / comparisons)
    }

    fn sorted(&self) -> Sorted {
        let mut of_label = vec![Vec::new(); self.classes.len()];
        let mut likely = vec![Vec::new(); self.classes.len()];
        let mut is_wrong = vec![false; self.labels.len()];
        for (at, &label) in self.labels.iter().enumerate() {
            let said = self.of(at);
            of_label[label].push(at);
            said.iter()
                .enumerate()
                .filter(|(_, p)| **p >= BOTH / 2.0)
                .for_each(|(class, _)| likely[class].push(at));
            is_wrong[at] = said.iter().any(|p| *p > said[label]);
        }
        let wrong = is_wrong.iter().filter(|is_wrong| **is_wrong).count();
        Sorted { of_label, likely, is_wrong, wrong }
    }

    /// The two classes that are hardest to tell apart, of those with enough rows that share their probability.
    fn twins(&self, sorted: &Sorted) -> Option<Twins> {
        let classes = self.classes.len();
        let has_rows = |class: &usize| sorted.of_label[*class].len() >= FEWEST_OF_TWIN;
        let shared = |class: usize, other: usize| {
            let rows = &sorted.of_label[class];
            rows.iter().map(|&at| self.of(at)[other]).sum::<f64>() / rows.len() as f64
        };
        let pairs = (0..classes).filter(has_rows).flat_map(|a| (0..a).filter(has_rows).map(move |b| (b, a)));
        let alike = pairs.filter(|&(a, b)| shared(a, b) > SHARED && shared(b, a) > SHARED);
        let twins = alike.map(|(a, b)| self.twin(sorted, a, b)).min_by(|a, b| a.order.total_cmp(&b.order));
        twins.filter(|_| classes > 2)
    }

    fn twin(&self, sorted: &Sorted, a: usize, b: usize) -> Twins {
        let look = |&at: &usize| self.of(at)[a] - self.of(at)[b];
        let (of_a, of_b) = (&sorted.of_label[a], &sorted.of_label[b]);
        let looks: Vec<f64> = of_a.iter().chain(of_b).map(look).collect();
        let is_a: Vec<bool> = (0..looks.len()).map(|at| at < of_a.len()).collect();
        let left_out: Vec<(usize, f64)> = of_a.iter().chain(of_b).map(|&at| (at, 0.0)).collect();
        // Of the area under a curve that says nothing (Mann and Whitney, 1947).
        let (m, n) = (of_a.len() as f64, of_b.len() as f64);
        Twins {
            names: (self.classes[a].clone(), self.classes[b].clone()),
            rows: looks.len(),
            order: auroc(&looks, &is_a),
            chance: 3.0 * ((m + n + 1.0) / (12.0 * m * n)).sqrt(),
            wrong_elsewhere: sorted.wrong_but_for(&left_out),
        }
    }

    /// The gravest pairs of classes of which one seems to be called by the other's name.
    fn pairs(&self, sorted: &Sorted) -> Vec<Pair> {
        let classes = self.classes.len();
        let mut candidates = vec![0; classes * classes];
        for (at, &label) in self.labels.iter().enumerate() {
            for (class, p) in self.of(at).iter().enumerate() {
                candidates[label * classes + class] += usize::from(class != label && *p >= EITHER);
            }
        }
        let is_candidate = |&pair: &usize| candidates[pair] >= FEWEST_CALLED;
        let pairs: Vec<usize> = (0..classes * classes).filter(is_candidate).collect();
        let tail = TAIL / pairs.len().max(1) as f64;
        let of = |pair: &usize| self.pair(sorted, (pair / classes, pair % classes), tail);
        let mut pairs: Vec<Pair> = pairs.iter().filter_map(of).collect();
        pairs.sort_by(|a, b| b.least.total_cmp(&a.least));
        pairs.truncate(MOST_PAIRS);
        pairs
    }

    /// Rows that look like `class` and are called `called`; none where there are few, or the two are not told apart.
    fn pair(&self, sorted: &Sorted, (called, class): (usize, usize), tail: f64) -> Option<Pair> {
        // How much more like the class than like the other, and whether it is about the two at all.
        let looks = |at: usize| {
            let (p, q) = (self.of(at)[class], self.of(at)[called]);
            (p / (p + q).max(f64::MIN_POSITIVE), p + q > BOTH)
        };
        let of_label =
            |label: usize| sorted.of_label[label].iter().map(|&at| looks(at).0).collect::<Vec<f64>>();
        let border = (median(&of_label(class)) + median(&of_label(called))) / 2.0;
        let (mut like_class, mut like_other) = (Vec::new(), Vec::new());
        let likelier_other = sorted.likely[called].iter().filter(|&&at| self.of(at)[class] < BOTH / 2.0);
        for &at in sorted.likely[class].iter().chain(likelier_other).filter(|&&at| looks(at).1) {
            let side = if looks(at).0 > border { &mut like_class } else { &mut like_other };
            side.push((at, looks(at).0));
        }
        let middle = |side: &[(usize, f64)]| median(&side.iter().map(|(_, look)| *look).collect::<Vec<_>>());
        let (low, high) = (middle(&like_other), middle(&like_class));
        let named: Vec<(usize, f64)> = like_class
            .iter()
            .copied()
            .filter(|&(at, _)| self.labels[at] == class || self.labels[at] == called)
            .collect();
        let mut suspects: Vec<(usize, f64)> =
            named.iter().copied().filter(|&(at, _)| self.labels[at] == called).collect();
        let is_own: Vec<bool> = named.iter().map(|&(at, _)| self.labels[at] == class).collect();
        let order = auroc(&named.iter().map(|(_, look)| *look).collect::<Vec<_>>(), &is_own);
        let is_rare =
            suspects.len() < FEWEST_CALLED || (suspects.len() as f64) < LEAST_SHARE * named.len() as f64;
        if is_rare || high - low < GAP || !order.is_finite() {
            return None;
        }
        let third = (high - low) / 3.0;
        let fewer = like_class.len().min(like_other.len());
        let is_between = |&&(_, look): &&(usize, f64)| look > low + third && look < high - third;
        let between = like_class.iter().chain(&like_other).filter(is_between).count();
        suspects.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Some(Pair {
            class: self.classes[class].clone(),
            called: self.classes[called].clone(),
            rows: suspects.len(),
            of: named.len(),
            least: lower_end(suspects.len(), named.len(), tail),
            order,
            between: between as f64 / fewer.max(1) as f64,
            wrong_elsewhere: sorted.wrong_but_for(&like_class),
            suspects: self.suspects(suspects.iter().map(|&(at, _)| (at, class))),
        })
    }
}

impl Sorted {
    /// The share of all rows but these that are taken for another class than their label; 1 where there are no others.
    fn wrong_but_for(&self, left_out: &[(usize, f64)]) -> f64 {
        let others = self.is_wrong.len() - left_out.len();
        let wrong = self.wrong - left_out.iter().filter(|(at, _)| self.is_wrong[*at]).count();
        if others == 0 { 1.0 } else { wrong as f64 / others as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    const CLASSES: usize = 8;

    /// Rows of eight classes in turn, of which the network is as sure as `sure` says; the class after it is the runner-up.
    /// `label` says what a row of a class is called.
    fn check(sure: impl Fn(usize) -> f64, label: impl Fn(usize, usize) -> usize) -> LabelCheck {
        let rows: Vec<usize> = (0..800).collect();
        let class = |row: usize| row % CLASSES;
        let said = |&row: &usize| {
            let rest = 1.0 - sure(row);
            let mut said = vec![0.0; CLASSES];
            // What is left goes to half of it to the next class, to the half of that to the one after it, and so on.
            (1..CLASSES).for_each(|by| said[(class(row) + by) % CLASSES] = rest * 0.5_f64.powi(by as i32));
            said[class(row)] = sure(row);
            said
        };
        let probabilities: Vec<f64> = rows.iter().flat_map(said).collect();
        let labels: Vec<usize> = rows.iter().map(|&row| label(row, class(row))).collect();
        let names: Vec<String> = (0..CLASSES).map(|class| format!("class {class}")).collect();
        LabelCheck::of_rows(1, &rows, (&probabilities, &labels), &names).unwrap()
    }

    fn confidence(row: usize) -> f64 {
        0.8 + 0.1 * noise(row)
    }

    /// A number from 0 to 1 that has nothing to do with how sure the network is.
    fn chance(row: usize) -> f64 {
        0.5 + 0.5 * noise(row + 10_000)
    }

    #[test]
    fn strays_estimate_how_many_labels_are_random() {
        let random = |row: usize, class: usize| match chance(row) < 0.3 {
            true => (class + 1 + row / CLASSES % (CLASSES - 1)) % CLASSES,
            false => class,
        };
        let found = check(confidence, random);
        let (share, least) = (found.random_share().unwrap(), found.least_random_share().unwrap());
        assert!((share - 0.3).abs() < 0.06 && least < share && least > 0.2, "{share} {least}");
        assert!((found.strays.order.unwrap() - 0.5).abs() < 0.1, "{found:?}");
        assert!(found.suspects.iter().all(|suspect| chance(suspect.row - 1) < 0.3));
    }

    #[test]
    fn labels_of_the_runner_up_are_no_strays() {
        let found =
            check(confidence, |row, class| if chance(row) < 0.3 { (class + 1) % CLASSES } else { class });
        assert!(found.doubtful > 50, "{found:?}");
        assert_eq!((found.strays.rows, found.least_random_share()), (0, Some(0.0)));
    }

    #[test]
    fn a_class_called_by_anothers_name_is_a_pair_whose_names_are_mixed() {
        let called = |row: usize, class: usize| if class == 2 && chance(row) < 0.5 { 3 } else { class };
        let found = check(confidence, called);
        let pair = &found.pairs[0];
        assert_eq!((pair.class.as_str(), pair.called.as_str()), ("class 2", "class 3"));
        assert_eq!((pair.of, pair.between), (100, 0.0));
        assert!(
            pair.least > 0.3 && (pair.order - 0.5).abs() < 0.15 && pair.wrong_elsewhere == 0.0,
            "{pair:?}"
        );
    }

    #[test]
    fn rows_near_the_border_are_not_mixed_with_those_far_from_it() {
        // Half of class 2 lies near class 3, and of it half is of class 3.
        let near = |row: usize| row % CLASSES == 2 && row % 16 < CLASSES;
        let sure = |row: usize| if near(row) { 0.55 } else { confidence(row) };
        let found = check(sure, |row, class| if near(row) && chance(row) < 0.5 { 3 } else { class });
        let pair = found.pairs.iter().find(|pair| pair.class == "class 2").unwrap();
        assert!(pair.order > 0.8, "{pair:?}");
    }

    #[test]
    fn a_class_of_two_names_are_twins_and_two_that_are_hard_to_tell_are_none() {
        let rows: Vec<usize> = (0..900).collect();
        let names: Vec<String> = ["ash", "birch", "cedar"].map(String::from).to_vec();
        // Rows of the last class are well told; of the others the network says what `look` says.
        let check = |look: &dyn Fn(usize) -> f64| {
            let said = |&row: &usize| match row % 3 {
                2 => [0.05, 0.05, 0.9],
                _ => [0.9 * look(row), 0.9 * (1.0 - look(row)), 0.1],
            };
            let probabilities: Vec<f64> = rows.iter().flat_map(said).collect();
            let labels: Vec<usize> = rows.iter().map(|row| row % 3).collect();
            LabelCheck::of_rows(1, &rows, (&probabilities, &labels), &names).unwrap().twins.unwrap()
        };
        let twins = check(&|row| 0.5 + 0.1 * noise(row));
        assert_eq!((twins.names.0.as_str(), twins.names.1.as_str(), twins.rows), ("ash", "birch", 600));
        assert!((twins.order - 0.5).abs() < twins.chance && twins.wrong_elsewhere == 0.0, "{twins:?}");
        let hard = check(&|row| 0.5 + 0.1 * noise(row) + if row % 3 == 0 { 0.1 } else { 0.0 });
        assert!(hard.order > 0.5 + hard.chance, "{hard:?}");
    }

    #[test]
    fn what_is_not_finite_or_no_choice_says_nothing() {
        let names = |count: usize| vec!["x".to_string(); count];
        assert_eq!(LabelCheck::of_rows(1, &[0], (&[f64::NAN, 0.5], &[0]), &names(2)), None);
        assert_eq!(LabelCheck::of_rows(1, &[0], (&[1.0], &[0]), &names(1)), None);
        assert_eq!(LabelCheck::of_rows(1, &[], (&[], &[]), &names(2)), None);
    }
}
