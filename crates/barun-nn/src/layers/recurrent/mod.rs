//! Recurrent layers: a cell that is applied to one element of a sequence after the other and hands on what it remembers.
//!
//! Sequences are `[n, length, features]`. What the input adds to a cell's gates does not depend on the turn before, so it is
//! one matrix product for the whole sequence; what is left goes through a loop that is one node of the graph, so a long
//! sequence compiles as fast as a short one. Each layer is its own [`Cell`], so it can also be stepped by hand.

mod gru;
mod lstm;
mod rnn;

pub use gru::Gru;
pub use lstm::Lstm;
pub use rnn::Rnn;

use barun_engine::{ScanOptions, scan};

use crate::hyper::named_cases;
use crate::{Id, Pass, Result, Tensor};

/// What a recurrent layer gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Returns {
    /// What it remembers after the last element: `[n, hidden]`.
    #[default]
    Last,
    /// What it remembers after each element: `[n, length, hidden]`, for another recurrent layer, or an answer for each.
    Sequence,
}
named_cases!(Returns { Last = "last", Sequence = "sequence" });

/// One step of a recurrent layer.
///
/// ```
/// use barun_nn::{DType, Mode, Pass, Tensor, layers::{Cell, Lstm}};
/// let lstm = Lstm::new(3, 5);
/// let state = barun_nn::fresh_state(&lstm, 1, DType::F32)?;
/// let pass = Pass::by_run(&lstm, &state, Mode::Eval)?;
/// let zero = Tensor::zeros([2, 5], DType::F32);
/// let remembered = lstm.step(&Tensor::ones([2, 3], DType::F32), &[zero.clone(), zero], &pass)?;
/// assert_eq!(*remembered[0].shape()?, [2, 5].into());
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub trait Cell {
    /// The identity, under which `weight` and `bias` of the input's part are kept.
    fn id(&self) -> &Id;

    /// Features of an element of the sequence.
    fn inputs(&self) -> usize;

    /// The number of units.
    fn hidden(&self) -> usize;

    /// How many tensors `[n, hidden]` are remembered; the first of them is what the layer gives.
    fn remembered(&self) -> usize;

    /// What the input adds to the gates: `[.., inputs] -> [.., gates * hidden]`.
    fn gates(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let weight = pass.rounded(&pass.parameter(self.id(), "weight")?);
        Ok(pass.rounded(x).matmul(&weight) + pass.parameter(self.id(), "bias")?)
    }

    /// A turn: from what the input adds to the gates, `[n, gates * hidden]`, and what is remembered to what is remembered
    /// from then on.
    fn turn(&self, pass: &Pass) -> Result<impl Fn(&Tensor, &[Tensor]) -> Vec<Tensor>>;

    /// One element of the sequence, `[n, inputs]`, with what is remembered of those before.
    fn step(&self, x: &Tensor, remembered: &[Tensor], pass: &Pass) -> Result<Vec<Tensor>> {
        Ok(self.turn(pass)?(&self.gates(x, pass)?, remembered))
    }
}

/// A cell over a whole sequence `[n, length, inputs]`, from a memory of zeros, first to last or the other way round.
fn unroll(cell: &impl Cell, x: &Tensor, (returns, reverse): (Returns, bool), pass: &Pass) -> Result<Tensor> {
    let shape = x.shape()?;
    if shape.rank() != 3 || shape[1] == 0 || shape[2] != cell.inputs() {
        let requirement = format!("sequences must be [n, length, {}], of length 1 or more", cell.inputs());
        let help =
            "set the layer's inputs to fit; a ToSequence before it makes a sequence of an image or a row";
        return Ok(Tensor::error("recurrent", &[x], requirement, help));
    }
    let zero = Tensor::zeros([shape[0], cell.hidden()], x.dtype().computed());
    let gates = cell.gates(x, pass)?.permute(&[1, 0, 2]);
    let turn = cell.turn(pass)?;
    let carries = vec![&zero; cell.remembered()];
    let options = ScanOptions { reverse, ..ScanOptions::default() };
    let (last, all) = scan(&carries, &[&gates], options, |remembered, gates| {
        let next = turn(&gates[0], remembered);
        let kept = if returns == Returns::Sequence { vec![next[0].clone()] } else { Vec::new() };
        Ok((next, kept))
    })?;
    Ok(match returns {
        Returns::Last => last[0].clone(),
        Returns::Sequence => all[0].permute(&[1, 0, 2]),
    })
}

/// The `index`-th gate of `[.., gates * hidden]`.
fn gate(gates: &Tensor, index: usize, hidden: usize) -> Tensor {
    gates.narrow(-1, index * hidden, (index + 1) * hidden)
}
