//! Networks by name, built for the shape of the data.

use std::fmt;

use crate::hyper::by_name as find;
use crate::layers::{BatchNorm, Conv2d, Relu, Sequential};
use crate::{Error, Hyper, Result, Shape};

/// A recipe for a network.
pub trait Architecture: Hyper + fmt::Debug + Send + Sync + CloneArchitecture {
    /// The network for inputs of this shape (without the batch axis) and `outputs` classes or values. [LAYER-10]
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential>;
}

/// A copy behind a pointer; every architecture that is `Clone` has it.
pub trait CloneArchitecture {
    /// The copy.
    fn clone_box(&self) -> Box<dyn Architecture>;
}

impl<A: Architecture + Clone + 'static> CloneArchitecture for A {
    fn clone_box(&self) -> Box<dyn Architecture> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Architecture> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

macro_rules! models {
    ($($file:ident: $($type:ident)+),* $(,)?) => {
        $(mod $file; pub use $file::{$($type),+};)*

        /// Every architecture with its default settings.
        pub fn all() -> Vec<Box<dyn Architecture>> {
            vec![$($(Box::new($type::default())),+),*]
        }
    };
}
models! {
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

/// The architecture called `name`, with its default settings.
pub fn by_name(name: &str) -> Result<Box<dyn Architecture>> {
    find("model", all(), name)
}

/// Height, width and channels of images.
fn image(model: &str, input: &Shape) -> Result<[usize; 3]> {
    <[usize; 3]>::try_from(&**input).map_err(|_| {
        Error::Model(format!(
            "{model} works on images [height, width, channels]; the data has rows of shape {input}"
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
