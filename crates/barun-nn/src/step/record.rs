//! What a watched step tells of itself: a few numbers a layer, computed inside the compiled step beside the update.
//!
//! [`Step::run_watched`](super::Step::run_watched) takes the same step as [`Step::run`](super::Step::run), bit for bit, and
//! gives this record besides. It is meant for every k-th step: the second program costs what its reductions cost.

/// One watched step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepRecord {
    /// What is trained, in the order of the inventory; frozen parameters are left out.
    pub parameters: Vec<ParameterRecord>,
    /// What layers gave, in the order of the calls, for the rows of this step's batch.
    pub activations: Vec<ActivationRecord>,
}

/// A parameter in one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParameterRecord {
    /// Its path.
    pub path: String,
    /// How many numbers it has.
    pub count: usize,
    /// The root mean square of its values before the step.
    pub weight_rms: f64,
    /// The root mean square of its gradient, before clipping; not finite where a gradient is not.
    pub gradient_rms: f64,
    /// The mean absolute gradient, before clipping.
    pub gradient_mean_abs: f64,
    /// The root mean square of what the step added to it; 0 where the step was not applied.
    pub update_rms: f64,
}

/// What a layer gave in one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActivationRecord {
    /// The layer's path; further calls of one layer with their number.
    pub path: String,
    /// The layer's kind: `Linear`, `Relu`.
    pub kind: String,
    /// The mean over all elements.
    pub mean: f64,
    /// The standard deviation over all elements; summed in one pass, so that below a thousandth of |mean| it is rounding.
    pub std: f64,
    /// The largest absolute value.
    pub max_abs: f64,
    /// One per unit (the last axis): the largest absolute value over rows and places. 0 is a unit that gave nothing at
    /// all. Empty where the kind cannot die.
    pub unit_max_abs: Vec<f32>,
    /// For sigmoid and tanh, the share of elements in the flat part of the curve: |tanh| > 0.99, sigmoid beyond 0.0067 of
    /// its ends.
    pub saturated: Option<f64>,
    /// The share of elements that are exactly 0, counted for layers that set numbers to 0: those that can die, dropout, pooling.
    /// Of all others the share of what gave nothing but 0.
    pub zeros: f64,
}
