//! What a gradient costs, counted in forward passes: by differences and by back-propagation. [GRADCHK-09]

use barun_engine::graph::{Graph, Inst, Primitive};

use super::function::Function;
use crate::Shape;

/// The cost of one gradient, in the cost of one value of the function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientCost {
    /// How many numbers the gradient has.
    pub parameters: usize,
    /// By central differences: two values for each number.
    pub by_differences: f64,
    /// By back-propagation: the operations of its program over those of the value's.
    pub by_back_propagation: f64,
}

/// What the gradient of this function costs: differences grow with the number of parameters, back-propagation does not,
/// which is what makes networks of many parameters trainable. Operations are counted, no time is taken.
///
/// ```
/// use barun_nn::analysis::{Function, gradient_cost};
/// let cost = gradient_cost(&Function::of_numbers(1000, |x| Ok(x.tanh().sum(..)))?);
/// assert!(cost.by_differences == 2000.0 && cost.by_back_propagation < 5.0);
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn gradient_cost(function: &Function) -> GradientCost {
    let [value, gradient] = function.programs().map(|program| operations(program.graph()) as f64);
    let parameters = function.dimensions();
    GradientCost {
        parameters,
        by_differences: 2.0 * parameters as f64,
        by_back_propagation: gradient / value.max(1.0),
    }
}

/// Multiply-adds of contractions, and an operation for each element of everything else that computes.
fn operations(graph: &Graph) -> usize {
    graph.nodes.iter().map(|inst| cost(graph, inst)).sum()
}

fn cost(graph: &Graph, inst: &Inst) -> usize {
    let shape = |operand: usize| &graph.nodes[inst.operands[operand]].shape;
    // Of a kernel [kh, kw, in / groups, out]: what goes into one number of the output.
    let taps = |kernel: &Shape| kernel.elements() / kernel.last().copied().unwrap_or(1).max(1);
    match &inst.op {
        Primitive::MatMul => inst.shape.elements() * shape(0).last().copied().unwrap_or(1),
        Primitive::Conv2d(_) => inst.shape.elements() * taps(shape(1)),
        Primitive::Conv2dInputGrad(_) => shape(0).elements() * taps(shape(1)),
        Primitive::Conv2dWeightGrad(_) => shape(1).elements() * taps(&inst.shape),
        Primitive::Sum { .. } | Primitive::Max { .. } | Primitive::MaxPool2d(_) | Primitive::AvgPool2d(_) => {
            shape(0).elements()
        }
        Primitive::Scan(scan) => scan.length * operations(&scan.body),
        Primitive::Data
        | Primitive::Placeholder { .. }
        | Primitive::Feed { .. }
        | Primitive::Slot { .. }
        | Primitive::Full { .. }
        | Primitive::Reshape
        | Primitive::Broadcast
        | Primitive::Permute { .. }
        | Primitive::Slice { .. }
        | Primitive::Detach
        | Primitive::Project { .. } => 0,
        _ => inst.shape.elements(),
    }
}
