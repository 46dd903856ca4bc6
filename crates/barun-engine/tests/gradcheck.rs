//! Every primitive's gradient rule against central differences in f64, first and second order, over random shapes.
//! [TENSOR-04, GRADCHK-05]

use barun_engine::graph::{Binary, Primitive, Unary};
use barun_engine::random::Stream;
use barun_engine::{Buffer, Conv2d, DType, Pool2d, ScanOptions, Tensor, scan};

type Formula = Box<dyn Fn(&[Tensor]) -> Tensor>;

/// A formula with its operands.
struct Case {
    name: &'static str,
    operands: Vec<Tensor>,
    formula: Formula,
}

fn case(name: &'static str, operands: Vec<Tensor>, formula: impl Fn(&[Tensor]) -> Tensor + 'static) -> Case {
    Case { name, operands, formula: Box::new(formula) }
}

/// Numbers away from 0 and from each other, where kinks are.
fn values(stream: &mut Stream, shape: &[usize], low: f64, high: f64) -> Tensor {
    let count = shape.iter().product();
    let mut places: Vec<usize> = (0..count).collect();
    stream.shuffle(&mut places);
    let at = |place: usize| {
        low + (high - low) * (place as f64 + 0.3 + 0.4 * stream.clone().uniform()) / count as f64
    };
    let numbers: Vec<f64> =
        places.into_iter().map(at).map(|x| if x.abs() < 0.02 { x + 0.05 } else { x }).collect();
    Tensor::new(Buffer::new(&numbers, shape)).variable()
}

fn size(stream: &mut Stream, most: usize) -> usize {
    1 + stream.below(most as u64) as usize
}

fn indices(stream: &mut Stream, count: usize, below: usize) -> Tensor {
    let numbers: Vec<i64> = (0..count).map(|_| stream.below(below as u64) as i64).collect();
    Tensor::from_slice(&numbers, [count])
}

/// The cases of a primitive. A new primitive does not compile here until it has some.
fn cases(op: &Primitive, s: &mut Stream) -> Vec<Case> {
    let shape = [size(s, 3), size(s, 4), size(s, 3)];
    let any = |s: &mut Stream| values(s, &shape, -2.0, 2.0);
    match op {
        // No operand that a gradient could flow to.
        Primitive::Data
        | Primitive::Placeholder { .. }
        | Primitive::Feed { .. }
        | Primitive::Slot { .. }
        | Primitive::Full { .. }
        | Primitive::Iota { .. }
        | Primitive::ArgMax { .. }
        | Primitive::Random { .. } => Vec::new(),
        Primitive::Unary(_) => {
            let mut all = Vec::new();
            for op in [
                Unary::Neg,
                Unary::Abs,
                Unary::Sign,
                Unary::Sqrt,
                Unary::Exp,
                Unary::Ln,
                Unary::Sin,
                Unary::Cos,
                Unary::Tanh,
                Unary::Sigmoid,
                Unary::Erf,
                Unary::Floor,
                Unary::Not,
            ] {
                let positive = values(s, &shape, 0.3, 3.0);
                all.push(match op {
                    Unary::Neg => case("neg", vec![any(s)], |x| -&x[0] * &x[0]),
                    Unary::Abs => case("abs", vec![any(s)], |x| x[0].abs() * &x[0]),
                    Unary::Sign => case("sign", vec![any(s)], |x| x[0].sign() * &x[0]),
                    Unary::Sqrt => case("sqrt", vec![positive], |x| x[0].sqrt()),
                    Unary::Exp => case("exp", vec![any(s)], |x| x[0].exp()),
                    Unary::Ln => case("ln", vec![positive], |x| x[0].ln()),
                    Unary::Sin => case("sin", vec![any(s)], |x| x[0].sin()),
                    Unary::Cos => case("cos", vec![any(s)], |x| x[0].cos()),
                    Unary::Tanh => case("tanh", vec![any(s)], |x| x[0].tanh()),
                    Unary::Sigmoid => case("sigmoid", vec![any(s)], |x| x[0].sigmoid()),
                    Unary::Erf => case("erf", vec![any(s)], |x| x[0].erf()),
                    Unary::Floor => case("floor", vec![values(s, &[3], 0.2, 0.8)], |x| x[0].floor() * &x[0]),
                    Unary::Not => case("not", vec![any(s)], |x| {
                        x[0].less(&x[0].like(0.0)).not().where_(&x[0].square(), &x[0])
                    }),
                });
            }
            all
        }
        Primitive::Binary(_) => {
            let mut all = Vec::new();
            for op in [
                Binary::Add,
                Binary::Sub,
                Binary::Mul,
                Binary::Div,
                Binary::Pow,
                Binary::Max,
                Binary::Min,
                Binary::Less,
                Binary::Equal,
                Binary::And,
                Binary::Or,
            ] {
                let pair = vec![any(s), values(s, &shape, -1.7, 2.3)];
                let positive = vec![values(s, &shape, 0.4, 2.0), values(s, &shape, -1.5, 2.5)];
                // With broadcasting in one of them.
                let row = vec![any(s), values(s, &[1, shape[1], 1], 0.5, 1.5)];
                all.push(match op {
                    Binary::Add => case("add", row, |x| (&x[0] + &x[1]).square()),
                    Binary::Sub => case("sub", row, |x| (&x[1] - &x[0]).square()),
                    Binary::Mul => case("mul", row, |x| &x[0] * &x[1]),
                    Binary::Div => case("div", row, |x| &x[0] / &x[1]),
                    Binary::Pow => case("pow", positive, |x| x[0].pow(&x[1])),
                    Binary::Max => case("maximum", pair, |x| x[0].maximum(&x[1]).square()),
                    Binary::Min => case("minimum", pair, |x| x[0].minimum(&x[1]).square()),
                    Binary::Less => case("less", pair, |x| x[0].less(&x[1]).where_(&x[0].square(), &x[1])),
                    Binary::Equal => {
                        case("equal", pair, |x| x[0].equal(&x[1]).where_(&x[0].square(), &x[1].square()))
                    }
                    Binary::And => case("and", pair, |x| {
                        let zero = x[0].like(0.0);
                        x[0].less(&zero).and(&x[1].less(&zero)).where_(&x[0].square(), &x[1].square())
                    }),
                    Binary::Or => case("or", pair, |x| {
                        let zero = x[0].like(0.0);
                        x[0].less(&zero).or(&x[1].less(&zero)).where_(&x[0].square(), &x[1].square())
                    }),
                });
            }
            all
        }
        Primitive::Where => vec![case("where", vec![any(s), any(s)], |x| {
            x[0].less(&x[1]).where_(&(&x[0] * &x[1]), &x[1].square())
        })],
        Primitive::Cast { .. } => vec![case("cast", vec![any(s)], |x| {
            // Through f32 the difference quotient is too coarse; the way back is what is checked.
            x[0].square() + x[0].cast(DType::I64).cast(x[0].dtype())
        })],
        Primitive::Sum { .. } => vec![
            case("sum one axis", vec![any(s)], |x| x[0].square().sum(1)),
            case("sum two axes", vec![any(s)], |x| x[0].square().sum([0, 2]).square()),
            case("sum all", vec![any(s)], |x| x[0].sum(..).square()),
            case("mean keep", vec![any(s)], |x| (&x[0] - x[0].mean_keep([0, 1])).square()),
        ],
        Primitive::Max { .. } => vec![
            case("max one axis", vec![any(s)], |x| x[0].max(2).square()),
            case("max two axes", vec![any(s)], |x| x[0].max_keep([0, 1]) * &x[0]),
        ],
        Primitive::Reshape => vec![case("reshape", vec![any(s)], |x| x[0].transpose().flatten(0).square())],
        Primitive::Broadcast => vec![case("broadcast", vec![values(s, &[shape[1], 1], -2.0, 2.0)], |x| {
            let shape = x[0].shape().unwrap().to_vec();
            x[0].broadcast_to([2, shape[0], 3]).exp()
        })],
        Primitive::Permute { .. } => {
            vec![case("permute", vec![any(s)], |x| x[0].permute(&[2, 0, 1]).square())]
        }
        Primitive::Slice { .. } => vec![case("slice", vec![values(s, &[7, 5], -2.0, 2.0)], |x| {
            x[0].slice(&[1, 0], &[3, 2], &[2, 3]).square()
        })],
        Primitive::Pad { .. } => {
            vec![case("pad", vec![any(s)], |x| x[0].square().pad(&[1, 0, 2], &[0, 3, 1], &[1, 0, 2]))]
        }
        Primitive::Concat { .. } => vec![case("concat", vec![any(s), any(s)], |x| {
            Tensor::concat(&[&x[0], &x[1].square(), &x[0]], 1).square()
        })],
        Primitive::Flip { .. } => vec![case("flip", vec![any(s)], |x| x[0].flip(&[0, 2]) * &x[0])],
        Primitive::Gather => {
            let picked = indices(s, 5, 4);
            vec![case("gather", vec![values(s, &[4, 3], -2.0, 2.0)], move |x| x[0].gather(&picked).square())]
        }
        Primitive::ScatterAdd { .. } => {
            let places = indices(s, 5, 4);
            vec![case("scatter_add", vec![values(s, &[5, 2], -2.0, 2.0)], move |x| {
                x[0].scatter_add(&places, 4).square()
            })]
        }
        Primitive::MatMul => {
            let (m, k, n) = (size(s, 4), size(s, 5), size(s, 4));
            vec![
                case("matmul", vec![values(s, &[m, k], -1.0, 1.0), values(s, &[k, n], -1.0, 1.0)], |x| {
                    x[0].matmul(&x[1])
                }),
                case(
                    "matmul transposed",
                    vec![values(s, &[k, m], -1.0, 1.0), values(s, &[n, k], -1.0, 1.0)],
                    |x| x[0].transpose().matmul(&x[1].transpose()).square(),
                ),
                case(
                    "matmul batched",
                    vec![values(s, &[3, m, k], -1.0, 1.0), values(s, &[1, k, n], -1.0, 1.0)],
                    |x| x[0].matmul(&x[1]).tanh(),
                ),
            ]
        }
        Primitive::Conv2d(_) | Primitive::Conv2dInputGrad(_) | Primitive::Conv2dWeightGrad(_) => {
            // The two gradients are checked by the second order of the first.
            let conv = Conv2d {
                stride: [size(s, 2), size(s, 2)],
                padding: [(size(s, 2) - 1, size(s, 2) - 1), (size(s, 2) - 1, size(s, 2) - 1)],
                dilation: [size(s, 2), 1],
                groups: size(s, 2),
            };
            let images = values(s, &[2, 5, 4, 2 * conv.groups], -1.0, 1.0);
            let kernels = values(s, &[2, 3, 2, 3 * conv.groups], -1.0, 1.0);
            vec![case("conv2d", vec![images, kernels], move |x| x[0].conv2d(&x[1], conv).square())]
        }
        Primitive::MaxPool2d(_) | Primitive::MaxPool2dScatter(_) | Primitive::MaxPool2dPick(_) => {
            let overlapping =
                Pool2d { window: [3, 2], stride: [2, 1], padding: [(1, 1), (0, 1)], count_include_pad: true };
            let plain =
                Pool2d { window: [2, 2], stride: [2, 2], padding: [(0, 0); 2], count_include_pad: true };
            let images = |s: &mut Stream| vec![values(s, &[2, 5, 4, 2], -2.0, 2.0)];
            vec![
                case("max_pool2d overlapping", images(s), move |x| x[0].max_pool2d(overlapping).square()),
                case("max_pool2d", images(s), move |x| x[0].max_pool2d(plain).square()),
            ]
        }
        Primitive::AvgPool2d(_) | Primitive::AvgPool2dScatter(_) => {
            let images = |s: &mut Stream| vec![values(s, &[2, 5, 4, 2], -2.0, 2.0)];
            let pool = |count_include_pad| Pool2d {
                window: [3, 2],
                stride: [2, 2],
                padding: [(1, 1), (1, 1)],
                count_include_pad,
            };
            vec![
                case("avg_pool2d", images(s), move |x| x[0].avg_pool2d(pool(true)).square()),
                case("avg_pool2d without padding", images(s), move |x| x[0].avg_pool2d(pool(false)).square()),
            ]
        }
        Primitive::Detach => vec![case("detach", vec![any(s)], |x| &x[0] * &x[0] + x[0].detach() * 0.0)],
        Primitive::Scan(_) | Primitive::Project { .. } => {
            let operands =
                vec![values(s, &[3], -1.0, 1.0), values(s, &[4, 3], -1.0, 1.0), values(s, &[3], 0.5, 1.0)];
            let both = |reverse: bool| {
                move |x: &[Tensor]| {
                    let options = ScanOptions { reverse, ..ScanOptions::default() };
                    let (w, carry) = (x[2].clone(), &x[0]);
                    let (last, outputs) = scan(&[carry], &[&x[1]], options, |carry, element| {
                        let next = (&carry[0] * &w + &element[0]).tanh();
                        Ok((vec![next.clone()], vec![&next * &carry[0]]))
                    })
                    .unwrap();
                    Tensor::concat(&[&last[0], &outputs[0].sum(0)], 0)
                }
            };
            vec![case("scan", operands.clone(), both(false)), case("scan reversed", operands, both(true))]
        }
    }
}

/// One of each variant, so that [`cases`] is asked for all.
fn every_primitive() -> Vec<Primitive> {
    let pool = Pool2d { window: [2, 2], stride: [2, 2], padding: [(0, 0); 2], count_include_pad: true };
    let (conv, axes) = (Conv2d::default(), vec![0]);
    vec![
        Primitive::Unary(Unary::Neg),
        Primitive::Binary(Binary::Add),
        Primitive::Where,
        Primitive::Cast { dtype: DType::F64 },
        Primitive::Sum { axes: axes.clone() },
        Primitive::Max { axes: axes.clone() },
        Primitive::Reshape,
        Primitive::Broadcast,
        Primitive::Permute { order: axes.clone() },
        Primitive::Slice { start: axes.clone(), step: axes.clone() },
        Primitive::Pad { low: axes.clone(), high: axes.clone(), interior: axes.clone() },
        Primitive::Concat { axis: 0 },
        Primitive::Flip { axes },
        Primitive::Gather,
        Primitive::ScatterAdd { size: 1 },
        Primitive::MatMul,
        Primitive::Conv2d(conv),
        Primitive::MaxPool2d(pool),
        Primitive::AvgPool2d(pool),
        Primitive::Detach,
        Primitive::Project { index: 0 },
    ]
}

/// The largest difference between the gradient of `f` and central differences, relative to the gradient's size.
fn worst(operands: &[Tensor], f: &dyn Fn(&[Tensor]) -> Tensor) -> f64 {
    const H: f64 = 1e-5;
    let gradients = f(operands).grad(&operands.iter().collect::<Vec<_>>()).unwrap();
    let mut worst = 0.0f64;
    for (index, gradient) in gradients.iter().enumerate() {
        let analytic = gradient.to_vec::<f64>().unwrap();
        let scale = analytic.iter().fold(1.0f64, |most, x| most.max(x.abs()));
        let numbers = operands[index].to_vec::<f64>().unwrap();
        for element in 0..numbers.len() {
            let at = |moved: f64| {
                let mut numbers = numbers.clone();
                numbers[element] += moved;
                let mut operands = operands.to_vec();
                operands[index] =
                    Tensor::new(Buffer::new(&numbers, operands[index].shape().unwrap())).variable();
                f(&operands).item::<f64>().unwrap()
            };
            let numeric = (at(H) - at(-H)) / (2.0 * H);
            worst = worst.max((numeric - analytic[element]).abs() / scale);
        }
    }
    worst
}

fn weights(shape: &[usize], seed: u64) -> Tensor {
    let mut stream = Stream::new(seed, "weights");
    let numbers: Vec<f64> = (0..shape.iter().product::<usize>()).map(|_| stream.between(-1.0, 1.0)).collect();
    Tensor::new(Buffer::new(&numbers, shape))
}

#[test]
fn gradchk_05_every_primitive_passes_at_first_and_second_order() {
    let mut checked = 0;
    for round in 0..4 {
        for primitive in every_primitive() {
            let mut stream = Stream::new(round, primitive.name());
            for Case { name, operands, formula } in cases(&primitive, &mut stream) {
                let first = |x: &[Tensor]| {
                    let y = formula(x);
                    let shape = y.shape().unwrap_or_else(|error| panic!("{name}: {error}")).to_vec();
                    (&y * weights(&shape, 1)).sum(..)
                };
                let error = worst(&operands, &first);
                assert!(error < 1e-6, "{name}, first order: {error:e}");
                let second = |x: &[Tensor]| {
                    let gradients = first(x).grad(&x.iter().collect::<Vec<_>>()).unwrap();
                    let terms = gradients.iter().enumerate().map(|(index, gradient)| {
                        (gradient * weights(gradient.shape().unwrap(), 2 + index as u64)).sum(..)
                    });
                    terms.reduce(|a, b| a + b).unwrap()
                };
                let error = worst(&operands, &second);
                assert!(error < 2e-5, "{name}, second order: {error:e}");
                checked += 1;
            }
        }
    }
    println!("{checked} cases");
}

/// The arithmetic that trains: each primitive's gradient in f32 beside that in f64, which is checked above.
#[test]
fn tensor_04_gradients_in_f32_are_those_in_f64_to_a_hundredth() {
    for primitive in every_primitive() {
        let mut stream = Stream::new(7, primitive.name());
        for Case { name, operands, formula } in cases(&primitive, &mut stream) {
            let gradients = |operands: &[Tensor]| -> Vec<Vec<f64>> {
                let y = formula(operands);
                let shape = y.shape().unwrap_or_else(|error| panic!("{name}: {error}")).to_vec();
                let loss = (&y * weights(&shape, 1).cast(y.dtype())).sum(..);
                let found = loss.grad(&operands.iter().collect::<Vec<_>>()).unwrap();
                found.iter().map(|gradient| gradient.eval().unwrap().to_f64()).collect()
            };
            let single: Vec<Tensor> = operands
                .iter()
                .map(|operand| Tensor::new((*operand.cast(DType::F32).eval().unwrap()).clone()).variable())
                .collect();
            for (exact, found) in gradients(&operands).iter().zip(gradients(&single)) {
                let scale = exact.iter().fold(0.0f64, |most, x| most.max(x.abs()));
                let worst = exact.iter().zip(&found).fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
                assert!(worst <= 1e-2 * scale, "{name}: {worst:e} of {scale:e}");
            }
        }
    }
}

#[test]
fn gradchk_05_a_wrong_gradient_is_caught() {
    let x = values(&mut Stream::new(1, "x"), &[3], 0.5, 2.0);
    // The gradient of x * detach(x) is x, not 2x.
    assert!(worst(&[x], &|x| (&x[0] * x[0].detach()).sum(..)) > 0.1);
}
