//! What a model is: a description that can be walked ([`Module`]) and run ([`Forward`]).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use crate::param::Parameter;
use crate::{Error, Id, Init, Pass, Result, Role, Shape, Tensor};

/// A description of layers that can be walked. Derive it; layers of one's own with parameters of computed shapes
/// write it by hand.
///
/// A field that is no module does not compile, unless it is left out:
/// ```compile_fail
/// #[derive(barun_nn::Module)]
/// struct Net { linear: barun_nn::layers::Linear, width: usize }
/// ```
/// ```
/// #[derive(barun_nn::Module)]
/// struct Net { linear: barun_nn::layers::Linear, #[module(skip)] width: usize }
/// ```
/// An enum has no fields of its own to visit:
/// ```compile_fail
/// #[derive(barun_nn::Module)]
/// enum Net { Small, Large }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a module",
    label = "this field has no parameters to visit",
    note = "leave it out with #[module(skip)], or derive Module for `{Self}`"
)]
pub trait Module {
    /// Shows all children, parameters and statistics to `visitor`.
    fn visit(&self, visitor: &mut Visitor<'_>);

    /// How this module matters to the weights before it; see [`Feeds`].
    fn feeds(&self) -> Feeds {
        Feeds::Opaque
    }
}

/// How a module in a chain matters to the first values of the weights before it, for [`Init::Auto`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feeds {
    /// An activation, which asks for this rule.
    Activation(Init),
    /// What comes after it decides: normalisation, dropout, pooling.
    Through,
    /// Weights of its own.
    Opaque,
}

/// A function of a tensor, under a pass that supplies parameters, mode and randomness.
pub trait Forward {
    /// The output for `x`.
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor>;
}

/// A model of any kind, for whoever gets one without knowing which: `&dyn Model`. Whatever is a [`Module`] and can go
/// [`Forward`] is one.
pub trait Model: Module + Forward {}

impl<T: Module + Forward + ?Sized> Model for T {}

/// A layer that can be kept in a list of layers of any kind.
pub trait Layer: Module + Forward + fmt::Debug + Send + Sync {
    /// An independent layer of the same description.
    fn clone_box(&self) -> Box<dyn Layer>;
}

impl<T: Module + Forward + Clone + fmt::Debug + Send + Sync + 'static> Layer for T {
    fn clone_box(&self) -> Box<dyn Layer> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Layer> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

macro_rules! through_pointer {
    ($($pointer:ty),*) => { $(
        impl<T: Module + ?Sized> Module for $pointer {
            fn visit(&self, visitor: &mut Visitor<'_>) {
                (**self).visit(visitor);
            }
            fn feeds(&self) -> Feeds {
                (**self).feeds()
            }
        }
        impl<T: Forward + ?Sized> Forward for $pointer {
            fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
                (**self).forward(x, pass)
            }
        }
    )* };
}
through_pointer!(&T, Box<T>, Arc<T>);

impl<T: Module> Module for Vec<T> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (index, child) in self.iter().enumerate() {
            visitor.child(&index.to_string(), child);
        }
    }
}

impl<T: Module, const N: usize> Module for [T; N] {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for (index, child) in self.iter().enumerate() {
            visitor.child(&index.to_string(), child);
        }
    }
}

impl<T: Module> Module for Option<T> {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        if let Some(child) = self {
            child.visit(visitor);
        }
    }
    fn feeds(&self) -> Feeds {
        self.as_ref().map_or(Feeds::Through, T::feeds)
    }
}

/// A parameter or statistic of a layer: the layer's identity and the name within it.
pub(crate) type Key = (u64, &'static str);

/// A trained parameter of a model.
#[derive(Clone, Debug)]
pub struct ParameterEntry {
    /// Where it is: `hidden.weight`.
    pub path: String,
    /// Its shape.
    pub shape: Shape,
    /// The rule of its first values, with [`Init::Auto`] resolved.
    pub init: Init,
    /// What it is for.
    pub role: Role,
    pub(crate) key: Key,
}

impl ParameterEntry {
    /// The number of its elements.
    pub fn count(&self) -> usize {
        self.shape.elements()
    }
}

/// A statistic of a model: kept, not trained.
#[derive(Clone, Debug)]
pub struct StatEntry {
    /// Where it is: `norm.running_mean`.
    pub path: String,
    /// Its shape.
    pub shape: Shape,
    /// Its first value, everywhere.
    pub initial: f64,
    pub(crate) key: Key,
}

/// Everything a model has, in the order of its fields.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// What is trained.
    pub parameters: Vec<ParameterEntry>,
    /// What is kept without being trained.
    pub stats: Vec<StatEntry>,
    /// The paths of the layers.
    pub layers: Vec<Arc<str>>,
    pub(crate) paths: HashMap<u64, Arc<str>>,
}

impl Inventory {
    /// Walks `model`. Two things of one path are an error.
    pub fn of<M: Module + ?Sized>(model: &M) -> Result<Inventory> {
        let mut inventory = Inventory::default();
        let mut seen = HashSet::new();
        model.visit(&mut Visitor {
            path: String::new(),
            before: Hint::Output,
            inventory: &mut inventory,
            seen: &mut seen,
        });
        let names = inventory.parameters.iter().map(|entry| &entry.path);
        let mut taken = HashSet::new();
        for path in names.chain(inventory.stats.iter().map(|entry| &entry.path)) {
            if !taken.insert(path) {
                return Err(Error::Model(format!(
                    "two tensors of the model are called `{path}`; give each child its own name in `visit`"
                )));
            }
        }
        Ok(inventory)
    }

    /// The paths of everything that a prediction needs: what is trained and what is kept beside it.
    pub fn names(&self) -> BTreeSet<String> {
        let parameters = self.parameters.iter().map(|entry| entry.path.clone());
        parameters.chain(self.stats.iter().map(|entry| entry.path.clone())).collect()
    }

    /// Elements that are trained.
    pub fn trainable(&self) -> usize {
        self.parameters.iter().map(ParameterEntry::count).sum()
    }

    /// Elements that are kept without being trained.
    pub fn not_trainable(&self) -> usize {
        self.stats.iter().map(|entry| entry.shape.elements()).sum()
    }
}

/// What is learned in `model`, and nothing that the user sets: path, shape and rule of each parameter. [LAYER-12]
pub fn parameters<M: Module + ?Sized>(model: &M) -> Result<Vec<ParameterEntry>> {
    Ok(Inventory::of(model)?.parameters)
}

/// What is known about what comes after the weights being visited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Hint {
    /// An activation that asks for this rule.
    Activation(Init),
    /// Nothing: the model ends here.
    Output,
    /// The layers are fields of a struct, whose `forward` is not ours to read.
    Unknown,
}

/// Collects what a model has; see [`Module::visit`].
pub struct Visitor<'a> {
    path: String,
    before: Hint,
    inventory: &'a mut Inventory,
    seen: &'a mut HashSet<Key>,
}

impl Visitor<'_> {
    /// Visits a child under its name. An object that was met before (through an `Arc`) keeps its first path.
    pub fn child<M: Module + ?Sized>(&mut self, name: &str, child: &M) {
        self.descend(name, child, Hint::Unknown);
    }

    /// Visits the `index`-th of a chain of `layers`: what follows it decides about [`Init::Auto`].
    pub fn link(&mut self, index: usize, layers: &[Box<dyn Layer>]) {
        let next = layers[index + 1..].iter().map(Module::feeds).find(|feeds| *feeds != Feeds::Through);
        let before = match next {
            Some(Feeds::Activation(init)) => Hint::Activation(init),
            Some(_) => Hint::Output,
            None => self.before,
        };
        self.descend(&index.to_string(), &layers[index], before);
    }

    /// Visits a child whose output goes into `activation`.
    pub fn child_before<M: Module + ?Sized>(&mut self, name: &str, child: &M, activation: &impl Module) {
        let before = match activation.feeds() {
            Feeds::Activation(init) => Hint::Activation(init),
            _ => self.before,
        };
        self.descend(name, child, before);
    }

    fn descend<M: Module + ?Sized>(&mut self, name: &str, child: &M, before: Hint) {
        let path = self.joined(name);
        child.visit(&mut Visitor { path, before, inventory: self.inventory, seen: self.seen });
    }

    /// Says that the object being visited is a layer.
    pub fn layer(&mut self, id: &Id) {
        let path: Arc<str> = Arc::from(self.path.as_str());
        if self.inventory.paths.insert(id.value(), Arc::clone(&path)).is_none() {
            self.inventory.layers.push(path);
        }
    }

    /// A trained parameter of the object being visited.
    pub fn parameter(&mut self, id: &Id, name: &'static str, parameter: &Parameter) {
        let key = (id.value(), name);
        if !self.seen.insert(key) {
            return;
        }
        let init = match (parameter.init, self.before) {
            (Init::Auto, Hint::Activation(init)) => init,
            (Init::Auto, Hint::Output) => Init::LecunNormal,
            (Init::Auto, Hint::Unknown) => Init::HeNormal,
            (init, _) => init,
        };
        let path = self.joined(name);
        let Parameter { shape, role, .. } = parameter.clone();
        self.inventory.parameters.push(ParameterEntry { path, shape, init, role, key });
    }

    /// A statistic of the object being visited: kept, not trained.
    pub fn stat(&mut self, id: &Id, name: &'static str, shape: impl Into<Shape>, initial: f64) {
        let key = (id.value(), name);
        if self.seen.insert(key) {
            let entry = StatEntry { path: self.joined(name), shape: shape.into(), initial, key };
            self.inventory.stats.push(entry);
        }
    }

    fn joined(&self, name: &str) -> String {
        match (self.path.as_str(), name) {
            ("", name) => name.to_string(),
            (path, "") => path.to_string(),
            (path, name) => format!("{path}.{name}"),
        }
    }
}
