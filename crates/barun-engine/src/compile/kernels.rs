//! Which kernel computes a unit.

use half::bf16;

use super::fuse::Unit;
use super::lower::{Lowered, guard_updates, lower};
use super::schedule::Job;
use super::view::{Viewed, matrix_strides};
use super::{Compiled, Compiler, Task, aligned, compile, place_loop};
use crate::cpu::conv::{self, ConvSpec};
use crate::cpu::execute::{Carry, Place, ScanWork, Work};
use crate::cpu::fused::Access;
use crate::cpu::gemm::{Gemm, GemmSpec, MatrixStrides};
use crate::cpu::indexed::Indexed;
use crate::cpu::isa::Isa;
use crate::cpu::kernel::Kernel;
use crate::cpu::pool::{Pool, PoolOp, PoolSpec};
use crate::graph::{Conv2d, Inst, Pool2d, Primitive, Scan};
use crate::tensor::{DType, Shape};

/// A unit's kernel before its buffers have places.
pub enum Draft {
    /// A fused loop.
    Loop(Lowered),
    /// A kernel with its epilogue.
    Kernel(Box<dyn Kernel>, Option<Lowered>),
    /// A scan with its compiled body.
    Scan(std::sync::Arc<Scan>, Box<Compiled>),
    /// No work: taken care of by another unit.
    Nothing,
}

impl Draft {
    /// The number of tasks of each phase of a run.
    pub fn phases(&self) -> Vec<usize> {
        match self {
            Draft::Loop(lowered) => lowered.body.phases(),
            Draft::Kernel(kernel, _) => kernel.phases()[usize::from(kernel.prepares())..].to_vec(),
            Draft::Scan(..) => vec![1],
            Draft::Nothing => Vec::new(),
        }
    }

    /// The number of tasks of the phase that runs once, before the first run; None if there is none.
    pub fn prologue(&self) -> Option<usize> {
        match self {
            Draft::Kernel(kernel, _) if kernel.prepares() => kernel.phases().first().copied(),
            _ => None,
        }
    }

    /// Bytes shared by its tasks during the run, or during all of them if there is a prologue.
    pub fn workspace_bytes(&self) -> usize {
        match self {
            Draft::Loop(lowered) => lowered.body.workspace_bytes(),
            Draft::Kernel(kernel, _) => kernel.workspace_bytes(),
            Draft::Scan(scan, body) => {
                let carries = scan.body.outputs[..scan.carries].iter();
                aligned(body.executable.arena_bytes)
                    + carries.map(|&output| 2 * aligned(scan.body.nodes[output].bytes())).sum::<usize>()
            }
            Draft::Nothing => 0,
        }
    }

    /// Floating-point operations of contractions and pooling (those of loops are counted by node).
    pub fn flops(&self) -> f64 {
        match self {
            Draft::Kernel(kernel, _) => kernel.flops(),
            Draft::Scan(scan, body) => {
                scan.length as f64 * body.kernels.iter().map(|kernel| kernel.flops).sum::<f64>()
            }
            _ => 0.0,
        }
    }

    /// What the scheduler needs to know.
    pub fn job(&self, after: Vec<usize>) -> Job {
        let estimate_ns = match self {
            Draft::Loop(lowered) => lowered.body.estimate_ns(),
            Draft::Kernel(kernel, epilogue) => {
                kernel.estimate_ns() + epilogue.as_ref().map_or(0.0, |lowered| lowered.body.estimate_ns())
            }
            _ => 0.0,
        };
        let alone = matches!(self, Draft::Scan(_, body) if body.executable.is_shared());
        Job { after, phases: self.phases(), estimate_ns, alone }
    }

    /// Whether writing `node` over slot `slot` in place is safe for the unit itself: a loop that reads the slot's old
    /// value only at the element it is about to write.
    pub fn reads_in_step(&self, node: usize, slot: usize, viewed: &Viewed) -> bool {
        let Draft::Loop(lowered) = self else { return false };
        let is_stored = lowered.body.stores.iter().any(|store| lowered.pointers[store.pointer] == node);
        is_stored
            && lowered.body.loads.iter().all(|load| {
                let source = &viewed.graph.nodes[lowered.pointers[load.pointer]];
                // A reduction looks at its operand after the tile has been stored.
                let is_reduced = lowered.body.reduces.iter().any(|reduce| reduce.value == load.value);
                let is_in_step = load.access == (Access::Contiguous { offset: 0 })
                    || source.shape.elements() == 1 && lowered.body.elements() == 1;
                source.op != (Primitive::Slot { index: slot }) || (is_in_step && !is_reduced)
            })
    }
}

impl Compiler<'_> {
    /// Chooses the kernel of a unit.
    pub(super) fn draft(&self, unit: &Unit) -> Draft {
        let isa = self.task.isa;
        let stored = |node: usize| self.stored[node];
        let Some(anchor) = unit.anchor else {
            return Draft::Loop(lower(&self.viewed, &unit.members, stored, isa));
        };
        let inst = &self.viewed.graph.nodes[anchor];
        if let Primitive::Project { .. } = inst.op {
            return Draft::Nothing;
        }
        if let Primitive::Scan(scan) = &inst.op {
            let updates = [];
            let task = Task {
                graph: &scan.body,
                results: scan.body.outputs.len(),
                result_feeds: Some(inst.operands.len()),
                constants: scan.constants,
                updates: &updates,
                slot_offsets: self.task.slot_offsets,
                fuse: self.task.fuse,
                isa,
            };
            return Draft::Scan(std::sync::Arc::clone(scan), Box::new(compile(&task)));
        }
        let epilogue = (!unit.members.is_empty()).then(|| lower(&self.viewed, &unit.members, stored, isa));
        Draft::Kernel(self.kernel(inst, isa), epilogue)
    }

    fn kernel(&self, inst: &Inst, isa: Isa) -> Box<dyn Kernel> {
        let node = |index: usize| &self.viewed.graph.nodes[inst.operands[index]];
        let operand = node(0).dtype;
        macro_rules! by_type {
            ($kernel:ident::$make:ident, $($argument:expr),*) => {
                match operand {
                    DType::F64 => Box::new($kernel::<f64>::$make($($argument),*)) as Box<dyn Kernel>,
                    DType::BF16 => Box::new($kernel::<bf16>::$make($($argument),*)),
                    _ => Box::new($kernel::<f32>::$make($($argument),*)),
                }
            };
        }
        macro_rules! by_shape {
            ($choose:path, $spec:expr) => {{
                use $choose as choose;
                let spec = $spec;
                match operand {
                    DType::F64 => choose::<f64>(spec, isa),
                    DType::BF16 => choose::<bf16>(spec, isa),
                    _ => choose::<f32>(spec, isa),
                }
            }};
        }
        match &inst.op {
            Primitive::MatMul if self.is_constant(inst.operands[1]) => {
                by_type!(Gemm::of_constant_right, self.gemm_spec(inst), isa)
            }
            Primitive::MatMul => by_type!(Gemm::new, self.gemm_spec(inst), isa),
            Primitive::Conv2d(conv) => {
                by_shape!(conv::forward, conv_spec(conv, &node(0).shape, &node(1).shape, &inst.shape))
            }
            Primitive::Conv2dInputGrad(conv) => {
                by_shape!(conv::input_grad, conv_spec(conv, &inst.shape, &node(1).shape, &node(0).shape))
            }
            Primitive::Conv2dWeightGrad(conv) => {
                by_shape!(conv::weight_grad, conv_spec(conv, &node(0).shape, &inst.shape, &node(1).shape))
            }
            Primitive::MaxPool2d(pool) => {
                by_type!(Pool::new, PoolOp::Max, pool_spec(pool, &node(0).shape, &inst.shape), isa)
            }
            Primitive::MaxPool2dScatter(pool) => {
                by_type!(Pool::new, PoolOp::MaxScatter, pool_spec(pool, &inst.shape, &node(1).shape), isa)
            }
            Primitive::MaxPool2dPick(pool) => {
                by_type!(Pool::new, PoolOp::MaxPick, pool_spec(pool, &node(0).shape, &inst.shape), isa)
            }
            Primitive::AvgPool2d(pool) => {
                let op = PoolOp::Avg { count_include_pad: pool.count_include_pad };
                by_type!(Pool::new, op, pool_spec(pool, &node(0).shape, &inst.shape), isa)
            }
            Primitive::AvgPool2dScatter(pool) => {
                let op = PoolOp::AvgScatter { count_include_pad: pool.count_include_pad };
                by_type!(Pool::new, op, pool_spec(pool, &inst.shape, &node(0).shape), isa)
            }
            _ => Box::new(indexed(inst, &|index| node(index))),
        }
    }

    /// Whether a node is a view of what is the same in all runs.
    fn is_constant(&self, node: usize) -> bool {
        let source = self.viewed.views[node].source;
        let op = &self.viewed.graph.nodes[source].op;
        matches!(op, Primitive::Feed { index } if *index < self.task.constants)
    }

    fn gemm_spec(&self, inst: &Inst) -> GemmSpec {
        let strides = |index: usize| {
            let operand = inst.operands[index];
            let shape = &self.viewed.graph.nodes[operand].shape;
            let [batch, row, column] = matrix_strides(&self.viewed.views[operand], shape).unwrap_or_default();
            MatrixStrides { batch: batch as usize, row: row as usize, column: column as usize }
        };
        let left = &self.viewed.graph.nodes[inst.operands[0]].shape;
        let rank = inst.shape.rank();
        GemmSpec {
            batch: inst.shape[..rank - 2].iter().product(),
            m: inst.shape[rank - 2],
            n: inst.shape[rank - 1],
            k: left[rank - 1],
            a: strides(0),
            b: strides(1),
        }
    }

    /// The work of a unit now that its buffers have places, and the private memory its tasks need.
    pub(super) fn finish(
        &self,
        unit: usize,
        draft: Draft,
        place_of: &impl Fn(usize) -> Place,
        workspace: Place,
        boards: &mut usize,
    ) -> (Work, usize) {
        let nodes = &self.viewed.graph.nodes;
        let anchor = self.units[unit].anchor;
        let inputs = |node: usize| -> Vec<Place> {
            // A matrix operand may begin inside its buffer; everything else takes whole buffers.
            nodes[node].operands.iter().map(|&operand| self.place_of_view(operand, place_of)).collect()
        };
        match (draft, anchor) {
            (Draft::Kernel(kernel, epilogue), Some(anchor)) => {
                let epilogue = epilogue.map(|lowered| {
                    let columns = nodes[anchor].shape.last().copied().unwrap_or(1);
                    (place_loop(lowered, place_of), columns)
                });
                let registers = epilogue.as_ref().map_or(0, |(after, _)| after.body.scratch_bytes());
                let scratch = aligned(kernel.scratch_bytes()) + registers;
                (
                    Work::Kernel {
                        kernel,
                        inputs: inputs(anchor),
                        output: place_of(anchor),
                        workspace,
                        epilogue,
                    },
                    scratch,
                )
            }
            (Draft::Scan(scan, body), Some(anchor)) => {
                let operands = inputs(anchor);
                let element = |node: usize| {
                    nodes[node].bytes() / nodes[node].shape.first().copied().unwrap_or(1).max(1)
                };
                let operand_nodes = &nodes[anchor].operands;
                let (constants, rest) = operands.split_at(scan.constants);
                let carry_nodes = &operand_nodes[scan.constants..][..scan.carries];
                let sequence_nodes = &operand_nodes[scan.constants + scan.carries..];
                let mut results = vec![Place::Nowhere; scan.body.outputs.len()];
                for (node, inst) in nodes.iter().enumerate() {
                    if let Primitive::Project { index } = inst.op
                        && inst.operands[0] == anchor
                    {
                        results[index] = place_of(node);
                    }
                }
                let carry = |index: usize| Carry {
                    first: rest[index],
                    last: results[index],
                    bytes: nodes[carry_nodes[index]].bytes(),
                };
                let output =
                    |index: usize| (results[index], scan.body.nodes[scan.body.outputs[index]].bytes());
                let carries = (0..scan.carries).map(carry).collect();
                let outputs = (scan.carries..results.len()).map(output).collect();
                let scratch = body.executable.scratch_bytes;
                let own_boards = *boards;
                *boards += 1 + body.executable.boards;
                let work = ScanWork {
                    length: scan.length,
                    reverse: scan.reverse,
                    constants: constants.to_vec(),
                    carries,
                    sequences: rest[scan.carries..]
                        .iter()
                        .zip(sequence_nodes)
                        .map(|(&place, &node)| (place, element(node)))
                        .collect(),
                    outputs,
                    workspace,
                    boards: own_boards,
                    body: body.executable,
                };
                (Work::Scan(Box::new(work)), scratch)
            }
            (Draft::Loop(mut lowered), _) => {
                let places: Vec<Place> = lowered.pointers.iter().map(|&node| place_of(node)).collect();
                guard_updates(&mut lowered.body, |a, b| places[a] == places[b]);
                let body = place_loop(lowered, place_of);
                let scratch = body.body.scratch_bytes();
                (Work::Loop { body, workspace }, scratch)
            }
            _ => (Work::Copy { from: Place::Nowhere, to: Place::Nowhere, bytes: 0 }, 0),
        }
    }

    fn place_of_view(&self, operand: usize, place_of: &impl Fn(usize) -> Place) -> Place {
        let view = &self.viewed.views[operand];
        let bytes = view.offset as usize * self.viewed.graph.nodes[operand].dtype.size();
        match place_of(view.source) {
            Place::Arena(offset) => Place::Arena(offset + bytes),
            Place::State(offset) => Place::State(offset + bytes),
            Place::Feed(index) if bytes > 0 => Place::FeedAt(index, bytes),
            other => other,
        }
    }
}

fn conv_spec(conv: &Conv2d, images: &Shape, kernels: &Shape, output: &Shape) -> ConvSpec {
    ConvSpec {
        batch: images[0],
        in_h: images[1],
        in_w: images[2],
        in_channels: images[3],
        out_h: output[1],
        out_w: output[2],
        out_channels: output[3],
        kernel: [kernels[0], kernels[1]],
        stride: conv.stride,
        pad: [conv.padding[0].0, conv.padding[1].0],
        dilation: conv.dilation,
        groups: conv.groups,
    }
}

fn pool_spec(pool: &Pool2d, images: &Shape, output: &Shape) -> PoolSpec {
    PoolSpec {
        batch: images[0],
        in_h: images[1],
        in_w: images[2],
        channels: images[3],
        out_h: output[1],
        out_w: output[2],
        window: pool.window,
        stride: pool.stride,
        pad: [pool.padding[0].0, pool.padding[1].0],
    }
}

fn indexed<'a>(inst: &Inst, node: &dyn Fn(usize) -> &'a Inst) -> Indexed {
    match &inst.op {
        Primitive::Gather => {
            let (table, indices) = (node(0), node(1));
            let row: usize = table.shape[1..].iter().product();
            Indexed::Gather {
                rows: table.shape[0],
                row_bytes: row * table.dtype.size(),
                indices: indices.shape.elements(),
            }
        }
        Primitive::ScatterAdd { size } => {
            let indices = node(1).shape.elements();
            Indexed::ScatterAdd {
                rows: *size,
                row: inst.shape[1..].iter().product(),
                indices,
                dtype: inst.dtype,
            }
        }
        Primitive::ArgMax { axis } => {
            let shape = &node(0).shape;
            Indexed::ArgMax {
                outer: shape[..*axis].iter().product(),
                size: shape[*axis],
                inner: shape[axis + 1..].iter().product(),
                dtype: node(0).dtype,
            }
        }
        Primitive::Pad { low, interior, .. } => Indexed::Pad {
            from: node(0).shape.clone(),
            to: inst.shape.clone(),
            low: low.clone(),
            interior: interior.clone(),
            element: inst.dtype.size(),
        },
        Primitive::Concat { axis } => {
            let rest = |shape: &Shape| shape[*axis..].iter().product::<usize>() * inst.dtype.size();
            Indexed::Concat {
                outer: inst.shape[..*axis].iter().product(),
                bytes: (0..inst.operands.len()).map(|index| rest(&node(index).shape)).collect(),
            }
        }
        other => unreachable!("{} has no kernel of its own", other.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::execute::{Executable, Run};
    use crate::graph::{Graph, Leaves};
    use crate::tensor::{ScanOptions, Tensor, scan};

    #[test]
    fn a_loop_packs_a_matrix_of_all_turns_before_the_first_and_one_of_a_turn_in_each() {
        let leaf = |name: &str, shape: &[usize]| Tensor::placeholder(name, Shape::from(shape), DType::F32);
        let (w, ws) = (leaf("w", &[128, 256]), leaf("ws", &[9, 256, 128]));
        let (last, _) = scan(&[&leaf("h", &[64, 128])], &[&ws], ScanOptions::default(), |carry, element| {
            Ok((vec![carry[0].matmul(&w).matmul(&element[0])], vec![]))
        })
        .unwrap();
        let inputs: Vec<Tensor> = last[0].node().operands()[0].node().operands();
        let bound = inputs.iter().enumerate().map(|(index, input)| (input.node().id, index)).collect();
        let (graph, _) = Graph::trace(&last, &Leaves { bound, ..Leaves::default() }).unwrap();
        let task = Task {
            graph: &graph,
            results: 1,
            result_feeds: None,
            constants: 0,
            updates: &[],
            slot_offsets: &[],
            fuse: true,
            isa: Isa::detect(),
        };
        let Executable { works, prologue, .. } = compile(&task).executable;
        assert!(prologue.is_empty());
        let body = works.iter().find_map(|work| match work {
            Work::Scan(scan) => Some(&scan.body),
            _ => None,
        });
        let body = body.unwrap();
        let packs = |run: &Run| match &body.works[run.work] {
            Work::Kernel { kernel, .. } => kernel.prepares(),
            _ => false,
        };
        let first: Vec<bool> = body.prologue.iter().flat_map(|stage| &stage.runs).map(packs).collect();
        assert_eq!(first, [true]);
        let turn = body.stages.iter().flat_map(|stage| &stage.runs);
        let turn: Vec<(bool, usize)> = turn.map(|run| (packs(run), run.phase)).collect();
        assert_eq!(turn, [(true, 1), (false, 0)]);
    }
}
