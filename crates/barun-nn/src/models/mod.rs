//! Networks by name, built for the shape of the data.

use std::fmt;

use crate::hyper::by_name as find;
use crate::layers::Sequential;
use crate::{Error, Hyper, Result, Shape};

/// A recipe for a network.
pub trait Architecture: Hyper + fmt::Debug + Send + Sync {
    /// The network for inputs of this shape (without the batch axis) and `outputs` classes or values. [LAYER-10]
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential>;
}

macro_rules! models {
    ($($file:ident: $type:ident),* $(,)?) => {
        $(mod $file; pub use $file::$type;)*

        /// Every architecture with its default settings.
        pub fn all() -> Vec<Box<dyn Architecture>> {
            vec![$(Box::new($type::default())),*]
        }
    };
}
models! {
    mlp: Mlp,
    lenet: Lenet,
    cnn: Cnn,
    notes_cnn: NotesCnn,
    resnet18: Resnet18,
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

/// The size of an axis after a window moved over it. [CNN-05]
fn after_window(model: &str, size: usize, window: usize, padding: usize, stride: usize) -> Result<usize> {
    match (size + 2 * padding).checked_sub(window) {
        Some(room) => Ok(room / stride + 1),
        None => Err(Error::Model(format!(
            "{model} needs larger images: a window of {window} does not fit into {size} with padding {padding}"
        ))),
    }
}
