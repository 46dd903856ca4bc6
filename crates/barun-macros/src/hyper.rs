//! `#[derive(Hyper)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, DeriveInput, LitStr, Visibility};

use crate::shared::{documentation, fields, first_sentence, nn};

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let nn = nn();
    let name = name(input)?;
    let about = first_sentence(&input.attrs);
    let doc = documentation(&input.attrs);
    let mut settings = Vec::new();
    let mut setters = Vec::new();
    for field in fields(input, "Hyper")? {
        let is_public = matches!(field.vis, Visibility::Public(_));
        let Some(ident) = field.ident.as_ref().filter(|_| is_public) else { continue };
        let Some(range) = range(&field.attrs)? else { continue };
        let setting = ident.to_string();
        let about = first_sentence(&field.attrs);
        let (doc, ty) = (documentation(&field.attrs), &field.ty);
        settings.push(quote_spanned! {field.ty.span()=>
            #nn::hyper::Setting {
                name: #setting,
                value: #nn::hyper::HyperValue::to_value(&self.#ident),
                about: #about,
                doc: #doc,
                expects: <#ty as #nn::hyper::HyperValue>::EXPECTED,
                family: <#ty as #nn::hyper::HyperValue>::FAMILY,
                range: #nn::hyper::Range::#range,
            }
        });
        setters.push(quote_spanned! {field.ty.span()=>
            #setting => #nn::hyper::assign(&mut self.#ident, #name, setting, value, #nn::hyper::Range::#range),
        });
    }
    let ident = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics #nn::hyper::Hyper for #ident #types #bounds {
            fn name(&self) -> &'static str {
                #name
            }
            fn about(&self) -> &'static str {
                #about
            }
            fn doc(&self) -> &'static str {
                #doc
            }
            fn settings(&self) -> ::std::vec::Vec<#nn::hyper::Setting> {
                ::std::vec![#(#settings),*]
            }
            fn set(&mut self, setting: &str, value: &#nn::hyper::Value) -> #nn::Result<()> {
                match setting {
                    #(#setters)*
                    _ => #nn::hyper::unknown_setting(self, setting),
                }
            }
        }
    })
}

/// The ranges a field can ask for, and the cases of `hyper::Range` they stand for.
const RANGES: [(&str, &str); 5] = [
    ("positive", "Positive"),
    ("not_negative", "NotNegative"),
    ("below_one", "BelowOne"),
    ("share", "Share"),
    ("at_least_one", "AtLeastOne"),
];

/// The case of `hyper::Range` that `#[hyper(positive)]` and the like name, `Any` without one; none for a field that is
/// skipped.
fn range(attributes: &[Attribute]) -> syn::Result<Option<Ident>> {
    let mut case = Some("Any");
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("hyper")) {
        attribute.parse_nested_meta(|meta| {
            let named = RANGES.iter().find(|(name, _)| meta.path.is_ident(name));
            match named {
                _ if meta.path.is_ident("skip") => case = None,
                Some((_, named)) => case = Some(named),
                None => {
                    let names = RANGES.map(|(name, _)| name).join(", ");
                    return Err(meta.error(format!("expected #[hyper(skip)] or a range: {names}")));
                }
            }
            Ok(())
        })?;
    }
    Ok(case.map(|case| Ident::new(case, Span::call_site())))
}

/// `#[hyper(name = "..")]`, or the type's name in snake case.
fn name(input: &DeriveInput) -> syn::Result<String> {
    let mut given = None;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("hyper")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                given = Some(meta.value()?.parse::<LitStr>()?.value());
                return Ok(());
            }
            Err(meta.error("expected #[hyper(name = \"..\")]"))
        })?;
    }
    Ok(given.unwrap_or_else(|| snake_case(&input.ident.to_string())))
}

/// `LeakyRelu` to `leaky_relu`, `Conv2d` to `conv2d`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
