//! What has been changed in a run on its way: other terms than those it began with, kept with every checkpoint.
//!
//! A run begins under the terms of its recipe. Whoever [mends](crate::mending) it may change the learning rate, clipping, the
//! optimiser, decay, what stands before the network and which activations and dropout layers are passed over; the learned weights stay. The
//! changes are always those against the beginning, so they can be applied to the step that the recipe makes, and
//! [written into the recipe](Changes::recipe).

use barun_nn::hyper::{Hyper, Value};
use barun_nn::optimizers::{self, AnyOptimizer, Clip};
use barun_nn::{Forward, InputTransform, Module, Step, StepOptions};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::recipe::{Draft, Layer, Model, Recipe, short_number};

/// Other terms than those a run began with; the default is none. See the [module](self).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// By what every planned learning rate is multiplied.
    pub lr_factor: f64,
    /// A rise of the learning rate from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// The largest norm of all gradients together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f64>,
    /// Another optimiser by its name in recipes, with its own defaults, also for the learning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<String>,
    /// Another weight decay, where the optimiser has one; penalties of the weights are then left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// What is done to the inputs before the network gets them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front: Option<Front>,
    /// Activations and dropout layers that are passed over, by path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
    /// Whether weights were drawn anew, by the rule for the activation after them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_redrawn: bool,
}

/// A rise of the learning rate from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// The steps that had been taken when it began.
    pub from: usize,
    /// Over so many steps.
    pub steps: usize,
}

/// Inputs to mean 0 and deviation 1: `x scale + shift` for each number of the last axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Front {
    /// Factors.
    pub scale: Vec<f64>,
    /// Summands.
    pub shift: Vec<f64>,
}

impl Default for Changes {
    fn default() -> Self {
        Changes {
            lr_factor: 1.0,
            warm_up: None,
            clip: None,
            optimizer: None,
            weight_decay: None,
            front: None,
            without: Vec::new(),
            is_redrawn: false,
        }
    }
}

impl Changes {
    /// Whether all is as it began.
    pub fn is_none(&self) -> bool {
        *self == Changes::default()
    }

    /// From the text in a model file; none where all is as it began.
    pub(crate) fn from_text(text: Option<&String>) -> serde_json::Result<Changes> {
        text.map_or_else(|| Ok(Changes::default()), |text| serde_json::from_str(text))
    }

    /// As text for a model file; none where all is as it began.
    pub(crate) fn to_text(&self) -> Option<String> {
        (!self.is_none()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Whether the step is another one; learning rates are told to a step, not compiled into it.
    pub fn need_another_step(&self) -> bool {
        let Changes { clip, optimizer, weight_decay, front, without, .. } = self;
        clip.is_some()
            || optimizer.is_some()
            || weight_decay.is_some()
            || front.is_some()
            || !without.is_empty()
    }

    /// Whether the network gives the same under `other` with the same weights.
    pub fn compute_as(&self, other: &Changes) -> bool {
        (&self.front, &self.without) == (&other.front, &other.without)
    }

    /// The step of a run that began with `base`. Its states are those of `base` with other slots of the optimiser, see
    /// [`adopted`](barun_nn::fork::adopted).
    ///
    /// # Errors
    /// An optimiser or a layer that there is not.
    pub fn step<M: Module + Forward>(&self, base: &Step<M>) -> Result<Step<M>> {
        Ok(base.changed(&self.optimizer_after(base.optimizer())?, self.options_after(base.options()))?)
    }

    fn optimizer_after(&self, base: &AnyOptimizer) -> Result<AnyOptimizer> {
        let mut optimizer = match &self.optimizer {
            Some(name) => optimizers::by_name(name)?,
            None => base.clone(),
        };
        if let Some(decay) = self.weight_decay
            && optimizer.settings().iter().any(|known| known.name == "weight_decay")
        {
            optimizer.set("weight_decay", &Value::Number(decay))?;
        }
        Ok(optimizer)
    }

    fn options_after(&self, base: &StepOptions) -> StepOptions {
        let mut options = self.answering(base.clone());
        options.clip = self.clip.map(Clip::Norm).or(options.clip);
        if self.weight_decay.is_some() {
            options.penalty = Default::default();
        }
        options
    }

    /// The options of a step that answers as the changed one does, whatever it learns by.
    pub fn answering(&self, base: StepOptions) -> StepOptions {
        let front = self.front.as_ref().map(Front::transform);
        let input = match (&base.input, front) {
            (Some(first), Some(front)) => Some(first.then(&front)),
            (None, Some(front)) => Some(front),
            (first, None) => first.clone(),
        };
        let without = [&base.without[..], &self.without[..]].concat();
        StepOptions { input, without, ..base }
    }

    /// The learning rate that becomes of the `planned` one after `step` steps.
    pub fn lr(&self, planned: f64, step: usize) -> f64 {
        let share =
            |rise: WarmUp| ((step + 1).saturating_sub(rise.from) as f64 / rise.steps.max(1) as f64).min(1.0);
        planned * self.lr_factor * self.warm_up.map_or(1.0, share)
    }

    /// The lines of a recipe that ask for the same from the beginning, as `--set` takes them; `lr` is that of the
    /// recipe's optimiser. What a recipe cannot say is left out.
    ///
    /// # Errors
    /// An optimiser that there is not.
    pub fn settings(&self, lr: f64) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut lr = lr;
        if let Some(name) = &self.optimizer {
            lr = optimizers::by_name(name)?.lr();
            lines.push(format!("train.optimizer={name}"));
        }
        if self.lr_factor != 1.0 || self.optimizer.is_some() {
            lines.push(format!("train.lr={}", short_number(lr * self.lr_factor, 3)));
        }
        lines.extend(self.warm_up.map(|rise| format!("train.schedule.warmup={} steps", rise.steps)));
        lines.extend(self.clip.map(|norm| format!("train.clip=norm({})", short_number(norm, 3))));
        if let Some(decay) = self.weight_decay {
            lines.extend([
                format!("train.optimizer.weight_decay={decay}"),
                "train.l1=0".to_string(),
                "train.l2=0".to_string(),
            ]);
        }
        lines.extend(self.front.as_ref().map(|_| "data.normalize=standard".to_string()));
        lines.extend(self.is_redrawn.then(|| "model.init=auto".to_string()));
        Ok(lines)
    }

    /// The recipe with the changes in it, to begin with them. What the recipe's model has no key for stays as it is.
    ///
    /// # Errors
    /// An optimiser that there is not.
    pub fn recipe(&self, recipe: &Recipe) -> Result<Recipe> {
        let mut changed = recipe.clone();
        for line in self.settings(recipe.train.optimizer.lr())? {
            let attempt = Draft::from_toml(&changed.to_toml(), "the recipe").and_then(|mut draft| {
                draft.set(&line)?;
                draft.resolve()
            });
            changed = attempt.unwrap_or(changed);
        }
        self.leave_out(&mut changed.model);
        Ok(changed)
    }

    /// Layers that are passed over, out of a list of layers, whose paths are their numbers.
    fn leave_out(&self, model: &mut Model) {
        match model {
            Model::Layers { layers, .. } => {
                let is_out = |at: usize| self.without.iter().any(|path| *path == at.to_string());
                let kept = layers.iter().enumerate().filter(|(at, _)| !is_out(*at));
                *layers = kept.map(|(_, layer)| layer.clone()).collect::<Vec<Layer>>();
            }
            Model::Named(_) => {}
        }
    }
}

impl Front {
    /// To mean 0 and deviation 1, for numbers with this mean and deviation; of a number that never changes the mean alone
    /// is taken.
    pub fn standardizing(mean: &[f64], std: &[f64]) -> Front {
        let scale = std.iter().map(|std| if *std > 0.0 { 1.0 / std } else { 1.0 });
        let scale: Vec<f64> = scale.collect();
        let shift = mean.iter().zip(&scale).map(|(mean, scale)| -mean * scale).collect();
        Front { scale, shift }
    }

    fn transform(&self) -> InputTransform {
        InputTransform { scale: self.scale.clone(), shift: self.shift.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_written_into_the_recipe() {
        let changes = Changes {
            lr_factor: 10.0,
            clip: Some(0.51234),
            optimizer: Some("adam".into()),
            warm_up: Some(WarmUp { from: 40, steps: 20 }),
            weight_decay: Some(0.0),
            without: vec!["1".into()],
            ..Changes::default()
        };
        let layers = "model.layers=[{type=\"linear\",units=\"classes\"},\"softmax\"]";
        let before =
            Recipe::of_moons(&[layers, "train.optimizer.name=sgd", "train.optimizer.lr=0.5", "train.l2=0.1"]);
        let after = changes.recipe(&before).unwrap();
        assert_eq!((after.train.optimizer.name(), after.train.optimizer.lr()), ("adam", 0.01));
        assert_eq!((after.train.clip, after.train.l2), (Some(Clip::Norm(0.512)), 0.0));
        assert_eq!(after.train.schedule.warmup, barun_nn::schedules::Span::Steps(20));
        let Model::Layers { layers, .. } = &after.model else { panic!("a list of layers") };
        assert_eq!(layers.len(), 1);
        assert_eq!(Changes::default().recipe(&before).unwrap(), before);
    }

    #[test]
    fn a_rate_rises_from_where_the_warm_up_began() {
        let warm_up = Some(WarmUp { from: 100, steps: 4 });
        let changes = Changes { lr_factor: 0.5, warm_up, ..Changes::default() };
        let rates: Vec<f64> = (100..106).map(|step| changes.lr(8.0, step)).collect();
        assert_eq!(rates, [1.0, 2.0, 3.0, 4.0, 4.0, 4.0]);
    }

    #[test]
    fn no_changes_are_an_empty_text_but_for_the_rate_and_come_back_from_it() {
        let changes = Changes {
            lr_factor: 0.1,
            front: Some(Front::standardizing(&[2.0, 3.0], &[4.0, 0.0])),
            ..Changes::default()
        };
        let text = serde_json::to_string(&changes).unwrap();
        assert_eq!(text, r#"{"lr_factor":0.1,"front":{"scale":[0.25,1.0],"shift":[-0.5,-3.0]}}"#);
        assert_eq!(serde_json::from_str::<Changes>(&text).unwrap(), changes);
    }
}
