//! Judging a trained model on rows it has not seen, beside baselines.

use std::path::Path;

use barun_data::{Part, PreparedData, Targets};
use barun_nn::layers::Sequential;
use barun_nn::{Forward, Module};

use super::Machine;
use super::train::{Checked, trainer};
use crate::error::Result;
use crate::judgement::{Baseline, Judgement};
use crate::looks::Looks;
use crate::metrics::Predictions;
use crate::predictor::Predictor;
use crate::progress::Silent;
use crate::recipe::{Draft, Recipe};

/// The linear baseline is trained for about so many steps, in batches of this size.
const LINEAR_STEPS: usize = 2_000;
const LINEAR_BATCH: usize = 128;

/// The part that a model is judged on: the test part, or the valid part where there is none.
pub(super) fn judged_part(data: &PreparedData) -> Part {
    if data.test().is_empty() { data.valid() } else { data.test() }
}

/// Judges the model of `run` on the [`judged_part`], and gives what it said there too; gives nothing where there is no such
/// part.
pub(super) fn judge<M: Module + Forward>(
    recipe: &Recipe,
    checked: &Checked,
    model: &Predictor<M>,
    run: &Path,
    machine: &Machine,
) -> Result<Option<(Judgement, Predictions)>> {
    let data = &checked.data;
    let part = judged_part(data);
    if part.is_empty() {
        return Ok(None);
    }
    let (dataset, rows) = (data.dataset(), part.indices());
    let said = model.predictions(dataset.features(), dataset.targets(), rows)?;
    let evaluation = said.evaluate(0);
    let baselines = match model.gives_its_input() {
        true => vec![mean_row(data, rows, model)?],
        false => baselines(recipe, data, rows, model, machine)?,
    };
    let (earlier_looks, note) = match checked.fingerprint.filter(|_| part.name() == "test") {
        Some(fingerprint) => count_look(fingerprint, dataset.name(), run),
        None => (None, None),
    };
    let part = part.name().to_string();
    Ok(Some((Judgement { part, evaluation, baselines, earlier_looks, note }, said)))
}

/// What is said without the network of rows whose target is learned.
fn baselines<M: Module + Forward>(
    recipe: &Recipe,
    data: &PreparedData,
    rows: &[usize],
    model: &Predictor<M>,
    machine: &Machine,
) -> Result<Vec<Baseline>> {
    let mut baselines = vec![constant(data, rows, model.preparation().unit_and_offset())];
    if let Some(linear) = linear(recipe, data, machine)? {
        let linear = linear.predictions(data.dataset().features(), data.dataset().targets(), rows)?;
        let about = "a linear model of the same inputs, trained on the same rows";
        baselines.push(baseline("linear", about, &linear));
    }
    Ok(baselines)
}

/// The mean of the training rows, as an answer to each row that is to be given again.
fn mean_row<M: Module + Forward>(
    data: &PreparedData,
    rows: &[usize],
    model: &Predictor<M>,
) -> Result<Baseline> {
    let said = model.mean_reconstructions(data.dataset().features(), data.train().indices(), rows)?;
    Ok(baseline("constant", "the mean of the training rows", &said))
}

fn baseline(name: &str, about: &str, said: &Predictions) -> Baseline {
    Baseline { name: name.to_string(), about: about.to_string(), figures: said.evaluate(0).figures }
}

/// Counts a look at a test part; gives how many there were before, and what is to be said of them. That nobody could
/// count must not cost the result.
pub(super) fn count_look(fingerprint: u64, data: &str, model: &Path) -> (Option<usize>, Option<String>) {
    let Some(looks) = Looks::of_user() else { return (None, None) };
    match looks.add(fingerprint, data, &model.display().to_string()) {
        Ok(before) if before.looks == 0 => (Some(0), None),
        Ok(before) => {
            let times =
                if before.looks == 1 { "once".to_string() } else { format!("{} times", before.looks) };
            let note = format!(
                "the test part of {data} has been looked at {times} before, first by {}. Each look after which something is \
                 changed makes its figures say less of new rows: choose by the valid part",
                before.first
            );
            (Some(before.looks), Some(note))
        }
        Err(error) => (None, Some(format!("this look at the test part could not be counted: {error}"))),
    }
}

/// What the training part says of a row without looking at the row.
fn constant(data: &PreparedData, rows: &[usize], (unit, offset): (f64, f64)) -> Baseline {
    let train = data.train();
    match data.dataset().targets() {
        Targets::Classes { labels, classes, .. } => {
            let mut counts = vec![0.0; classes.len()];
            train.indices().iter().for_each(|&row| counts[labels[row] as usize] += 1.0);
            let shares: Vec<f64> = counts.iter().map(|count| count / train.len() as f64).collect();
            let labels = rows.iter().map(|&row| labels[row] as usize).collect();
            let (probabilities, classes) = (shares.repeat(rows.len()), classes.clone());
            let said = Predictions::Classes { probabilities, labels, classes };
            baseline("constant", "the most frequent class of the training part", &said)
        }
        Targets::Values { values, .. } => {
            let number = |row: &usize| f64::from(values[*row]) * unit + offset;
            let mean = train.indices().iter().map(number).sum::<f64>() / train.len() as f64;
            let targets = rows.iter().map(number).collect();
            let said = Predictions::Numbers { predictions: vec![mean; rows.len()], targets };
            baseline("constant", "the mean of the training part", &said)
        }
    }
}

/// A linear model, trained as the recipe says but for what a linear model needs: fewer, larger steps. None where the
/// recipe's own model is linear.
fn linear(recipe: &Recipe, data: &PreparedData, machine: &Machine) -> Result<Option<Predictor<Sequential>>> {
    let rows = data.train().len();
    let batch_size = LINEAR_BATCH.min(rows);
    let epochs = (LINEAR_STEPS / rows.div_ceil(batch_size)).max(1);
    let mut draft = Draft::from_toml(&recipe.to_toml(), "the recipe of the run")?;
    for assignment in [
        "model={ name = \"mlp\", hidden = [] }".to_string(),
        "train.optimizer={ name = \"adam\", lr = 0.01 }".to_string(),
        "train.schedule=cosine".to_string(),
        "data.augment=none".to_string(),
        format!("train.batch_size={batch_size}"),
        format!("train.epochs={epochs}"),
    ] {
        draft.set(&assignment)?;
    }
    let linear = draft.resolve()?;
    if linear.model == recipe.model {
        return Ok(None);
    }
    let trainer = trainer(&linear, data, machine)?.stop_when(machine.stop.clone());
    match trainer.fit_with(data, &mut Silent) {
        Ok(trained) => Ok(Some(trained.into_predictor())),
        // A baseline that cannot be had must not cost the result.
        Err(crate::Error::NotFinite { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
