//! The recipe: everything a run depends on, in one TOML file.
//!
//! ```toml
//! [data]
//! source = "digits"
//!
//! [model]
//! name = "mlp"
//! hidden = [512, 256]
//!
//! [train]
//! epochs = 10
//! lr = 1e-3
//! ```
//!
//! A key that is left out has its default; [`Recipe::keys`] lists them all. [`Draft`] is what the user said, [`Recipe`]
//! what it comes to: a draft takes changes (`--set`), resolving it checks everything and fills in the defaults.

mod argument;
mod augment;
pub(crate) mod chosen;
mod data;
mod declare;
pub mod defaults;
mod difference;
mod images;
mod model;
mod rules;
mod running;
pub(crate) mod setting;
mod table;
mod training;
pub(crate) mod tree;

use std::path::Path;

pub use argument::{as_arguments, short_number};
pub use augment::{Augment, Preset};
pub use chosen::{Chosen, LossChoice, Scheduled};
pub use data::{Copies, Data, Method, Normalize, Split, Task};
pub use defaults::{Kind, usual_lr};
pub use difference::{Difference, differences, values};
pub use images::{Colour, ImageSize, Images};
pub use model::{Activation, LIBRARY_NAMES, Layer, Model, Units};
pub use running::{BestBy, Checkpoint, Doctor, DoctorMode, EarlyStopping};
pub use setting::Key;
pub use table::{Encoding, Header, Table};
pub use training::{Precision, Train};
pub use tree::Place;

use barun_nn::schedules::Span;
use barun_nn::{Hyper, hyper};

use crate::error::{Error, Result};
use crate::nearest::nearest;
use declare::section;
use setting::Fallback::Inside;
use setting::{Setting, bad_value};
use tree::{Node, Value};

section! {
    /// Everything a run depends on, each value checked and each default filled in.
    pub struct Recipe {
        /// What to train on.
        data: Data = Inside;
        /// The network.
        model: Model = Inside;
        /// How the network learns.
        train: Train = Inside;
        /// Who watches it learn.
        doctor: Doctor = Inside;
    }
}

impl Recipe {
    /// Reads a recipe. `origin` is the file's name, for error messages.
    pub fn from_toml(text: &str, origin: &str) -> Result<Recipe> {
        Draft::from_toml(text, origin)?.resolve()
    }

    /// The recipe for data alone: everything else is default.
    pub fn for_source(source: &str) -> Result<Recipe> {
        Draft::for_source(source).resolve()
    }

    /// The recipe for so many training rows: what was left to them is a number.
    pub fn for_rows(&self, rows: usize) -> Recipe {
        let mut recipe = self.clone();
        recipe.train.epochs = Some(self.epochs(rows));
        recipe.train.batch_size = Some(self.batch_size(rows));
        recipe
    }

    /// The epochs over so many training rows.
    pub fn epochs(&self, rows: usize) -> usize {
        self.train.epochs.unwrap_or_else(|| defaults::epochs_for(rows))
    }

    /// The rows of a step, of so many training rows.
    pub fn batch_size(&self, rows: usize) -> usize {
        self.train.batch_size.unwrap_or_else(|| Kind::of(&self.data.source).defaults().batch_size_for(rows))
    }

    /// The recipe as TOML with every default written out. Reading it gives the same recipe.
    pub fn to_toml(&self) -> String {
        self.written().map(|root| tree::to_toml(&root)).unwrap_or_default()
    }

    /// The recipe as JSON with every default written out.
    pub fn to_json(&self) -> serde_json::Value {
        self.written().map_or(serde_json::Value::Null, |root| root.to_json())
    }

    /// Every key with its value; of augmentation that does nothing the preset alone, since most recipes have no use for it.
    fn written(&self) -> Option<Node> {
        let mut root = self.write()?;
        if self.data.augment.is_off()
            && let Some(data) = root.get_mut("data")
        {
            let mut preset = Node::default(Value::Table(Vec::new()));
            preset.put("preset", Node::default(Value::Text(Preset::None.name().to_string())));
            data.put("augment", preset);
        }
        Some(root)
    }

    /// `digits-mlp`: the data's name without folder and ending, and the model's.
    pub fn short_name(&self) -> String {
        let stem = Path::new(&self.data.source).file_stem().unwrap_or_default().to_string_lossy();
        let plain = stem.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' });
        format!("{}-{}", plain.collect::<String>(), self.model.name())
    }

    /// Every key there is: path, what it takes, default and meaning.
    pub fn keys() -> Vec<Key> {
        let root = Key {
            path: String::new(),
            only_for: None,
            expects: String::new(),
            default: String::new(),
            doc: String::new(),
        };
        let mut keys = Vec::new();
        Recipe::list(root, &mut keys);
        keys
    }
}

/// Names that other libraries have for our keys, for suggestions.
const FOREIGN_NAMES: &[(&str, &str)] = &[
    ("learning_rate", "train.lr"),
    ("dataset", "data.source"),
    ("label", "data.target"),
    ("l2", "train.optimizer.weight_decay"),
    ("architecture", "model.name"),
    ("num_epochs", "train.epochs"),
    ("stratify", "data.split.method"),
    ("drop", "data.ignore"),
    ("warmup_epochs", "train.schedule.warmup"),
    ("gradient_clipping", "train.clip"),
    ("ema", "train.average"),
    ("warmup_steps", "train.schedule.warmup"),
    ("early_stop", "train.early_stopping"),
    ("max_time", "train.max_seconds"),
    ("monitor", "train.best_by"),
];

/// Where a key that is unknown here could belong: the same name in another table.
pub(crate) fn key_elsewhere(key: &str) -> Option<String> {
    let keys = Recipe::keys();
    let named = |path: &str| path.rsplit_once('.').is_some_and(|(_, name)| name == key);
    let found = (key == "lr").then_some("train.lr");
    let found = found.or_else(|| keys.iter().map(|key| key.path.as_str()).find(|path| named(path)));
    let found = found.or_else(|| {
        let foreign = nearest(key, FOREIGN_NAMES.iter().map(|(foreign, _)| *foreign))?;
        FOREIGN_NAMES.iter().find(|(name, _)| *name == foreign).map(|(_, path)| *path)
    });
    found.map(|path| format!("did you mean `{path}`?"))
}

/// What the user said: some settings, each with the place where it was written.
///
/// ```
/// use barun_train::recipe::Draft;
/// let mut draft = Draft::for_source("digits");
/// draft.set("train.lr=3e-4")?;
/// draft.set("train.optimizer.name=adamw")?;
/// let recipe = draft.resolve()?;
/// assert_eq!(recipe.train.optimizer.lr(), 3e-4);
/// # Ok::<(), barun_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Draft {
    root: Node,
}

impl Draft {
    /// Reads TOML. `origin` is the file's name, for error messages.
    pub fn from_toml(text: &str, origin: &str) -> Result<Draft> {
        Ok(Draft { root: tree::parse(text, origin)? })
    }

    /// A draft that names its data and nothing else.
    pub fn for_source(source: &str) -> Draft {
        let place = Place::Argument(source.into());
        let mut root = Node::table(place.clone());
        root.put("data.source", Node { place, value: Value::Text(source.to_string()) });
        Draft { root }
    }

    /// Takes `key=value` as given to `--set`: the value is a TOML value, or a bare word for text. `train.lr` is short for
    /// `train.optimizer.lr`. Later settings win; they are checked by [`resolve`](Draft::resolve), so their order matters
    /// no more than that. Setting a whole table by its name (`model=lenet`) drops what the recipe's
    /// file said in it, and keeps what is set here.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let bad = |message: &str| Error::BadAssignment {
            assignment: assignment.to_string(),
            message: message.to_string(),
        };
        let (path, value) = assignment.split_once('=').ok_or_else(|| bad("there is no `=`"))?;
        let path = path.trim();
        if path.split('.').any(|key| key.trim().is_empty()) {
            return Err(bad("there is no key before the `=`"));
        }
        let place = Place::Argument(format!("--set {assignment}").into());
        let node = tree::parse_value(value, &place)?;
        self.put(path, node)
    }

    /// Takes the text of an argument of its own, such as `--target price`, as it is.
    pub fn set_text(&mut self, path: &str, text: &str, argument: &str) -> Result<()> {
        let place = Place::Argument(format!("{argument} {text}").into());
        self.put(path, Node { place, value: Value::Text(text.to_string()) })
    }

    /// Takes the texts of an argument that may be repeated, such as `--ignore name`, as a list.
    pub fn set_texts(&mut self, path: &str, texts: &[String], argument: &str) -> Result<()> {
        let item = |text: &String| {
            let place = Place::Argument(format!("{argument} {text}").into());
            Node { place, value: Value::Text(text.clone()) }
        };
        let place = Place::Argument(argument.into());
        self.put(path, Node { place, value: Value::List(texts.iter().map(item).collect()) })
    }

    /// Takes the value of an argument of its own, such as `--epochs 3`.
    pub fn set_value(&mut self, path: &str, value: &str, argument: &str) -> Result<()> {
        let place = Place::Argument(format!("{argument} {value}").into());
        let node = tree::parse_value(value, &place)?;
        self.put(path, node)
    }

    fn put(&mut self, path: &str, node: Node) -> Result<()> {
        // Where the file says `train.lr`, what is given here must win over it by either name.
        self.spell_out_short_forms()?;
        self.root.put(if path == "train.lr" { "train.optimizer.lr" } else { path }, node);
        Ok(())
    }

    /// Checks everything and fills in the defaults.
    pub fn resolve(&self) -> Result<Recipe> {
        let mut spelled_out = self.clone();
        spelled_out.spell_out_short_forms()?;
        let root = &spelled_out.root;
        let source = match root.find("data.source").map(|node| &node.value) {
            Some(Value::Text(source)) => source.as_str(),
            _ => "",
        };
        let preset = root.find("data.augment.preset").map(|node| &node.value);
        let defaults = match preset {
            Some(Value::Text(preset)) => Kind::of(source).defaults().varied_by(preset),
            _ => Kind::of(source).defaults().clone(),
        };
        let recipe = Recipe::read(root, "", &defaults)?;
        check_split(&recipe.data.split, root)?;
        check_schedule(&recipe.train, root)?;
        check_early_stopping(&recipe, root)?;
        Ok(recipe)
    }

    /// `train.lr` is `train.optimizer.lr`; `model.layers` means the model `layers`; `data.augment = "digits"` names its
    /// preset.
    fn spell_out_short_forms(&mut self) -> Result<()> {
        if let Some(data) = self.root.get_mut("data")
            && let Some(Node { value: Value::Text(_), .. }) = data.get("augment")
            && let Some(entry) = data.remove("augment")
        {
            data.put("augment.preset", entry.node);
        }
        if let Some(train) = self.root.get_mut("train") {
            if let (Some(short), Some(_)) = (train.get("lr"), train.find("optimizer.lr")) {
                let place = short.place.clone();
                let message =
                    "`train.lr` and `train.optimizer.lr` are the same setting; keep one of them".into();
                return Err(Error::Contradiction { place, message });
            }
            if let Some(entry) = train.remove("lr") {
                train.put("optimizer.lr", entry.node);
            }
        }
        let model = self.root.get_mut("model");
        if let Some(model) =
            model.filter(|model| model.get("layers").is_some() && model.get("name").is_none())
        {
            let name = Node { place: model.place.clone(), value: Value::Text("layers".into()) };
            model.put("name", name);
        }
        Ok(())
    }
}

fn place_of(root: &Node, paths: &[&str]) -> Place {
    let found = paths.iter().find_map(|path| root.find(path));
    found.unwrap_or(root).place.clone()
}

fn check_split(split: &Split, root: &Node) -> Result<()> {
    check_dividing(split, root)?;
    let sum = split.train + split.valid + split.test;
    if sum <= 1.0 + 1e-9 {
        return Ok(());
    }
    Err(Error::BadValue {
        place: place_of(root, &["data.split"]),
        path: "data.split".into(),
        value: format!("train {} + valid {} + test {} = {sum:.3}", split.train, split.valid, split.test),
        allowed: "at most 1 in all".into(),
    })
}

/// What cannot be together in `[data.split]`.
fn check_dividing(split: &Split, root: &Node) -> Result<()> {
    let contradiction = |key: &str, message: String| {
        let place = place_of(root, &[&format!("data.split.{key}"), "data.split"]);
        Err(Error::Contradiction { place, message })
    };
    if split.fold > split.folds {
        let message = match split.folds {
            0 => "`data.split.fold` needs `data.split.folds`, the number of folds".to_string(),
            folds => format!("`data.split.fold` is {}, but there are {folds} folds", split.fold),
        };
        return contradiction("fold", message);
    }
    if split.method == Method::Time && split.time.is_none() {
        let message = "`data.split.method = \"time\"` needs `data.split.time`, the column of times".into();
        return contradiction("method", message);
    }
    match (&split.group, &split.time, &split.part) {
        (Some(_), Some(_), _) if matches!(split.method, Method::Auto | Method::Time) => contradiction(
            "time",
            "`data.split.group` and `data.split.time` cannot both divide the rows, as a group may reach from the past into \
             the future; keep one of them"
                .into(),
        ),
        _ => Ok(()),
    }
}

fn check_early_stopping(recipe: &Recipe, root: &Node) -> Result<()> {
    let (patience, steps) = ("train.early_stopping.patience", "train.early_stopping.patience_steps");
    let EarlyStopping { patience: epochs, patience_steps, .. } = recipe.train.early_stopping;
    let message = match (epochs, patience_steps) {
        (None, None) => return Ok(()),
        (Some(_), Some(_)) => format!("`{patience}` and `{steps}` say the same thing; keep one of them"),
        _ if recipe.data.split.valid == 0.0 => {
            "early stopping looks at the validation part, and `data.split.valid` is 0; give it a share, such as 0.1".into()
        }
        _ => return Ok(()),
    };
    Err(Error::Contradiction { place: place_of(root, &[steps, patience]), message })
}

fn check_schedule(train: &Train, root: &Node) -> Result<()> {
    let Scheduled { schedule, warmup } = &train.schedule;
    let at = |key: &str| root.find(&format!("train.schedule.{key}")).cloned().unwrap_or_else(|| root.clone());
    let is_all = match *warmup {
        Span::Epochs(warmup) => train.epochs.is_some_and(|epochs| warmup >= epochs as f64),
        Span::Share(share) => share >= 1.0,
        // How many steps there are is known with the data.
        Span::Steps(_) => false,
    };
    if is_all {
        let epochs = train.epochs.map_or(String::new(), |epochs| format!(", `train.epochs` ({epochs})"));
        let allowed = format!("less than the run{epochs}");
        return Err(bad_value(&at("warmup"), "train.schedule.warmup", &allowed));
    }
    let lr = train.optimizer.lr();
    let lowest = schedule.settings().into_iter().find(|setting| setting.name == "min_lr");
    if lowest.is_some_and(|lowest| matches!(lowest.value, hyper::Value::Number(lowest) if lowest > lr)) {
        let allowed = format!("at most the learning rate ({lr})");
        return Err(bad_value(&at("min_lr"), "train.schedule.min_lr", &allowed));
    }
    Ok(())
}

#[cfg(test)]
impl Recipe {
    /// The recipe for the moons, with settings as given to `--set`.
    pub(crate) fn of_moons(settings: &[&str]) -> Recipe {
        let mut draft = Draft::for_source("moons");
        settings.iter().for_each(|setting| draft.set(setting).unwrap());
        draft.resolve().unwrap()
    }
}
