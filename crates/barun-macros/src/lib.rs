//! The derives of barun. Each is documented at the trait it implements, in `barun_nn`.

mod hyper;
mod module;
mod shared;
mod slots;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Module` for a struct by visiting its fields under their names.
///
/// A field that is no module (a number, a name) is left out with `#[module(skip)]`.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), module::expand)
}

/// Implements `Slots` for a struct of tensors: what an optimiser remembers about each parameter.
#[proc_macro_derive(Slots)]
pub fn derive_slots(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), slots::expand)
}

/// Implements `Hyper`: the name, the description and the settings of a thing that recipes and `barun list` know.
///
/// The name is the struct's in snake case (or `#[hyper(name = "...")]`), descriptions are the first sentences of doc
/// comments, settings are the public fields but for those marked `#[hyper(skip)]`. `#[hyper(positive)]`, `not_negative`,
/// `below_one`, `share` or `at_least_one` says which numbers a field takes.
#[proc_macro_derive(Hyper, attributes(hyper))]
pub fn derive_hyper(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), hyper::expand)
}

fn expand(
    input: DeriveInput,
    with: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    with(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
