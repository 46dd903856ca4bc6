//! Families of things that are known by name: activations, losses, optimisers, schedules, models.
//!
//! Each family is a folder with a file for each of its things and one list of them, `family!`. From that list come the
//! modules, [`all`](crate::losses::all), [`by_name`](crate::losses::by_name), and that a thing of the family may be the
//! setting of another. So a new thing is its file, and its name in the list.

/// Lists a family: its noun with the article, what points to a thing of unknown kind and how that is made; then the file and
/// the types in it, for each thing.
macro_rules! family {
    (
        $article:ident $noun:ident, $pointer:ty, $make:path;
        $($file:ident: $($type:ident)+),* $(,)?
    ) => {
        $(mod $file; pub use $file::{$($type),+};)*

        /// The things alone, for another module to give out.
        #[allow(unused_imports)] // only some families are given out elsewhere too
        pub(crate) mod things {
            pub use super::{$($($type),+),*};
        }

        #[doc = concat!("Every ", stringify!($noun), " with its default settings.")]
        pub fn all() -> Vec<$pointer> {
            vec![$($($make($type::default())),+),*]
        }

        #[doc = concat!("The ", stringify!($noun), " called `name`, with its default settings.")]
        ///
        /// # Errors
        /// When there is none: the error lists the names, and says which is nearest.
        pub fn by_name(name: &str) -> $crate::Result<$pointer> {
            $crate::hyper::by_name(stringify!($noun), all(), name)
        }

        impl $crate::hyper::HyperValue for $pointer {
            const EXPECTED: &'static str = concat!(
                "the name of ", stringify!($article), " ", stringify!($noun), ", or a table of its name and settings"
            );
            const FAMILY: Option<&'static str> = Some(stringify!($noun));
            fn to_value(&self) -> $crate::hyper::Value {
                $crate::hyper::thing_to_value(self, by_name($crate::Hyper::name(self)).ok())
            }
            fn from_value(value: &$crate::hyper::Value) -> Option<Self> {
                $crate::hyper::thing_from_value(value, by_name)
            }
        }
    };
}

/// Lets pointers to things of a family be copied: `clone_behind_pointer!(Loss, CloneLoss)` declares the trait `CloneLoss`,
/// which `Loss` asks for and every loss that is `Clone` has.
macro_rules! clone_behind_pointer {
    ($trait:ident, $clone:ident) => {
        #[doc = concat!("A copy behind a pointer; every [`", stringify!($trait), "`] that is `Clone` has it.")]
        pub trait $clone {
            /// The copy.
            fn clone_box(&self) -> Box<dyn $trait>;
        }

        impl<T: $trait + Clone + 'static> $clone for T {
            fn clone_box(&self) -> Box<dyn $trait> {
                Box::new(self.clone())
            }
        }

        impl Clone for Box<dyn $trait> {
            fn clone(&self) -> Self {
                (**self).clone_box()
            }
        }
    };
}

pub(crate) use {clone_behind_pointer, family};
