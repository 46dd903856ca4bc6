//! The shape rules: what each primitive requires of its operands, and the shape and type of its result.

use super::{Binary, Conv2d, Pool2d, Primitive, Unary};
use crate::tensor::{DType, Shape};

/// Type and shape of an operand or result.
pub type Kind = (Shape, DType);

/// Why operands do not fit, and what would help.
pub struct Misfit {
    /// What is required, and what was found.
    pub requirement: String,
    /// What would help; may be empty.
    pub suggestion: String,
}

fn misfit<T>(requirement: impl Into<String>, suggestion: impl Into<String>) -> Result<T, Misfit> {
    Err(Misfit { requirement: requirement.into(), suggestion: suggestion.into() })
}

/// The most axes a tensor has.
pub const MAX_RANK: usize = 12;

/// Checks the operands of `op` and gives the result's kind.
///
/// Primitives whose result is not decided by their operands (reshape, broadcast, leaves, both convolution gradients
/// and the scatters) take it from `wanted`, which is checked.
pub fn infer(op: &Primitive, operands: &[&Kind], wanted: Option<&Kind>) -> Result<Kind, Misfit> {
    let (shape, dtype) = result(op, operands, wanted)?;
    if shape.rank() > MAX_RANK {
        return misfit(
            format!("the result would have {} axes, at most {MAX_RANK} are possible", shape.rank()),
            "",
        );
    }
    let elements = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    match elements.and_then(|elements| elements.checked_mul(dtype.size())) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok((shape, dtype)),
        _ => misfit(format!("a result of shape {shape} does not fit into any memory"), ""),
    }
}

fn result(op: &Primitive, operands: &[&Kind], wanted: Option<&Kind>) -> Result<Kind, Misfit> {
    let given = |what: &str| match wanted {
        Some(kind) => Ok(kind.clone()),
        None => misfit(format!("{what} needs a shape"), ""),
    };
    match op {
        Primitive::Data
        | Primitive::Placeholder { .. }
        | Primitive::Feed { .. }
        | Primitive::Slot { .. }
        | Primitive::Full { .. } => given(op.name()),
        Primitive::Iota { axis } => {
            let kind = given("iota")?;
            check_axes(&[*axis], &kind.0)?;
            if kind.1 == DType::BF16 {
                return misfit("bf16 counts to 256 only", "count in DType::I64 or DType::F32 and cast");
            }
            Ok(kind)
        }
        Primitive::Random { .. } => {
            let kind = given("random")?;
            float("random", kind.1)?;
            Ok(kind)
        }
        Primitive::Unary(op) => unary(*op, operands[0]),
        Primitive::Binary(op) => binary(*op, operands[0], operands[1]),
        Primitive::Where => {
            let [condition, yes, no] = [operands[0], operands[1], operands[2]];
            if condition.1 != DType::Bool {
                return misfit(
                    format!("the condition must be bool, it is {}", condition.1),
                    "compare first, for example with .less()",
                );
            }
            same_type(yes.1, no.1)?;
            same_shape(&yes.0, &no.0)?;
            same_shape(&condition.0, &yes.0)?;
            Ok(yes.clone())
        }
        Primitive::Cast { dtype } => Ok((operands[0].0.clone(), *dtype)),
        Primitive::Detach => Ok(operands[0].clone()),
        Primitive::Sum { axes } | Primitive::Max { axes } => {
            let (shape, dtype) = operands[0];
            check_axes(axes, shape)?;
            if matches!(dtype, DType::Bool | DType::U8 | DType::BF16) {
                return misfit(
                    format!("a reduction of {dtype} is not defined"),
                    "cast it first, for example to DType::I64",
                );
            }
            if matches!(op, Primitive::Max { .. }) && axes.iter().any(|&axis| shape[axis] == 0) {
                return misfit("the maximum of no elements is not defined", "");
            }
            Ok((shape.reduced(axes, false), *dtype))
        }
        Primitive::ArgMax { axis } => {
            let (shape, dtype) = operands[0];
            check_axes(&[*axis], shape)?;
            float("argmax", *dtype)?;
            if shape[*axis] == 0 {
                return misfit("the maximum of no elements is not defined", "");
            }
            Ok((shape.reduced(&[*axis], false), DType::I64))
        }
        Primitive::Reshape => {
            let (shape, dtype) = operands[0];
            let (to, _) = given("reshape")?;
            if shape.elements() != to.elements() {
                return misfit(
                    format!(
                        "{} elements cannot take shape {to} of {} elements",
                        shape.elements(),
                        to.elements()
                    ),
                    "use .flatten(axis) to join all axes from one on",
                );
            }
            Ok((to, *dtype))
        }
        Primitive::Broadcast => {
            let (shape, dtype) = operands[0];
            let (to, _) = given("broadcast")?;
            if shape.broadcast(&to).as_ref() != Some(&to) || shape.rank() != to.rank() {
                return misfit(format!("{shape} does not broadcast to {to}"), BROADCAST_HELP);
            }
            Ok((to, *dtype))
        }
        Primitive::Permute { order } => {
            let (shape, dtype) = operands[0];
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if sorted != (0..shape.rank()).collect::<Vec<_>>() {
                return misfit(
                    format!("the order {order:?} must name each of the {} axes once", shape.rank()),
                    "use .transpose() to swap the last two axes",
                );
            }
            Ok((order.iter().map(|&axis| shape[axis]).collect(), *dtype))
        }
        Primitive::Slice { start, step } => {
            let (shape, dtype) = operands[0];
            let (to, _) = given("slice")?;
            let fits = start.len() == shape.rank()
                && step.len() == shape.rank()
                && to.rank() == shape.rank()
                && (0..shape.rank()).all(|axis| {
                    step[axis] > 0
                        && (to[axis] == 0 || start[axis] + (to[axis] - 1) * step[axis] < shape[axis])
                });
            if !fits {
                return misfit(
                    format!("a slice from {start:?} by {step:?} to shape {to} does not lie inside {shape}"),
                    "",
                );
            }
            Ok((to, *dtype))
        }
        Primitive::Pad { low, high, interior } => {
            let (shape, dtype) = operands[0];
            if [low, high, interior].iter().any(|sizes| sizes.len() != shape.rank()) {
                return misfit(format!("padding must be given for each of the {} axes", shape.rank()), "");
            }
            let padded = |axis: usize| {
                low[axis] + high[axis] + shape[axis] + interior[axis] * shape[axis].saturating_sub(1)
            };
            Ok(((0..shape.rank()).map(padded).collect(), *dtype))
        }
        Primitive::Concat { axis } => {
            let (first, dtype) = operands[0];
            check_axes(&[*axis], first)?;
            let mut sizes = first.to_vec();
            for (shape, other) in &operands[1..] {
                same_type(*dtype, *other)?;
                if shape.reduced(&[*axis], false) != first.reduced(&[*axis], false)
                    || shape.rank() != first.rank()
                {
                    return misfit(format!("all sizes but that of axis {axis} must agree"), "");
                }
                sizes[*axis] += shape[*axis];
            }
            Ok((sizes.into(), *dtype))
        }
        Primitive::Flip { axes } => {
            check_axes(axes, &operands[0].0)?;
            Ok(operands[0].clone())
        }
        Primitive::Gather => {
            let [(table, dtype), (indices, index_type)] = [operands[0], operands[1]];
            index(*index_type)?;
            if table.rank() == 0 {
                return misfit("a scalar has no rows to gather", "");
            }
            rows_for(table[0], indices)?;
            Ok((indices.iter().chain(&table[1..]).copied().collect(), *dtype))
        }
        Primitive::ScatterAdd { size } => {
            let [(rows, dtype), (indices, index_type)] = [operands[0], operands[1]];
            index(*index_type)?;
            float("scatter_add", *dtype)?;
            if rows.len() < indices.len() || rows[..indices.len()] != indices[..] {
                return misfit(format!("the rows' leading sizes must be the indices' {indices}"), "");
            }
            rows_for(*size, indices)?;
            Ok((std::iter::once(*size).chain(rows[indices.len()..].iter().copied()).collect(), *dtype))
        }
        Primitive::MatMul => matmul(operands[0], operands[1]),
        Primitive::Conv2d(conv) => {
            let [(images, a), (kernels, b)] = [operands[0], operands[1]];
            let dtype = contracted("conv2d", *a, *b)?;
            Ok((conv_output(conv, images, kernels)?, dtype))
        }
        Primitive::Conv2dInputGrad(conv) => {
            let [(outer, a), (kernels, b)] = [operands[0], operands[1]];
            let dtype = contracted("conv2d_input_grad", *a, *b)?;
            let (images, _) = given("conv2d_input_grad")?;
            same_shape(&conv_output(conv, &images, kernels)?, outer)?;
            Ok((images, dtype))
        }
        Primitive::Conv2dWeightGrad(conv) => {
            let [(images, a), (outer, b)] = [operands[0], operands[1]];
            let dtype = contracted("conv2d_weight_grad", *a, *b)?;
            let (kernels, _) = given("conv2d_weight_grad")?;
            same_shape(&conv_output(conv, images, &kernels)?, outer)?;
            Ok((kernels, dtype))
        }
        Primitive::MaxPool2d(pool) | Primitive::AvgPool2d(pool) => {
            let (images, dtype) = operands[0];
            float("pooling", dtype.computed())?;
            let is_max = matches!(op, Primitive::MaxPool2d(_));
            Ok((pool_output(pool, images)?, if is_max { *dtype } else { dtype.computed() }))
        }
        Primitive::MaxPool2dScatter(pool) => {
            same_type(operands[0].1.computed(), operands[1].1)?;
            same_shape(&pool_output(pool, &operands[0].0)?, &operands[1].0)?;
            Ok((operands[0].0.clone(), operands[1].1))
        }
        Primitive::MaxPool2dPick(pool) => {
            same_type(operands[0].1.computed(), operands[1].1)?;
            same_shape(&operands[0].0, &operands[1].0)?;
            Ok((pool_output(pool, &operands[0].0)?, operands[1].1))
        }
        Primitive::AvgPool2dScatter(pool) => {
            let images = given("avg_pool2d_scatter")?;
            same_type(images.1, operands[0].1)?;
            same_shape(&pool_output(pool, &images.0)?, &operands[0].0)?;
            Ok(images)
        }
        Primitive::Scan(_) => Ok((Shape::from([]), DType::Bool)),
        Primitive::Project { .. } => given("project"),
    }
}

const BROADCAST_HELP: &str =
    "sizes must be equal or 1, aligned at the last axis; insert axes with .unsqueeze(axis)";

fn unary(op: Unary, operand: &Kind) -> Result<Kind, Misfit> {
    let (_, dtype) = operand;
    match op {
        Unary::Not if *dtype == DType::Bool => Ok(operand.clone()),
        Unary::Not => misfit(format!("a logical operation needs bool, this is {dtype}"), "compare first"),
        Unary::Neg | Unary::Abs | Unary::Sign if *dtype == DType::I64 => Ok(operand.clone()),
        Unary::Tanh if *dtype == DType::BF16 => Ok(operand.clone()),
        _ => float("this function", *dtype).map(|()| operand.clone()),
    }
}

fn binary(op: Binary, a: &Kind, b: &Kind) -> Result<Kind, Misfit> {
    same_type(a.1, b.1)?;
    if a.0 != b.0 {
        return misfit(format!("{} and {} do not broadcast together", a.0, b.0), BROADCAST_HELP);
    }
    match op {
        Binary::And | Binary::Or if a.1 != DType::Bool => {
            misfit(format!("a logical operation needs bool, this is {}", a.1), "compare first")
        }
        Binary::And | Binary::Or => Ok(a.clone()),
        Binary::Less | Binary::Equal => Ok((a.0.clone(), DType::Bool)),
        Binary::Pow => float("pow", a.1).map(|()| a.clone()),
        Binary::Max | Binary::Min if a.1 == DType::BF16 => Ok(a.clone()),
        _ if matches!(a.1, DType::Bool | DType::U8 | DType::BF16) => misfit(
            format!("arithmetic on {} is not defined", a.1),
            "cast it first, for example to DType::F32",
        ),
        _ => Ok(a.clone()),
    }
}

fn matmul(a: &Kind, b: &Kind) -> Result<Kind, Misfit> {
    let dtype = contracted("matmul", a.1, b.1)?;
    let (left, right) = (&a.0, &b.0);
    if left.rank() < 2 || right.rank() < 2 {
        return misfit("both sides need at least two axes", "add one with .unsqueeze(axis)");
    }
    let [m, k] = [left[left.rank() - 2], left[left.rank() - 1]];
    let [inner, n] = [right[right.rank() - 2], right[right.rank() - 1]];
    if k != inner {
        let help = if right[right.rank() - 1] == k {
            "the right side looks transposed: use .transpose()".to_string()
        } else {
            format!("the right side must have {k} rows")
        };
        return misfit(
            format!("the inner sizes must agree: the left has {k} columns, the right {inner} rows"),
            help,
        );
    }
    if left[..left.rank() - 2] != right[..right.rank() - 2] {
        return misfit("the leading (batch) sizes must agree", BROADCAST_HELP);
    }
    Ok((left[..left.rank() - 2].iter().copied().chain([m, n]).collect(), dtype))
}

fn conv_output(conv: &Conv2d, images: &Shape, kernels: &Shape) -> Result<Shape, Misfit> {
    if images.rank() != 4 || kernels.rank() != 4 {
        return misfit(
            "images must be [n, h, w, channels] and kernels [kh, kw, in / groups, out]",
            "a single image needs .unsqueeze(0), a grey one a last axis of size 1",
        );
    }
    let [in_channels, per_group, out_channels] = [images[3], kernels[2], kernels[3]];
    if conv.groups == 0 || per_group * conv.groups != in_channels {
        return misfit(
            format!(
                "the images have {in_channels} channels, the kernels take {} ({per_group} x {} groups)",
                per_group * conv.groups,
                conv.groups
            ),
            format!("set the layer's input channels to {in_channels}"),
        );
    }
    if !out_channels.is_multiple_of(conv.groups) {
        return misfit(
            format!("{out_channels} output channels do not divide into {} groups", conv.groups),
            "",
        );
    }
    let spatial = window_output(
        [images[1], images[2]],
        [kernels[0], kernels[1]],
        conv.stride,
        conv.padding,
        conv.dilation,
    )?;
    Ok([images[0], spatial[0], spatial[1], out_channels].into())
}

fn pool_output(pool: &Pool2d, images: &Shape) -> Result<Shape, Misfit> {
    if images.rank() != 4 {
        return misfit("images must be [n, h, w, channels]", "a single image needs .unsqueeze(0)");
    }
    for axis in 0..2 {
        let (low, high) = pool.padding[axis];
        if low.max(high) * 2 > pool.window[axis] {
            return misfit(
                format!("padding {} is more than half the window {}", low.max(high), pool.window[axis]),
                "",
            );
        }
    }
    let spatial = window_output([images[1], images[2]], pool.window, pool.stride, pool.padding, [1, 1])?;
    Ok([images[0], spatial[0], spatial[1], images[3]].into())
}

/// `floor((size + padding - dilation * (window - 1) - 1) / stride) + 1` on both axes. [CNN-05]
fn window_output(
    size: [usize; 2],
    window: [usize; 2],
    stride: [usize; 2],
    padding: [(usize, usize); 2],
    dilation: [usize; 2],
) -> Result<[usize; 2], Misfit> {
    let mut output = [0; 2];
    for axis in 0..2 {
        if stride[axis] == 0 || dilation[axis] == 0 || window[axis] == 0 {
            return misfit("stride, dilation and window must be at least 1", "");
        }
        let padded = size[axis] + padding[axis].0 + padding[axis].1;
        let reach = dilation[axis] * (window[axis] - 1) + 1;
        if reach > padded {
            return misfit(
                format!("a window of {reach} does not fit into {padded} (with padding)"),
                "make the window smaller, add padding, or pool less before",
            );
        }
        output[axis] = (padded - reach) / stride[axis] + 1;
    }
    Ok(output)
}

fn check_axes(axes: &[usize], shape: &Shape) -> Result<(), Misfit> {
    match axes.iter().find(|&&axis| axis >= shape.rank()) {
        Some(axis) => misfit(
            format!("there is no axis {axis} in {shape}"),
            format!("axes run from 0 to {}", shape.rank() as i64 - 1),
        ),
        None => Ok(()),
    }
}

fn same_type(a: DType, b: DType) -> Result<(), Misfit> {
    if a == b {
        return Ok(());
    }
    misfit(
        format!("the types must be the same, not {a} and {b}"),
        format!("cast one with .cast(DType::{a:?})"),
    )
}

fn same_shape(a: &Shape, b: &Shape) -> Result<(), Misfit> {
    if a == b { Ok(()) } else { misfit(format!("the shapes must be the same, not {a} and {b}"), "") }
}

/// The type a contraction of operands of types `a` and `b` sums in and gives.
fn contracted(what: &str, a: DType, b: DType) -> Result<DType, Misfit> {
    same_type(a, b)?;
    float(what, a.computed())?;
    Ok(a.computed())
}

fn float(what: &str, dtype: DType) -> Result<(), Misfit> {
    if matches!(dtype, DType::F32 | DType::F64) {
        return Ok(());
    }
    misfit(format!("{what} needs f32 or f64, this is {dtype}"), "cast it first with .cast(DType::F32)")
}

fn rows_for(rows: usize, indices: &Shape) -> Result<(), Misfit> {
    if rows > 0 || indices.elements() == 0 {
        Ok(())
    } else {
        misfit("there is no row for an index to name", "")
    }
}

fn index(dtype: DType) -> Result<(), Misfit> {
    if dtype == DType::I64 {
        return Ok(());
    }
    misfit(format!("indices must be i64, these are {dtype}"), "cast them with .cast(DType::I64)")
}
