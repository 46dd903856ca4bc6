//! A network with its weights, ready to be asked and measured.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use barun_data::{Dataset, Features, Part, Schema, Targets};
use barun_engine::{DType, Device, Options, State};
use barun_nn::layers::Sequential;
use barun_nn::{Batch, Forward, Module, Step, StepOptions};

use crate::build;
use crate::changes::Changes;
use crate::checkpoint::{Checkpoint, tensors_of, write_into, write_weights_into};
use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::metrics::{Evaluation, Metrics, Predictions};
use crate::objective::{Objective, Tally};
use crate::preparation::Preparation;
use crate::recipe::{self, Recipe};
use crate::report::Answer;
use crate::restore::changes_in;

/// The names of the texts in a model file.
pub(crate) const RECIPE: &str = "recipe";
pub(crate) const DATA: &str = "data";
pub(crate) const POSITION: &str = "position";
pub(crate) const CHANGES: &str = "changes";

/// Rows that are answered at once, where the recipe does not say how many are learned from at once.
const ANSWERED_AT_ONCE: usize = 256;

/// A network, its weights, and what its data must look like.
pub struct Predictor<M> {
    pub(crate) step: Arc<Step<M>>,
    /// What was changed in the run that it comes from; the step knows of it.
    pub(crate) changes: Changes,
    pub(crate) state: State,
    pub(crate) preparation: Preparation,
    pub(crate) objective: Objective,
    pub(crate) batch_size: usize,
}

impl<M: Module + Forward> Predictor<M> {
    /// The compiled step, with the model in it.
    pub fn step(&self) -> &Step<M> {
        &self.step
    }

    /// The weights, and what training keeps beside them.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What the data must look like.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// What the network says of each row of raw features. Changes nothing of the network. [TRAIN-13, EVAL-12]
    ///
    /// # Errors
    /// When the features have another shape or other columns than those it was trained on.
    pub fn predict(&self, raw: &Features) -> Result<Vec<Answer>> {
        let features = self.preparation.features(raw)?;
        let classes = self.preparation.classes.as_deref().unwrap_or_default();
        let (_, offset) = self.preparation.unit_and_offset();
        let rows: Vec<usize> = (0..features.len()).collect();
        let mut answers = Vec::with_capacity(rows.len());
        self.outputs(&features, &rows, |row| answers.push(self.objective.answer(row, classes, offset)))?;
        Ok(answers)
    }

    /// Gives `take` the network's outputs for each of `rows` of prepared features.
    fn outputs(&self, features: &Features, rows: &[usize], mut take: impl FnMut(&[f64])) -> Result<()> {
        let mut feed = Feed::new(self.objective);
        for rows in rows.chunks(self.batch_size.max(1)) {
            let batch = feed.gather(features, None, rows)?;
            let outputs = self.step.predict(&self.state, &batch.x)?.to_f64();
            let width = outputs.len() / rows.len();
            outputs.chunks(width.max(1)).for_each(&mut take);
        }
        Ok(())
    }

    /// What the network says of prepared rows, beside what they are: in the target's own unit, or in that of the scaled
    /// input where this is what it gives.
    pub(crate) fn predictions(
        &self,
        features: &Features,
        targets: &Targets,
        rows: &[usize],
    ) -> Result<Predictions> {
        if let Objective::Input { outputs, .. } = self.objective {
            return self.reconstructions(outputs, features, rows);
        }
        let (unit, offset) = self.preparation.unit_and_offset();
        let mut said = Vec::new();
        match targets {
            Targets::Classes { labels, classes, .. } => {
                self.outputs(features, rows, |row| said.extend(self.objective.probabilities(row)))?;
                let labels = rows.iter().map(|&row| labels[row] as usize).collect();
                Ok(Predictions::Classes { probabilities: said, labels, classes: classes.clone() })
            }
            Targets::Values { values, .. } => {
                self.outputs(features, rows, |row| said.push(row[0] * unit + offset))?;
                let targets = rows.iter().map(|&row| f64::from(values[row]) * unit + offset).collect();
                Ok(Predictions::Numbers { predictions: said, targets })
            }
        }
    }

    /// Whether it was trained to give its input again.
    pub fn gives_its_input(&self) -> bool {
        matches!(self.objective, Objective::Input { .. })
    }

    /// Everything that can be said of the network on raw data: each figure with its bootstrap interval, classes one by
    /// one, the confusion matrix, calibration.
    ///
    /// # Errors
    /// As [`measure`](Predictor::measure).
    pub fn evaluate(&self, raw: &Dataset, rows: &[usize]) -> Result<Evaluation> {
        let features = self.preparation.features(raw.features())?;
        let targets = self.targets(raw.targets())?;
        Ok(self.predictions(&features, &targets, rows)?.evaluate(0))
    }

    /// Raw targets as the network was trained on them; as they are where it gives its input again.
    fn targets<'a>(&self, raw: &'a Targets) -> Result<Cow<'a, Targets>> {
        match self.gives_its_input() {
            true => Ok(Cow::Borrowed(raw)),
            false => Ok(Cow::Owned(self.preparation.targets(raw)?)),
        }
    }

    /// The figures on raw data.
    ///
    /// # Errors
    /// When the data has another shape, other columns or other classes than those the network was trained on.
    pub fn measure(&self, raw: &Dataset, rows: &[usize]) -> Result<Metrics> {
        let features = self.preparation.features(raw.features())?;
        let targets = self.targets(raw.targets())?;
        self.measure_prepared(&features, &targets, rows)
    }

    pub(crate) fn measure_prepared(
        &self,
        features: &Features,
        targets: &Targets,
        rows: &[usize],
    ) -> Result<Metrics> {
        Measured {
            step: &*self.step,
            state: &self.state,
            objective: self.objective,
            data: (features, targets),
            rows,
            batch_size: self.batch_size,
        }
        .figures()
    }

    /// Saves weights and everything training keeps beside them. [LAYER-16]
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut metadata = BTreeMap::from([(DATA.to_string(), self.preparation.to_text())]);
        metadata.extend(self.changes.to_text().map(|text| (CHANGES.to_string(), text)));
        Checkpoint { tensors: tensors_of(&self.state), metadata }.write(path)
    }

    /// Takes the weights that [`save`](Predictor::save) or a run has written; the model must be the same, and nothing changed in
    /// one of the runs that is not changed in the other.
    ///
    /// # Errors
    /// A file that is damaged, of another model, or of a run that was mended in another way.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        let file = Checkpoint::read(path)?;
        if !changes_in(&file, path)?.compute_as(&self.changes) {
            let message = "the run it comes from was mended in another way than that of this model; open it as a model file".into();
            return Err(Error::BadCheckpoint { path: path.to_path_buf(), message });
        }
        write_into(&mut self.state, &file, path)
    }
}

/// Rows on which a state of a step is to be measured, in eval mode.
#[derive(Clone, Copy)]
pub(crate) struct Measured<'a, M: Module> {
    pub step: &'a Step<M>,
    pub state: &'a State,
    pub objective: Objective,
    pub data: (&'a Features, &'a Targets),
    /// Which rows of the data.
    pub rows: &'a [usize],
    /// At most so many at once.
    pub batch_size: usize,
}

impl<'a, M: Module + Forward> Measured<'a, M> {
    /// All rows of a part.
    pub fn of(
        (step, state): (&'a Step<M>, &'a State),
        objective: Objective,
        part: &'a Part,
        batch_size: usize,
    ) -> Self {
        let data = (part.dataset().features(), part.dataset().targets());
        Measured { step, state, objective, data, rows: part.indices(), batch_size }
    }

    /// The figures.
    pub fn figures(&self) -> Result<Metrics> {
        self.tallied(|batch| Ok(self.step.evaluate(self.state, batch)?))
    }

    /// The same figures, bit for bit, and the network's outputs for the rows, one row after the other.
    pub fn figures_and_outputs(&self) -> Result<(Metrics, Vec<f64>)> {
        let mut outputs = Vec::new();
        let metrics = self.tallied(|batch| {
            let (found, told) = self.step.evaluate_telling(self.state, batch)?;
            outputs.extend(told.to_f64());
            Ok(found)
        })?;
        Ok((metrics, outputs))
    }

    fn tallied(&self, mut evaluate: impl FnMut(&Batch) -> Result<barun_nn::Evaluation>) -> Result<Metrics> {
        let (features, targets) = self.data;
        let mut feed = Feed::new(self.objective);
        let mut tally = Tally::new(self.objective);
        for rows in self.rows.chunks(self.batch_size.max(1)) {
            let batch = feed.gather(features, Some(targets), rows)?;
            let found = evaluate(batch)?;
            tally.add(found.loss, &found.metrics, rows.len(), &batch.y);
        }
        Ok(tally.metrics())
    }
}

/// A model file, opened: the network of its recipe with its weights.
pub struct ModelFile {
    /// The recipe it was trained by.
    pub recipe: Recipe,
    /// The network.
    pub predictor: Predictor<Sequential>,
    /// The texts that prediction needs, as they are written.
    pub(crate) texts: BTreeMap<String, String>,
}

impl ModelFile {
    /// Opens the model file at `path`.
    pub fn open(path: &Path, device: &Device) -> Result<ModelFile> {
        ModelFile::open_in(path, device, build::precision)
    }

    /// Opens it to compute in f32 where it was trained in bf16: the weights are f32.
    pub fn open_in_full(path: &Path, device: &Device) -> Result<ModelFile> {
        ModelFile::open_in(path, device, |precision| build::precision(precision).computed())
    }

    fn open_in(
        path: &Path,
        device: &Device,
        precision: impl Fn(recipe::Precision) -> DType,
    ) -> Result<ModelFile> {
        let file = Checkpoint::read(path)?;
        let origin = format!("the recipe in {}", path.display());
        let recipe = Recipe::from_toml(file.text(RECIPE, path)?, &origin)?;
        let preparation = Preparation::from_text(file.text(DATA, path)?, path)?;
        // The loss and the outputs follow from the kind of target, as in training.
        let targets = match preparation.classes.clone() {
            Some(classes) => {
                Targets::Classes { name: preparation.target.clone(), labels: Vec::new(), classes }
            }
            None => Targets::Values { name: preparation.target.clone(), values: Vec::new() },
        };
        let loss = build::loss(&recipe.train.loss, preparation.classes.is_some());
        let learns = build::learns(recipe.data.task);
        let objective = Objective::for_data(learns, &*loss, &targets, &preparation)?;
        let outputs = objective.outputs(&targets, &preparation.input);
        let model = build::network(&recipe.model, &preparation.input, outputs)?;
        let options = StepOptions {
            precision: precision(recipe.train.precision),
            input: preparation.transform(),
            learns,
            metrics: objective.metrics(),
            engine: Options { device: Some(device.clone()), ..Options::default() },
            ..StepOptions::default()
        };
        let changes = changes_in(&file, path)?;
        let options = changes.answering(options);
        let step = Arc::new(Step::with(model, &*recipe.train.optimizer, &loss, options)?);
        let mut state = State::zeros(step.layout());
        write_weights_into(&mut state, &step.inventory().names(), &file, path)?;
        let batch_size = recipe.train.batch_size.unwrap_or(ANSWERED_AT_ONCE);
        let predictor = Predictor { step, changes, state, preparation, objective, batch_size };
        let texts = [RECIPE, DATA, CHANGES].iter().filter_map(|name| file.metadata.get_key_value(*name));
        let texts = texts.map(|(name, text)| (name.clone(), text.clone())).collect();
        Ok(ModelFile { recipe, predictor, texts })
    }
}

/// Raw rows of numbers with the columns of `wanted` in their order; others are left aside. Images stay as they are.
pub(crate) fn columns_in_order(features: &Features, wanted: &Schema, place: &str) -> Result<Features> {
    let Features::Rows { values, names } = features else { return Ok(features.clone()) };
    let wanted: Vec<String> = wanted.columns.iter().map(|column| column.name.clone()).collect();
    let position = |name: &String| {
        names.iter().position(|known| known == name).ok_or_else(|| Error::OtherFeatures {
            found: format!("{place} with the columns {}", names.join(", ")),
            expected: format!("the columns {}", wanted.join(", ")),
        })
    };
    let positions = wanted.iter().map(position).collect::<Result<Vec<usize>>>()?;
    let rows = values.chunks_exact(names.len().max(1));
    let values = rows.flat_map(|row| positions.iter().map(|&at| row[at])).collect();
    Ok(Features::Rows { values, names: wanted })
}
