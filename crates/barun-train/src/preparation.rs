//! How raw rows become what a network takes: part of every model file, so that a model can be asked about new data.

use std::path::Path;

use barun_data::{Features, Fitted, PreparedData, ScalingKind, Schema, Targets};
#[cfg(feature = "onnx")]
use barun_engine::Tensor;
use barun_nn::InputTransform;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a network was trained on, as far as prediction needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// The shape of a row: `[columns]` or `[height, width, channels]`.
    pub input: Vec<usize>,
    /// The names of a table's columns, in the order the network takes them; none for images.
    pub columns: Option<Vec<String>>,
    /// What the target is called.
    pub target: String,
    /// The class names in the order of the network's outputs; none where the target is a number.
    pub classes: Option<Vec<String>>,
    /// The scaling of the inputs, fitted on the training part.
    pub scaling: Fitted,
    /// The scaling of a target that is a number.
    pub target_scaling: Option<Fitted>,
}

impl Preparation {
    /// Of prepared data.
    ///
    /// # Errors
    /// When images are scaled by more than one number for all pixels or one for each channel.
    pub fn of(data: &PreparedData) -> Result<Preparation> {
        let (features, targets) = (data.dataset().features(), data.dataset().targets());
        let input = features.sample_shape();
        let scaling = data.scaling().clone();
        let numbers = scaling.shift.len();
        if let [_, _, channels] = input[..]
            && ![1, channels].contains(&numbers)
        {
            return Err(Error::ScalingOfPixels { numbers, channels });
        }
        Ok(Preparation {
            columns: match features {
                Features::Rows { names, .. } => Some(names.clone()),
                Features::Images { .. } | Features::Lazy(_) => None,
            },
            target: targets.name().to_string(),
            classes: targets.classes().map(<[String]>::to_vec),
            target_scaling: data.target_scaling().cloned(),
            input,
            scaling,
        })
    }

    /// What the compiled step does to its inputs: images travel as bytes and are scaled there, from 0 to 1 where nothing
    /// else was asked for; rows come scaled.
    pub fn transform(&self) -> Option<InputTransform> {
        if self.columns.is_some() {
            return None;
        }
        if self.scaling.kind == ScalingKind::None {
            return Some(InputTransform::unit_range());
        }
        let pairs = || self.scaling.shift.iter().zip(&self.scaling.scale);
        Some(InputTransform {
            scale: pairs().map(|(_, scale)| f64::from(*scale)).collect(),
            shift: pairs().map(|(shift, scale)| -f64::from(*shift) * f64::from(*scale)).collect(),
        })
    }

    /// What [`transform`](Preparation::transform) leaves to be done to raw inputs, as a formula: the scaling of a table's
    /// columns.
    #[cfg(feature = "onnx")]
    pub(crate) fn scaled(&self, x: &Tensor) -> Tensor {
        if self.columns.is_none() {
            return x.clone();
        }
        let constant = |values: &[f32]| Tensor::from_slice(values, [values.len()]);
        (x - constant(&self.scaling.shift)) * constant(&self.scaling.scale)
    }

    /// Raw features as the network takes them. They must have the network's shape and, in a table, its columns in order.
    pub fn features(&self, raw: &Features) -> Result<Features> {
        self.check(raw)?;
        let mut features = raw.clone();
        if let Features::Rows { values, .. } = &mut features {
            self.scaling.apply(values)?;
        }
        Ok(features)
    }

    /// Raw targets as the network learned them.
    pub fn targets(&self, raw: &Targets) -> Result<Targets> {
        if raw.classes() != self.classes.as_deref() {
            let told = |classes: Option<&[String]>| {
                classes.map_or("numbers".to_string(), |classes| format!("the classes {}", classes.join(", ")))
            };
            let (found, expected) = (told(raw.classes()), told(self.classes.as_deref()));
            return Err(Error::OtherTarget { target: raw.name().to_string(), found, expected });
        }
        let mut targets = raw.clone();
        if let (Targets::Values { values, .. }, Some(scaling)) = (&mut targets, &self.target_scaling) {
            scaling.apply(values)?;
        }
        Ok(targets)
    }

    /// What an output of 1, and of 0, stands for where the target is a number.
    pub(crate) fn unit_and_offset(&self) -> (f64, f64) {
        let Some(scaling) = &self.target_scaling else { return (1.0, 0.0) };
        match (scaling.scale.first(), scaling.shift.first()) {
            (Some(&scale), Some(&shift)) if scale != 0.0 => (1.0 / f64::from(scale), f64::from(shift)),
            (_, Some(&shift)) => (1.0, f64::from(shift)),
            _ => (1.0, 0.0),
        }
    }

    /// The columns by which a table is read; none for images.
    pub fn schema(&self) -> Option<Schema> {
        let (target, classes) = (self.target.clone(), self.classes.clone());
        self.columns.clone().map(|features| Schema { features, target, classes })
    }

    /// As text for a model file.
    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From the text in the model file at `path`.
    pub(crate) fn from_text(text: &str, path: &Path) -> Result<Preparation> {
        serde_json::from_str(text).map_err(|error| Error::BadCheckpoint {
            path: path.to_path_buf(),
            message: format!(
                "what it says of its data is damaged: {error}; use another checkpoint, or train again"
            ),
        })
    }

    fn check(&self, raw: &Features) -> Result<()> {
        let fits = match (raw, &self.columns) {
            (Features::Rows { names, .. }, Some(columns)) => names == columns,
            (Features::Images { .. } | Features::Lazy(_), None) => raw.sample_shape() == self.input,
            _ => false,
        };
        if fits {
            return Ok(());
        }
        let told = |columns: Option<&[String]>, shape: &[usize]| match columns {
            Some(columns) => format!("the columns {}", columns.join(", ")),
            None => format!("images of {shape:?}"),
        };
        let names = match raw {
            Features::Rows { names, .. } => Some(&names[..]),
            Features::Images { .. } | Features::Lazy(_) => None,
        };
        Err(Error::OtherFeatures {
            found: told(names, &raw.sample_shape()),
            expected: told(self.columns.as_deref(), &self.input),
        })
    }
}
