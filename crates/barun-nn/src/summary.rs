//! The table of a model's layers. [LAYER-03]

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::{DType, Forward, Inventory, Mode, Module, Pass, Result, Shape, Tensor};

/// One call of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// The layer's path.
    pub path: String,
    /// The layer's kind.
    pub kind: &'static str,
    /// The shape of its output.
    pub output: Shape,
    /// Elements that are trained; 0 when the layer was called before.
    pub trainable: usize,
    /// Elements that are kept without being trained; 0 when the layer was called before.
    pub not_trainable: usize,
}

/// The layers of a model in the order of their calls, with output shapes and parameter counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The shape of the input.
    pub input: Shape,
    /// The calls.
    pub rows: Vec<SummaryRow>,
    /// Elements that are trained, over the whole model.
    pub trainable: usize,
    /// Elements that are kept without being trained, over the whole model.
    pub not_trainable: usize,
}

/// What `model` does with an input of this shape (batch first), and what it has.
///
/// ```
/// use barun_nn::{DType, layers::*, sequential, summary};
/// let model = sequential![Linear::new(784, 50), Relu::default(), Linear::new(50, 10)];
/// let summary = summary(&model, [1, 784], DType::F32)?;
/// assert_eq!(summary.trainable, 39_760);
/// println!("{summary}");
/// # Ok::<(), barun_nn::Error>(())
/// ```
pub fn summary<M: Module + Forward + ?Sized>(
    model: &M,
    input: impl Into<Shape>,
    dtype: DType,
) -> Result<Summary> {
    let input = input.into();
    let inventory = Arc::new(Inventory::of(model)?);
    let shapes = inventory.parameters.iter().map(|entry| (&entry.path, &entry.shape));
    let shapes = shapes.chain(inventory.stats.iter().map(|entry| (&entry.path, &entry.shape)));
    let shapes: std::collections::HashMap<&String, &Shape> = shapes.collect();
    let lookup = |path: &str| Ok(Tensor::placeholder(path, shapes[&path.to_string()].clone(), dtype));
    let counter = || Tensor::scalar(0.0, DType::I64);
    let mut pass = Pass::new(&inventory, Mode::Eval, counter(), counter(), lookup)?;
    model.forward(&Tensor::placeholder("x", input.clone(), dtype), &mut pass)?;
    let mut counted = HashSet::new();
    let mut rows = Vec::new();
    for call in pass.calls() {
        let is_new = counted.insert(call.id());
        let parameters = inventory.parameters.iter().filter(|entry| is_new && entry.key.0 == call.id());
        let stats = inventory.stats.iter().filter(|entry| is_new && entry.key.0 == call.id());
        rows.push(SummaryRow {
            path: call.path.to_string(),
            kind: call.kind,
            output: call.output.shape()?.clone(),
            trainable: parameters.map(|entry| entry.count()).sum(),
            not_trainable: stats.map(|entry| entry.shape.elements()).sum(),
        });
    }
    let (trainable, not_trainable) = (inventory.trainable(), inventory.not_trainable());
    Ok(Summary { input, rows, trainable, not_trainable })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![
            ["layer", "kind", "output", "parameters", "not trained"].map(String::from),
            ["input".into(), String::new(), self.input.to_string(), String::new(), String::new()],
        ];
        table.extend(self.rows.iter().map(|row| {
            let counts = [row.trainable, row.not_trainable].map(|count| count.to_string());
            let [trainable, not_trainable] = counts;
            [row.path.clone(), row.kind.to_string(), row.output.to_string(), trainable, not_trainable]
        }));
        table.push([
            "total".into(),
            String::new(),
            String::new(),
            self.trainable.to_string(),
            self.not_trainable.to_string(),
        ]);
        let widths: Vec<usize> = (0..5)
            .map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        for row in &table {
            let [path, kind, output, trainable, not_trainable] = row;
            let line = format!(
                "{path:<0$}  {kind:<1$}  {output:<2$}  {trainable:>3$}  {not_trainable:>4$}",
                widths[0], widths[1], widths[2], widths[3], widths[4]
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
