//! A node of the graph: a primitive, its operands, and what is known about the result.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use super::Primitive;
use crate::error::OpError;
use crate::tensor::{Buffer, DType, Shape, Tensor};

/// Where a node was built, for messages.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The layer path at that moment, empty outside layers.
    pub layer: Arc<str>,
    /// The caller's place in the source; of what a gradient rule built, that of the node whose gradient it is.
    pub location: &'static Location<'static>,
    /// Whether a gradient rule built it.
    pub by_gradient_rule: bool,
}

impl Origin {
    /// The origin of a node built by `location` now.
    pub fn new(location: &'static Location<'static>) -> Self {
        let gradient_of = GRADIENT_OF.get();
        Origin {
            layer: current_layer(),
            location: gradient_of.unwrap_or(location),
            by_gradient_rule: gradient_of.is_some(),
        }
    }

    /// `file:line`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.location.file(), self.location.line())
    }
}

/// A node; see the module docs. Reached through [`Tensor`].
pub struct Node {
    pub(crate) id: u64,
    pub(crate) op: Primitive,
    pub(crate) shape: Shape,
    pub(crate) dtype: DType,
    /// Emptied once the value is known and no gradient can ask for the past.
    pub(crate) operands: RwLock<Vec<Tensor>>,
    pub(crate) value: OnceLock<Arc<Buffer>>,
    pub(crate) error: Option<Arc<OpError>>,
    pub(crate) origin: Origin,
    /// Whether a tracked leaf lies upstream.
    pub(crate) tracked: bool,
    /// Whether it can be evaluated without a program: no placeholder and no slot upstream.
    pub(crate) evaluable: bool,
    /// Unevaluated operations on the longest way to a value.
    pub(crate) depth: u32,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Node {
    pub(crate) fn next_id() -> u64 {
        NEXT_ID.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn operands(&self) -> Vec<Tensor> {
        self.operands.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Keeps `value`; forgets the operands if no gradient can need them.
    pub(crate) fn set_value(&self, value: Arc<Buffer>) {
        if self.value.set(value).is_ok() && !self.tracked {
            let forgotten =
                std::mem::take(&mut *self.operands.write().unwrap_or_else(|poisoned| poisoned.into_inner()));
            drop(forgotten);
        }
    }
}

thread_local! {
    /// Operands of nodes being dropped, so that a long chain is freed in a loop and not by recursion.
    static GRAVEYARD: RefCell<Option<Vec<Tensor>>> = const { RefCell::new(None) };
    static LAYERS: RefCell<Vec<Arc<str>>> = const { RefCell::new(Vec::new()) };
    /// Where the node was built whose gradient is being built.
    static GRADIENT_OF: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
}

impl Drop for Node {
    fn drop(&mut self) {
        let operands = self.operands.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        if operands.is_empty() {
            return;
        }
        let operands = std::mem::take(operands);
        // During thread exit the thread-local is gone: then recursion is all there is.
        let _ = GRAVEYARD.try_with(|graveyard| {
            let mut slot = graveyard.borrow_mut();
            if let Some(waiting) = slot.as_mut() {
                waiting.extend(operands);
                return;
            }
            *slot = Some(operands);
            drop(slot);
            loop {
                let next = graveyard.borrow_mut().as_mut().and_then(Vec::pop);
                match next {
                    Some(tensor) => drop(tensor),
                    None => break,
                }
            }
            *graveyard.borrow_mut() = None;
        });
    }
}

/// The layer path that nodes built by this thread get now.
pub fn current_layer() -> Arc<str> {
    LAYERS.with_borrow(|layers| layers.last().cloned()).unwrap_or_else(|| Arc::from(""))
}

/// Names the layer that is building nodes until the guard is dropped.
///
/// ```
/// let _layer = barun_engine::layer_scope("head");
/// let wrong = barun_engine::Tensor::zeros([2, 3], barun_engine::DType::F32).matmul(&barun_engine::Tensor::zeros([2, 3], barun_engine::DType::F32));
/// assert!(wrong.check().unwrap_err().to_string().starts_with("head: matmul"));
/// ```
pub fn layer_scope(path: &str) -> LayerScope {
    LAYERS.with_borrow_mut(|layers| layers.push(Arc::from(path)));
    LayerScope(std::marker::PhantomData)
}

/// See [`layer_scope`].
pub struct LayerScope(std::marker::PhantomData<*const ()>);

impl Drop for LayerScope {
    fn drop(&mut self) {
        LAYERS.with_borrow_mut(|layers| layers.pop());
    }
}

/// Marks the nodes that this thread builds, until the guard is dropped, as the gradient of a node of this origin.
pub fn gradient_scope(of: &Origin) -> GradientScope {
    LAYERS.with_borrow_mut(|layers| layers.push(Arc::clone(&of.layer)));
    GradientScope {
        before: GRADIENT_OF.replace(Some(of.location)),
        _layer: LayerScope(std::marker::PhantomData),
    }
}

/// See [`gradient_scope`].
pub struct GradientScope {
    before: Option<&'static Location<'static>>,
    _layer: LayerScope,
}

impl Drop for GradientScope {
    fn drop(&mut self) {
        GRADIENT_OF.set(self.before);
    }
}
