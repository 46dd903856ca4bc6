//! `#[derive(Hyper)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, LitStr, Visibility};

use crate::shared::{fields, first_sentence, is_skipped, nn};

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let nn = nn();
    let name = name(input)?;
    let about = first_sentence(&input.attrs);
    let mut settings = Vec::new();
    let mut setters = Vec::new();
    for field in fields(input, "Hyper")? {
        let is_public = matches!(field.vis, Visibility::Public(_));
        let Some(ident) = field.ident.as_ref().filter(|_| is_public) else { continue };
        if is_skipped(&field.attrs, "hyper")? {
            continue;
        }
        let setting = ident.to_string();
        let about = first_sentence(&field.attrs);
        settings.push(quote_spanned! {field.ty.span()=>
            #nn::hyper::Setting {
                name: #setting,
                value: #nn::hyper::HyperValue::to_value(&self.#ident),
                about: #about,
            }
        });
        setters.push(quote_spanned! {field.ty.span()=>
            #setting => #nn::hyper::assign(&mut self.#ident, #name, setting, value),
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
