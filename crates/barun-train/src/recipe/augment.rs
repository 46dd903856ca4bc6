//! `[data.augment]`: how training images are varied. The settings and their formulas are in `barun_data::augment`.

use barun_data::augment::{Fill, settings};
use barun_data::augment_settings;

use super::declare::{names, section};
use super::defaults::Defaults;
use super::setting::Fallback::Is;
use super::setting::{Setting, unknown_name, wrong_type};
use super::tree::{Node, Value};
use crate::error::Result;

/// The section of all settings, with a preset before them.
macro_rules! augment_section {
    ($( $(#[doc = $doc:literal])* $setting:ident: $Type:ty = $none:expr, $bound:ident; )*) => {
        section! {
            /// `[data.augment]`: how training images are varied each time they are met. `augment = "digits"` is short for
            /// `augment = { preset = "digits" }`; a preset sets the keys below, and each may be set over it.
            pub struct Augment {
                /// The settings to begin with.
                preset: Preset = Is(|_| Preset::None);
                $(
                    $(#[doc = $doc])*
                    $setting: $Type = Is(|d| d.augment.$setting), Rule {
                        allowed: settings::$bound.allowed,
                        holds: |value: &$Type| settings::$bound.holds(*value as f64),
                    };
                )*
                /// What stands where nothing of the image comes to lie.
                fill: Fill = Is(|d| d.augment.fill);
            }
        }

        impl Augment {
            /// How training images are varied.
            pub fn settings(&self) -> barun_data::Augment {
                barun_data::Augment { $( $setting: self.$setting, )* fill: self.fill }
            }
        }
    };
}
augment_settings!(augment_section);

names! {
    /// Settings of augmentation that suit a kind of images.
    pub enum Preset, "an augmentation" {
        /// Images stay as they are.
        None = "none",
        /// Written signs on an even ground: turned and slanted by up to 10 degrees, shifted by up to 8 %, up to 10 %
        /// larger or smaller.
        Digits = "digits",
        /// Photographs: mirrored in half the cases, shifted by up to an eighth, the border mirrored.
        Natural = "natural",
    }
}

impl Augment {
    /// Whether it says no more than the preset `none`.
    pub(crate) fn is_off(&self) -> bool {
        self.preset == Preset::None && self.settings() == barun_data::Augment::NONE
    }
}

impl Preset {
    /// The settings it stands for.
    pub fn settings(self) -> barun_data::Augment {
        match self {
            Preset::None => barun_data::Augment::NONE,
            Preset::Digits => barun_data::Augment::DIGITS,
            Preset::Natural => barun_data::Augment::NATURAL,
        }
    }
}

/// The name of each fill.
const FILLS: [(&str, Fill); 3] = [("black", Fill::Black), ("edge", Fill::Edge), ("reflect", Fill::Reflect)];

impl Setting for Fill {
    fn expects() -> String {
        format!("one of {}", FILLS.map(|(name, _)| name).join(", "))
    }
    fn read(node: &Node, path: &str, _: &Defaults) -> Result<Self> {
        let Value::Text(name) = &node.value else { return Err(wrong_type(node, path, Self::expects())) };
        let found = FILLS.iter().find(|(known, _)| known == name);
        let unknown = || unknown_name(node, path, name, "a fill", &FILLS.map(|(name, _)| name));
        found.map(|(_, fill)| *fill).ok_or_else(unknown)
    }
    fn write(&self) -> Option<Node> {
        FILLS.iter().find(|(_, fill)| fill == self)?.0.to_string().write()
    }
}
