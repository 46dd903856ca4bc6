//! Define and run: a graph built once over placeholders and variables, and run many times. [TENSOR-09, TENSOR-10]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::{Graph, Leaves, Primitive};
use crate::program::{Options, Program, with_values};
use crate::state::{Layout, State};
use crate::tensor::{Buffer, Tensor};

/// A compiled graph with its variables.
///
/// ```
/// use barun_engine::{Buffer, DType, Session, Tensor};
/// let x = Tensor::placeholder("x", [2], DType::F32);
/// let w = Tensor::from([1.0f32, 1.0]).variable();
/// let loss = (&w * &x).sum(..);
/// let gradient = loss.grad(&[&w])?.remove(0);
/// let step = &w - gradient * 0.1;
/// let mut session = Session::new(&[&loss], &[(&w, &step)])?;
/// let batch = Buffer::new(&[1.0f32, 2.0], [2]);
/// assert_eq!(session.run(&[("x", &batch)])?[0].to_f64(), [3.0]);
/// assert_eq!(session.run(&[("x", &batch)])?[0].to_f64(), [2.5]);
/// # Ok::<(), barun_engine::Error>(())
/// ```
pub struct Session {
    program: Program,
    state: State,
    variables: HashMap<u64, usize>,
    inputs: Vec<String>,
}

impl Session {
    /// Compiles `outputs`, and `updates` that give variables a new value after each run. Placeholders are found in the
    /// graph; the first values of updated variables are those they have now.
    pub fn new(outputs: &[&Tensor], updates: &[(&Tensor, &Tensor)]) -> Result<Session> {
        Session::with_options(outputs, updates, &Options::default())
    }

    /// As [`Session::new`] with compile options.
    pub fn with_options(
        outputs: &[&Tensor],
        updates: &[(&Tensor, &Tensor)],
        options: &Options,
    ) -> Result<Session> {
        let slots = updates
            .iter()
            .enumerate()
            .map(|(index, (variable, _))| {
                let shape = variable.shape()?.clone();
                Ok((format!("variable {index}"), shape, variable.dtype()))
            })
            .collect::<Result<Vec<_>>>()?;
        let layout = Layout::new(slots)?;
        let mut state = State::zeros(&layout);
        let mut variables = HashMap::new();
        for (index, (variable, value)) in updates.iter().enumerate() {
            value.check()?;
            state.write(index, &*variable.eval()?)?;
            variables.insert(variable.node().id, index);
        }
        let roots: Vec<Tensor> = outputs
            .iter()
            .map(|&output| output.clone())
            .chain(updates.iter().map(|(_, value)| (*value).clone()))
            .collect();
        let placeholders = placeholders(&roots)?;
        let inputs = placeholders.iter().map(|(name, tensor)| (name.clone(), tensor.kind())).collect();
        let bound =
            placeholders.iter().enumerate().map(|(index, (_, tensor))| (tensor.node().id, index)).collect();
        let leaves = Leaves { bound, slots: variables.clone(), stop_at_values: false };
        let (graph, data) = Graph::trace(&roots, &leaves)?;
        let order: Vec<usize> = (0..updates.len()).collect();
        let program =
            Program::from_graph(graph, layout, inputs, with_values(data)?, outputs.len(), &order, options)?;
        let inputs = placeholders.into_iter().map(|(name, _)| name).collect();
        Ok(Session { program, state, variables, inputs })
    }

    /// Runs with these values for the placeholders and gives the outputs. Nothing is compiled again.
    pub fn run(&mut self, feeds: &[(&str, &Buffer)]) -> Result<Vec<Buffer>> {
        let known = || format!("`{}`", self.inputs.join("`, `"));
        if let Some((name, _)) = feeds.iter().find(|(name, _)| !self.inputs.iter().any(|input| input == name))
        {
            return Err(Error::UnknownFeed { name: (*name).into(), known: known() });
        }
        let in_order = self
            .inputs
            .iter()
            .map(|input| {
                let given = feeds.iter().find(|(name, _)| name == input).map(|(_, value)| *value);
                given.ok_or_else(|| Error::Feed {
                    name: input.clone(),
                    expected: "a value".into(),
                    actual: "none".into(),
                })
            })
            .collect::<Result<Vec<&Buffer>>>()?;
        self.program.run(&mut self.state, &in_order)
    }

    /// The value a variable has now.
    pub fn value(&self, variable: &Tensor) -> Result<Buffer> {
        match self.variables.get(&variable.node().id) {
            Some(&index) => Ok(self.state.read(index)),
            None => Err(Error::State("this tensor is not one of the session's variables".into())),
        }
    }

    /// The compiled program, for its graph and its kernels.
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// The placeholders a graph depends on, in order of first use; two of one name are an error.
fn placeholders(roots: &[Tensor]) -> Result<Vec<(String, Tensor)>> {
    let mut seen = HashSet::new();
    let mut found: Vec<(String, Tensor)> = Vec::new();
    let mut stack: Vec<Tensor> = roots.iter().rev().cloned().collect();
    while let Some(tensor) = stack.pop() {
        if !seen.insert(tensor.node().id) {
            continue;
        }
        if let Primitive::Placeholder { name } = &tensor.node().op {
            if found.iter().any(|(known, _)| **known == **name) {
                return Err(Error::State(format!(
                    "two placeholders are called `{name}`; give each its own name"
                )));
            }
            found.push((Arc::clone(name).to_string(), tensor.clone()));
        }
        stack.extend(tensor.node().operands().into_iter().rev());
    }
    Ok(found)
}
