//! `[data.images]`: how images are read.

use super::declare::{names, section};
use super::defaults::Defaults;
use super::setting::Fallback::Is;
use super::setting::{Setting, bad_value, wrong_type};
use super::tree::{Node, Value};
use crate::error::Result;

section! {
    /// `[data.images]`: how images are read.
    pub struct Images {
        /// The size they are scaled to. Not given: their own; of a folder the most common, at most 128 on the longer side.
        size: Option<ImageSize> = Is(|_| None);
        /// Whether the files of a folder are read in colour.
        colour: Colour = Is(|_| Colour::Auto);
        /// Leave out files of a folder that cannot be read, in place of an error; every file is decoded once before.
        skip_unreadable: bool = Is(|_| false);
    }
}

names! {
    /// Whether the files of a folder are read in colour.
    pub enum Colour, "a colour mode" {
        /// As most of the files are.
        Auto = "auto",
        /// In grey.
        Grey = "grey",
        /// In red, green and blue.
        Rgb = "rgb",
    }
}

/// The height and the width of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageSize(pub [usize; 2]);

impl Setting for ImageSize {
    fn expects() -> String {
        "a whole number for height and width, or \"HEIGHTxWIDTH\"".into()
    }

    fn read(node: &Node, path: &str, _: &Defaults) -> Result<Self> {
        let size = match &node.value {
            Value::Whole(side) => usize::try_from(*side).ok().map(|side| [side; 2]),
            Value::Text(text) => sides(text),
            _ => return Err(wrong_type(node, path, Self::expects())),
        };
        let is_small = |size: &[usize; 2]| size.iter().all(|side| (1..=4096).contains(side));
        size.filter(is_small).map(ImageSize).ok_or_else(|| {
            bad_value(node, path, "two whole numbers from 1 to 4096, like \"48x64\", or one for both")
        })
    }

    fn write(&self) -> Option<Node> {
        let [height, width] = self.0;
        format!("{height}x{width}").write()
    }
}

/// `48x64`, or `64` for both.
fn sides(text: &str) -> Option<[usize; 2]> {
    let side = |text: &str| text.trim().parse::<usize>().ok();
    match text.split_once('x') {
        Some((height, width)) => Some([side(height)?, side(width)?]),
        None => Some([side(text)?; 2]),
    }
}
