//! An autoencoder.

use super::Architecture;
use crate::layers::{Flatten, Linear, Relu, Sequential};
use crate::{Hyper, Result, Shape};

/// Autoencoder: through a narrow code and back, so the code must hold what matters.
///
/// ```text
/// flatten, linear and ReLU for each hidden layer, linear to the code, the same backwards, `outputs` numbers
/// ```
///
/// Made to give its input again: built with as many outputs as a row has numbers and trained with the row itself, flattened,
/// as its target, under a squared error. With other outputs it is a network with a bottleneck. A linear one (no hidden
/// layers) finds the plane of the principal components. Rumelhart, Hinton & Williams, 1986, "Learning representations by
/// back-propagating errors"; Hinton & Salakhutdinov, 2006, "Reducing the dimensionality of data with neural networks".
#[derive(Clone, Debug, Hyper)]
pub struct Autoencoder {
    /// Units of each hidden layer on the way in; the way out has them backwards.
    #[hyper(at_least_one)]
    pub hidden: Vec<usize>,
    /// Numbers of the code.
    #[hyper(at_least_one)]
    pub code: usize,
}

impl Default for Autoencoder {
    fn default() -> Self {
        Autoencoder { hidden: vec![128], code: 16 }
    }
}

impl Architecture for Autoencoder {
    fn build(&self, input: &Shape, outputs: usize) -> Result<Sequential> {
        let mut model = Sequential::default();
        if input.rank() > 1 {
            model.push(Flatten::default());
        }
        let mut inputs = input.elements();
        let mut hidden = |model: &mut Sequential, units: usize| {
            model.push(Linear::new(inputs, units));
            model.push(Relu::default());
            inputs = units;
        };
        self.hidden.iter().for_each(|&units| hidden(&mut model, units));
        // The code is linear: a ReLU would lose half of it.
        hidden(&mut model, self.code);
        model.layers.pop();
        self.hidden.iter().rev().for_each(|&units| hidden(&mut model, units));
        Ok(model.then(Linear::new(inputs, outputs)))
    }
}
