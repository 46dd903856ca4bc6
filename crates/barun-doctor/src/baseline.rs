//! A second opinion on what the data give away, by a model that cannot be trained wrongly.
//!
//! A *baseline* has no first weights that could be bad, no learning rate, no steps: its weights are the solution of a linear system.
//! It sees the inputs as the network gets them, through fixed random features (Rahimi and Recht, 2008, "Weighted sums of random
//! kitchen sinks: replacing minimization with randomization in learning"), and is fitted by ridge regression (Hoerl and Kennard,
//! 1970), to classes as zeros and ones:
//!
//! ```text
//! z     = (x - mean) / deviation                     by column, no farther than 5 from 0
//! phi   = [z if it is short | relu(z W / sqrt(columns) + b)]    W, b standard normal
//! beta  = (phi^T phi / n + lambda I)^-1 phi^T y / n             centred; lambda is chosen on every fifth row
//! ```
//!
//! What a few hundred such features find is far from what the best network does, and a network that does worse has been trained badly.
//! Where the baseline finds nothing either, there may be nothing to find.
//!
//! The baseline also answers the training rows themselves, each fifth by a model of the others. Where its answers to one *stretch* of
//! the data, in the order of the file, are as good as its answers are elsewhere, and in another no better than guessing, these rows were
//! put together wrongly ([`Stretches`]).
//!
//! It takes some thousand rows and a few milliseconds, before the first step, and the same data give the same baseline.

use barun_data::{Cholesky, Features, Part, Targets};
use barun_engine::random::Stream;
use barun_nn::losses::Task;
use barun_nn::{Buffer, Tensor};
use barun_train::Result;
use barun_train::metrics::{Residuals, Weights, argmax};
use barun_train::subject::Subject;

/// Rows to learn from and to be judged by, at most and at least, and so many numbers of inputs in all.
const ROWS: (usize, usize) = (2048, 1024);
const FEWEST: (usize, usize) = (50, 30);
const NUMBERS: usize = 1 << 22;
/// Images that are only decoded when they are asked for take longer than all else.
const MADE: usize = 256;
/// They are taken in stretches of so many: a table on disk is read in blocks.
const STRETCH: usize = 64;
/// So many columns are looked at, evenly spaced, and used as they are beside the random features if there are no more than that.
const COLUMNS: usize = 256;
const FEW_COLUMNS: usize = 64;
const FEATURES: usize = 192;
const FARTHEST: f32 = 5.0;
/// Of these the one that is best on rows that were held out.
const RIDGES: [f64; 4] = [1e-4, 1e-3, 1e-2, 1e-1];
const HELD_OUT: usize = 5;
/// Of more classes than this it would take longer than it is worth.
const MOST_CLASSES: usize = 256;
/// Figures are apart beyond so many standard errors.
const ERRORS: f64 = 2.5;
/// Stretches differ beyond so many deviations, at a cut that leaves this share of the rows on both sides, where what is known in the
/// one is less than this part of what is known in the other.
pub(crate) const STRETCH_DEVIATIONS: f64 = 5.5;
const LEAST_SHARE: f64 = 0.15;
const KNOWN_OF_OTHER: f64 = 0.3;
/// Numbers are compared with others of about their size: so many groups of them.
const SIZES: usize = 8;
/// So much above knowing nothing is something, and so little is nothing.
const SOMETHING: f64 = 0.05;
const NOTHING: f64 = 0.02;

/// How well a closed-form model answers the validation rows; see the [module](self).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Baseline {
    /// The accuracy, or of numbers the share of their variance that is explained.
    pub figure: f64,
    /// That of knowing nothing, on the same rows: always the most frequent class, or the mean.
    pub of_guessing: f64,
    /// Validation rows that it was judged by.
    pub rows: usize,
    /// Training rows that it learned from.
    pub trained: usize,
    /// Where the training rows fall into two stretches, of which it knows something and nothing.
    pub stretches: Option<Stretches>,
}

/// Two stretches of the training rows, in the order of the data, of which the answers of one follow from the inputs, and those of the
/// other do not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretches {
    /// The row, of all of the data, that the second stretch begins with.
    pub row: usize,
    /// The figures of answering the one and the other by a model of other rows.
    pub figures: [f64; 2],
    /// Those of knowing nothing.
    pub of_guessing: [f64; 2],
    /// How surely they differ: in deviations of what rows in any order would give.
    pub deviations: f64,
}

/// Rows of some of the columns, and answers of `outputs` numbers each.
struct Sample {
    inputs: Vec<f32>,
    answers: Vec<f64>,
    rows: usize,
}

impl Baseline {
    /// Of what is about to be trained; none where there are too few rows, or it is neither one of some hundred classes nor one number
    /// of each row that is learned.
    ///
    /// # Errors
    /// Rows that cannot be read.
    pub fn of(subject: &Subject<'_>) -> Result<Option<Baseline>> {
        let is_of_rows =
            matches!(subject.loss.task(), Task::Classes(_) | Task::TwoClasses(_) | Task::Numbers);
        let features = subject.train.dataset().features();
        let width = features.width();
        let most = match features {
            Features::Lazy(_) => MADE,
            _ => NUMBERS / width.max(1),
        };
        let (train, valid) =
            (some_of(subject.train, most.min(ROWS.0)), some_of(subject.valid, most.min(ROWS.1)));
        let outputs = outputs(subject.targets());
        if !is_of_rows || outputs > MOST_CLASSES || train.len() < FEWEST.0 || valid.len() < FEWEST.1 {
            return Ok(None);
        }
        let sample = |part: &Part, rows: &[usize]| -> Result<Sample> {
            let mut inputs = Vec::with_capacity(rows.len() * width.min(COLUMNS));
            // A stretch at a time, of which most columns of large inputs go again.
            for stretch in rows.chunks(STRETCH) {
                let values = subject.inputs_of(part, stretch)?.values;
                inputs.extend(values.chunks_exact(width).flat_map(some_columns));
            }
            Ok(Sample { inputs, answers: answers(part.dataset().targets(), rows, outputs), rows: rows.len() })
        };
        let (known, asked) = (sample(subject.train, &train)?, sample(subject.valid, &valid)?);
        Ok(judged(&known, &asked, &train, outputs))
    }

    /// Whether it surely knows something of the answers.
    pub fn knows(&self, of_classes: bool) -> bool {
        self.figure - self.of_guessing > self.chance(self.of_guessing, of_classes).max(SOMETHING)
    }

    /// Whether there is no sign that it knows anything.
    pub fn knows_nothing(&self, of_classes: bool) -> bool {
        self.figure - self.of_guessing < (self.chance(self.of_guessing, of_classes) / ERRORS).max(NOTHING)
    }

    /// How far its figure and one of the network's may be from each other by chance: two and a half standard errors of their difference.
    pub fn chance(&self, figure: f64, of_classes: bool) -> f64 {
        let rows = self.rows as f64;
        let variance = |figure: f64| match of_classes {
            true => figure * (1.0 - figure) / rows,
            // Of the share of variance (Olkin and Finn, 1995).
            false => 4.0 * figure.clamp(0.0, 1.0) * (1.0 - figure.clamp(0.0, 1.0)).powi(2) / rows,
        };
        ERRORS * (variance(self.figure) + variance(figure)).sqrt()
    }
}

/// Evenly spaced stretches of a part's rows.
fn some_of(part: &Part, most: usize) -> Vec<usize> {
    let indices = part.indices();
    let stretches = most / STRETCH;
    if indices.len() <= most || stretches == 0 {
        return indices[..indices.len().min(most)].to_vec();
    }
    let starts = (0..stretches).map(|at| at * (indices.len() - STRETCH) / (stretches - 1).max(1));
    starts.flat_map(|start| indices[start..start + STRETCH].iter().copied()).collect()
}

/// Evenly spaced columns of a row.
fn some_columns(row: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let taken = row.len().min(COLUMNS);
    (0..taken).map(move |at| row[at * row.len() / taken])
}

fn outputs(targets: &Targets) -> usize {
    match targets {
        Targets::Classes { classes, .. } => classes.len(),
        Targets::Values { .. } => 1,
    }
}

/// `[rows, outputs]`: 1 for the class of a row, or its number.
fn answers(targets: &Targets, rows: &[usize], outputs: usize) -> Vec<f64> {
    match targets {
        Targets::Classes { labels, .. } => {
            let is = |row: usize, class: usize| f64::from(u8::from(labels[row] == class as i64));
            rows.iter().flat_map(|&row| (0..outputs).map(move |class| is(row, class))).collect()
        }
        Targets::Values { values, .. } => rows.iter().map(|&row| f64::from(values[row])).collect(),
    }
}

/// Fits to the one, whose rows in the data are `rows`, and judges by the other; none where a number is lost on the way.
fn judged(train: &Sample, valid: &Sample, rows: &[usize], outputs: usize) -> Option<Baseline> {
    let view = View::of(train);
    let (known, asked) = (view.features(train)?, view.features(valid)?);
    let folds: Option<Vec<Fold>> =
        (0..HELD_OUT).map(|fold| Fold::of(fold, &known, &train.answers, outputs)).collect();
    let folds = folds?;
    let last = folds.last()?;
    let others = only(&train.answers, &last.held_out, outputs);
    let fits = RIDGES.iter().map(|&ridge| {
        let fit = last.moments.fit(ridge);
        (figure(&fit.answers(&last.asked), &others, outputs), ridge, fit)
    });
    let (_, ridge, fit) = fits.max_by(|(a, ..), (b, ..)| a.total_cmp(b))?;
    let mut said = vec![0.0; train.answers.len()];
    for fold in &folds {
        let answers = fold.moments.fit(ridge).answers(&fold.asked);
        for (answers, row) in answers.chunks_exact(outputs).zip(&fold.held_out) {
            said[row * outputs..][..outputs].copy_from_slice(answers);
        }
    }
    let baseline = Baseline {
        figure: figure(&fit.answers(&asked), &valid.answers, outputs),
        of_guessing: of_guessing(&last.moments.mean_answers, &valid.answers),
        rows: valid.rows,
        trained: train.rows - last.held_out.len(),
        stretches: stretches(&said, &train.answers, rows, outputs),
    };
    (baseline.figure.is_finite() && baseline.of_guessing.is_finite()).then_some(baseline)
}

/// Every fifth row, which a model of the others is asked.
struct Fold {
    held_out: Vec<usize>,
    /// Their features.
    asked: Vec<f32>,
    /// Of the others.
    moments: Moments,
}

impl Fold {
    /// Of the features of all rows and `[rows, outputs]` answers.
    fn of(fold: usize, features: &[f32], answers: &[f64], outputs: usize) -> Option<Fold> {
        let rows = answers.len() / outputs;
        let width = features.len() / rows;
        let (held_out, fitted): (Vec<usize>, Vec<usize>) = (0..rows).partition(|row| row % HELD_OUT == fold);
        let moments =
            Moments::of(&only(features, &fitted, width), &only(answers, &fitted, outputs), width, outputs)?;
        Some(Fold { asked: only(features, &held_out, width), moments, held_out })
    }
}

/// Whether what was said of the rows is right in one stretch of the data and not in another. Rows are compared with those of the same
/// class, or of numbers of about the same size, so that data sorted by their answers are not meant; and the cut is where the sum of
/// what is better than usual is largest (Page, 1954, "Continuous inspection schemes").
fn stretches(said: &[f64], answers: &[f64], rows: &[usize], outputs: usize) -> Option<Stretches> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&at| rows[at]);
    let quality = qualities(said, answers, outputs);
    let spread = crate::curve::deviation(&quality);
    let count = order.len() as f64;
    let least = (LEAST_SHARE * count).ceil();
    let mut sum = 0.0;
    let cuts = order.iter().enumerate().map(|(before, &at)| {
        let before = before as f64;
        let found = (sum / (spread * (before * (count - before) / count).sqrt()), before as usize);
        sum += quality[at];
        found
    });
    let inside = cuts.filter(|(_, at)| *at as f64 >= least && count - *at as f64 >= least);
    let (deviations, cut) = inside.max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()))?;
    if deviations.abs() <= STRETCH_DEVIATIONS {
        return None;
    }
    let sides = [&order[..cut], &order[cut..]];
    let figures =
        sides.map(|side| figure(&only(said, side, outputs), &only(answers, side, outputs), outputs));
    let of_guessing = sides.map(|side| {
        let own = only(answers, side, outputs);
        let means: Vec<f64> = (0..outputs)
            .map(|at| own.iter().skip(at).step_by(outputs).sum::<f64>() / side.len() as f64)
            .collect();
        of_guessing(&means, &own)
    });
    let known = [0, 1].map(|side| figures[side] - of_guessing[side]);
    let (more, less) = (known[0].max(known[1]), known[0].min(known[1]));
    let is_torn = more > 2.0 * SOMETHING && less < KNOWN_OF_OTHER * more;
    is_torn.then(|| Stretches { row: rows[order[cut]], figures, of_guessing, deviations: deviations.abs() })
}

/// How much better each row is answered than usual for its class, or for numbers of its size.
fn qualities(said: &[f64], answers: &[f64], outputs: usize) -> Vec<f64> {
    let rows = answers.len() / outputs;
    let (quality, group): (Vec<f64>, Vec<usize>) = if outputs > 1 {
        let pairs = said.chunks_exact(outputs).zip(answers.chunks_exact(outputs));
        pairs
            .map(|(said, answers)| {
                let class = argmax(answers).unwrap_or(0);
                (f64::from(u8::from(argmax(said) == Some(class))), class)
            })
            .unzip()
    } else {
        let rank_of = |values: &dyn Fn(usize) -> f64| {
            let mut order: Vec<usize> = (0..rows).collect();
            order.sort_by(|&a, &b| values(a).total_cmp(&values(b)));
            let mut rank = vec![0; rows];
            order.into_iter().enumerate().for_each(|(at, row)| rank[row] = at);
            rank
        };
        // By the rank of the error, so that a few large ones do not decide.
        let (errors, sizes) =
            (rank_of(&|row| -(said[row] - answers[row]).abs()), rank_of(&|row| answers[row]));
        (0..rows).map(|row| (errors[row] as f64 / rows as f64, SIZES * sizes[row] / rows)).unzip()
    };
    let groups = group.iter().max().map_or(0, |most| most + 1);
    let mut sums = vec![(0.0, 0.0); groups];
    quality
        .iter()
        .zip(&group)
        .for_each(|(own, &group)| sums[group] = (sums[group].0 + own, sums[group].1 + 1.0));
    quality.iter().zip(&group).map(|(own, &group)| own - sums[group].0 / sums[group].1).collect()
}

/// These rows of `[rows, width]` numbers.
fn only<T: Copy>(numbers: &[T], rows: &[usize], width: usize) -> Vec<T> {
    rows.iter().flat_map(|&row| numbers[row * width..][..width].iter().copied()).collect()
}

/// The accuracy where there are classes, else the share of the variance that is explained.
fn figure(said: &[f64], answers: &[f64], outputs: usize) -> f64 {
    let rows = answers.len() / outputs;
    if outputs > 1 {
        let hits = said.chunks_exact(outputs).zip(answers.chunks_exact(outputs));
        let is_hit =
            |(said, answers): &(&[f64], &[f64])| argmax(said).is_some_and(|class| answers[class] == 1.0);
        return hits.filter(is_hit).count() as f64 / rows as f64;
    }
    // Of answers that are all the same there is nothing to explain.
    let differ = answers.iter().any(|answer| *answer != answers[0]);
    if differ { Residuals::new(said, answers).r2(Weights::ONCE) } else { f64::NAN }
}

/// The figure of answering every row with `means`.
fn of_guessing(means: &[f64], answers: &[f64]) -> f64 {
    figure(&means.repeat(answers.len() / means.len()), answers, means.len())
}

/// How the baseline looks at inputs: their scale, and what is drawn.
struct View {
    /// Of each column: its mean, and one over its deviation.
    scale: Vec<(f32, f32)>,
}

impl View {
    fn of(train: &Sample) -> View {
        let width = train.inputs.len() / train.rows;
        let scale = |column: usize| {
            let values = || train.inputs.iter().skip(column).step_by(width).map(|value| f64::from(*value));
            let finite = || values().filter(|value| value.is_finite());
            let count = finite().count().max(1) as f64;
            let mean = finite().sum::<f64>() / count;
            let deviation = (finite().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
            (mean as f32, if deviation > 0.0 { (1.0 / deviation) as f32 } else { 0.0 })
        };
        View { scale: (0..width).map(scale).collect() }
    }

    /// `[rows, features]`.
    fn features(&self, sample: &Sample) -> Option<Vec<f32>> {
        let columns = self.scale.len();
        let scaled = |row: &[f32]| {
            let seen = row.iter().zip(&self.scale).map(|(value, (mean, scale))| {
                let value = (value - mean) * scale;
                if value.is_nan() { 0.0 } else { value.clamp(-FARTHEST, FARTHEST) }
            });
            seen.collect::<Vec<f32>>()
        };
        let z: Vec<f32> = sample.inputs.chunks_exact(columns).flat_map(scaled).collect();
        let mut stream = Stream::new(0, "baseline");
        let spread = 1.0 / (columns.max(1) as f64).sqrt();
        let weights: Vec<f32> = (0..columns * FEATURES).map(|_| (spread * stream.normal()) as f32).collect();
        let biases: Vec<f32> = (0..FEATURES).map(|_| stream.normal() as f32).collect();
        let inputs = Tensor::new(Buffer::new(&z, [sample.rows, columns]));
        let weights = Tensor::new(Buffer::new(&weights, [columns, FEATURES]));
        let bent = (inputs.matmul(&weights) + Tensor::new(Buffer::new(&biases, [1, FEATURES]))).relu();
        let seen = if columns <= FEW_COLUMNS { Tensor::concat(&[&inputs, &bent], 1) } else { bent };
        Some(seen.eval().ok()?.as_slice::<f32>().ok()?.to_vec())
    }
}

/// What ridge regression needs of the rows.
struct Moments {
    means: Vec<f64>,
    mean_answers: Vec<f64>,
    /// `[width, width]`: the covariance of the features.
    covariance: Vec<f64>,
    /// `[outputs, width]`: that of each answer with the features.
    with_answers: Vec<f64>,
}

/// A model that was fitted.
struct Fit<'a> {
    of: &'a Moments,
    /// `[outputs, width]`.
    weights: Vec<f64>,
}

impl Moments {
    /// Of `[rows, width]` features and `[rows, outputs]` answers.
    fn of(phi: &[f32], y: &[f64], width: usize, outputs: usize) -> Option<Moments> {
        let rows = phi.len() / width;
        let phi = Tensor::new(Buffer::new(phi, [rows, width]));
        let y = Tensor::new(Buffer::new(
            &y.iter().map(|answer| *answer as f32).collect::<Vec<f32>>(),
            [rows, outputs],
        ));
        let (means, mean_answers) = (phi.mean_keep([0]), y.mean_keep([0]));
        let (phi, y) = (&phi - &means, &y - &mean_answers);
        let covariance = phi.transpose().matmul(&phi) / rows as f64;
        let with_answers = y.transpose().matmul(&phi) / rows as f64;
        Tensor::eval_all(&[&means, &mean_answers, &covariance, &with_answers]).ok()?;
        let numbers = |tensor: &Tensor| Some(tensor.eval().ok()?.to_f64());
        Some(Moments {
            means: numbers(&means)?,
            mean_answers: numbers(&mean_answers)?,
            covariance: numbers(&covariance)?,
            with_answers: numbers(&with_answers)?,
        })
    }

    /// With this ridge, as a part of the features' mean variance.
    fn fit(&self, ridge: f64) -> Fit<'_> {
        let width = self.means.len();
        let mut matrix = self.covariance.clone();
        let trace: f64 = (0..width).map(|at| matrix[at * width + at]).sum();
        (0..width).for_each(|at| matrix[at * width + at] += ridge * trace / width as f64);
        let solved = Cholesky::of(matrix);
        let weights = self.with_answers.chunks_exact(width).flat_map(|right| solved.solve(right.to_vec()));
        Fit { of: self, weights: weights.collect() }
    }
}

impl Fit<'_> {
    /// `[rows, outputs]` of `[rows, features]`.
    fn answers(&self, features: &[f32]) -> Vec<f64> {
        let Moments { means, mean_answers, .. } = self.of;
        let width = means.len();
        let answer = |row: &[f32], output: usize| {
            let weights = &self.weights[output * width..][..width];
            let sum: f64 = row
                .iter()
                .zip(means)
                .zip(weights)
                .map(|((value, mean), weight)| (f64::from(*value) - mean) * weight)
                .sum();
            mean_answers[output] + sum
        };
        let rows = features.chunks_exact(width);
        rows.flat_map(|row| (0..mean_answers.len()).map(move |output| answer(row, output))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    /// Rows of `columns` numbers between -1 and 1, answered by `answer`.
    fn sample(rows: std::ops::Range<usize>, columns: usize, answer: impl Fn(&[f32]) -> Vec<f64>) -> Sample {
        let inputs: Vec<f32> = rows
            .clone()
            .flat_map(|row| (0..columns).map(move |at| noise(row * columns + at) as f32))
            .collect();
        let answers = inputs.chunks_exact(columns).flat_map(answer).collect();
        Sample { inputs, answers, rows: rows.len() }
    }

    /// Of rows that are the first of the data.
    fn of(train: &Sample, valid: &Sample, outputs: usize) -> Option<Baseline> {
        judged(train, valid, &(0..train.rows).collect::<Vec<_>>(), outputs)
    }

    fn baseline(columns: usize, outputs: usize, answer: impl Fn(&[f32]) -> Vec<f64> + Copy) -> Baseline {
        of(&sample(0..1000, columns, answer), &sample(5000..5400, columns, answer), outputs).unwrap()
    }

    #[test]
    fn what_bends_is_learned_without_a_step() {
        let ring = baseline(2, 2, |x| {
            let inside = f64::from(u8::from(x[0] * x[0] + x[1] * x[1] < 0.6));
            vec![inside, 1.0 - inside]
        });
        assert!(ring.figure > 0.95 && ring.of_guessing < 0.6, "{ring:?}");
        let wave = baseline(3, 1, |x| vec![f64::from((3.0 * x[0]).sin() + x[1])]);
        assert!(wave.figure > 0.9 && wave.of_guessing.abs() < 0.05, "{wave:?}");
    }

    #[test]
    fn of_answers_that_have_nothing_to_do_with_the_inputs_nothing_is_learned() {
        let numbers = of(
            &sample(0..1000, 4, |x| vec![noise((1e6 * x[0].abs()) as usize)]),
            &sample(5000..5400, 4, |x| vec![noise((1e6 * x[0].abs()) as usize)]),
            1,
        );
        assert!(numbers.unwrap().figure.abs() < 0.1, "{numbers:?}");
    }

    #[test]
    fn answers_that_are_right_in_one_stretch_alone_are_told_and_data_in_order_are_not() {
        let class = |x: &[f32]| {
            let inside = f64::from(u8::from(x[0] + x[1] > 0.0));
            vec![inside, 1.0 - inside]
        };
        let (mut train, valid) = (sample(0..1000, 2, class), sample(5000..5400, 2, class));
        assert_eq!(of(&train, &valid, 2).unwrap().stretches, None);
        train.answers[600 * 2..].rotate_left(2);
        let found = of(&train, &valid, 2).unwrap().stretches.unwrap();
        assert!(
            found.row.abs_diff(600) < 40 && found.figures[0] > 0.9 && found.figures[1] < 0.7,
            "{found:?}"
        );
        // A class alone in a stretch, and harder than the other.
        let order = |sample: &Sample| {
            let mut rows: Vec<usize> = (0..sample.rows).collect();
            rows.sort_by(|a, b| sample.answers[2 * a].total_cmp(&sample.answers[2 * b]));
            Sample {
                inputs: only(&sample.inputs, &rows, 2),
                answers: only(&sample.answers, &rows, 2),
                rows: rows.len(),
            }
        };
        let noisy = |x: &[f32]| {
            if x[0] > 0.5 { class(&[noise((1e6 * x[1].abs()) as usize) as f32, 0.0]) } else { class(x) }
        };
        assert_eq!(of(&order(&sample(0..1000, 2, noisy)), &valid, 2).unwrap().stretches, None);
        let number = |x: &[f32]| vec![f64::from(x[0] + 0.5 * x[1])];
        let (mut train, valid) = (sample(0..1000, 2, number), sample(5000..5400, 2, number));
        assert_eq!(of(&train, &valid, 1).unwrap().stretches, None);
        train.answers[..500].rotate_right(1);
        let found = of(&train, &valid, 1).unwrap().stretches.unwrap();
        assert!(
            found.row.abs_diff(500) < 40 && found.figures[1] > 0.5 && found.figures[0] < 0.2,
            "{found:?}"
        );
    }

    #[test]
    fn columns_that_are_constant_far_off_or_not_finite_do_no_harm() {
        let broken = |sample: &mut Sample| {
            sample.inputs.chunks_exact_mut(4).enumerate().for_each(|(at, row)| {
                row[1] += 1e6;
                row[2] = 7.0;
                row[3] = if at % 9 == 0 { f32::NAN } else { 1e30 };
            });
        };
        let (mut train, mut valid) =
            (sample(0..1000, 4, |x| vec![f64::from(x[0])]), sample(5000..5400, 4, |x| vec![f64::from(x[0])]));
        broken(&mut train);
        broken(&mut valid);
        let baseline = of(&train, &valid, 1).unwrap();
        assert!(baseline.figure > 0.9, "{baseline:?}");
        assert_eq!(of(&train, &valid, 1), Some(baseline), "the same rows give the same baseline");
    }
}
