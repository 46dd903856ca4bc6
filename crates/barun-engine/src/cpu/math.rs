//! Elementary functions.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    f64::from(x).exp() as f32
}
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    f64::from(x).ln() as f32
}
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    f64::from(x).sin() as f32
}
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    f64::from(x).cos() as f32
}
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    f64::from(x).tanh() as f32
}
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    sigmoid_f64(f64::from(x)) as f32
}
#[inline(always)]
pub fn sigmoid_f64(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
