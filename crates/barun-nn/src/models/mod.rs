//! Networks by name, built for the shape of the data.

use std::fmt;

use crate::activations::Activation;
use crate::family::{clone_behind_pointer, family};
use crate::layers::{BatchNorm, Conv2d, Dropout, Linear, Relu, Sequential};
use crate::{Error, Hyper, Result, Shape};

/// A recipe for a network.
pub trait Architecture: Hyper + fmt::Debug + Send + Sync + CloneArchitecture {
    /// The network for inputs of this shape (without the batch axis) and `outputs` classes or values. [LAYER-10]
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential>;
}

clone_behind_pointer!(Architecture, CloneArchitecture);

family! {
    a model, Box<dyn Architecture>, Box::new;
    mlp: Mlp,
    lenet: Lenet,
    cnn: Cnn,
    notes_cnn: NotesCnn,
    resnet9: Resnet9,
    resnet18: Resnet18,
    vgg11: Vgg11,
    mobilenet: Mobilenet,
    recurrent: RnnModel LstmModel,
    transformer: Transformer,
    autoencoder: Autoencoder,
    tabular: Tabular,
}
pub use mlp::NormPlace;

/// Hidden layers: what follows the linear map of each.
struct Hidden<'a> {
    activation: &'a dyn Activation,
    norm: NormPlace,
    dropout: f64,
}

impl Hidden<'_> {
    /// Appends layers of these widths, from `inputs` numbers, their maps made by `linear`; returns the last width.
    fn extend(
        &self,
        model: &mut Sequential,
        inputs: usize,
        widths: &[usize],
        linear: impl Fn(usize, usize) -> Linear,
    ) -> usize {
        widths.iter().fold(inputs, |inputs, &units| {
            let map = linear(inputs, units);
            // A normalisation right after it has a bias of its own.
            let bias = map.bias && self.norm != NormPlace::BeforeActivation;
            model.push(Linear { bias, ..map });
            self.follow(model, units);
            dropout(model, self.dropout);
            units
        })
    }

    /// Appends normalisation and activation after a map to so many units or channels.
    fn follow(&self, model: &mut Sequential, units: usize) {
        if self.norm == NormPlace::BeforeActivation {
            model.push(BatchNorm::new(units));
        }
        if self.activation.name() != "identity" {
            model.layers.push(self.activation.clone_activation());
        }
        if self.norm == NormPlace::AfterActivation {
            model.push(BatchNorm::new(units));
        }
    }
}

/// Appends dropout, unless nothing is dropped.
fn dropout(model: &mut Sequential, rate: f64) {
    if rate != 0.0 {
        model.push(Dropout::new(rate));
    }
}

/// Height, width and channels of images.
fn image(model: &str, input: &Shape) -> Result<[usize; 3]> {
    <[usize; 3]>::try_from(&**input).map_err(|_| {
        Error::Model(format!(
            "{model} works on images [height, width, channels]; the data has rows of shape {input}: for a table there are tabular and mlp"
        ))
    })
}

/// Length and features of a sequence, as [`ToSequence`](crate::layers::ToSequence) makes it of rows of this shape.
fn sequence(model: &str, input: &Shape) -> Result<[usize; 2]> {
    match input[..] {
        [columns] => Ok([columns, 1]),
        [length, features] => Ok([length, features]),
        [height, width, channels] => Ok([height, width * channels]),
        _ => Err(Error::Model(format!(
            "{model} works on images, sequences or the columns of a table; the data has rows of shape {input}"
        ))),
    }
}

/// A 3 x 3 convolution that keeps the size, divided by `stride`, batch normalisation, which has the bias, and ReLU.
fn conv_norm_relu(model: &mut Sequential, inputs: usize, filters: usize, stride: usize) {
    model.push(Conv2d {
        stride: [stride; 2],
        padding: [1, 1],
        bias: false,
        ..Conv2d::new(inputs, filters, 3)
    });
    model.push(BatchNorm::new(filters));
    model.push(Relu::default());
}

/// The size of an axis after a window moved over it. [CNN-05]
fn after_window(model: &str, size: usize, window: usize, padding: usize, stride: usize) -> Result<usize> {
    match (size + 2 * padding).checked_sub(window) {
        Some(room) => Ok(room / stride + 1),
        None => Err(Error::Model(format!(
            "{model} needs larger images: a window of {window} does not fit into {size} with padding {padding}"
        ))),
    }
}
