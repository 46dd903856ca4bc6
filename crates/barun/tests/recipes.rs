//! The sample recipes are valid, and the page about recipes is what the program knows.
#![cfg(feature = "train")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use barun::train::recipe::Key;
use barun::train::{Recipe, build};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_sample_recipe_is_valid_and_its_network_fits() {
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("recipes")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let recipe = Recipe::from_toml(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        let (input, outputs): (&[usize], _) = match recipe.data.source.as_str() {
            "digits" | "mnist" => (&[28, 28, 1], 10),
            _ => (&[4], 3),
        };
        build::network(&recipe.model, input, outputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(text.contains(&format!("barun train recipes/{name}")), "{name} says how to use it");
        seen += 1;
    }
    assert!(seen >= 4);
}

#[test]
fn the_page_about_recipes_is_up_to_date() {
    let path = root().join("docs/recipe.md");
    let page = page();
    if std::env::var_os("BARUN_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        written == page,
        "docs/recipe.md is out of date; write it with BARUN_WRITE_DOCS=1 cargo test --release -p barun --test recipes"
    );
}

fn page() -> String {
    let mut page = "# The recipe\n\n\
        Everything a run depends on, in one TOML file. `barun train RECIPE.toml` trains it, `--set KEY=VALUE` changes \
        any key, `barun train DATA --print-recipe` writes one to begin with. A key that is left out has its default. \
        Samples are in [recipes](../recipes).\n\n\
        Written from the program by `BARUN_WRITE_DOCS=1 cargo test --release -p barun --test recipes`; \
        `barun list keys` shows the same.\n"
        .to_string();
    let mut section = String::new();
    for key in Recipe::keys() {
        let table = key.path.rsplit_once('.').map_or("", |(table, _)| table);
        if table != section {
            section = table.to_string();
            let _ = write!(
                page,
                "\n## `{section}`\n\n| key | for | default | meaning | takes |\n|---|---|---|---|---|\n"
            );
        }
        page.push_str(&row(&key));
    }
    page
}

fn row(key: &Key) -> String {
    let cell = |text: &str| text.replace('|', "\\|").trim_end_matches('.').to_string();
    let code = |text: &str| match text {
        "required" | "not given" | "its keys' defaults" => text.to_string(),
        _ => format!("`{text}`"),
    };
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        key.path,
        key.only_for.as_deref().map(|name| format!("`{name}`")).unwrap_or_default(),
        cell(&code(&key.default)),
        cell(&key.doc),
        cell(&key.expects),
    )
}
