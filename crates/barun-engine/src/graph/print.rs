//! The graph as text and as DOT. [TENSOR-07, TENSOR-11]

use std::fmt::{self, Write};

use super::{Graph, Inst, Primitive};
use crate::tensor::Buffer;

impl Inst {
    /// The operation with its settings, such as `sum axes=[0]`.
    pub fn label(&self) -> String {
        let name = self.op.name();
        match &self.op {
            Primitive::Placeholder { name: input } => format!("{name} {input}"),
            Primitive::Feed { index } | Primitive::Slot { index } | Primitive::Project { index } => {
                format!("{name} {index}")
            }
            Primitive::Full { value } => format!("{name} {}", value.to_f64()),
            Primitive::Iota { axis } | Primitive::ArgMax { axis } | Primitive::Concat { axis } => {
                format!("{name} axis={axis}")
            }
            Primitive::Sum { axes } | Primitive::Max { axes } | Primitive::Flip { axes } => {
                format!("{name} axes={axes:?}")
            }
            Primitive::Permute { order } => format!("{name} order={order:?}"),
            Primitive::Scan(scan) => format!("{name} length={}", scan.length),
            _ => name.to_string(),
        }
    }
}

/// One node a line in topological order: `%4 = matmul %0 %1 : f32[64, 10]  # head`.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, inst) in self.nodes.iter().enumerate() {
            write!(f, "%{index} = {}", inst.label())?;
            for operand in &inst.operands {
                write!(f, " %{operand}")?;
            }
            write!(f, " : {}{}", inst.dtype, inst.shape)?;
            if !inst.origin.layer.is_empty() {
                write!(f, "  # {}", inst.origin.layer)?;
            }
            writeln!(f)?;
        }
        let outputs: Vec<String> = self.outputs.iter().map(|index| format!("%{index}")).collect();
        writeln!(f, "return {}", outputs.join(" "))
    }
}

impl Graph {
    /// The graph in Graphviz's DOT. With `values` (one per node where known) each node also shows its value in green;
    /// with `gradients`, the gradient of the output with respect to it in red.
    pub fn to_dot(&self, values: &[Option<Buffer>], gradients: &[Option<Buffer>]) -> String {
        let show = |buffers: &[Option<Buffer>], index: usize, colour: &str| {
            let Some(Some(buffer)) = buffers.get(index) else { return String::new() };
            let numbers: Vec<String> = buffer.to_f64().iter().take(4).map(|x| format!("{x:.4}")).collect();
            let more = if buffer.shape().elements() > 4 { " .." } else { "" };
            format!("<br/><font color=\"{colour}\">{}{more}</font>", numbers.join(" "))
        };
        let mut dot = String::from("digraph barun {\n  node [shape=box, fontname=monospace];\n");
        for (index, inst) in self.nodes.iter().enumerate() {
            let _ = writeln!(
                dot,
                "  n{index} [label=<{}<br/>{}{}{}{}>];",
                inst.label(),
                inst.dtype,
                inst.shape,
                show(values, index, "green4"),
                show(gradients, index, "red3"),
            );
            for operand in &inst.operands {
                let _ = writeln!(dot, "  n{operand} -> n{index};");
            }
        }
        dot.push_str("}\n");
        dot
    }
}
