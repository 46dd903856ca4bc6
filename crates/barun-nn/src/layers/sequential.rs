//! Layers one after the other.

use crate::{Feeds, Forward, Hyper, Layer, Module, Pass, Result, Tensor, Visitor};

/// Layers one after the other; the output of each is the input of the next: `y = f_k(.. f_2(f_1(x)))`, as PyTorch's
/// Sequential. [LAYER-02]
///
/// Inside it [`Init::Auto`](crate::Init::Auto) knows which activation follows. Paths are positions: `0.weight`.
///
/// ```
/// use barun_nn::{layers::*, sequential};
/// let model = sequential![Linear::new(784, 50), Relu::default(), Linear::new(50, 10)];
/// let count: usize = barun_nn::parameters(&model)?.iter().map(|parameter| parameter.count()).sum();
/// assert_eq!(count, 39_760);
/// # Ok::<(), barun_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, Hyper)]
pub struct Sequential {
    /// The layers, first to last.
    #[hyper(skip)]
    pub layers: Vec<Box<dyn Layer>>,
}

impl Sequential {
    /// Adds a layer at the end.
    pub fn push(&mut self, layer: impl Layer + 'static) {
        self.layers.push(Box::new(layer));
    }

    /// With a layer more at the end.
    pub fn then(mut self, layer: impl Layer + 'static) -> Self {
        self.push(layer);
        self
    }
}

/// A [`Sequential`](crate::layers::Sequential) of these layers.
#[macro_export]
macro_rules! sequential {
    ($($layer:expr),* $(,)?) => {
        $crate::layers::Sequential { layers: vec![$(Box::new($layer) as Box<dyn $crate::Layer>),*] }
    };
}

impl Module for Sequential {
    fn visit(&self, visitor: &mut Visitor<'_>) {
        for index in 0..self.layers.len() {
            visitor.link(index, &self.layers);
        }
    }
    fn feeds(&self) -> Feeds {
        self.layers.iter().map(Module::feeds).find(|feeds| *feeds != Feeds::Through).unwrap_or(Feeds::Through)
    }
}

impl Forward for Sequential {
    fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.layers.iter().try_fold(x.clone(), |x, layer| layer.forward(&x, pass))
    }
}
