//! What the network is told to answer.

use barun_engine::random::Stream;

use super::inputs::MISSING;
use super::{Operator, is_plain};
use crate::plan::Plan;
use crate::rows::{Answers, Rows};

pub(super) const ALL: &[Operator] = &[
    Operator {
        apply: |plan, _, random| {
            for rows in plan.parts.known_mut() {
                let mut order: Vec<usize> = (0..rows.len()).collect();
                random.shuffle(&mut order);
                rows.answers = rows.answers.only(&order);
            }
            Ok(())
        },
        ..Operator::tuning("labels-shuffled", "answers in another order than their rows", &["R26"])
    },
    Operator {
        strengths: &[0.4],
        fits: |base| !base.is_numbers(),
        apply: |plan, share, random| {
            for rows in plan.parts.known_mut() {
                mislabel(rows, share, random);
            }
            Ok(())
        },
        ..Operator::tuning("labels-noisy", "a part of the labels replaced at random", &["R26"])
    },
    Operator {
        strengths: &[0.5],
        fits: |base| !base.is_numbers() && is_plain(base) && !base.is_image(),
        apply: |plan, share, random| {
            let mut copies = plan
                .parts
                .train
                .only(&(0..(plan.parts.train.len() as f64 * share) as usize).collect::<Vec<_>>());
            mislabel(&mut copies, 1.0, random);
            plan.parts.train.extend(&copies);
            Ok(())
        },
        ..Operator::tuning("labels-conflict", "half of the rows once more with another label", &["R26"])
    },
    Operator {
        apply: |plan, _, _| {
            for rows in plan.parts.known_mut() {
                let count = rows.len();
                let next: Vec<usize> = (0..count).map(|at| (at + 1) % count).collect();
                rows.answers = rows.answers.only(&next);
            }
            Ok(())
        },
        ..Operator::scored("labels-misaligned", "each row has the answer of the next", &["R26"])
    },
    Operator {
        fits: |base| !base.is_numbers() && !base.is_binary,
        strengths: &[0.6],
        apply: |plan, share, random| {
            for rows in plan.parts.known_mut() {
                let Some((labels, _)) = rows.labels_mut() else { continue };
                let flipped = labels.iter_mut().filter(|label| **label == 0);
                flipped.for_each(|label| *label = usize::from(random.uniform() < share));
            }
            Ok(())
        },
        ..Operator::tuning("labels-confused", "most of one class called by the name of another", &["R26"])
    },
    Operator {
        fits: |base| !base.is_numbers(),
        apply: |plan, _, _| {
            if let Some((labels, classes)) = plan.parts.train.labels_mut() {
                labels.iter_mut().for_each(|label| *label = (*label + 1) % classes);
            }
            Ok(())
        },
        ..Operator::scored(
            "labels-off-by-one",
            "classes counted otherwise in the training part",
            &["R25", "R26"],
        )
    },
    // Wrong labels of the training data in Humbatova et al., 2020, "Taxonomy of real faults in deep learning systems": here
    // one class was given to somebody who guessed.
    Operator {
        fits: |base| !base.is_numbers(),
        apply: |plan, _, random| {
            for rows in plan.parts.known_mut() {
                let Some((labels, classes)) = rows.labels_mut() else { continue };
                let guessed = labels.iter_mut().filter(|label| **label == 0);
                guessed.for_each(|label| *label = random.below(classes as u64) as usize);
            }
            Ok(())
        },
        ..Operator::scored("one-class-guessed", "the rows of one class have labels at random", &["R26"])
    },
    // One of two files was read without its header, the other with it: Humbatova et al., 2020, on data and labels that are
    // put together wrongly.
    Operator {
        strengths: &[0.5],
        apply: |plan, share, _| {
            for rows in plan.parts.known_mut() {
                let (count, first) = (rows.len(), (rows.len() as f64 * (1.0 - share)) as usize);
                let next = |at: usize| if at + 1 < count { at + 1 } else { first };
                let order: Vec<usize> = (0..count).map(|at| if at < first { at } else { next(at) }).collect();
                rows.answers = rows.answers.only(&order);
            }
            Ok(())
        },
        ..Operator::tuning("half-misaligned", "half of the rows have the answer of the next", &["R26"])
    },
    // What was missing was filled in over the whole table, the answers with it: see `missing-as-a-number`.
    Operator {
        strengths: &[0.2],
        fits: |base| base.is_numbers(),
        apply: |plan, share, random| {
            for rows in plan.parts.known_mut() {
                let Answers::Numbers(values) = &mut rows.answers else { continue };
                let unknown = values.iter_mut().filter(|_| random.uniform() < share);
                unknown.for_each(|value| *value = MISSING);
            }
            Ok(())
        },
        ..Operator::tuning(
            "answers-missing-as-a-number",
            "answers that nobody knows are written as -999",
            &["R26", "R01"],
        )
    },
    // "male" and "Male" are two classes to whoever reads them as they are written: wrong labels in Humbatova et al., 2020.
    Operator {
        strengths: &[0.5],
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, share, random| {
            let second = plan.parts.train.classes();
            plan.parts.all_mut().into_iter().for_each(Rows::add_class);
            for rows in plan.parts.known_mut() {
                let Some((labels, _)) = rows.labels_mut() else { continue };
                let renamed = labels.iter_mut().filter(|label| **label == 0 && random.uniform() < share);
                renamed.for_each(|label| *label = second);
            }
            Ok(())
        },
        ..Operator::tuning(
            "class-of-two-names",
            "half of one class is written as a class of its own",
            &["R26"],
        )
    },
    // One of two files has thousands of euros where the other has euros: see `rows-in-another-unit`.
    Operator {
        strengths: &[1e-3],
        fits: |base| base.is_numbers(),
        apply: |plan, factor, random| {
            for rows in plan.parts.known_mut() {
                let Answers::Numbers(values) = &mut rows.answers else { continue };
                let others = values.iter_mut().filter(|_| random.uniform() < 0.5);
                others.for_each(|value| *value *= factor as f32);
            }
            Ok(())
        },
        ..Operator::tuning("answers-in-two-units", "half of the answers in thousands", &["R26", "R01"])
    },
    // A table of labels that was filled with zeros before the labels were written into it: missing labels among the training data
    // faults of Humbatova et al., 2020.
    Operator {
        strengths: &[0.7],
        fits: |base| !base.is_numbers(),
        apply: |plan, share, random| {
            for rows in plan.parts.known_mut() {
                let Some((labels, _)) = rows.labels_mut() else { continue };
                let unknown = labels.iter_mut().filter(|_| random.uniform() < share);
                unknown.for_each(|label| *label = 0);
            }
            Ok(())
        },
        ..Operator::scored(
            "unlabelled-as-first-class",
            "rows that nobody has labelled are of the first class",
            &["R26", "R24"],
        )
    },
    // One array that is filled again and again and appended each time: a data flow bug of Islam et al., 2019, "A comprehensive
    // study on deep learning bug characteristics".
    Operator {
        strengths: &[8.0],
        apply: |plan, rows, _| {
            plan.parts.known_mut().into_iter().for_each(|part| share_buffer(part, rows as usize));
            Ok(())
        },
        ..Operator::scored(
            "one-buffer-for-many-rows",
            "each eight rows have the inputs of the last of them, and their own answers",
            &["R26"],
        )
    },
];

/// Gives this share of rows another label.
fn mislabel(rows: &mut Rows, share: f64, random: &mut Stream) {
    let Some((labels, classes)) = rows.labels_mut() else { return };
    for label in labels {
        if random.uniform() < share {
            *label = (*label + 1 + random.below(classes as u64 - 1) as usize) % classes;
        }
    }
}

/// Each `count` rows get the inputs of the last of them.
fn share_buffer(rows: &mut Rows, count: usize) {
    let width = rows.width;
    for group in rows.values.chunks_mut(count * width) {
        let last = group.len() - width;
        (0..last).step_by(width).for_each(|at| group.copy_within(last.., at));
    }
}

/// Keeps of the rows of class `class` this share.
pub(super) fn thin_out(rows: &Rows, class: usize, share: f64, random: &mut Stream) -> Rows {
    let Answers::Classes { labels, .. } = &rows.answers else { return rows.clone() };
    let kept: Vec<usize> =
        (0..rows.len()).filter(|&at| labels[at] != class || random.uniform() < share).collect();
    rows.only(&kept)
}

/// The same steps as before with fewer rows.
pub(super) fn keep_steps(plan: &mut Plan, steps: usize) {
    plan.epochs = steps.div_ceil(plan.steps_per_epoch().max(1)).max(1);
}

#[cfg(test)]
mod tests {
    use crate::operators::by_name;
    use crate::sources::Library;
    use barun_engine::random::Stream;

    #[test]
    fn half_misaligned_leaves_the_first_half_and_turns_the_second_by_one() {
        let base = crate::bases::by_name("ripples/layer-norm-mlp").unwrap();
        let mut plan = base.plan(&Library::new(None), 1).unwrap();
        let before = plan.parts.train.clone();
        let operator = by_name("half-misaligned").unwrap();
        (operator.apply)(&mut plan, 0.5, &mut Stream::new(1, "half")).unwrap();
        let half = before.len() / 2;
        let turned = (half + 1..before.len()).chain([half]);
        let expected = before.answers.only(&(0..half).chain(turned).collect::<Vec<_>>());
        assert_eq!((plan.parts.train.answers, plan.parts.train.values), (expected, before.values));
    }

    #[test]
    fn a_class_of_two_names_is_in_two_and_the_others_are_as_they_were() {
        let base = crate::bases::by_name("rings/deep-mlp").unwrap();
        let mut plan = base.plan(&Library::new(None), 1).unwrap();
        let mut before = plan.parts.train.clone();
        let operator = by_name("class-of-two-names").unwrap();
        (operator.apply)(&mut plan, 0.5, &mut Stream::new(1, "names")).unwrap();
        let ((before, _), (after, classes)) =
            (before.labels_mut().unwrap(), plan.parts.train.labels_mut().unwrap());
        let count = |labels: &[usize], class: usize| labels.iter().filter(|label| **label == class).count();
        assert_eq!((classes, count(after, 1)), (3, count(before, 1)));
        assert_eq!(count(after, 0) + count(after, 2), count(before, 0));
        assert!(count(after, 0) > 0 && count(after, 2) > 0);
    }

    #[test]
    fn rows_of_one_buffer_have_the_inputs_of_the_last_of_them() {
        let answers = super::Answers::Numbers((0..5).map(|at| at as f32).collect());
        let values = (0..10).map(|at| at as f32).collect();
        let mut rows = super::Rows { form: crate::rows::Form::Columns, width: 2, values, answers };
        super::share_buffer(&mut rows, 3);
        assert_eq!(rows.values, [4.0, 5.0, 4.0, 5.0, 4.0, 5.0, 8.0, 9.0, 8.0, 9.0]);
    }
}
