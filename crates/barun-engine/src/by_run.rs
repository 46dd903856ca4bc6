//! By-run evaluation: each read compiles what it needs, once per structure, and keeps what it learns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::Result;
use crate::graph::{Graph, Leaves};
use crate::program::{Options, Program, with_values};
use crate::state::{Layout, State};
use crate::tensor::{Buffer, Tensor};

/// Programs kept; the least recently used goes first.
const KEPT_PROGRAMS: usize = 256;

/// Compiled programs by the structure of their graph: shapes, types and operations, not values.
#[derive(Default)]
struct Cache {
    programs: HashMap<Graph, (Arc<Program>, u64)>,
    clock: u64,
}

fn cache() -> &'static Mutex<Cache> {
    static CACHE: OnceLock<Mutex<Cache>> = OnceLock::new();
    CACHE.get_or_init(Mutex::default)
}

/// Gives each of `tensors` its value. Values on the way that somebody else holds a handle to are kept as well.
pub(crate) fn evaluate(tensors: &[Tensor]) -> Result<()> {
    if tensors.is_empty() {
        return Ok(());
    }
    let leaves = Leaves { stop_at_values: true, ..Leaves::default() };
    let wanted = with_held(tensors);
    let (graph, data) = Graph::trace(&wanted, &leaves)?;
    let values = with_values(data)?;
    let program = program(&graph)?;
    let feeds: Vec<&Buffer> = values.iter().map(|value| &**value).collect();
    let results = program.run(&mut State::zeros(program.layout()), &feeds)?;
    for (tensor, result) in wanted.iter().zip(results) {
        tensor.node().set_value(Arc::new(result));
    }
    Ok(())
}

fn program(graph: &Graph) -> Result<Arc<Program>> {
    let mut cache = cache().lock().unwrap_or_else(PoisonError::into_inner);
    cache.clock += 1;
    let now = cache.clock;
    if let Some((program, used)) = cache.programs.get_mut(graph) {
        *used = now;
        return Ok(Arc::clone(program));
    }
    let feeds = graph.nodes.iter().filter_map(|inst| match inst.op {
        crate::graph::Primitive::Feed { index } => Some((index, inst.kind())),
        _ => None,
    });
    let mut inputs: Vec<_> = feeds.collect();
    inputs.sort_by_key(|(index, _)| *index);
    let inputs = inputs.into_iter().map(|(index, kind)| (format!("value {index}"), kind)).collect();
    let layout = Layout::new(Vec::new())?;
    let results = graph.outputs.len();
    let program = Arc::new(Program::from_graph(
        graph.clone(),
        layout,
        inputs,
        Vec::new(),
        results,
        &[],
        &Options::default(),
    )?);
    if cache.programs.len() >= KEPT_PROGRAMS
        && let Some(oldest) =
            cache.programs.iter().min_by_key(|(_, (_, used))| *used).map(|(graph, _)| graph.clone())
    {
        cache.programs.remove(&oldest);
    }
    cache.programs.insert(graph.clone(), (Arc::clone(&program), now));
    Ok(program)
}

/// `tensors`, and the unevaluated tensors they need that have handles outside the graph: their values will be asked
/// for next, or needed again.
fn with_held(tensors: &[Tensor]) -> Vec<Tensor> {
    let mut wanted: Vec<Tensor> = tensors.to_vec();
    // Uses of each node inside the graph, and one handle to it.
    let mut uses: HashMap<u64, (usize, Option<Tensor>)> = HashMap::new();
    let mut order = Vec::new();
    let mut stack: Vec<Tensor> = Vec::new();
    let mut visit = |tensor: Tensor, stack: &mut Vec<Tensor>| {
        if tensor.node().value.get().is_some() {
            return;
        }
        let entry = uses.entry(tensor.node().id).or_insert((0, None));
        entry.0 += 1;
        if entry.1.is_none() {
            order.push(tensor.node().id);
            entry.1 = Some(tensor.clone());
            stack.push(tensor);
        }
    };
    tensors.iter().for_each(|tensor| visit(tensor.clone(), &mut stack));
    while let Some(tensor) = stack.pop() {
        let operands = tensor.node().operands();
        drop(tensor);
        operands.into_iter().for_each(|operand| visit(operand, &mut stack));
    }
    let asked: std::collections::HashSet<u64> = tensors.iter().map(|tensor| tensor.node().id).collect();
    for id in order {
        let Some((inside, Some(tensor))) = uses.remove(&id) else { continue };
        let is_cheap =
            tensor.node().op.is_constant() || matches!(tensor.node().op, crate::graph::Primitive::Scan(_));
        // One handle is the one in `tensor`.
        if !asked.contains(&id) && !is_cheap && tensor.handles() > inside + 1 {
            wanted.push(tensor);
        }
    }
    wanted
}
