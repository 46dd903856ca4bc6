//! What a loss says of answers that are known to be right or wrong: whatever its formula, it must like the right ones best.
//!
//! Losses that people write themselves have no name by which a rule could know them. But of any loss of classes or numbers
//! answers can be made up for a few rows: the same for every row, right ones, and wrong ones. A loss whose sign is turned
//! likes wrong answers best; one that compares each prediction with every row's answer, because `[rows, 1]` and `[1, rows]` fit by
//! accident, does not like right numbers at all.

use barun_data::Targets;
use barun_nn::losses::{Loss, Outputs, Task};
use barun_nn::{Buffer, Tensor};

/// So many rows are answered.
const ROWS: usize = 64;
/// Scores of a right answer lie so far from those of a guess: little, so that smoothed labels like it as well.
const STEP: f64 = 0.1;
/// Wrong numbers lie so many deviations from their mean.
const FAR: f64 = 10.0;
/// So many classes are looked at one by one.
const MOST_CLASSES: usize = 32;
/// By less than this part of itself a loss does not differ.
const ROUNDING: f64 = 1e-3;

/// The loss at three answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownAnswers {
    /// Of the same answer for every row: all classes alike, the mean of the numbers.
    pub guess: f64,
    /// Of the right answers: of numbers themselves, of classes a step towards them.
    pub right: f64,
    /// Of wrong ones: of numbers one that is far from all, of classes a step away from the right ones.
    pub wrong: f64,
    /// A class of whose rows right answers change nothing at all, to the bit; of the first few dozen classes.
    pub ignored: Option<usize>,
}

impl KnownAnswers {
    /// Of the first of these rows; none where the loss does not take such answers, or all rows have the same.
    pub fn of(loss: &dyn Loss, targets: &Targets, rows: &[usize]) -> Option<KnownAnswers> {
        let rows = &rows[..rows.len().min(ROWS)];
        let count = rows.len();
        let labels_of = |labels: &[i64]| rows.iter().map(|&row| labels[row]).collect::<Vec<i64>>();
        let (guess, towards, width, target) = match (targets, loss.task()) {
            (Targets::Classes { labels, classes, .. }, Task::Classes(Outputs::Scores)) => {
                let own = labels_of(labels);
                let of_class = |label: i64, class: usize| if class as i64 == label { STEP } else { 0.0 };
                let towards: Vec<f64> = own
                    .iter()
                    .flat_map(|&label| (0..classes.len()).map(move |class| of_class(label, class)))
                    .collect();
                (vec![0.0; towards.len()], towards, classes.len(), Buffer::new(&own, [count]))
            }
            (Targets::Classes { labels, .. }, Task::TwoClasses(Outputs::Scores)) => {
                let own: Vec<f64> = labels_of(labels).into_iter().map(|label| label as f64).collect();
                let towards = own.iter().map(|label| STEP * (2.0 * label - 1.0)).collect();
                (vec![0.0; count], towards, 1, Buffer::new(&own, [count, 1]))
            }
            (Targets::Values { values, .. }, Task::Numbers) => {
                let own: Vec<f64> = rows.iter().map(|&row| f64::from(values[row])).collect();
                let mean = own.iter().sum::<f64>() / count.max(1) as f64;
                (
                    vec![mean; count],
                    own.iter().map(|value| value - mean).collect(),
                    1,
                    Buffer::new(&own, [count, 1]),
                )
            }
            _ => return None,
        };
        let size = (towards.iter().map(|step| step * step).sum::<f64>() / count.max(1) as f64).sqrt();
        if count < 2 || size == 0.0 {
            return None;
        }
        let target = Tensor::new(target);
        let at = |steps: &mut dyn Iterator<Item = f64>| {
            let answers: Vec<f64> = guess.iter().zip(steps).map(|(guess, step)| guess + step).collect();
            let prediction = Tensor::new(Buffer::new(&answers, [count, width]));
            let loss = loss.loss(&prediction, &target).ok()?.eval().ok()?;
            loss.to_f64().first().copied().filter(|loss| loss.is_finite())
        };
        let wrong = match loss.task() {
            Task::Numbers => at(&mut std::iter::repeat(FAR * size)),
            _ => at(&mut towards.iter().map(|step| -step)),
        };
        let of_guess = at(&mut std::iter::repeat(0.0))?;
        let changes_nothing = |class: &usize| {
            let own = || {
                towards.iter().enumerate().map(|(at, step)| if at % width == *class { *step } else { 0.0 })
            };
            own().any(|step| step != 0.0) && at(&mut own()) == Some(of_guess)
        };
        let classes = if matches!(loss.task(), Task::Classes(_)) { width.min(MOST_CLASSES) } else { 0 };
        Some(KnownAnswers {
            guess: of_guess,
            right: at(&mut towards.iter().copied())?,
            wrong: wrong?,
            ignored: (0..classes).find(changes_nothing),
        })
    }

    /// Whether it is lower of wrong answers than of a guess.
    pub fn likes_wrong_ones(&self) -> bool {
        self.guess - self.wrong > ROUNDING * self.guess.abs()
    }

    /// Whether right answers are no better than a guess, though wrong ones are worse.
    pub fn ignores_right_ones(&self) -> bool {
        !self.likes_wrong_ones() && self.right - self.guess > -ROUNDING * self.guess.abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_nn::losses::{BceWithLogits, CrossEntropy, Focal, Hinge, Huber, Mae, Mse, Rmse};
    use barun_nn::{Hyper, Result};

    #[derive(Clone, Debug, Hyper)]
    struct Turned {}

    impl Loss for Turned {
        fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
            Ok(-CrossEntropy::default().loss(prediction, target)?)
        }

        fn task(&self) -> Task {
            Task::Classes(Outputs::Scores)
        }
    }

    #[derive(Clone, Debug, Hyper)]
    struct Crossed {}

    impl Loss for Crossed {
        fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
            Ok((prediction - target.transpose()).square().mean(..))
        }

        fn task(&self) -> Task {
            Task::Numbers
        }
    }

    fn classes(count: usize) -> Targets {
        let labels = (0..100).map(|row| (row % count) as i64).collect();
        let classes = (0..count).map(|class| class.to_string()).collect();
        Targets::Classes { name: "class".into(), labels, classes }
    }

    fn numbers() -> Targets {
        let values = (0..100).map(|row| (row * 7 % 10) as f32).collect();
        Targets::Values { name: "y".into(), values }
    }

    fn of(loss: &dyn Loss, targets: &Targets) -> KnownAnswers {
        KnownAnswers::of(loss, targets, &(0..100).collect::<Vec<usize>>()).unwrap()
    }

    #[test]
    fn the_losses_of_the_library_like_right_answers_best() {
        let of_classes: [&dyn Loss; 3] = [
            &CrossEntropy::default(),
            &CrossEntropy { label_smoothing: 0.9, ..CrossEntropy::default() },
            &Focal::default(),
        ];
        let of_numbers: [&dyn Loss; 4] = [&Mse {}, &Mae {}, &Rmse {}, &Huber::default()];
        let of_two: [&dyn Loss; 2] = [&BceWithLogits::default(), &Hinge::default()];
        let all = of_classes.iter().map(|loss| of(*loss, &classes(5)));
        let all = all.chain(of_numbers.iter().map(|loss| of(*loss, &numbers())));
        for known in all.chain(of_two.iter().map(|loss| of(*loss, &classes(2)))) {
            assert!(known.right < known.guess && known.guess < known.wrong, "{known:?}");
            assert!(!known.likes_wrong_ones() && !known.ignores_right_ones(), "{known:?}");
        }
    }

    #[test]
    fn a_turned_sign_and_answers_of_other_rows_are_told_apart() {
        assert!(of(&Turned {}, &classes(5)).likes_wrong_ones());
        let crossed = of(&Crossed {}, &numbers());
        assert!(crossed.ignores_right_ones() && !crossed.likes_wrong_ones(), "{crossed:?}");
    }

    #[derive(Clone, Debug, Hyper)]
    struct FirstTwo {}

    impl Loss for FirstTwo {
        fn loss(&self, prediction: &Tensor, target: &Tensor) -> Result<Tensor> {
            let is_first = target.less(&target.like(1.0)).cast(prediction.dtype());
            let two = prediction.narrow(-1, 0, 2).log_softmax(-1);
            Ok(-(two.narrow(-1, 0, 1).sum([-1]) * is_first).mean(..))
        }

        fn task(&self) -> Task {
            Task::Classes(Outputs::Scores)
        }
    }

    #[test]
    fn a_class_whose_answers_change_nothing_is_named() {
        assert_eq!(of(&FirstTwo {}, &classes(5)).ignored, Some(1));
        assert_eq!(of(&CrossEntropy::default(), &classes(50)).ignored, None);
        let weights = vec![1e6, 1.0, 1.0];
        let lopsided = CrossEntropy { class_weights: weights, ..CrossEntropy::default() };
        assert_eq!(of(&lopsided, &classes(3)).ignored, None);
    }

    #[test]
    fn rows_that_all_have_the_same_answer_say_nothing() {
        assert_eq!(
            KnownAnswers::of(
                &Mse {},
                &Targets::Values { name: "y".into(), values: vec![1.0; 9] },
                &[0, 1, 2]
            ),
            None
        );
        assert_eq!(KnownAnswers::of(&Mse {}, &classes(2), &[0, 1, 2]), None, "classes are no numbers");
    }
}
