//! `#[derive(Module)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Fields};

use crate::shared::{fields, is_skipped, nn};

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let nn = nn();
    let mut visits = Vec::new();
    let all = fields(input, "Module")?;
    for (index, field) in all.iter().enumerate() {
        if is_skipped(&field.attrs, "module")? {
            continue;
        }
        let (name, access) = match (&field.ident, all) {
            (Some(ident), Fields::Named(_)) => (ident.to_string(), quote!(#ident)),
            _ => (index.to_string(), {
                let index = syn::Index::from(index);
                quote!(#index)
            }),
        };
        let name = name.trim_start_matches("r#").to_string();
        visits.push(quote_spanned!(field.ty.span()=> visitor.child(#name, &self.#access);));
    }
    let ident = &input.ident;
    let (generics, types, bounds) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics #nn::Module for #ident #types #bounds {
            fn visit(&self, visitor: &mut #nn::Visitor<'_>) {
                let _ = &visitor;
                #(#visits)*
            }
        }
    })
}
