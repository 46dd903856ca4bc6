//! What the notes ask of tensors and automatic differentiation, each row by its id.

use barun_engine::{Buffer, DType, Generator, Gradients, Session, Tensor};

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.eval().unwrap().to_f64()
}

fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= tolerance, "{a} and {b}");
    }
}

#[test]
fn tensor_01_a_layer_is_a_matrix_product_plus_a_bias() {
    let x = Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let w = Tensor::from([[1.0f64, 0.5], [-1.0, 2.0], [0.0, 1.0]]);
    let y = x.matmul(&w) + Tensor::from([10.0f64, 20.0]);
    assert_eq!(numbers(&y), [9.0, 27.5, 9.0, 38.0]);
}

#[test]
fn tensor_02_a_batch_is_row_by_row_and_transposes_swap_a_product() {
    let mut draw = Generator::new(1);
    let (x, w) = (draw.normal([5, 7], DType::F64), draw.normal([7, 4], DType::F64));
    let batch = x.matmul(&w);
    for row in 0..5 {
        let alone = x.narrow(0, row, row + 1).matmul(&w);
        close(&numbers(&batch.narrow(0, row, row + 1)), &numbers(&alone), 1e-12);
    }
    let swapped = w.transpose().matmul(&x.transpose()).transpose();
    close(&numbers(&batch), &numbers(&swapped), 1e-12);
}

#[test]
fn tensor_03_broadcast_gradients_sum_over_the_broadcast_axes() {
    let a = Tensor::from([[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]).variable();
    let row = Tensor::from([1.0f64, 10.0, 100.0]).variable();
    let loss = (&a * &row).sum(..);
    let gradients = loss.grad(&[&a, &row]).unwrap();
    assert_eq!(numbers(&gradients[0]), [1.0, 10.0, 100.0, 1.0, 10.0, 100.0]);
    assert_eq!(numbers(&gradients[1]), [5.0, 7.0, 9.0]);
    assert_eq!(numbers(&a.permute(&[1, 0]).reshape([6])), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(numbers(&a.mean(0)), [2.5, 3.5, 4.5]);
}

#[test]
fn tensor_06_the_gradient_of_the_input_is_as_good_as_that_of_a_parameter() {
    let (x, w) = (Tensor::from([[0.3f64, -0.2]]).variable(), Tensor::from([[0.5f64], [1.5]]));
    let f = |x: &Tensor| x.matmul(&w).tanh().sum(..);
    let gradient = numbers(&f(&x).grad(&[&x]).unwrap()[0]);
    for place in 0..2 {
        let at = |h: f64| {
            let mut values = [0.3, -0.2];
            values[place] += h;
            numbers(&f(&Tensor::from([values])))[0]
        };
        let numeric = (at(1e-4) - at(-1e-4)) / 2e-4;
        assert!((gradient[place] - numeric).abs() < 1e-7);
    }
}

#[test]
fn tensor_09_a_static_graph_is_compiled_once_and_equals_the_dynamic_one() {
    let x = Tensor::placeholder("x", [4], DType::F32);
    let built = std::cell::Cell::new(0);
    let formula = |x: &Tensor| {
        built.set(built.get() + 1);
        ((x * 2.0).sigmoid() + x.square()).sum(..)
    };
    let feeds = [[1.0f32, -2.0, 0.5, 3.0], [0.1, 0.2, 0.3, 0.4]];
    let mut session = Session::new(&[&formula(&x)], &[]).unwrap();
    let captured = feeds.map(|feed| session.run(&[("x", &Buffer::new(&feed, [4]))]).unwrap()[0].to_f64());
    assert_eq!(built.get(), 1, "both feeds ran what was built once");
    assert_eq!(captured, feeds.map(|feed| numbers(&formula(&Tensor::from(feed)))));
    assert_eq!(built.get(), 3, "by run it is built anew for each");
}

#[test]
fn tensor_13_gradients_add_up_until_cleared() {
    let w = Tensor::from([1.0f64, -2.0]).variable();
    let mut gradients = Gradients::new(&[&w]);
    gradients.backward(&w.square().sum(..)).unwrap();
    let once = numbers(gradients.get(&w).unwrap());
    gradients.backward(&w.square().sum(..)).unwrap();
    close(&numbers(gradients.get(&w).unwrap()), &once.iter().map(|x| 2.0 * x).collect::<Vec<_>>(), 0.0);
    gradients.zero();
    assert!(gradients.get(&w).is_none());
}

#[test]
fn tensor_14_a_frozen_tensor_has_no_gradient() {
    let (w, frozen) = (Tensor::from(2.0f64).variable(), Tensor::from(3.0f64).variable());
    let mut gradients = Gradients::new(&[&w]);
    gradients.backward(&(&w * &frozen)).unwrap();
    assert_eq!(numbers(gradients.get(&w).unwrap()), [3.0]);
    assert!(gradients.get(&frozen).is_none());
    // And what is detached passes nothing on.
    let through = (&w * w.detach()).grad(&[&w]).unwrap().remove(0);
    assert_eq!(numbers(&through), [2.0]);
}

#[test]
fn tensor_15_a_linear_layer_is_additive_and_homogeneous_and_relu_is_not() {
    let mut draw = Generator::new(3);
    let w = draw.normal([3, 2], DType::F64);
    let (x, y) = (draw.normal([1, 3], DType::F64), draw.normal([1, 3], DType::F64));
    let f = |x: &Tensor| x.matmul(&w);
    close(&numbers(&f(&(&x + &y))), &numbers(&(f(&x) + f(&y))), 1e-12);
    close(&numbers(&f(&(&x * 2.5))), &numbers(&(f(&x) * 2.5)), 1e-12);
    let relu = |x: f64| numbers(&Tensor::from(x).relu())[0];
    assert_eq!((relu(1.0) + relu(-1.0), relu(0.0)), (1.0, 0.0));
}

#[test]
fn tensor_16_a_stack_of_linear_layers_is_one_linear_layer() {
    let mut draw = Generator::new(4);
    let layers: Vec<Tensor> = (0..5).map(|_| draw.normal([4, 4], DType::F64)).collect();
    let x = draw.normal([3, 4], DType::F64);
    let deep = layers.iter().fold(x.clone(), |x, w| x.matmul(w));
    let product = layers[1..].iter().fold(layers[0].clone(), |product, w| product.matmul(w));
    close(&numbers(&deep), &numbers(&x.matmul(&product)), 1e-10);
    // XOR: the best linear fit says 0.5 everywhere, so at most 3 of 4 can be right.
    let x = Tensor::from([[0.0f64, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]);
    let y = Tensor::from([[0.0f64], [1.0], [1.0], [0.0]]);
    let (mut a, mut b) = (
        Tensor::from([[0.3f64, 0.1], [-0.2, 0.5], [0.0, 0.1]]).variable(),
        Tensor::from([[0.4f64], [0.2]]).variable(),
    );
    for _ in 0..600 {
        let loss = (x.matmul(&a).matmul(&b) - &y).square().mean(..);
        let gradients = loss.grad(&[&a, &b]).unwrap();
        a = (&a - &gradients[0] * 0.2).variable();
        b = (&b - &gradients[1] * 0.2).variable();
    }
    let predictions = numbers(&x.matmul(&a).matmul(&b));
    let right =
        predictions.iter().zip([0.0, 1.0, 1.0, 0.0]).filter(|(p, y)| (**p > 0.5) == (*y > 0.5)).count();
    assert!(right <= 3, "{predictions:?}");
}

#[test]
fn tensor_17_both_precisions_give_one_answer_to_their_own_accuracy() {
    let mut draw = Generator::new(5);
    let exact = draw.normal([20, 30], DType::F64);
    let f = |x: &Tensor| numbers(&x.tanh().matmul(&x.transpose()).softmax(-1).sum(0));
    let (double, single) = (f(&exact), f(&exact.cast(DType::F32)));
    close(&double, &single, 1e-4);
    assert_ne!(double, single);
}

#[test]
fn tensor_18_softmax_and_its_logarithm_stay_finite() {
    assert_eq!(numbers(&Tensor::from([1000.0f32, 1000.0]).softmax(-1)), [0.5, 0.5]);
    close(&numbers(&Tensor::from([1000.0f64, 0.0]).log_softmax(-1)), &[0.0, -1000.0], 1e-12);
    assert_eq!(numbers(&Tensor::from([-1000.0f32, 1000.0]).sigmoid()), [0.0, 1.0]);
}

#[test]
fn tensor_21_a_neuron_is_a_linear_combination_with_exact_derivatives() {
    let w = Tensor::from([2.0f64, -1.0, 0.5]).variable();
    let x = Tensor::from([3.0f64, 4.0, 5.0]).variable();
    let b = Tensor::from(7.0f64).variable();
    let y = (&w * &x).sum(..) + &b;
    let gradients = y.grad(&[&w, &b, &x]).unwrap();
    assert_eq!(numbers(&y), [11.5]);
    assert_eq!(numbers(&gradients[0]), [3.0, 4.0, 5.0]);
    assert_eq!(numbers(&gradients[1]), [1.0]);
    assert_eq!(numbers(&gradients[2]), [2.0, -1.0, 0.5]);
}

#[test]
fn tensor_12_the_static_and_the_dynamic_program_have_the_same_losses() {
    let mut draw = Generator::new(7);
    let (x, y) = (draw.normal([16, 20], DType::F32), draw.normal([16, 4], DType::F32));
    let start = (draw.normal([20, 10], DType::F32).variable(), draw.normal([10, 4], DType::F32).variable());
    let loss_of = |x: &Tensor, y: &Tensor, w1: &Tensor, w2: &Tensor| {
        let difference = x.matmul(w1).relu().matmul(w2) - y;
        difference.square().sum(..)
    };
    let mut dynamic = Vec::new();
    let (mut w1, mut w2) = start.clone();
    for _ in 0..10 {
        let loss = loss_of(&x, &y, &w1, &w2);
        let gradients = loss.grad(&[&w1, &w2]).unwrap();
        dynamic.push(loss.item::<f32>().unwrap());
        w1 = (&w1 - &gradients[0] * 1e-4).variable();
        w2 = (&w2 - &gradients[1] * 1e-4).variable();
    }
    let (w1, w2) = start;
    let (px, py) =
        (Tensor::placeholder("x", [16, 20], DType::F32), Tensor::placeholder("y", [16, 4], DType::F32));
    let loss = loss_of(&px, &py, &w1, &w2);
    let gradients = loss.grad(&[&w1, &w2]).unwrap();
    let (new1, new2) = (&w1 - &gradients[0] * 1e-4, &w2 - &gradients[1] * 1e-4);
    let mut session = Session::new(&[&loss], &[(&w1, &new1), (&w2, &new2)]).unwrap();
    let (x, y) = (x.eval().unwrap(), y.eval().unwrap());
    for expected in dynamic {
        let loss = session.run(&[("x", &x), ("y", &y)]).unwrap()[0].to_f64()[0];
        assert!((loss - f64::from(expected)).abs() <= 1e-5 * loss.abs(), "{loss} {expected}");
    }
}
