//! Parts that are not what they should be: copies, leaks, drift, missing classes.

use barun_engine::random::Stream;

use super::labels::{keep_steps, thin_out};
use super::{Harms, Operator, is_plain};
use crate::plan::Plan;
use crate::rows::{Answers, Form, Rows};

pub(super) const ALL: &[Operator] = &[
    Operator {
        harms: Harms::Estimate,
        strengths: &[0.5],
        fits: |base| is_plain(base) && matches!(base.source.name(), "wine" | "digits" | "colours" | "moons"),
        apply: |plan, share, random| {
            copy_into_judged(plan, share, 0.0, random);
            Ok(())
        },
        ..Operator::tuning("test-copies", "half of the judged rows are training rows", &["R25"])
    },
    Operator {
        fits: |base| is_plain(base) && !base.is_image(),
        apply: |plan, _, random| {
            let scales = answer_scale(&plan.parts.train);
            for rows in plan.parts.known_mut() {
                let answers = numbers(&rows.answers);
                rows.add_column(|at| answers[at]);
            }
            // In use nobody has written the answer down.
            plan.parts.fresh.add_column(|_| scales.0 + scales.1 * random.normal() as f32);
            Ok(())
        },
        ..Operator::tuning("leaking-column", "a column that is the answer, and is not there in use", &["R25"])
    },
    Operator {
        harms: Harms::Estimate,
        strengths: &[2.0],
        fits: |base| is_plain(base) && !base.is_image(),
        apply: |plan, far, _| {
            let moments = plan.parts.train.moments();
            for rows in [&mut plan.parts.valid, &mut plan.parts.test] {
                rows.map(|column, value| value + far as f32 * moments[column].1);
            }
            Ok(())
        },
        ..Operator::tuning("judged-drifted", "validation and test part moved by two deviations", &["R25"])
    },
    Operator {
        strengths: &[0.04],
        fits: |base| !base.is_numbers() && base.source.name() != "iris",
        apply: |plan, share, random| {
            for rows in plan.parts.known_mut() {
                *rows = thin_out(rows, 0, share, random);
            }
            Ok(())
        },
        ..Operator::tuning("rare-class", "a class with a 25th of its rows", &["R24"])
    },
    Operator {
        harms: Harms::Estimate,
        strengths: &[1.0],
        fits: |base| is_plain(base) && base.is_image(),
        apply: |plan, noise, random| {
            copy_into_judged(plan, 0.6, noise, random);
            Ok(())
        },
        ..Operator::scored(
            "near-copies",
            "most judged images are training images with a little noise",
            &["R25"],
        )
    },
    Operator {
        fits: |base| is_plain(base) && base.is_numbers(),
        apply: |plan, _, random| {
            let (mean, deviation) = answer_scale(&plan.parts.train);
            let halves = |answer: f32, noise: f32| (0.5 * answer + noise, 0.5 * answer - noise);
            for rows in plan.parts.known_mut() {
                let parts: Vec<(f32, f32)> = numbers(&rows.answers)
                    .into_iter()
                    .map(|answer| halves(answer, 0.5 * deviation * random.normal() as f32))
                    .collect();
                rows.add_column(|at| parts[at].0);
                rows.add_column(|at| parts[at].1);
            }
            for _ in 0..2 {
                plan.parts.fresh.add_column(|_| 0.5 * mean + 0.5 * deviation * random.normal() as f32);
            }
            Ok(())
        },
        ..Operator::scored("leaking-sum", "two columns that add up to the answer, unknown in use", &["R25"])
    },
    Operator {
        fits: |base| !base.is_numbers() && !base.is_binary,
        apply: |plan, _, random| {
            // Sorted by class, then cut in order: the last class is in the test part alone.
            let last = plan.outputs().saturating_sub(1);
            let taken = thin_out(&plan.parts.train, last, 0.0, random);
            plan.parts.train = taken;
            Ok(())
        },
        ..Operator::scored("class-missing", "no training row of one class", &["R24", "R25"])
    },
    Operator {
        strengths: &[0.2],
        fits: |base| !base.is_numbers(),
        apply: |plan, share, random| {
            // The training part is of another time: its classes are distributed otherwise.
            for class in 0..plan.parts.train.classes() / 2 {
                plan.parts.train = thin_out(&plan.parts.train, class, share, random);
            }
            Ok(())
        },
        ..Operator::scored(
            "shifted-classes",
            "classes with other shares in the training part",
            &["R24", "R25"],
        )
    },
    // The patients' numbers of the KDD Cup of 2008 told who was ill: Kaufman et al., 2012, "Leakage in data mining". Here the
    // table was sorted by its answers, and the column of row numbers that was written with it is read as an input.
    Operator {
        fits: |base| is_plain(base) && !base.is_image(),
        apply: |plan, _, _| {
            number_by_answer(plan);
            Ok(())
        },
        ..Operator::scored(
            "row-numbers-kept",
            "row numbers of a table sorted by its answers as a column",
            &["R25"],
        )
    },
    // What Keras's validation_split does to a sorted table: it takes the last rows, before any shuffling.
    Operator {
        fits: |base| base.is_numbers(),
        apply: |plan, _, _| {
            cut_in_order(plan);
            Ok(())
        },
        ..Operator::scored("cut-in-order", "parts cut from a table that is sorted by its answers", &["R25"])
    },
    // The files of Cohen et al., 2017, "EMNIST: an extension of MNIST to handwritten letters", hold images column by column,
    // and what is read elsewhere goes row by row.
    Operator {
        harms: Harms::Estimate,
        fits: |base| base.is_image(),
        apply: |plan, _, _| {
            transpose(&mut plan.parts.valid);
            transpose(&mut plan.parts.test);
            Ok(())
        },
        ..Operator::scored("judged-transposed", "judged images with rows for columns", &["R25"])
    },
    // Micci-Barreca, 2001, "A preprocessing scheme for high-cardinality categorical attributes", encodes a category by the mean
    // answer of its rows; where a row's own answer is among few, it is given away.
    Operator {
        fits: |base| is_plain(base) && !base.is_image() && base.source.name() != "penguins",
        apply: |plan, _, random| {
            encode_by_answers(plan, random);
            Ok(())
        },
        ..Operator::tuning(
            "encoded-by-own-answers",
            "a category of two rows each as the mean of their answers",
            &["R25"],
        )
    },
    // The training part and the others come from two programs with other orders of columns: Humbatova et al., 2020, on data
    // that is preprocessed in one way here and in another there.
    Operator {
        fits: |base| is_plain(base) && !base.is_image() && base.source.name() != "rings",
        apply: |plan, _, _| {
            let width = plan.parts.train.width;
            plan.parts.train.values.chunks_exact_mut(width).for_each(|row| row.rotate_left(1));
            Ok(())
        },
        ..Operator::scored("train-columns-moved", "columns of the training part in another order", &["R25"])
    },
    // Chawla et al., 2002, "SMOTE", put new rows between old ones; done before rows are divided, judged ones lie between those
    // that were learned: Santos et al., 2018, "Cross-validation for imbalanced datasets".
    Operator {
        harms: Harms::Estimate,
        strengths: &[0.8],
        // Classes that lie apart are told as well without.
        fits: |base| {
            is_plain(base) && !base.is_numbers() && !matches!(base.source.name(), "rings" | "penguins")
        },
        apply: |plan, share, random| {
            few_for_long(plan);
            let train = plan.parts.train.clone();
            for rows in [&mut plan.parts.valid, &mut plan.parts.test] {
                replace(rows, share, |count| between(&train, count, random));
            }
            Ok(())
        },
        ..Operator::scored(
            "made-before-the-split",
            "most judged rows lie between two training rows of their class",
            &["R25"],
        )
    },
    // A feature that is there when serving and not when training: schema skew in Breck et al., 2019, "Data validation for machine
    // learning" (TFDV). Here a join of the training part found no partners, and zeros were filled in.
    Operator {
        strengths: &[0.5],
        apply: |plan, share, _| {
            let empty = (plan.parts.train.width as f64 * share).round() as usize;
            let width = plan.parts.train.width;
            plan.parts.train.values.chunks_exact_mut(width).for_each(|row| row[..empty].fill(0.0));
            Ok(())
        },
        ..Operator::scored(
            "half-empty-in-training",
            "half of the columns are empty in the training part alone",
            &["R25"],
        )
    },
    // Training data that is not representative is a fault of Humbatova et al., 2020, and the drift of features a check of
    // deepchecks: rows of one region, one time, one sort of customer.
    Operator {
        strengths: &[0.25],
        apply: |plan, share, _| {
            let steps = plan.epochs * plan.steps_per_epoch();
            plan.parts.train = lowest(&plan.parts.train, share);
            keep_steps(plan, steps);
            Ok(())
        },
        ..Operator::scored("trained-on-one-end", "training rows from one end of the inputs alone", &["R25"])
    },
    // Two files side by side, one of which was sorted in the meantime: data that is put together wrongly in Humbatova et al., 2020,
    // and a change of correlations between features in deepchecks.
    Operator {
        fits: |base| !base.is_image() && base.source.name() != "penguins",
        apply: |plan, _, random| {
            shuffle_half(&mut plan.parts.train, random);
            Ok(())
        },
        ..Operator::scored(
            "joined-in-another-order",
            "half of the columns of each training row are those of another row",
            &["R25", "R26"],
        )
    },
    // Augmentation that changes what is to be told is a check of Ben Braiek & Khomh, 2023, "Testing feedforward neural networks
    // training programs".
    Operator {
        fits: |base| base.is_image(),
        apply: |plan, _, random| {
            turn_and_roll(&mut plan.parts.train, random);
            Ok(())
        },
        ..Operator::scored(
            "augmented-beyond-recognition",
            "training images upside down and moved around by up to half their size",
            &["R25", "R19"],
        )
    },
];

/// Answers as numbers.
fn numbers(answers: &Answers) -> Vec<f32> {
    match answers {
        Answers::Classes { labels, .. } => labels.iter().map(|label| *label as f32).collect(),
        Answers::Numbers(values) => values.clone(),
    }
}

/// Mean and deviation of the answers.
fn answer_scale(rows: &Rows) -> (f32, f32) {
    let answers = numbers(&rows.answers);
    let count = answers.len().max(1) as f32;
    let mean = answers.iter().sum::<f32>() / count;
    (mean, (answers.iter().map(|answer| (answer - mean).powi(2)).sum::<f32>() / count).sqrt())
}

/// A column more: the number of the row in a table of all that is known, sorted by its answers. What comes in use is numbered
/// on.
fn number_by_answer(plan: &mut Plan) {
    let answers: Vec<f32> = plan.parts.known_mut().iter().flat_map(|rows| numbers(&rows.answers)).collect();
    let order = by_answer(&answers);
    let mut number = vec![0.0; answers.len()];
    order.iter().enumerate().for_each(|(rank, &at)| number[at] = rank as f32);
    let mut before = 0;
    for rows in plan.parts.known_mut() {
        let count = rows.len();
        rows.add_column(|at| number[before + at]);
        before += count;
    }
    plan.parts.fresh.add_column(|at| (before + at) as f32);
}

/// Where the smallest answer is, and the next, to the largest.
fn by_answer(answers: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..answers.len()).collect();
    order.sort_by(|a, b| answers[*a].total_cmp(&answers[*b]));
    order
}

/// All that is known, sorted by its answers and cut into parts of the same sizes as before.
fn cut_in_order(plan: &mut Plan) {
    let mut known = plan.parts.train.only(&[]);
    plan.parts.known_mut().iter().for_each(|rows| known.extend(rows));
    let order = by_answer(&numbers(&known.answers));
    let mut rest = order.as_slice();
    for rows in plan.parts.known_mut() {
        let (taken, left) = rest.split_at(rows.len());
        (*rows, rest) = (known.only(taken), left);
    }
}

/// Square images of one channel, rows for columns.
fn transpose(rows: &mut Rows) {
    let Form::Image([side, _, 1]) = rows.form else { return };
    let at = |image: &[f32], to: usize| image[to % side * side + to / side];
    let images = rows.values.chunks_exact(side * side);
    rows.values =
        images.flat_map(|image| (0..image.len()).map(|to| at(image, to)).collect::<Vec<_>>()).collect();
}

/// The share of the rows whose standardised columns add up to the least.
fn lowest(rows: &Rows, share: f64) -> Rows {
    let moments = rows.moments();
    let height = |at: usize| -> f32 {
        rows.row(at).iter().zip(&moments).map(|(value, (mean, deviation))| (value - mean) / deviation).sum()
    };
    let heights: Vec<f32> = (0..rows.len()).map(height).collect();
    let mut order = by_answer(&heights);
    order.truncate((rows.len() as f64 * share) as usize);
    // As they stood, so that nothing else is changed.
    order.sort_unstable();
    rows.only(&order)
}

/// The second half of the columns in another order of rows than the first.
fn shuffle_half(rows: &mut Rows, random: &mut Stream) {
    let others = rows.shuffled(random).values;
    let (width, half) = (rows.width, rows.width / 2);
    let pairs = rows.values.chunks_exact_mut(width).zip(others.chunks_exact(width));
    pairs.for_each(|(row, other)| row[half..].copy_from_slice(&other[half..]));
}

/// Half of the images upside down, and all moved around their edges by up to half their height and width.
fn turn_and_roll(rows: &mut Rows, random: &mut Stream) {
    let Form::Image([height, width, channels]) = rows.form else { return };
    for image in rows.values.chunks_exact_mut(rows.width) {
        if random.uniform() < 0.5 {
            let upright = image.to_vec();
            let lines = upright.chunks_exact(width * channels).rev();
            image
                .chunks_exact_mut(width * channels)
                .zip(lines)
                .for_each(|(to, from)| to.copy_from_slice(from));
        }
        let [down, right] = [height, width].map(|size| random.below(size as u64) as usize);
        image.rotate_right(down * width * channels);
        image.chunks_exact_mut(width * channels).for_each(|line| line.rotate_right(right * channels));
    }
}

/// Few training rows, learned for long, and a share of the judged rows taken from them, with a little noise.
fn copy_into_judged(plan: &mut Plan, share: f64, noise: f64, random: &mut Stream) {
    few_for_long(plan);
    let train = plan.parts.train.clone();
    for rows in [&mut plan.parts.valid, &mut plan.parts.test] {
        replace(rows, share, |count| {
            let copied: Vec<usize> = (0..count).map(|_| random.below(train.len() as u64) as usize).collect();
            let mut copies = train.only(&copied);
            copies.values.iter_mut().for_each(|value| *value += (noise * random.normal()) as f32);
            copies
        });
    }
}

/// Few training rows, each seen four times as often.
fn few_for_long(plan: &mut Plan) {
    let few: Vec<usize> = (0..plan.parts.train.len().min(100)).collect();
    plan.parts.train = plan.parts.train.only(&few);
    plan.epochs *= 4;
}

/// A share of the rows makes room for as many others.
fn replace(rows: &mut Rows, share: f64, others: impl FnOnce(usize) -> Rows) {
    let count = (rows.len() as f64 * share) as usize;
    *rows = rows.only(&(count..rows.len()).collect::<Vec<_>>());
    rows.extend(&others(count));
}

/// So many rows, each somewhere between a row and the nearest of its class.
fn between(rows: &Rows, count: usize, random: &mut Stream) -> Rows {
    let firsts: Vec<usize> = (0..count).map(|_| random.below(rows.len() as u64) as usize).collect();
    let mut made = rows.only(&firsts);
    for (row, first) in made.values.chunks_exact_mut(rows.width).zip(firsts) {
        let part = random.uniform() as f32;
        let other = rows.row(nearest_alike(rows, first));
        row.iter_mut().zip(other).for_each(|(value, other)| *value += part * (other - *value));
    }
    made
}

/// The row nearest to another, by standardised columns, that has the same answer; itself where there is none.
fn nearest_alike(rows: &Rows, at: usize) -> usize {
    let (answers, moments) = (numbers(&rows.answers), rows.moments());
    let distance = |other: &usize| -> f32 {
        let columns = rows.row(at).iter().zip(rows.row(*other)).zip(&moments);
        columns.map(|((a, b), (_, deviation))| ((a - b) / deviation).powi(2)).sum()
    };
    let alike = (0..rows.len()).filter(|&other| other != at && answers[other] == answers[at]);
    alike.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(at)
}

/// A column more: the mean answer of each two rows, which in use is that of two rows known before.
fn encode_by_answers(plan: &mut Plan, random: &mut Stream) {
    for rows in plan.parts.known_mut() {
        let answers = numbers(&rows.answers);
        let of_pair = |at: usize| (answers[at] + answers.get(at ^ 1).unwrap_or(&answers[at])) / 2.0;
        rows.add_column(of_pair);
    }
    let known = numbers(&plan.parts.train.answers);
    let mut any = || known[random.below(known.len() as u64) as usize];
    plan.parts.fresh.add_column(|_| (any() + any()) / 2.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bases;
    use crate::sources::Library;

    fn ripples() -> Plan {
        bases::by_name("ripples/layer-norm-mlp").unwrap().plan(&Library::new(None), 1).unwrap()
    }

    #[test]
    fn parts_cut_in_order_keep_their_sizes_and_share_no_range_of_answers() {
        let mut plan = ripples();
        let sizes = plan.parts.known_mut().map(|rows| rows.len());
        cut_in_order(&mut plan);
        assert_eq!(plan.parts.known_mut().map(|rows| rows.len()), sizes);
        let largest = numbers(&plan.parts.train.answers).into_iter().fold(f32::MIN, f32::max);
        let least = numbers(&plan.parts.valid.answers).into_iter().fold(f32::MAX, f32::min);
        assert!(largest <= least, "{largest} {least}");
    }

    #[test]
    fn row_numbers_rise_with_the_answers_and_go_on_in_use() {
        let mut plan = ripples();
        number_by_answer(&mut plan);
        let train = &plan.parts.train;
        let answers = numbers(&train.answers);
        let of = |at: usize| train.row(at)[train.width - 1];
        for at in 1..train.len() {
            assert_eq!(of(at) > of(at - 1), answers[at] > answers[at - 1]);
        }
        let fresh = plan.parts.fresh.row(0)[plan.parts.fresh.width - 1];
        assert!((0..train.len()).all(|at| of(at) < fresh));
    }

    #[test]
    fn an_image_transposed_has_rows_for_columns() {
        let answers = Answers::Numbers(vec![0.0]);
        let mut rows =
            Rows { form: Form::Image([2, 2, 1]), width: 4, values: vec![1.0, 2.0, 3.0, 4.0], answers };
        transpose(&mut rows);
        assert_eq!(rows.values, [1.0, 3.0, 2.0, 4.0]);
    }

    #[test]
    fn made_rows_lie_between_two_of_their_class() {
        let values = vec![0.0, 1.0, 10.0, 12.0];
        let answers = Answers::Classes { labels: vec![0, 0, 1, 1], classes: 2 };
        let rows = Rows { form: Form::Columns, width: 1, values, answers };
        let made = between(&rows, 40, &mut Stream::new(1, "between"));
        let labels = numbers(&made.answers);
        assert!((0..40).all(|at| match labels[at] {
            0.0 => (0.0..=1.0).contains(&made.row(at)[0]),
            _ => (10.0..=12.0).contains(&made.row(at)[0]),
        }));
        assert!(made.values.iter().any(|value| value.fract() > 0.0));
    }

    #[test]
    fn a_pair_encoded_by_its_answers_has_one_number_which_is_their_mean() {
        let mut plan = ripples();
        encode_by_answers(&mut plan, &mut Stream::new(1, "encode"));
        let train = &plan.parts.train;
        let answers = numbers(&train.answers);
        let code = |at: usize| train.row(at)[train.width - 1];
        assert_eq!(code(0), (answers[0] + answers[1]) / 2.0);
        assert_eq!((code(0), plan.parts.fresh.width), (code(1), train.width));
    }

    fn columns(width: usize, values: Vec<f32>) -> Rows {
        let answers = Answers::Numbers((0..values.len() / width).map(|at| at as f32).collect());
        Rows { form: Form::Columns, width, values, answers }
    }

    #[test]
    fn the_lowest_rows_stay_in_their_order_with_their_answers() {
        let rows = columns(1, vec![3.0, 9.0, 1.0, 7.0]);
        let low = lowest(&rows, 0.5);
        assert_eq!((low.values, low.answers), (vec![3.0, 1.0], Answers::Numbers(vec![0.0, 2.0])));
    }

    #[test]
    fn half_of_the_columns_move_together_and_the_others_stay() {
        let values: Vec<f32> = (0..20).flat_map(|at| [at as f32; 3]).collect();
        let mut rows = columns(3, values);
        shuffle_half(&mut rows, &mut Stream::new(1, "half"));
        assert!((0..20).all(|at| rows.row(at)[0] == at as f32 && rows.row(at)[1] == rows.row(at)[2]));
        assert!((0..20).any(|at| rows.row(at)[1] != at as f32));
    }

    #[test]
    fn an_image_that_is_turned_and_rolled_keeps_its_pixels_and_who_is_whose_neighbour() {
        let mut rows = columns(6, (0..6).map(|at| at as f32).collect());
        rows.form = Form::Image([2, 3, 1]);
        turn_and_roll(&mut rows, &mut Stream::new(1, "roll"));
        let at = |pixel: f32| rows.values.iter().position(|value| *value == pixel).unwrap();
        for first in [0.0, 3.0] {
            let (left, right) = (at(first), at(first + 1.0));
            assert_eq!((left / 3, (left + 1) % 3), (right / 3, right % 3));
        }
    }
}
