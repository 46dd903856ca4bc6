//! From a recipe's list of layers and the shapes of the data to layers that fit: every shape known before anything is built.
//!
//! A model by name is built by the library (`barun_nn::models`). Shapes are those of one row, without the batch:
//! `[features]` or `[height, width, channels]`.

use crate::error::{Error, Result};
use crate::recipe::{Layer, Units};

/// A layer in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLayer {
    /// Where it stands: `model.layers[2]`, inside a residual layer `model.layers[2].layers[0]`.
    pub path: String,
    /// What it is. `units = "classes"` is already a number.
    pub layer: Layer,
    /// The shape of a row that comes in.
    pub input: Vec<usize>,
    /// The shape of a row that goes out.
    pub output: Vec<usize>,
    /// For a residual layer, what is inside.
    pub inside: Vec<PlannedLayer>,
    /// For a residual layer, what its input passes on the way around.
    pub shortcut: Vec<PlannedLayer>,
}

/// Lays out a list of layers for rows of shape `input` and `outputs` numbers out (one for each class, or one for a number).
pub fn plan(layers: &[Layer], input: &[usize], outputs: usize) -> Result<Vec<PlannedLayer>> {
    let planned = plan_list("model.layers", layers, input, outputs)?;
    let (path, name, got) = match planned.last() {
        Some(last) if last.output == [outputs] => return Ok(planned),
        Some(last) => (last.path.clone(), last.layer.name(), &last.output[..]),
        None => ("model.layers".to_string(), "an empty list", input),
    };
    let fix = match got.len() {
        1 => "end the list with { type = \"linear\", units = \"classes\" }",
        2 => "end the list with \"member_head\"",
        _ => "end the list with \"flatten\", { type = \"linear\", units = \"classes\" }",
    };
    Err(Error::Shape {
        path,
        layer: name,
        requires: format!(
            "is last and must give {}, one number for each thing to predict",
            shape_text(&[outputs])
        ),
        got: format!("gives {}", shape_text(got)),
        fix: fix.to_string(),
    })
}

/// How many numbers the network learns.
pub fn parameters(planned: &[PlannedLayer]) -> usize {
    planned.iter().map(PlannedLayer::parameters).sum()
}

impl PlannedLayer {
    /// How many numbers this layer learns.
    pub fn parameters(&self) -> usize {
        let channels = |shape: &[usize]| shape.last().copied().unwrap_or(0);
        let (from, to) = (channels(&self.input), channels(&self.output));
        match &self.layer {
            Layer::Linear { bias, .. } => from * to + if *bias { to } else { 0 },
            Layer::Conv { kernel, groups, bias, .. } => {
                kernel * kernel * (from / groups) * to + if *bias { to } else { 0 }
            }
            Layer::BatchNorm | Layer::LayerNorm | Layer::GroupNorm { .. } => 2 * from,
            Layer::RmsNorm => from,
            Layer::Prelu { per_channel } => {
                if *per_channel {
                    from
                } else {
                    1
                }
            }
            Layer::Periodic { size, frequencies, .. } => from * periodic_parameters(*size, *frequencies),
            Layer::MemberScale { .. } => self.output.iter().product(),
            Layer::MemberHead { .. } => self.input[0] * (from + 1) * to,
            _ => parameters(&self.inside) + parameters(&self.shortcut),
        }
    }
}

/// Of one column: frequencies and phases, and the weights and biases of the mixtures.
fn periodic_parameters(size: usize, frequencies: usize) -> usize {
    let mixtures = size - 1;
    if mixtures == 0 { 0 } else { 2 * frequencies + mixtures * (frequencies + 1) }
}

fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, bias: bool) -> Layer {
    Layer::Conv { channels, kernel, stride, padding, dilation: 1, groups: 1, bias }
}

fn plan_list(path: &str, layers: &[Layer], input: &[usize], outputs: usize) -> Result<Vec<PlannedLayer>> {
    let mut planned: Vec<PlannedLayer> = Vec::with_capacity(layers.len());
    for (at, layer) in layers.iter().enumerate() {
        let input = planned.last().map_or(input, |before| &before.output);
        planned.push(plan_layer(format!("{path}[{at}]"), layer, input, outputs)?);
    }
    Ok(planned)
}

fn plan_layer(path: String, layer: &Layer, input: &[usize], outputs: usize) -> Result<PlannedLayer> {
    let at = Site { path: &path, layer: layer.name(), input };
    let (mut inside, mut shortcut) = (Vec::new(), Vec::new());
    let mut layer = layer.clone();
    let output = match &mut layer {
        Layer::Linear { units, .. } => {
            let members = at.features()?;
            let count = settle(units, outputs);
            members.iter().copied().chain([count]).collect()
        }
        Layer::Periodic { size, .. } => vec![at.vector()? * *size],
        Layer::MemberScale { members } => vec![*members, at.vector()?],
        Layer::MemberHead { units } => {
            at.members()?;
            vec![settle(units, outputs)]
        }
        Layer::Conv { channels, kernel, stride, padding, dilation, groups, .. } => {
            let [height, width, from] = at.image()?;
            if from % *groups != 0 || *channels % *groups != 0 {
                return Err(at.misfit(
                    format!("with {groups} groups needs channels in and out that {groups} divides"),
                    &format!("{from} channels in, {channels} out"),
                    "choose `groups` or `channels` so that both divide".into(),
                ));
            }
            let window = (*kernel - 1) * *dilation + 1;
            let smaller =
                format!("use a kernel of at most {}, or more padding", height.min(width) + 2 * *padding);
            let across = |size| at.across(size, window, *stride, *padding, &smaller);
            vec![across(height)?, across(width)?, *channels]
        }
        Layer::MaxPool { size, stride } | Layer::AvgPool { size, stride } => {
            let [height, width, channels] = at.image()?;
            let smaller = format!("use a size of at most {}, or leave the layer out", height.min(width));
            let across = |from| at.across(from, *size, stride.unwrap_or(*size), 0, &smaller);
            vec![across(height)?, across(width)?, channels]
        }
        Layer::GlobalAvgPool => vec![at.image()?[2]],
        Layer::Flatten => vec![input.iter().product()],
        Layer::Maxout { pieces } => match input.split_last() {
            Some((last, before)) if last % *pieces == 0 => [before, &[last / *pieces]].concat(),
            _ => {
                let fix = "give the layer before it so many times as many units or channels";
                let requires = format!("takes {pieces} inputs for each unit");
                return Err(at.misfit(requires, &shape_text(input), fix.into()));
            }
        },
        Layer::Residual { layers } => {
            inside = plan_list(&format!("{path}.layers"), layers, input, outputs)?;
            let output = inside.last().map_or(input, |last| &last.output).to_vec();
            shortcut = plan_shortcut(&at, &output, outputs)?;
            output
        }
        Layer::Activation(_)
        | Layer::Prelu { .. }
        | Layer::SmoothClip { .. }
        | Layer::BatchNorm
        | Layer::LayerNorm
        | Layer::RmsNorm
        | Layer::Noise { .. }
        | Layer::AlphaDropout { .. }
        | Layer::Dropout { .. } => input.to_vec(),
        Layer::GroupNorm { groups } => match input.last() {
            Some(channels) if channels % *groups == 0 => input.to_vec(),
            _ => {
                let requires = format!("needs features or channels that its {groups} groups divide");
                return Err(at.misfit(
                    requires,
                    &shape_text(input),
                    "choose `groups` that divides them".into(),
                ));
            }
        },
    };
    Ok(PlannedLayer { path, layer, input: input.to_vec(), output, inside, shortcut })
}

/// How many units are meant, also from now on.
fn settle(units: &mut Units, outputs: usize) -> usize {
    let count = match *units {
        Units::Count(count) => count,
        Units::Classes => outputs,
    };
    *units = Units::Count(count);
    count
}

/// Nothing where the shapes agree; else the smallest layer that makes them agree, and batch normalisation.
fn plan_shortcut(at: &Site<'_>, output: &[usize], outputs: usize) -> Result<Vec<PlannedLayer>> {
    if at.input == output {
        return Ok(Vec::new());
    }
    let layer = match (at.input, output) {
        ([_], [units]) => Layer::Linear { units: Units::Count(*units), bias: false },
        ([height, _, _], [smaller, _, channels]) if *smaller > 0 => {
            conv(*channels, 1, height.div_ceil(*smaller), 0, false)
        }
        _ => return Err(at.residual_misfit(output)),
    };
    let shortcut =
        plan_list(&format!("{}.shortcut", at.path), &[layer, Layer::BatchNorm], at.input, outputs)?;
    match shortcut.last() {
        Some(last) if last.output == output => Ok(shortcut),
        _ => Err(at.residual_misfit(output)),
    }
}

/// A layer and what comes to it, for the refusal.
struct Site<'a> {
    path: &'a str,
    layer: &'static str,
    input: &'a [usize],
}

impl Site<'_> {
    fn misfit(&self, requires: String, got: &str, fix: String) -> Error {
        Error::Shape { path: self.path.into(), layer: self.layer, requires, got: format!("gets {got}"), fix }
    }

    fn residual_misfit(&self, output: &[usize]) -> Error {
        let requires = format!("adds its input to what the layers inside make of it, {}", shape_text(output));
        let fix = "let the layers inside keep the shape, or divide height and width by a whole stride";
        self.misfit(requires, &shape_text(self.input), fix.into())
    }

    fn vector(&self) -> Result<usize> {
        match self.input {
            [features] => Ok(*features),
            other => Err(self.misfit(
                "takes a row of numbers [features]".into(),
                &shape_text(other),
                "put \"flatten\" before it".into(),
            )),
        }
    }

    /// The axes before the last, of a row of numbers or of one for each member.
    fn features(&self) -> Result<&[usize]> {
        match self.input {
            [members @ .., _] if members.len() < 2 => Ok(members),
            _ => self.vector().map(|_| &[][..]),
        }
    }

    fn members(&self) -> Result<[usize; 2]> {
        self.input.try_into().map_err(|_| {
            self.misfit(
                "takes a row for each member [members, features]".into(),
                &shape_text(self.input),
                "put \"member_scale\" before the layers that the members share".into(),
            )
        })
    }

    fn image(&self) -> Result<[usize; 3]> {
        self.input.try_into().map_err(|_| {
            let fix =
                "put it before \"flatten\" and before the first linear layer; a table has no use for it";
            self.misfit(
                "takes an image [height, width, channels]".into(),
                &shape_text(self.input),
                fix.into(),
            )
        })
    }

    /// How many windows fit side by side.
    fn across(&self, size: usize, window: usize, stride: usize, padding: usize, fix: &str) -> Result<usize> {
        let padded = size + 2 * padding;
        if padded < window {
            let requires =
                format!("needs at least {window} by {window} points (it has {padding} of padding)");
            return Err(self.misfit(requires, &shape_text(self.input), fix.into()));
        }
        Ok((padded - window) / stride + 1)
    }
}

fn shape_text(shape: &[usize]) -> String {
    format!("{shape:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Model, Recipe};

    fn layers(lines: &str) -> Vec<Layer> {
        let recipe = Recipe::from_toml(&format!("data.source = \"digits\"\n{lines}"), "r.toml").unwrap();
        match recipe.model {
            Model::Layers { layers, .. } => layers,
            Model::Named(model) => panic!("{model:?} is no list of layers"),
        }
    }

    fn refusal(lines: &str, input: &[usize]) -> String {
        plan(&layers(lines), input, 10).expect_err("the layers do not fit").to_string()
    }

    #[test]
    fn a_list_of_layers_gets_its_shapes() {
        let planned = plan(
            &layers(
                r#"model.layers = [{type = "conv", channels = 8, stride = 2, padding = 1, groups = 2}, "maxpool",
                   {type = "residual", layers = [{type = "conv", channels = 12, padding = 1}]}, "flatten",
                   {type = "linear", units = "classes"}]"#,
            ),
            &[9, 13, 4],
            10,
        )
        .unwrap();
        let outputs: Vec<_> = planned.iter().map(|planned| planned.output.clone()).collect();
        assert_eq!(outputs, [vec![5, 7, 8], vec![2, 3, 8], vec![2, 3, 12], vec![72], vec![10]]);
        assert_eq!(planned[2].path, "model.layers[2]");
        assert_eq!(planned[2].shortcut[0].path, "model.layers[2].shortcut[0]");
        assert_eq!(planned[4].layer, Layer::Linear { units: Units::Count(10), bias: true });
        assert_eq!(planned[0].parameters(), 3 * 3 * 2 * 8 + 8);
    }

    #[test]
    fn a_list_whose_shapes_do_not_fit_names_layer_shapes_and_fix() {
        assert_eq!(
            refusal(
                r#"model.layers = [{type = "conv", channels = 8}, {type = "linear", units = "classes"}]"#,
                &[28, 28, 1]
            ),
            "`model.layers[1]` (linear) takes a row of numbers [features], but gets [26, 26, 8]; \
             put \"flatten\" before it"
        );
        assert_eq!(
            refusal(r#"model.layers = ["flatten", {type = "conv", channels = 8}]"#, &[28, 28, 1]),
            "`model.layers[1]` (conv) takes an image [height, width, channels], but gets [784]; \
             put it before \"flatten\" and before the first linear layer; a table has no use for it"
        );
        assert_eq!(
            refusal(r#"model.layers = ["maxpool", {type = "conv", channels = 8, kernel = 5}]"#, &[8, 8, 1]),
            "`model.layers[1]` (conv) needs at least 5 by 5 points (it has 0 of padding), but gets [4, 4, 1]; \
             use a kernel of at most 4, or more padding"
        );
        assert_eq!(
            refusal(r#"model.layers = [{type = "conv", channels = 8, groups = 2}]"#, &[8, 8, 3]),
            "`model.layers[0]` (conv) with 2 groups needs channels in and out that 2 divides, \
             but gets 3 channels in, 8 out; choose `groups` or `channels` so that both divide"
        );
        assert_eq!(
            refusal(r#"model.layers = [{type = "maxpool", size = 9}]"#, &[8, 8, 3]),
            "`model.layers[0]` (maxpool) needs at least 9 by 9 points (it has 0 of padding), but gets [8, 8, 3]; \
             use a size of at most 8, or leave the layer out"
        );
        assert_eq!(
            refusal(r#"model.layers = [{type = "residual", layers = ["flatten"]}]"#, &[8, 8, 3]),
            "`model.layers[0]` (residual) adds its input to what the layers inside make of it, [192], \
             but gets [8, 8, 3]; let the layers inside keep the shape, or divide height and width by a whole stride"
        );
        assert_eq!(
            refusal(r#"model.layers = [{type = "linear", units = 7}]"#, &[5]),
            "`model.layers[0]` (linear) is last and must give [10], one number for each thing to predict, \
             but gives [7]; end the list with { type = \"linear\", units = \"classes\" }"
        );
        assert_eq!(
            refusal(r#"model.layers = [{type = "linear", units = 7}, "member_head"]"#, &[5]),
            "`model.layers[1]` (member_head) takes a row for each member [members, features], but gets [7]; \
             put \"member_scale\" before the layers that the members share"
        );
        assert_eq!(
            refusal(r#"model.layers = ["member_scale", {type = "linear", units = "classes"}]"#, &[5]),
            "`model.layers[1]` (linear) is last and must give [10], one number for each thing to predict, \
             but gives [8, 10]; end the list with \"member_head\""
        );
        assert_eq!(
            refusal("model.layers = []", &[5]),
            "`model.layers` (an empty list) is last and must give [10], one number for each thing to predict, \
             but gives [5]; end the list with { type = \"linear\", units = \"classes\" }"
        );
    }
}
