//! Exact statistics for inference in place of running ones.

use super::{Purpose, Step};
use crate::layers::{BATCH_COUNT, BATCH_MEAN, BATCH_VAR};
use crate::pass::position;
use crate::state::buffer;
use crate::{Buffer, DType, Error, Forward, Mode, Module, Result, Shape, State, Tensor};

/// Mean and variance of each feature over all batches so far, joined as Chan, Golub & LeVeque, 1979, so that a large mean
/// does not cancel the variance.
#[derive(Default)]
struct Moments {
    count: f64,
    mean: Vec<f64>,
    /// Sums of squared distances from the mean.
    squares: Vec<f64>,
}

impl Moments {
    fn add(&mut self, count: f64, mean: &[f64], var: &[f64]) {
        if self.count == 0.0 {
            let squares = var.iter().map(|var| var * count).collect();
            *self = Moments { count, mean: mean.to_vec(), squares };
            return;
        }
        let total = self.count + count;
        for (index, (mean, var)) in mean.iter().zip(var).enumerate() {
            let distance = mean - self.mean[index];
            self.mean[index] += distance * count / total;
            self.squares[index] += var * count + distance * distance * self.count * count / total;
        }
        self.count = total;
    }
}

impl<M: Module + Forward> Step<M> {
    /// Gives every batch normalisation the exact mean and variance of what it gets over `batches` of inputs, instead of the
    /// running ones, which are averages over the last batches of a network that was still changing. [NORM-12]
    ///
    /// The variance is that of these very values, divided by their number. What a layer gets depends on the layers before
    /// it, so they are finalised one after the other: one pass over all batches for each. How the rows are divided into
    /// batches does not matter. Call it after training, with the training part; further training goes on from these.
    ///
    /// # Errors
    /// No batches, and what comes with them.
    pub fn finalize<I: IntoIterator<Item = Result<Buffer>>>(
        &self,
        state: &mut State,
        mut batches: impl FnMut() -> I,
    ) -> Result<()> {
        let mut of_first = batches().into_iter();
        let Some(first) = of_first.next().transpose()? else {
            return Err(Error::Model("statistics need data: there are no batches".to_string()));
        };
        drop(of_first);
        for layer in self.normalisations((first.shape(), first.dtype()))? {
            let mut moments = Moments::default();
            for x in batches() {
                let x = x?;
                let built = self.built(Purpose::Watch(Mode::Eval, Some(layer.watched.clone())), &x, None)?;
                let found = built.program.evaluate(state, &[&x])?;
                // Three for each call of the layer.
                for call in found.chunks_exact(3) {
                    let [count, mean, var] = [0, 1, 2].map(|index| call[index].to_f64());
                    moments.add(count[0], &mean, &var);
                }
            }
            let var: Vec<f64> = moments.squares.iter().map(|squares| squares / moments.count).collect();
            for (name, values) in [("running_mean", moments.mean), ("running_var", var)] {
                let index = position(state.layout(), &join(&layer.path, name))?;
                let shape = Shape::from([values.len()]);
                state.write(index, &buffer(values.into_iter(), &shape, self.options.dtype()))?;
            }
        }
        Ok(())
    }

    /// The batch normalisations in the order in which they are first called.
    fn normalisations(&self, (shape, dtype): (&Shape, DType)) -> Result<Vec<Normalisation>> {
        let x = Tensor::placeholder("x", shape.clone(), dtype);
        let (_, pass) = self.predicted(&x, Mode::Eval, false)?;
        let names: Vec<String> = pass.watched().into_iter().map(|(name, _)| name).collect();
        let mut found: Vec<Normalisation> = Vec::new();
        for name in &names {
            // `norm.batch_count` and, where the layer is called again, `norm.batch_count#2`.
            let (plain, call) =
                name.split_once('#').map_or((name.as_str(), ""), |(plain, _)| (plain, &name[plain.len()..]));
            let Some(path) = plain.strip_suffix(BATCH_COUNT) else { continue };
            let path = path.strip_suffix('.').unwrap_or(path).to_string();
            let own = [BATCH_COUNT, BATCH_MEAN, BATCH_VAR].map(|probe| join(&path, probe) + call);
            match found.iter_mut().find(|known| known.path == path) {
                Some(known) => known.watched.extend(own),
                None => found.push(Normalisation { path, watched: own.to_vec() }),
            }
        }
        Ok(found)
    }
}

/// A layer with statistics, and the names of what tells them: count, mean and variance for each call.
struct Normalisation {
    path: String,
    watched: Vec<String>,
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}
