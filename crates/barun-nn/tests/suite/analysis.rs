//! What gradients cost, what is linear, and how far a unit sees.

use barun_nn::analysis::{
    Field, Function, Window, first_point, gradient_cost, linearity, numerical_gradient, receptive_fields,
    receptive_fields_of_model,
};
use barun_nn::layers::*;
use barun_nn::losses::CrossEntropy;
use barun_nn::optimizers::Sgd;
use barun_nn::{
    Buffer, DType, Forward, Init, Mode, Module, Pass, Result, State, Step, Tensor, activations, fresh_state,
    sequential,
};

use crate::common::{blobs, f64s, xor};

/// The model's output for an f64 tensor, with first values from seed 1.
fn output(model: &(impl Module + Forward), x: &Tensor) -> Result<Tensor> {
    let state: State = fresh_state(model, 1, DType::F64)?;
    model.forward(x, &mut Pass::by_run(model, &state, Mode::Eval)?)
}

#[test]
fn gradchk_09_differences_cost_twice_the_parameters_and_back_propagation_a_constant() {
    let batch = blobs(16, 4, 3, 1);
    let mut costs = Vec::new();
    for width in [4, 16, 64] {
        let model = sequential![Linear::new(4, width), Tanh::default(), Linear::new(width, 3)];
        let loss = Function::of_model(&model, &CrossEntropy::default(), &batch, Mode::Train, 1).unwrap();
        let cost = gradient_cost(&loss);
        // What is counted is what happens: every value that differences ask for is counted.
        let mut values = 0;
        let mut point = first_point(&model, 1).unwrap();
        let numeric = numerical_gradient(
            |x| {
                values += 1;
                loss.value(x).unwrap()
            },
            &mut point,
            1e-4,
        );
        assert_eq!(values, 2 * cost.parameters);
        assert_eq!(cost.by_differences, values as f64);
        let analytic = loss.gradient(&point).unwrap();
        assert!(numeric.iter().zip(&analytic).all(|(n, a)| (n - a).abs() < 1e-7));
        println!(
            "{} parameters: {} forward passes by differences, {:.2} by back-propagation",
            cost.parameters, cost.by_differences, cost.by_back_propagation
        );
        costs.push(cost);
    }
    assert!(costs[2].parameters > 10 * costs[0].parameters);
    for cost in costs {
        assert!((1.0..6.0).contains(&cost.by_back_propagation), "{cost:?}");
    }
}

#[test]
fn tensor_15_and_act_20_the_check_tells_linear_from_not_linear() {
    let layer = Linear { bias: false, ..Linear::new(3, 2) };
    let found = linearity(|x| output(&layer, x), [1, 3], 50, 1).unwrap();
    assert!(found.is_linear() && found.to_string().contains("50 trials"), "{found}");
    let relu = linearity(|x| Ok(x.relu()), [1], 50, 1).unwrap();
    // relu(1) + relu(-1) = 1, but relu(0) = 0; for factors of 0 and more it is homogeneous all the same.
    assert!(relu.additivity.is_real() && relu.homogeneity.is_real(), "{relu}");
    assert!(!relu.positive_homogeneity.is_real(), "{relu:?}");
    let first = linearity(|x| Ok(x.relu()), [1], 1, 1).unwrap().additivity;
    assert_eq!((first.found, first.expected), (0.0, 1.0));
    assert!(relu.to_string().contains("not additive: f(x + y)"), "{relu}");
    // A bias alone takes it away, and of all activations only the identity is linear.
    let bias = Linear { bias_init: Init::Constant(1.0), ..Linear::new(3, 2) };
    assert!(!linearity(|x| output(&bias, x), [1, 3], 10, 1).unwrap().is_linear());
    for activation in activations::all() {
        let found = linearity(|x| Ok(activation.apply(x)), [3], 20, 1).unwrap();
        assert_eq!(
            found.is_linear(),
            barun_nn::Hyper::name(&activation) == "identity",
            "{activation}: {found}"
        );
    }
}

#[test]
fn tensor_16_a_deep_linear_network_is_one_matrix_and_cannot_learn_xor() {
    let flat = |inputs, outputs| Linear { bias: false, ..Linear::new(inputs, outputs) };
    let deep = sequential![flat(3, 5), flat(5, 5), flat(5, 5), flat(5, 2)];
    assert!(linearity(|x| output(&deep, x), [1, 3], 20, 1).unwrap().is_linear());
    let state = fresh_state(&deep, 1, DType::F64).unwrap();
    let weight = |at: usize| Tensor::new(state.get(&format!("{at}.weight")).unwrap());
    let product = (1..4).fold(weight(0), |product, at| product.matmul(&weight(at)));
    let x = Tensor::new(f64s(&[0.3, -1.0, 2.0, 1.0, 0.5, -0.2], [2, 3]));
    let (whole, one) = (output(&deep, &x).unwrap(), x.matmul(&product));
    for (a, b) in whole.to_vec::<f64>().unwrap().iter().zip(one.to_vec::<f64>().unwrap()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    // With biases, depth and hundreds of steps still at most 3 of the 4 corners.
    let deep = sequential![Linear::new(2, 8), Linear::new(8, 8), Linear::new(8, 2)];
    let step = Step::compile(deep, &Sgd::default(), &CrossEntropy::default()).unwrap();
    let mut state = step.init(1).unwrap();
    for _ in 0..500 {
        step.run(&mut state, &xor(), 0.1).unwrap();
    }
    let logits = step.predict(&state, &xor().x).unwrap().to_f64();
    let right = logits.chunks(2).zip([0, 1, 1, 0]).filter(|(row, y)| (row[1] > row[0]) == (*y == 1)).count();
    assert!(right <= 3, "{logits:?}");
}

#[test]
fn cnn_19_two_3_by_3_see_5_by_5_and_a_pooling_of_2_makes_it_6() {
    let sizes = |windows: &[Window]| {
        receptive_fields(windows.iter().copied()).iter().map(|field| field.size).collect::<Vec<_>>()
    };
    let (conv, pool) = (Window::conv(3), Window::pool(2));
    assert_eq!(sizes(&[conv, conv]), [3, 5]);
    assert_eq!(sizes(&[conv, conv, pool, conv]), [3, 5, 6, 10]);
    assert_eq!(sizes(&[Window { dilation: 4, ..conv }]), [9]);
    assert_eq!(sizes(&[]), [0; 0]);

    // The same, found out from the network: the inputs on which a unit in the middle depends. Positive weights, so that
    // nothing cancels.
    let positive = |from, to| Conv2d { init: Init::Constant(0.1), ..Conv2d::new(from, to, 3) };
    let (first, second, mean, last) = (positive(1, 2), positive(2, 2), AvgPool2d::new(2), positive(2, 1));
    let windows = [Window::from(&first), Window::from(&second), Window::from(&mean), Window::from(&last)];
    let size = receptive_fields(windows)[3].size;
    let model = sequential![first, second, mean, last];
    let x = Tensor::new(Buffer::new(&vec![1.0f64; 20 * 20], [1, 20, 20, 1])).variable();
    let y = output(&model, &x).unwrap();
    assert_eq!(**y.shape().unwrap(), [1, 6, 6, 1]);
    let unit = y.slice(&[0, 3, 3, 0], &[1, 1, 1, 1], &[1, 1, 1, 1]).sum(..);
    let gradient = unit.grad(&[&x]).unwrap()[0].to_vec::<f64>().unwrap();
    let columns =
        (0..20).filter(|column| gradient.iter().skip(*column).step_by(20).any(|g| *g != 0.0)).count();
    assert_eq!((columns, gradient.iter().filter(|g| **g != 0.0).count()), (size, size * size));
    let fields = receptive_fields_of_model(&model, [1, 20, 20, 1]).unwrap();
    let of_windows = receptive_fields(windows).into_iter().map(|field| vec![Some(field); 2]);
    assert_eq!(
        fields.iter().map(|field| field.along.clone()).collect::<Vec<_>>(),
        of_windows.collect::<Vec<_>>()
    );
    assert_eq!((fields[2].path.as_str(), fields[2].kind), ("2", "AvgPool2d"));
}

/// Rows and columns of a `[1, size, size, 1]` input on which a unit in the middle of the output depends.
fn seen(model: &Sequential, size: usize) -> [usize; 2] {
    let x = Tensor::new(Buffer::new(&vec![1.0f64; size * size], [1, size, size, 1])).variable();
    let y = output(model, &x).unwrap();
    let [_, height, width, _] = y.shape().unwrap()[..] else { panic!("images") };
    let unit = y.slice(&[0, height / 2, width / 2, 0], &[1; 4], &[1; 4]).sum(..);
    let gradient = unit.grad(&[&x]).unwrap()[0].to_vec::<f64>().unwrap();
    let is_seen = |at: usize| gradient[at] != 0.0;
    [
        (0..size).filter(|row| (0..size).any(|column| is_seen(row * size + column))).count(),
        (0..size).filter(|column| (0..size).any(|row| is_seen(row * size + column))).count(),
    ]
}

#[test]
fn cnn_19_the_field_of_a_model_is_what_its_gradient_reaches_also_around_and_along_two_axes() {
    let positive = |from, to, kernel: [usize; 2], stride, padding| Conv2d {
        init: Init::Constant(0.1),
        stride: [stride; 2],
        padding,
        ..Conv2d::new(from, to, kernel)
    };
    // A way around that sees less than the body, and one that sees more; filters that are wider than high; dilation.
    let body = sequential![
        positive(2, 2, [3, 3], 2, [1, 1]),
        BatchNorm::new(2),
        Relu::default(),
        positive(2, 2, [3, 3], 1, [1, 1])
    ];
    let narrow = Residual {
        shortcut: Some(sequential![positive(2, 2, [1, 1], 2, [0, 0])]),
        ..Residual::new(body.clone())
    };
    let wide =
        Residual { shortcut: Some(sequential![positive(2, 2, [9, 9], 2, [4, 4])]), ..Residual::new(body) };
    let dilated = Conv2d { dilation: [3, 2], ..positive(1, 2, [2, 3], 1, [0, 0]) };
    for block in [narrow, wide] {
        let model = sequential![dilated.clone(), block, AvgPool2d::new(2), Dropout::default()];
        let fields = receptive_fields_of_model(&model, [1, 48, 48, 1]).unwrap();
        let last = fields.last().unwrap();
        assert_eq!((last.path.as_str(), last.kind), ("3", "Dropout"));
        let sizes: Vec<usize> = last.along.iter().map(|field| field.unwrap().size).collect();
        assert_eq!(sizes, seen(&model, 48), "{fields:?}");
        assert!(last.along.iter().all(|field| field.unwrap().step == 4) && sizes[0] != sizes[1]);
    }
}

#[test]
fn cnn_19_whoever_looks_at_all_places_has_no_field_of_its_own() {
    let along = |model: Sequential, shape: &[usize]| {
        let fields = receptive_fields_of_model(&model, shape).unwrap();
        fields.into_iter().map(|field| field.along).collect::<Vec<_>>()
    };
    let field = |size, step| Some(Field { size, step });
    let head = sequential![Conv2d::new(1, 4, 3), GlobalAvgPool::default(), Linear::new(4, 2)];
    assert_eq!(along(head, &[1, 8, 8, 1]), [vec![field(3, 1); 2], vec![None; 2], vec![None; 2]]);
    let statistics = sequential![Conv2d::new(1, 4, 3), GroupNorm::new(2, 4)];
    assert_eq!(along(statistics, &[1, 8, 8, 1])[1], [None, None]);
    // Sequences: a stack of convolutions sees a stretch, a recurrent layer and attention see all.
    let signal = sequential![
        Conv1d { stride: 2, ..Conv1d::new(3, 4, 5) },
        Conv1d { dilation: 2, ..Conv1d::new(4, 4, 3) },
        Tanh::default(),
        MultiHeadAttention::new(4, 2)
    ];
    let expected = [vec![field(5, 2)], vec![field(13, 2)], vec![field(13, 2)], vec![None]];
    assert_eq!(along(signal, &[1, 40, 3]), expected);
    // A linear layer works on rows and places as one axis: what it gives is not followed.
    let joined = sequential![Conv1d::new(3, 4, 5), Linear::new(4, 2)];
    assert_eq!(along(joined, &[1, 40, 3]), [[field(5, 1)], [None]]);
    let error = receptive_fields_of_model(&Linear::new(4, 2), [1, 4]).unwrap_err().to_string();
    assert!(error.contains("[1, 28, 28, 1] for images"), "{error}");
    let error = receptive_fields_of_model(&Conv2d::new(3, 4, 3), [1, 8, 8, 1]).unwrap_err().to_string();
    assert!(error.contains("conv2d"), "{error}");
}

#[test]
fn cnn_26_two_convolutions_without_an_activation_are_one_with_the_composed_kernel() {
    let plain = |from, to, kernel: usize| Conv2d { bias: false, ..Conv2d::new(from, to, kernel) };
    let two = sequential![plain(2, 3, 3), plain(3, 2, 2)];
    let state = fresh_state(&two, 1, DType::F64).unwrap();
    let kernel = |path: &str| Tensor::new(state.get(path).unwrap());
    let (inner, outer) = (kernel("0.weight"), kernel("1.weight"));
    // [h, w, in, middle] and [h, w, middle, out]: the sum over shifts of the outer kernel.
    let mut composed = Tensor::zeros([4, 4, 2, 2], DType::F64);
    for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let tap = outer.slice(&[row, column, 0, 0], &[1, 1, 3, 2], &[1; 4]).reshape([3, 2]);
        let moved = inner.matmul(&tap.broadcast_to([3, 3, 3, 2]));
        composed = composed + moved.pad(&[row, column, 0, 0], &[1 - row, 1 - column, 0, 0], &[0; 4]);
    }
    let mut draw = barun_engine::Generator::new(3);
    let x = draw.normal([2, 7, 6, 2], DType::F64);
    let apart = output(&two, &x).unwrap().to_vec::<f64>().unwrap();
    let once = x.conv2d(&composed, barun_engine::graph::Conv2d::default()).to_vec::<f64>().unwrap();
    assert!(apart.iter().zip(&once).all(|(a, b)| (a - b).abs() < 1e-12));
    // With one between them they are not.
    let bent = sequential![plain(2, 3, 3), Relu::default(), plain(3, 2, 2)];
    assert!(linearity(|x| output(&two, x), [1, 6, 6, 2], 5, 1).unwrap().is_linear());
    assert!(!linearity(|x| output(&bent, x), [1, 6, 6, 2], 5, 1).unwrap().is_linear());
}
