//! Where two recipes differ, key by key.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Recipe;
use super::setting::join;

/// A key that two recipes do not agree about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The key's whole path, `train.optimizer.lr`.
    pub path: String,
    /// Its value in the first recipe, as JSON writes it; "-" where it has no such key.
    pub left: String,
    /// Its value in the second.
    pub right: String,
}

/// The keys in which `left` and `right` differ, by path.
pub fn differences(left: &Recipe, right: &Recipe) -> Vec<Difference> {
    let (left, right) = (values(left), values(right));
    let paths: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let of = |values: &BTreeMap<String, String>, path: &String| {
        values.get(path).cloned().unwrap_or_else(|| "-".to_string())
    };
    paths
        .into_iter()
        .map(|path| Difference { path: path.clone(), left: of(&left, path), right: of(&right, path) })
        .filter(|difference| difference.left != difference.right)
        .collect()
}

/// Every value of a recipe by its whole path. A list is one value; a name that stands for its table is its `name`.
pub fn values(recipe: &Recipe) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    collect(&recipe.to_json(), "", &mut values);
    for choice in ["model", "train.optimizer", "train.schedule"] {
        if let Some(name) = values.remove(choice) {
            values.insert(join(choice, "name"), name);
        }
    }
    values
}

fn collect(value: &Value, path: &str, values: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(table) => {
            table.iter().for_each(|(key, value)| collect(value, &join(path, key), values));
        }
        Value::String(text) => {
            values.insert(path.to_string(), text.clone());
        }
        other => {
            values.insert(path.to_string(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(left: &[&str], right: &[&str]) -> Vec<String> {
        let differences = differences(&Recipe::of_moons(left), &Recipe::of_moons(right));
        differences.into_iter().map(|d| format!("{}: {} {}", d.path, d.left, d.right)).collect()
    }

    #[test]
    fn recipes_differ_in_the_keys_that_were_set_otherwise() {
        assert_eq!(told(&[], &[]), [""; 0]);
        assert_eq!(
            told(&["train.lr=0.5", "model.hidden=[8]"], &["model.hidden=[8, 8]", "train.epochs=7"]),
            ["model.hidden: [8] [8,8]", "train.epochs: - 7", "train.optimizer.lr: 0.5 0.002"]
        );
    }

    #[test]
    fn a_key_that_only_one_has_is_a_dash_in_the_other() {
        assert_eq!(
            told(&["train.schedule=constant"], &["train.schedule=cosine"]),
            [
                "train.schedule.min_lr: - 0.0",
                "train.schedule.name: constant cosine",
                "train.schedule.over: - 100 %",
            ]
        );
    }
}
