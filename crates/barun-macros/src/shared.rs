//! What the derives have in common.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Fields, Lit, Meta};

/// The path under which the deriving crate reaches `barun_nn`: by itself, or through the facade `barun`.
pub fn nn() -> TokenStream {
    let manifest = std::env::var("CARGO_MANIFEST_DIR")
        .and_then(|folder| {
            std::fs::read_to_string(format!("{folder}/Cargo.toml"))
                .map_err(|_| std::env::VarError::NotPresent)
        })
        .unwrap_or_default();
    let facade_only =
        !manifest.contains("barun-nn") && manifest.lines().any(|line| line.trim_start().starts_with("barun"));
    if facade_only { quote!(::barun::nn) } else { quote!(::barun_nn) }
}

/// The fields of a struct, or an error that says what the derive is for.
pub fn fields<'a>(input: &'a DeriveInput, derive: &str) -> syn::Result<&'a Fields> {
    match &input.data {
        Data::Struct(data) => Ok(&data.fields),
        Data::Enum(_) | Data::Union(_) => {
            let message = format!("#[derive({derive})] is for structs; write the impl by hand for this type");
            Err(syn::Error::new_spanned(&input.ident, message))
        }
    }
}

/// Whether `attributes` have `#[owner(skip)]`; anything else under `owner` but `name = ".."` is an error.
pub fn is_skipped(attributes: &[Attribute], owner: &str) -> syn::Result<bool> {
    let mut skipped = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(owner)) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                skipped = true;
                return Ok(());
            }
            Err(meta.error(format!("expected #[{owner}(skip)]")))
        })?;
    }
    Ok(skipped)
}

/// A doc comment as it was written, its lines without the space after the slashes.
pub fn documentation(attributes: &[Attribute]) -> String {
    let documented = attributes.iter().filter(|attribute| attribute.path().is_ident("doc"));
    let lines = documented.filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) = &pair.value else { return None };
        let line = line.value();
        Some(line.strip_prefix(' ').unwrap_or(&line).to_string())
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_string()
}

/// The first sentence of a doc comment, on one line.
pub fn first_sentence(attributes: &[Attribute]) -> String {
    let documentation = documentation(attributes);
    let paragraph = documentation.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    match paragraph.find(". ") {
        Some(end) => paragraph[..end].to_string(),
        None => paragraph.trim_end_matches('.').to_string(),
    }
}
