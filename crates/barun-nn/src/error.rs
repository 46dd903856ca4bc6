//! What can go wrong in building or running a model.

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a model, a step or a setting.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// An error of the engine: shapes, types, feeds.
    #[error(transparent)]
    Engine(#[from] barun_engine::Error),

    /// The model's description contradicts itself.
    #[error("{0}")]
    Model(String),

    /// A name nobody has.
    #[error("there is no {family} `{name}`{}; known: {}", did_you_mean(name, known), known.join(", "))]
    UnknownName {
        /// What was looked for: activation, loss, optimiser ...
        family: String,
        /// The name that was given.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },

    /// A setting with a value it cannot take.
    #[error("{owner}: `{setting}` cannot be {value}; expected {expected}")]
    Setting {
        /// The name of the thing.
        owner: String,
        /// The setting.
        setting: String,
        /// What was given.
        value: String,
        /// What it takes.
        expected: String,
    },
}

/// ` (did you mean \`adam\`?)` if a known name is near.
fn did_you_mean(name: &str, known: &[String]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 3);
    nearest.map_or(String::new(), |(_, candidate)| format!(" (did you mean `{candidate}`?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_suggests_the_nearest_one() {
        let known = vec!["sgd".to_string(), "adam".to_string()];
        let error = Error::UnknownName { family: "optimizer".into(), name: "adm".into(), known };
        assert_eq!(error.to_string(), "there is no optimizer `adm` (did you mean `adam`?); known: sgd, adam");
    }
}
