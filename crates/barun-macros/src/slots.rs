//! `#[derive(Slots)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Fields};

use crate::shared::{fields, nn};

pub fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let nn = nn();
    let Fields::Named(named) = fields(input, "Slots")? else {
        let message = "#[derive(Slots)] needs named fields: the names are those of the saved tensors";
        return Err(syn::Error::new_spanned(&input.ident, message));
    };
    let idents: Vec<_> = named.named.iter().filter_map(|field| field.ident.as_ref()).collect();
    let names: Vec<String> = idents.iter().map(|ident| ident.to_string()).collect();
    let count = names.len();
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl #nn::Slots for #ident {
            fn names() -> ::std::vec::Vec<&'static str> {
                ::std::vec![#(#names),*]
            }
            fn into_tensors(self) -> ::std::vec::Vec<#nn::Tensor> {
                ::std::vec![#(self.#idents),*]
            }
            fn from_tensors(tensors: ::std::vec::Vec<#nn::Tensor>) -> Self {
                let [#(#idents),*]: [#nn::Tensor; #count] =
                    tensors.try_into().expect("as many tensors as names");
                Self { #(#idents),* }
            }
        }
    })
}
