//! What the run was set to, and how to have it again.

use barun_view::report::{Block, Section, Table};

use super::Run;
use crate::progress::thousands;
use crate::recipe::values;

/// So many examples of what is learned, and of what is set.
const EXAMPLES: usize = 3;

pub(super) fn section(run: &Run) -> Option<Section> {
    let section = Section::new("Recipe")
        .block(Block::Table(learned_and_set(run)))
        .block(Block::Code { caption: "recipe.toml, with every default".into(), text: run.recipe.to_toml() });
    Some(section)
}

/// Parameters beside hyper-parameters: what each of them is in this run. [LAYER-13]
fn learned_and_set(run: &Run) -> Table {
    let table = Table::new(["", "parameters", "hyper-parameters"]);
    let Some(layers) = run.details.as_ref().and_then(|details| details.layers.as_ref()) else { return table };
    let set = values(&run.recipe);
    let numbers: u64 =
        layers.weights.iter().map(|weights| weights.now.total() + weights.now.not_finite).sum();
    let learned = layers.weights.iter().take(EXAMPLES);
    let learned: Vec<String> =
        learned.map(|weights| format!("{} {:?}", weights.path, weights.shape)).collect();
    let telling = ["train.optimizer.lr", "train.batch_size", "model.hidden", "model.name"];
    let examples =
        telling.iter().filter_map(|key| Some(format!("{key} = {}", set.get(*key)?))).take(EXAMPLES);
    let examples = examples.collect::<Vec<String>>().join(", ");
    table
        .row(["what they are", "what the network knows", "how it learns"])
        .row(["who makes them", "training, from the data", "you, before training"])
        .row(["how many", &format!("{} numbers", thousands(numbers as f64)), &format!("{} keys", set.len())])
        .row(["such as", &learned.join(", "), &examples])
}

pub(super) fn reproduction(run: &Run) -> Option<Section> {
    let seed = run.recipe.train.seed;
    let lead = format!(
        "The seed {seed} and the same data give the same bits on a processor with the same instructions, with any number of \
         threads."
    );
    let command = "barun train recipe.toml".to_string();
    let section = Section::new("How to reproduce it")
        .lead(lead)
        .block(Block::Code { caption: "With the recipe above, where its data is".into(), text: command });
    let Some(details) = &run.details else { return Some(section) };
    let made = &details.made_with;
    let table = Table::new(["made with", ""])
        .row(["barun", &made.version])
        .row(["system", &format!("{} on {}", made.system, made.architecture)])
        .row(["instructions", &made.instructions])
        .row(["threads", &made.threads.to_string()])
        .row(["seed of the training", &seed.to_string()])
        .row(["seed of the split", &run.recipe.data.split.seed.to_string()])
        .row(["ended", &made.ended]);
    Some(section.block(Block::Table(table)))
}
