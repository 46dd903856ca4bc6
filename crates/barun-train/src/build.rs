//! From a recipe's words to the layers, losses, optimisers and schedules they name.

use barun_nn::layers::{
    AlphaDropout, AvgPool2d, BatchNorm, Conv2d, Dropout, Flatten, GaussianNoise, GlobalAvgPool, GroupNorm,
    Identity, LayerNorm, Linear, MaxPool2d, Maxout, MemberHead, MemberScale, PeriodicEmbedding, Prelu,
    Residual, RmsNorm, Sequential, SmoothClip,
};
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::regularization::Penalty;
use barun_nn::schedules::{Schedule, Span, Warmup};
use barun_nn::{DType, Init, Layer, Learns, Shape, StepOptions, losses};

use crate::error::Result;
use crate::network::{PlannedLayer, plan};
use crate::recipe::{self, LossChoice, Scheduled, Units};

/// The network of a recipe's model, for rows of shape `input` and `outputs` numbers out.
///
/// # Errors
/// When the model does not take such rows.
pub fn network(model: &recipe::Model, input: &[usize], outputs: usize) -> Result<Sequential> {
    match model {
        recipe::Model::Named(architecture) => Ok(architecture.build(&Shape::from(input), outputs)?),
        recipe::Model::Layers { layers, init } => Ok(self::model(&plan(layers, input, outputs)?, *init)),
    }
}

/// The network of planned layers. The tensors of `model.layers[2]` are called `2.weight`, `2.bias`.
fn model(planned: &[PlannedLayer], init: Init) -> Sequential {
    Sequential { layers: planned.iter().map(|planned| layer(planned, init)).collect() }
}

fn layer(planned: &PlannedLayer, init: Init) -> Box<dyn Layer> {
    let last = |shape: &[usize]| shape.last().copied().unwrap_or(0);
    let (from, to) = (last(&planned.input), last(&planned.output));
    let inside = |layers: &[PlannedLayer]| Sequential {
        layers: layers.iter().map(|planned| layer(planned, init)).collect(),
    };
    match &planned.layer {
        recipe::Layer::Conv { channels, kernel, stride, padding, dilation, groups, bias } => {
            Box::new(Conv2d {
                stride: [*stride; 2],
                padding: [*padding; 2],
                dilation: [*dilation; 2],
                groups: *groups,
                bias: *bias,
                init,
                ..Conv2d::new(from, *channels, *kernel)
            })
        }
        recipe::Layer::Linear { units, bias } => {
            Box::new(Linear { bias: *bias, init, ..Linear::new(from, count(*units, to)) })
        }
        recipe::Layer::Activation(activation) => (***activation).clone_box(),
        recipe::Layer::Prelu { per_channel } => Box::new(Prelu::new(if *per_channel { from } else { 1 })),
        recipe::Layer::Maxout { pieces } => Box::new(Maxout::new(*pieces)),
        recipe::Layer::MaxPool { size, stride } => {
            Box::new(MaxPool2d { stride: [stride.unwrap_or(*size); 2], ..MaxPool2d::new(*size) })
        }
        recipe::Layer::AvgPool { size, stride } => {
            Box::new(AvgPool2d { stride: [stride.unwrap_or(*size); 2], ..AvgPool2d::new(*size) })
        }
        recipe::Layer::GlobalAvgPool => Box::new(GlobalAvgPool::default()),
        recipe::Layer::Flatten => Box::new(Flatten::default()),
        recipe::Layer::BatchNorm => Box::new(BatchNorm::new(from)),
        recipe::Layer::LayerNorm => Box::new(LayerNorm::new(from)),
        recipe::Layer::RmsNorm => Box::new(RmsNorm::new(from)),
        recipe::Layer::GroupNorm { groups } => Box::new(GroupNorm::new(*groups, from)),
        recipe::Layer::Noise { std } => Box::new(GaussianNoise::new(*std)),
        recipe::Layer::AlphaDropout { rate } => Box::new(AlphaDropout::new(*rate)),
        recipe::Layer::Dropout { rate } => Box::new(Dropout::new(*rate)),
        recipe::Layer::SmoothClip { bound } => {
            Box::new(SmoothClip { bound: *bound, ..SmoothClip::default() })
        }
        recipe::Layer::Periodic { size, frequencies, sigma } => Box::new(PeriodicEmbedding {
            size: *size,
            frequencies: *frequencies,
            sigma: *sigma,
            ..PeriodicEmbedding::new(from)
        }),
        recipe::Layer::MemberScale { members } => Box::new(MemberScale::new(*members, from)),
        recipe::Layer::MemberHead { units } => {
            Box::new(MemberHead { init, ..MemberHead::new(planned.input[0], from, count(*units, to)) })
        }
        recipe::Layer::Residual { .. } => Box::new(Residual {
            shortcut: (!planned.shortcut.is_empty()).then(|| inside(&planned.shortcut)),
            // What follows the sum stands in the list itself.
            activation: Box::new(Identity::default()),
            ..Residual::new(inside(&planned.inside))
        }),
    }
}

fn count(units: Units, planned: usize) -> usize {
    match units {
        Units::Count(units) => units,
        Units::Classes => planned,
    }
}

/// What the network's output is compared with.
pub fn learns(task: recipe::Task) -> Learns {
    match task {
        recipe::Task::Reconstruction => Learns::Input,
        recipe::Task::Auto | recipe::Task::Classification | recipe::Task::Regression => Learns::Target,
    }
}

/// The loss, for a target of classes or of numbers. Whether it suits them is for the trainer to say.
pub fn loss(loss: &LossChoice, is_classes: bool) -> Box<dyn losses::Loss> {
    match loss {
        LossChoice::Auto if is_classes => Box::new(CrossEntropy::default()),
        LossChoice::Auto => Box::new(Mse::default()),
        LossChoice::Named(loss) => (**loss).clone(),
    }
}

/// The schedule, after its rise where it has one.
pub fn schedule(scheduled: &Scheduled) -> Box<dyn Schedule> {
    let schedule = (*scheduled.schedule).clone();
    match scheduled.warmup {
        Span::Steps(0) => schedule,
        warmup => Box::new(Warmup::new(warmup, schedule)),
    }
}

/// How a step is compiled, as far as the recipe says.
pub fn step_options(recipe: &recipe::Recipe) -> StepOptions {
    let train = &recipe.train;
    StepOptions {
        learns: learns(recipe.data.task),
        precision: precision(train.precision),
        clip: train.clip,
        accumulate: train.accumulate,
        average: train.average,
        penalty: Penalty { l1: train.l1, l2: train.l2 },
        weight_noise: train.weight_noise,
        ..StepOptions::default()
    }
}

/// The type of the weights and of all arithmetic.
pub fn precision(precision: recipe::Precision) -> DType {
    match precision {
        recipe::Precision::F32 => DType::F32,
        recipe::Precision::Bf16 => DType::BF16,
        recipe::Precision::F64 => DType::F64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::parameters;
    use crate::recipe::Recipe;
    use barun_nn::schedules::Moment;
    use barun_nn::summary;

    #[test]
    fn what_is_planned_is_what_is_built() {
        let line = "model.layers = [{ type = \"conv\", channels = 4, groups = 2, stride = 2 }, \"avgpool\", \"flatten\",
             { type = \"residual\", layers = [{ type = \"linear\", units = 7 }] }, { type = \"prelu\", per_channel = true },
             { type = \"linear\", units = 12 }, { type = \"maxout\", pieces = 3 }, { type = \"elu\", alpha = 0.5 },
             \"layernorm\", \"rmsnorm\", { type = \"groupnorm\", groups = 2 }, \"noise\", \"alpha_dropout\",
             { type = \"linear\", units = \"classes\" }]";
        let recipe = Recipe::from_toml(&format!("data.source = 'digits'\n{line}"), "r").unwrap();
        let recipe::Model::Layers { layers, init } = &recipe.model else { panic!("a list of layers") };
        let planned = plan(layers, &[9, 9, 2], 10).unwrap();
        let summary = summary(&model(&planned, *init), [3, 9, 9, 2], DType::F32).unwrap();
        assert_eq!(summary.trainable, parameters(&planned));
        assert_eq!(summary.rows.last().unwrap().output[..], [3, 10]);
    }

    #[test]
    fn warming_up_is_counted_in_epochs_or_in_steps() {
        let rates = |warmup: &str| {
            let text = format!("data.source = 'd'\ntrain.schedule.warmup = '{warmup}'");
            let recipe = Recipe::from_toml(&text, "r").unwrap();
            let schedule = schedule(&recipe.train.schedule);
            (0..12).map(|step| schedule.lr(1.0, &Moment::new(step, 12, 4))).collect::<Vec<_>>()
        };
        assert_eq!(rates("1 epoch"), rates("4 steps"));
        assert_eq!(rates("1 epoch")[..5], [0.25, 0.5, 0.75, 1.0, 1.0]);
        assert_eq!(rates("0 steps")[0], 1.0);
    }
}
