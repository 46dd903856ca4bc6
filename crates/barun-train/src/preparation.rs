//! How raw rows become what a network takes: part of every model file, so that a model can be asked about new data.

use std::path::Path;

use barun_data::table::SchemaColumn;
use barun_data::{Encoding, Features, Fitted, PreparedData, ScalingKind, Schema, Table, Targets};
#[cfg(feature = "onnx")]
use barun_engine::Tensor;
use barun_nn::InputTransform;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What the target is called where it is the input itself.
pub(crate) const INPUT: &str = "the input";

/// What a network was trained on, as far as prediction needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// The shape of a row: `[columns]` or `[height, width, channels]`.
    pub input: Vec<usize>,
    /// What the numbers of a row are called, in the order the network takes them; none for images.
    pub columns: Option<Vec<String>>,
    /// How the columns of a table become those numbers; none for images and for rows of numbers.
    pub encoding: Option<Encoding>,
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
            columns: features.names(),
            encoding: data.encoding().cloned(),
            target: targets.name().to_string(),
            classes: targets.classes().map(<[String]>::to_vec),
            target_scaling: data.target_scaling().cloned(),
            input,
            scaling,
        })
    }

    /// The same for a network that gives its input again: the target is left aside.
    pub(crate) fn of_input(self) -> Preparation {
        Preparation { target: INPUT.to_string(), classes: None, target_scaling: None, ..self }
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
    /// numbers.
    #[cfg(feature = "onnx")]
    pub(crate) fn scaled(&self, x: &Tensor) -> Tensor {
        if self.columns.is_none() {
            return x.clone();
        }
        let (shift, scale) = match &self.encoding {
            Some(encoding) => encoding.lines().into_iter().unzip(),
            None => (self.scaling.shift.clone(), self.scaling.scale.clone()),
        };
        let constant = |values: Vec<f32>| Tensor::from_slice(&values, [values.len()]);
        (x - constant(shift)) * constant(scale)
    }

    /// Raw features as the network takes them. Images must have the network's shape, rows its columns in order; of a table
    /// the columns are found by name.
    pub fn features(&self, raw: &Features) -> Result<Features> {
        match (raw, &self.encoding) {
            (Features::Table(table), Some(encoding)) => return Ok(encoding.apply(table)?.0),
            (Features::Rows { values, names }, Some(encoding)) => {
                return Ok(encoding.apply(&Table::of_numbers(names, values.clone()))?.0);
            }
            (Features::Table(table), None) => return self.rows_of(table),
            _ => {}
        }
        self.check(raw)?;
        let mut features = raw.clone();
        if let Features::Rows { values, .. } = &mut features {
            self.scaling.apply(values)?;
        }
        Ok(features)
    }

    /// What is to be said of raw features: values of categories that training did not have.
    pub fn notes(&self, raw: &Features) -> Result<Vec<String>> {
        match (raw, &self.encoding) {
            (Features::Table(table), Some(encoding)) => Ok(encoding.bind(table.columns())?.notes().to_vec()),
            _ => Ok(Vec::new()),
        }
    }

    /// The numbers of a table as rows, for a network that was trained on such.
    fn rows_of(&self, table: &Table) -> Result<Features> {
        let Some(columns) = &self.columns else {
            return Err(self.mismatch(&Features::Table(table.clone())));
        };
        let mut values = table.numbers(columns)?;
        if let Some(at) = values.iter().position(|value| value.is_nan()) {
            let (row, column) = (at / columns.len() + 1, columns[at % columns.len()].clone());
            return Err(Error::MissingValue { row, column });
        }
        self.scaling.apply(&mut values)?;
        Ok(Features::Rows { values, names: columns.clone() })
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
        match (&self.encoding, &self.columns) {
            (Some(encoding), _) => Some(encoding.schema(&target, classes)),
            (None, Some(columns)) => {
                let columns = columns.iter().map(SchemaColumn::number).collect();
                Some(Schema { columns, unused: Vec::new(), target, classes })
            }
            (None, None) => None,
        }
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
        if fits { Ok(()) } else { Err(self.mismatch(raw)) }
    }

    fn mismatch(&self, raw: &Features) -> Error {
        let told = |columns: Option<Vec<String>>, shape: &[usize]| match columns {
            Some(columns) => format!("the columns {}", columns.join(", ")),
            None => format!("images of {shape:?}"),
        };
        let expected =
            self.schema().map(|schema| schema.columns.into_iter().map(|column| column.name).collect());
        Error::OtherFeatures {
            found: told(raw.names(), &raw.sample_shape()),
            expected: told(expected, &self.input),
        }
    }
}
