//! What is to be trained, as far as a rule may ask: the layers, the parameters, the loss, the optimiser, the inputs as the
//! network gets them, the target.

use barun_data::Targets;
use barun_nn::hyper::Value;
use barun_nn::losses::Task;
use barun_nn::{Fans, Hyper, ParameterEntry, Role, optimizers};
use barun_train::Result;
use barun_train::subject::Subject;

use crate::baseline::Baseline;
use crate::known_answers::KnownAnswers;

/// A training before its first step.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// The calls of the network's layers.
    pub calls: Vec<Call>,
    /// Its trained parameters.
    pub weights: Vec<Weight>,
    /// Paths of those weights that the run never changes.
    pub frozen: Vec<String>,
    /// What is minimised.
    pub loss: Loss,
    /// How a gradient becomes a step.
    pub optimizer: Optimizer,
    /// Rows of a step.
    pub batch_size: usize,
    /// Batches of an update.
    pub accumulate: usize,
    /// Whether large weights cost something, in the loss or in the optimiser.
    pub decays: bool,
    /// Whether what large weights cost is part of the loss.
    pub is_penalised: bool,
    /// The deviation of the noise that is added to the weights in each step.
    pub weight_noise: f64,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Training rows.
    pub rows: usize,
    /// Rows of the validation part.
    pub valid_rows: usize,
    /// The inputs as the network gets them.
    pub inputs: Inputs,
    /// What is to be predicted.
    pub target: Target,
    /// What the loss says of answers that are known; none of losses that do not take any.
    pub known_answers: Option<KnownAnswers>,
    /// What a model that is not trained by steps says of the validation rows; none where there are too few, or there is no such model.
    pub baseline: Option<Baseline>,
}

/// A call of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The layer's path.
    pub path: String,
    /// Its kind: `Linear`.
    pub kind: String,
    /// The shape of what a row becomes.
    pub output: Vec<usize>,
}

/// A trained parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Its path.
    pub path: String,
    /// What it is for.
    pub role: Role,
    /// How many numbers it has.
    pub count: usize,
    /// How many inputs a unit has; 1 of what is no matrix.
    pub fan_in: usize,
}

/// What is minimised.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loss {
    /// Its name in recipes.
    pub name: String,
    /// What it teaches.
    pub task: Option<Task>,
    /// Whether it weighs classes, or anything else that makes its value hard to foretell.
    pub is_weighted: bool,
    /// What a row of each class weighs; empty where all weigh the same.
    pub class_weights: Vec<f64>,
    /// Whether the network is to give the logarithms of probabilities.
    pub of_logarithms: bool,
    /// The part of each label that is given to all classes alike.
    pub label_smoothing: f64,
}

/// How a gradient becomes a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Optimizer {
    /// Its name in recipes.
    pub name: String,
    /// The learning rate that schedules start from.
    pub lr: f64,
    /// The share of the last step that the next one keeps; 0 without momentum.
    pub momentum: f64,
    /// Whether its steps grow with the gradient, as those of plain descent do; the others are [adaptive](Optimizer::is_adaptive).
    pub is_plain: bool,
}

impl Optimizer {
    /// Whether it divides gradients by their size, so that its learning rate means the same in every network.
    pub fn is_adaptive(&self) -> bool {
        !self.is_plain
    }

    /// What recipes call its [`momentum`](Optimizer::momentum): Adam and its kin have `beta1`.
    pub fn momentum_setting(&self) -> &'static str {
        let known = optimizers::by_name(&self.name);
        let has = |setting| known.as_ref().is_ok_and(|known| number(known, setting).is_some());
        if has("beta1") && !has("momentum") { "beta1" } else { "momentum" }
    }
}

/// The inputs as the network gets them, of the first rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// The shape of one.
    pub shape: Vec<usize>,
    /// The largest absolute value but for the largest hundredth.
    pub most: f64,
    /// Of the numbers that are not 0, the largest absolute value but for the largest twentieth.
    pub most_of_nonzero: f64,
    /// The largest absolute value of all.
    pub max_abs: f64,
    /// The share of numbers that are exactly 0.
    pub zeros: f64,
    /// The standard deviation over all numbers.
    pub std: f64,
    /// How the numbers of each column, or channel, are spread.
    pub columns: Vec<Spread>,
}

/// How numbers are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The number that a hundredth is below.
    pub low: f64,
    /// The middle one.
    pub median: f64,
    /// The number that a hundredth is above.
    pub high: f64,
    /// The width of the narrowest stretch that has half of the numbers.
    pub core: f64,
    /// A number at one of the ends that stands there again and again, farther from all others than these are from each other,
    /// and its share: what a file writes where it knows nothing, such as -999.
    pub mark: Option<(f64, f64)>,
    /// Where some of the numbers lie close together, others far away, and next to none between: the share of those that lie close,
    /// and how many times farther the middle one of the others is than they reach.
    pub torn: Option<(f64, f64)>,
}

/// What is to be predicted, of the training rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Target {
    /// Unknown.
    #[default]
    Unknown,
    /// Classes, with the rows of each.
    Classes(Vec<usize>),
    /// Numbers, as the loss gets them.
    Numbers {
        /// How they are spread.
        spread: Spread,
        /// Their mean.
        mean: f64,
        /// Their standard deviation.
        std: f64,
        /// The mean distance from their median.
        mean_distance: f64,
    },
}

/// What a trainer plans to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planned {
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Steps of one.
    pub steps_per_epoch: usize,
    /// Rows of the validation part.
    pub valid_rows: usize,
}

/// So many rows of inputs are looked at, and no more numbers than this.
const ROWS: usize = 512;
const NUMBERS: usize = 1 << 19;

impl Case {
    /// What the trainer is about to do.
    ///
    /// # Errors
    /// Rows that cannot be read.
    pub fn of(subject: &Subject<'_>, planned: Planned) -> Result<Case> {
        let Planned { epochs, steps_per_epoch, valid_rows } = planned;
        let width = subject.train.dataset().features().width().max(1);
        let inputs = subject.inputs(ROWS.min((NUMBERS / width).max(16)))?;
        // A model whose calls cannot be listed can be trained all the same.
        let calls = subject.calls().unwrap_or_default();
        let is_passed_over = |path: &str| subject.options.without.iter().any(|without| without == path);
        let calls = calls.into_iter().filter(|row| !is_passed_over(&row.path)).map(|row| Call {
            path: row.path,
            kind: row.kind.to_string(),
            output: row.output.get(1..).unwrap_or_default().to_vec(),
        });
        let is_trained =
            |path: &str| !subject.options.frozen.iter().any(|frozen| path.starts_with(frozen.as_str()));
        let weights =
            subject.inventory.parameters.iter().filter(|entry| is_trained(&entry.path)).map(|entry| Weight {
                path: entry.path.clone(),
                role: entry.role,
                count: entry.count(),
                fan_in: if entry.shape.rank() > 1 { Fans::of(&entry.shape).fan_in } else { 1 },
            });
        let is_frozen_weight =
            |entry: &&ParameterEntry| entry.role == Role::Weight && !is_trained(&entry.path);
        let frozen =
            subject.inventory.parameters.iter().filter(is_frozen_weight).map(|entry| entry.path.clone());
        let weight_decay = number(subject.optimizer, "weight_decay").unwrap_or(0.0);
        Ok(Case {
            calls: calls.collect(),
            weights: weights.collect(),
            frozen: frozen.collect(),
            loss: Loss::of(subject.loss),
            optimizer: Optimizer::of(subject.optimizer, subject.changes.lr_factor),
            batch_size: subject.batch_size,
            accumulate: subject.options.accumulate,
            decays: weight_decay > 0.0 || !subject.options.penalty.is_none(),
            is_penalised: !subject.options.penalty.is_none(),
            weight_noise: subject.options.weight_noise,
            steps_per_epoch,
            epochs,
            rows: subject.train.len(),
            valid_rows,
            inputs: Inputs::of(inputs.shape, &inputs.values),
            target: Target::of(subject.targets(), subject.train.indices()),
            known_answers: KnownAnswers::of(subject.loss, subject.targets(), subject.train.indices()),
            baseline: Baseline::of(subject)?,
        })
    }

    /// What the loss would be of somebody who knows how frequent each answer is, and nothing of the inputs: the entropy of
    /// the classes, the variance of the numbers. None where the loss is none of the usual ones.
    pub fn trivial_loss(&self) -> Option<f64> {
        if self.loss.is_weighted {
            return None;
        }
        match (&self.target, self.loss.name.as_str()) {
            (Target::Classes(counts), "cross_entropy" | "nll" | "bce" | "bce_with_logits") => {
                Some(entropy(counts))
            }
            (Target::Numbers { std, .. }, "mse") => Some(std * std),
            (Target::Numbers { std, .. }, "rmse") => Some(*std),
            (Target::Numbers { mean_distance, .. }, "mae") => Some(*mean_distance),
            _ => None,
        }
        .filter(|loss| *loss > 0.0)
    }

    /// What the loss of the first step is of a network that says of every class that it is equally likely; of numbers that of
    /// the mean.
    pub fn first_loss(&self) -> Option<f64> {
        let trivial = self.trivial_loss()?;
        let equally = match &self.target {
            Target::Classes(counts) => (counts.len().max(2) as f64).ln(),
            _ => trivial,
        };
        Some(trivial.max(equally))
    }

    /// The accuracy of always saying the most frequent class.
    pub fn trivial_accuracy(&self) -> Option<f64> {
        let Target::Classes(counts) = &self.target else { return None };
        let most = counts.iter().max()?;
        Some(*most as f64 / counts.iter().sum::<usize>().max(1) as f64)
    }

    /// How many classes there are; 0 of numbers.
    pub fn classes(&self) -> usize {
        match &self.target {
            Target::Classes(counts) => counts.len(),
            _ => 0,
        }
    }

    /// Whether the network normalises by batch, layer or group.
    pub fn has_normalization(&self) -> bool {
        self.calls.iter().any(|call| is_normalization(&call.kind))
    }

    /// Whether what enters a stage is added to what leaves it.
    pub fn has_residual(&self) -> bool {
        self.calls.iter().any(|call| call.path.split('.').any(|part| part == "body"))
    }

    /// The calls that multiply by weights.
    pub fn weighted_calls(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.iter().filter(|call| is_weighted(&call.kind))
    }

    /// The last layer that does something.
    pub fn last_call(&self) -> Option<&Call> {
        self.calls.iter().rev().find(|call| !matches!(call.kind.as_str(), "Identity" | "Flatten" | "Dropout"))
    }

    /// The rows and columns that a finding may name: the steps of the whole run.
    pub fn total_steps(&self) -> usize {
        self.epochs * self.steps_per_epoch
    }
}

/// Whether a layer of this kind normalises.
pub(crate) fn is_normalization(kind: &str) -> bool {
    matches!(kind, "BatchNorm" | "LayerNorm" | "GroupNorm" | "RmsNorm")
}

/// Whether a layer of this kind multiplies its inputs by a matrix or kernel of weights.
pub(crate) fn is_weighted(kind: &str) -> bool {
    matches!(kind, "Linear" | "Conv1d" | "Conv2d" | "ConvTranspose2d" | "MemberHead")
}

/// Whether a layer of this kind bends what it gets.
pub(crate) fn is_nonlinear(kind: &str) -> bool {
    const LINEAR: &[&str] = &[
        "Linear",
        "Conv1d",
        "Conv2d",
        "ConvTranspose2d",
        "MemberHead",
        "MemberScale",
        "Flatten",
        "Dropout",
        "AlphaDropout",
        "AvgPool2d",
        "GlobalAvgPool",
        "BatchNorm",
        "Identity",
        "ToSequence",
        "SequenceMean",
        "GaussianNoise",
    ];
    !LINEAR.contains(&kind)
}

fn number(of: &dyn Hyper, setting: &str) -> Option<f64> {
    as_number(&of.settings().into_iter().find(|known| known.name == setting)?.value)
}

fn numbers(of: &dyn Hyper, setting: &str) -> Vec<f64> {
    let found = of.settings().into_iter().find(|known| known.name == setting);
    let Some(Value::List(values)) = found.map(|found| found.value) else { return Vec::new() };
    values.iter().filter_map(as_number).collect()
}

fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Whole(number) => Some(*number as f64),
        _ => None,
    }
}

fn entropy(counts: &[usize]) -> f64 {
    let total = counts.iter().sum::<usize>().max(1) as f64;
    let shares = counts.iter().map(|&count| count as f64 / total).filter(|share| *share > 0.0);
    shares.map(|share| -share * share.ln()).sum()
}

impl Loss {
    fn of(loss: &dyn barun_nn::losses::Loss) -> Loss {
        let settings = loss.settings();
        let is_list = |value: &Value| matches!(value, Value::List(values) if !values.is_empty());
        let is = |name: &str, text: &str| {
            settings.iter().any(|known| known.name == name && known.value == Value::Text(text.into()))
        };
        let class_weights = match number(loss, "positive_weight") {
            Some(weight) => vec![1.0, weight],
            None => numbers(loss, "class_weights"),
        };
        Loss {
            name: loss.name().to_string(),
            task: Some(loss.task()),
            is_weighted: settings.iter().any(|known| is_list(&known.value)),
            class_weights,
            of_logarithms: is("of", "log_probabilities"),
            label_smoothing: number(loss, "label_smoothing").unwrap_or(0.0),
        }
    }
}

impl Optimizer {
    fn of(optimizer: &barun_nn::optimizers::AnyOptimizer, lr_factor: f64) -> Optimizer {
        let momentum = number(optimizer, "momentum").or_else(|| number(optimizer, "beta1"));
        Optimizer {
            name: optimizer.name().to_string(),
            lr: lr_factor * optimizer.lr(),
            momentum: momentum.unwrap_or(0.0),
            is_plain: !optimizer.is_adaptive(),
        }
    }
}

impl Spread {
    /// Of numbers in any order.
    pub fn of(mut values: Vec<f64>) -> Spread {
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values.get(((values.len().max(1) - 1) as f64 * share).round() as usize);
        let at = |share: f64| at(share).copied().unwrap_or(0.0);
        let mark = mark(&values).or_else(|| {
            let mirrored: Vec<f64> = values.iter().rev().map(|value| -value).collect();
            mark(&mirrored).map(|(value, share)| (-value, share))
        });
        let half = values.len().div_ceil(2);
        let cores = values.windows(half.max(1)).map(|half| half[half.len() - 1] - half[0]);
        let core = cores.fold(f64::INFINITY, f64::min);
        Spread {
            torn: torn(&values),
            core: if core.is_finite() { core } else { 0.0 },
            low: at(0.01),
            median: at(0.5),
            high: at(0.99),
            mark,
        }
    }

    /// How far the middle 98 of 100 reach.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }
}

/// A mark for what is missing has this share of the numbers at least, and at most;
const MARKS: (f64, f64) = (0.01, 0.5);
/// and stands so often, beside so many different others.
const LEAST_MARKS: usize = 3;
const OTHERS: usize = 10;
/// Of grades and the like there are few; beside a few different ones a mark lies so many times as far as these reach.
const FEW_OTHERS: usize = 3;
const FAR_AWAY: f64 = 10.0;

/// The least of these numbers in rising order and its share, if it is a [mark](Spread::mark).
fn mark(rising: &[f64]) -> Option<(f64, f64)> {
    let (&least, &most) = (rising.first()?, rising.last()?);
    let marks = rising.partition_point(|value| *value <= least);
    let others = &rising[marks..];
    let share = marks as f64 / rising.len() as f64;
    let different = 1 + others.windows(2).filter(|pair| pair[0] < pair[1]).count();
    if marks < LEAST_MARKS || !(MARKS.0..MARKS.1).contains(&share) || others.is_empty() {
        return None;
    }
    let (gap, reach) = (others[0] - least, most - others[0]);
    let is_mark = different >= OTHERS && gap > reach || different >= FEW_OTHERS && gap > FAR_AWAY * reach;
    is_mark.then_some((least, share))
}

/// Numbers are torn where so many lie within three times the narrowest stretch that has three tenths of them, so many beyond
/// sixty times it, and between these no more than such a part of what is beyond.
const DENSE: f64 = 0.3;
const CLOSE: f64 = 3.0;
const FAR_OFF: f64 = 60.0;
const BEYOND: f64 = 0.1;
const BETWEEN: f64 = 0.15;

/// Whether these numbers in rising order are [torn](Spread::torn).
fn torn(rising: &[f64]) -> Option<(f64, f64)> {
    let count = rising.len() as f64;
    let dense = (DENSE * count).ceil() as usize;
    if dense < OTHERS {
        return None;
    }
    let stretches =
        rising.windows(dense).map(|stretch| (stretch[dense - 1] - stretch[0], stretch[dense / 2]));
    let (width, middle) = stretches.min_by(|a, b| a.0.total_cmp(&b.0)).filter(|(width, _)| *width > 0.0)?;
    let mut apart: Vec<f64> = rising.iter().map(|value| (value - middle).abs()).collect();
    apart.sort_by(f64::total_cmp);
    let within = |times: f64| apart.partition_point(|apart| *apart <= times * width);
    let (close, off) = (within(CLOSE), within(FAR_OFF));
    let beyond = (apart.len() - off) as f64 / count;
    let is_torn = beyond >= BEYOND && (off - close) as f64 / count <= BETWEEN * beyond;
    is_torn.then(|| (close as f64 / count, apart[(off + apart.len()) / 2] / apart[close.saturating_sub(1)]))
}

impl Inputs {
    /// Of inputs of this shape, row after row: columns of tables, channels of images.
    pub fn of(shape: Vec<usize>, values: &[f32]) -> Inputs {
        let columns = shape.last().copied().unwrap_or(1).max(1);
        let magnitudes: Vec<f64> = values.iter().map(|value| f64::from(value.abs())).collect();
        let mut nonzero: Vec<f64> =
            magnitudes.iter().copied().filter(|value| *value > 0.0 && value.is_finite()).collect();
        nonzero.sort_by(f64::total_cmp);
        let most_of_nonzero = nonzero.get(nonzero.len() * 19 / 20).copied().unwrap_or(0.0);
        let magnitudes = Spread::of(magnitudes);
        let column =
            |at: usize| Spread::of(values.iter().skip(at).step_by(columns).copied().map(f64::from).collect());
        let max_abs = values.iter().map(|value| f64::from(value.abs())).fold(0.0, f64::max);
        let columns = (0..columns).map(column).collect();
        let count = values.len().max(1) as f64;
        let zeros = values.iter().filter(|value| **value == 0.0).count() as f64 / count;
        let mean = values.iter().copied().map(f64::from).sum::<f64>() / count;
        let std = (values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count).sqrt();
        Inputs { shape, most: magnitudes.high, most_of_nonzero, max_abs, zeros, std, columns }
    }
}

impl Target {
    fn of(targets: &Targets, rows: &[usize]) -> Target {
        match targets {
            Targets::Classes { labels, classes, .. } => {
                let mut counts = vec![0; classes.len()];
                rows.iter().for_each(|&row| counts[labels[row] as usize] += 1);
                Target::Classes(counts)
            }
            Targets::Values { values, .. } => {
                Target::of_numbers(rows.iter().map(|&row| f64::from(values[row])).collect())
            }
        }
    }

    /// Of numbers as the loss gets them.
    pub fn of_numbers(values: Vec<f64>) -> Target {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let spread = Spread::of(values.clone());
        let mean_distance = values.iter().map(|value| (value - spread.median).abs()).sum::<f64>() / count;
        Target::Numbers { spread, mean, std, mean_distance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_value_does_not_move_the_spread_of_many() {
        let mut values: Vec<f32> = (0..1000).map(|at| (at % 7) as f32 - 3.0).collect();
        values[5] = 250.0;
        let inputs = Inputs::of(vec![2], &values);
        assert_eq!((inputs.most, inputs.max_abs), (3.0, 250.0));
        assert!(inputs.columns.iter().all(|column| column.width() <= 6.0));
    }

    #[test]
    fn a_number_that_stands_far_from_all_others_again_and_again_is_a_mark() {
        let with = |mark: f64, every: usize| {
            let value = |at: usize| if at.is_multiple_of(every) { mark } else { (at % 37) as f64 };
            Spread::of((0..1000).map(value).collect()).mark
        };
        assert_eq!(with(-999.0, 20), Some((-999.0, 0.05)));
        assert_eq!(with(9999.0, 20), Some((9999.0, 0.05)));
        assert_eq!(with(-20.0, 20), None, "not as far as the others are from each other");
        assert_eq!(with(-999.0, 600), None, "two far values");
        assert_eq!(Spread::of((0..1000).map(|at| f64::from(at % 3 == 0)).collect()).mark, None, "yes and no");
        let grade = |at: usize| if at.is_multiple_of(20) { -999.0 } else { (at % 7) as f64 };
        assert_eq!(Spread::of((0..1000).map(grade).collect()).mark, Some((-999.0, 0.05)));
        assert_eq!(Spread::of((0..1000).map(|at| (at % 7) as f64).collect()).mark, None, "grades");
    }

    #[test]
    fn numbers_in_two_units_are_torn_and_those_of_a_long_tail_are_not() {
        let normal = |at: usize| crate::testing::noise(at) + crate::testing::noise(at + 5000);
        let of = |number: &dyn Fn(usize) -> f64| Spread::of((0..1000).map(number).collect()).torn;
        let two_units = of(&|at| if at % 2 == 0 { normal(at) } else { 1e-3 * normal(at) });
        let (share, times) = two_units.unwrap();
        assert!((0.4..0.6).contains(&share) && times > 100.0, "{share} {times}");
        assert_eq!(of(&normal), None);
        assert_eq!(of(&|at| (4.0 * normal(at)).exp()), None, "prices");
        assert_eq!(of(&|at| (at % 5) as f64), None, "grades");
    }

    #[test]
    fn the_trivial_loss_is_the_entropy_of_the_classes_or_the_spread_of_the_numbers() {
        let named = |name: &str| Loss { name: name.into(), ..Loss::default() };
        let classes =
            Case { target: Target::Classes(vec![50, 50]), loss: named("cross_entropy"), ..Case::default() };
        assert!((classes.trivial_loss().unwrap() - 2f64.ln()).abs() < 1e-12);
        let numbers = Case {
            target: Target::of_numbers(vec![-1.0, 1.0, -1.0, 1.0]),
            loss: named("mse"),
            ..Case::default()
        };
        assert_eq!(numbers.trivial_loss(), Some(1.0));
        assert_eq!(Case { loss: named("focal"), ..classes }.trivial_loss(), None);
    }
}
