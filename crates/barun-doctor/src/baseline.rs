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
        let (train, valid) = (sample(subject.train, &train)?, sample(subject.valid, &valid)?);
        Ok(judged(&train, &valid, outputs))
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

/// Fits to the one and judges by the other; none where a number is lost on the way.
fn judged(train: &Sample, valid: &Sample, outputs: usize) -> Option<Baseline> {
    let view = View::of(train);
    let (known, asked) = (view.features(train)?, view.features(valid)?);
    let width = known.len() / train.rows;
    let is_held_out = |row: usize| row % HELD_OUT == HELD_OUT - 1;
    let (held_out, fitted): (Vec<usize>, Vec<usize>) = (0..train.rows).partition(|&row| is_held_out(row));
    let (phi, y) = (only(&known, &fitted, width), only(&train.answers, &fitted, outputs));
    let moments = Moments::of(&phi, &y, width, outputs)?;
    let (other_phi, other_y) = (only(&known, &held_out, width), only(&train.answers, &held_out, outputs));
    let fits = RIDGES.iter().map(|&ridge| {
        let fit = moments.fit(ridge);
        (figure(&fit.answers(&other_phi), &other_y, outputs), fit)
    });
    let (_, fit) = fits.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    let guess = moments.mean_answers.repeat(valid.rows);
    let baseline = Baseline {
        figure: figure(&fit.answers(&asked), &valid.answers, outputs),
        of_guessing: figure(&guess, &valid.answers, outputs),
        rows: valid.rows,
        trained: fitted.len(),
    };
    (baseline.figure.is_finite() && baseline.of_guessing.is_finite()).then_some(baseline)
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

    fn baseline(columns: usize, outputs: usize, answer: impl Fn(&[f32]) -> Vec<f64> + Copy) -> Baseline {
        judged(&sample(0..1000, columns, answer), &sample(5000..5400, columns, answer), outputs).unwrap()
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
        let numbers = judged(
            &sample(0..1000, 4, |x| vec![noise((1e6 * x[0].abs()) as usize)]),
            &sample(5000..5400, 4, |x| vec![noise((1e6 * x[0].abs()) as usize)]),
            1,
        );
        assert!(numbers.unwrap().figure.abs() < 0.1, "{numbers:?}");
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
        let baseline = judged(&train, &valid, 1).unwrap();
        assert!(baseline.figure > 0.9, "{baseline:?}");
        assert_eq!(judged(&train, &valid, 1), Some(baseline), "the same rows give the same baseline");
    }
}
