//! Matrix products, convolution and pooling.

use super::{Shape, Tensor};
use crate::graph::{Conv2d, Pool2d, Primitive};

impl Tensor {
    /// The matrix product `[.., m, k] x [.., k, n] -> [.., m, n]`. Leading sizes broadcast; a right side of two axes
    /// serves all of the left's. [TENSOR-01, TENSOR-02]
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        let (left, right) = (&self.node().shape, &other.node().shape);
        let simple = left.rank() < 2 || right.rank() < 2 || self.check().is_err() || other.check().is_err();
        if simple || left[..left.rank() - 2] == right[..right.rank() - 2] {
            return Tensor::build(Primitive::MatMul, &[self, other], None);
        }
        let [m, k] = [left[left.rank() - 2], left[left.rank() - 1]];
        if right.rank() == 2 {
            let batch = &left[..left.rank() - 2];
            let rows = self.reshape([batch.iter().product::<usize>() * m, k]);
            let product = Tensor::build(Primitive::MatMul, &[&rows, other], None);
            let shape: Shape = batch.iter().copied().chain([m, right[1]]).collect();
            return if product.check().is_ok() { product.reshape(shape) } else { product };
        }
        let batch = Shape::from(&left[..left.rank() - 2]).broadcast(&Shape::from(&right[..right.rank() - 2]));
        let Some(batch) = batch else {
            return Tensor::build(Primitive::MatMul, &[self, other], None);
        };
        let extend = |tensor: &Tensor, shape: &Shape| {
            tensor.broadcast_to(batch.iter().chain(&shape[shape.rank() - 2..]).copied().collect::<Shape>())
        };
        Tensor::build(Primitive::MatMul, &[&extend(self, left), &extend(other, right)], None)
    }

    /// 2-D convolution of images `[n, h, w, in]` with kernels `[kh, kw, in / groups, out]`. [CNN-01..05]
    #[track_caller]
    pub fn conv2d(&self, kernels: &Tensor, conv: Conv2d) -> Tensor {
        Tensor::build(Primitive::Conv2d(conv), &[self, kernels], None)
    }

    /// Transposed 2-D convolution, the adjoint of [`conv2d`](Tensor::conv2d) as a function of its images: of images
    /// `[n, h, w, out]` those of size `[h', w']` that this convolution with kernels `[kh, kw, in / groups, out]` takes to
    /// height h and width w, `[n, h', w', in]`.
    #[track_caller]
    pub fn conv2d_transpose(&self, kernels: &Tensor, size: [usize; 2], conv: Conv2d) -> Tensor {
        if self.check().is_err() || kernels.check().is_err() || self.rank() != 4 || kernels.rank() != 4 {
            // As the convolution would report it.
            return self.conv2d(kernels, conv);
        }
        let channels = kernels.node().shape[2] * conv.groups;
        let shape = Shape::from([self.node().shape[0], size[0], size[1], channels]);
        let kind = Some((shape, self.dtype().computed()));
        Tensor::build(Primitive::Conv2dInputGrad(conv), &[self, kernels], kind)
    }

    /// The maximum of each window of images `[n, h, w, c]`. [CNN-10]
    #[track_caller]
    pub fn max_pool2d(&self, pool: Pool2d) -> Tensor {
        Tensor::build(Primitive::MaxPool2d(pool), &[self], None)
    }

    /// The mean of each window of images `[n, h, w, c]`. [CNN-11]
    #[track_caller]
    pub fn avg_pool2d(&self, pool: Pool2d) -> Tensor {
        Tensor::build(Primitive::AvgPool2d(pool), &[self], None)
    }
}
