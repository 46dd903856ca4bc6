//! stub
use super::isa::Isa;
use super::kernel::*;
pub struct PoolSpec {
    pub batch: usize,
    pub in_h: usize,
    pub in_w: usize,
    pub channels: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub window: [usize; 2],
    pub stride: [usize; 2],
    pub pad: [usize; 2],
}
macro_rules! stub { ($($n:ident),*) => { $(pub struct $n<T>(PoolSpec, std::marker::PhantomData<fn() -> T>);
impl<T> Kernel for $n<T> { fn phases(&self) -> &[usize] { &[1] } fn workspace_bytes(&self) -> usize {0} fn scratch_bytes(&self) -> usize {0} fn flops(&self) -> f64 {0.0}
 unsafe fn run(&self, _:usize,_:usize,_:&Io<'_>,_:*mut u8,_:&mut dyn FnMut(Block)) { panic!() } })* } }
stub!(MaxPool, MaxPoolScatter, MaxPoolPick, AvgPool, AvgPoolScatter);
impl<T> MaxPool<T> {
    pub fn new(s: PoolSpec, _: Isa) -> Self {
        Self(s, std::marker::PhantomData)
    }
}
impl<T> MaxPoolScatter<T> {
    pub fn new(s: PoolSpec, _: Isa) -> Self {
        Self(s, std::marker::PhantomData)
    }
}
impl<T> MaxPoolPick<T> {
    pub fn new(s: PoolSpec, _: Isa) -> Self {
        Self(s, std::marker::PhantomData)
    }
}
impl<T> AvgPool<T> {
    pub fn new(s: PoolSpec, _: bool, _: Isa) -> Self {
        Self(s, std::marker::PhantomData)
    }
}
impl<T> AvgPoolScatter<T> {
    pub fn new(s: PoolSpec, _: bool, _: Isa) -> Self {
        Self(s, std::marker::PhantomData)
    }
}
