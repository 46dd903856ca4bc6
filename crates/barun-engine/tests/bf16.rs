//! bf16 through the whole engine: what it keeps, what it computes in f32, and what it refuses.

use barun_engine::{Buffer, Conv2d, DType, Pool2d, Session, Tensor, bf16};

fn bits_of(tensor: &Tensor) -> Vec<u16> {
    tensor.to_vec::<bf16>().unwrap().into_iter().map(bf16::to_bits).collect()
}

fn normal(shape: &[usize], name: &str) -> Tensor {
    let mut stream = barun_engine::random::Stream::new(3, name);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| stream.normal() as f32).collect();
    Tensor::from_slice(&values, shape)
}

#[test]
fn casts_of_every_bf16_are_exact_and_casts_to_it_round_to_the_nearest_even() {
    let all: Vec<bf16> = (0..=u16::MAX).map(bf16::from_bits).collect();
    let kept = Tensor::from_slice(&all, [1 << 16]);
    let is_number = |bits: &&u16| !bf16::from_bits(**bits).is_nan();
    for wider in [DType::F32, DType::F64] {
        let wide = kept.cast(wider);
        let values = wide.eval().unwrap().to_f64();
        assert!(all.iter().zip(&values).all(|(x, y)| x.to_f64() == *y || x.is_nan() && y.is_nan()));
        let back = bits_of(&Tensor::new((*wide.eval().unwrap()).clone()).cast(DType::BF16));
        assert!(bits_of(&kept).iter().filter(is_number).eq(back.iter().filter(is_number)));
    }
    // 1 + 2^-8 lies between 1 and the next number; so does 1 + 3 2^-8, and the even neighbour is above.
    let steps = [256.0f32, 257.0, 257.001, 258.0, 259.0, 258.999, f32::MAX, f32::NAN, -0.0];
    let rounded = Tensor::from(steps.map(|x| x / 256.0)).cast(DType::BF16).eval().unwrap().to_f64();
    let expected = [256.0, 256.0, 258.0, 258.0, 260.0, 258.0].map(|x| x / 256.0);
    assert_eq!(rounded[..6], expected);
    assert!(rounded[6] > 1e36 && rounded[7].is_nan() && rounded[8].is_sign_negative());
    let through = Tensor::from([1.0 + 2f64.powi(-8) + 2f64.powi(-40), 1e300]).cast(DType::BF16);
    assert_eq!(through.eval().unwrap().to_f64(), [1.0 + 2f64.powi(-7), f64::INFINITY]);
    assert_eq!(
        Tensor::from([300i64, -7]).cast(DType::BF16).cast(DType::I64).to_vec::<i64>().unwrap(),
        [300, -7]
    );
    assert_eq!(Tensor::from([255u8, 0]).cast(DType::BF16).cast(DType::U8).to_vec::<u8>().unwrap(), [255, 0]);
}

#[test]
fn arithmetic_is_in_f32_and_what_only_chooses_or_moves_stays_bf16() {
    let x = normal(&[2, 3], "x").cast(DType::BF16);
    let y = normal(&[2, 3], "y").cast(DType::BF16);
    let is = |tensor: Tensor, dtype| assert_eq!((tensor.check().map(Tensor::dtype)).unwrap(), dtype);
    for computed in [
        &x + &y,
        &x * 0.1,
        1.0 - &x,
        x.exp(),
        x.sigmoid(),
        x.sum(..),
        x.max(1),
        x.softmax(-1),
        &x + &normal(&[3], "bias"),
        x.maximum(&normal(&[2, 3], "f32")),
        x.matmul(&y.transpose()),
    ] {
        is(computed, DType::F32);
    }
    for kept in
        [x.relu(), x.minimum(&y), x.less(&y).where_(&x, &y), x.transpose(), x.tanh(), x.narrow(1, 0, 2)]
    {
        is(kept, DType::BF16);
    }
    is(Tensor::concat(&[&x, &y], 0), DType::BF16);
    is(x.gather(&Tensor::from([1i64, 0, 1])), DType::BF16);
    is(x.less(&y), DType::Bool);
    is(x.argmax(-1), DType::I64);
    // The factor is not rounded: it is computed with, not kept.
    let (product, wide) = (&x * 0.1, &x.cast(DType::F32) * 0.1);
    assert_eq!(product.to_vec::<f32>().unwrap(), wide.to_vec::<f32>().unwrap());
    let tanh = x.cast(DType::F32).tanh().cast(DType::BF16);
    assert_eq!(bits_of(&x.tanh()), bits_of(&tanh));
}

#[test]
fn types_that_do_not_fit_are_refused_with_what_to_do() {
    let (x, w) = (Tensor::zeros([2, 3], DType::BF16), Tensor::zeros([3, 2], DType::F32));
    let message = |tensor: &Tensor| tensor.check().err().unwrap().to_string();
    let mixed = message(&x.matmul(&w));
    assert!(
        mixed.contains("bf16[2, 3]") && mixed.contains("not bf16 and f32") && mixed.contains(".cast("),
        "{mixed}"
    );
    assert!(message(&(&x + Tensor::zeros([2, 3], DType::F64))).contains("not bf16 and f64"));
    assert!(message(&Tensor::arange(5, DType::BF16)).contains("256"));
    let (seed, step) = (Tensor::from(1i64), Tensor::from(1i64));
    assert!(message(&Tensor::random(1, [2], DType::BF16, &seed, &step)).contains("f32"));
    assert!(x.to_vec::<f32>().unwrap_err().to_string().contains("DType::F32"));
}

#[test]
fn gradients_of_bf16_are_f32_and_contractions_round_what_comes_back() {
    let (x, w) = (normal(&[5, 7], "x").variable(), normal(&[7, 4], "w").variable());
    let (x16, w16) = (x.cast(DType::BF16), w.cast(DType::BF16));
    let upstream = normal(&[5, 4], "upstream");
    let found = x16.matmul(&w16).vjp(&upstream, &[&x, &w, &x16]).unwrap();
    let wide = |tensor: &Tensor| tensor.cast(DType::BF16).cast(DType::F64);
    let expected = [
        wide(&upstream).matmul(&wide(&w).transpose()),
        wide(&x).transpose().matmul(&wide(&upstream)),
        wide(&upstream).matmul(&wide(&w).transpose()),
    ];
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found.dtype(), DType::F32);
        let (found, expected) = (found.eval().unwrap().to_f64(), expected.eval().unwrap().to_f64());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} {expected:?}");
    }
    // What the loss does not depend on has a gradient of the same type.
    assert_eq!(x.sum(..).grad(&[&w16]).unwrap()[0].dtype(), DType::F32);
}

#[test]
fn convolution_and_pooling_of_bf16_are_those_of_the_same_numbers() {
    let (x, w) = (normal(&[2, 8, 8, 3], "x").variable(), normal(&[3, 3, 3, 6], "w").variable());
    let pool = Pool2d { window: [2, 2], stride: [2, 2], padding: [(0, 0); 2], count_include_pad: true };
    let conv = Conv2d { padding: [(1, 1); 2], ..Conv2d::default() };
    let through = |dtype: DType| {
        let rounded = |tensor: &Tensor| tensor.cast(DType::BF16).cast(dtype);
        let y = rounded(&rounded(&x).conv2d(&rounded(&w), conv).cast(DType::F32)).relu();
        let y = y.max_pool2d(pool).avg_pool2d(pool).cast(DType::F32);
        let loss = (&y * normal(&[2, 2, 2, 6], "weights")).sum(..);
        let mut all = loss.grad(&[&x, &w]).unwrap();
        all.push(y);
        all.into_iter().map(|tensor| tensor.eval().unwrap().to_f64()).collect::<Vec<_>>()
    };
    let (narrow, wide) = (through(DType::BF16), through(DType::F32));
    assert_eq!(narrow[2], wide[2], "forward");
    for (narrow, wide) in narrow[..2].iter().zip(&wide) {
        let size = wide.iter().fold(0f64, |most, x| most.max(x.abs()));
        // What comes back is rounded before the convolution's gradients; 2^-8 of each term at most.
        assert!(narrow.iter().zip(wide).all(|(a, b)| (a - b).abs() < size / 100.0));
    }
}

#[test]
fn a_session_takes_and_gives_bf16() {
    let x = Tensor::placeholder("x", [3], DType::BF16);
    let mut session = Session::new(&[&x.relu(), &(&x + 1.0)], &[]).unwrap();
    let feed = Buffer::new(&[-1.5f32, 0.25, 3.0].map(bf16::from_f32), [3]);
    let results = session.run(&[("x", &feed)]).unwrap();
    assert_eq!((results[0].dtype(), results[0].to_f64()), (DType::BF16, vec![0.0, 0.25, 3.0]));
    assert_eq!((results[1].dtype(), results[1].to_f64()), (DType::F32, vec![-0.5, 1.25, 4.0]));
    assert!(format!("{:?}", results[0]).starts_with("bf16[3]"));
}

#[test]
fn a_scan_carries_bf16_and_its_gradients_are_f32() {
    let w = normal(&[4, 4], "w").variable();
    let first = normal(&[2, 4], "first").variable();
    let xs = normal(&[3, 2, 4], "xs").cast(DType::BF16);
    let (last, _) =
        barun_engine::scan(&[&first.cast(DType::BF16)], &[&xs], Default::default(), |carry, x| {
            let next = (carry[0].matmul(&w.cast(DType::BF16)) + &x[0]).cast(DType::BF16).tanh();
            Ok((vec![next], vec![]))
        })
        .unwrap();
    let gradients = last[0].sum(..).grad(&[&w, &first]).unwrap();
    let mut carry = first.cast(DType::BF16);
    for turn in 0..3 {
        let x = xs.narrow(0, turn, turn + 1).reshape([2, 4]);
        carry = (carry.matmul(&w.cast(DType::BF16)) + x).cast(DType::BF16).tanh();
    }
    let expected = carry.sum(..).grad(&[&w, &first]).unwrap();
    for (a, b) in gradients.iter().zip(&expected) {
        assert_eq!(a.dtype(), DType::F32);
        let (a, b) = (a.eval().unwrap().to_f64(), b.eval().unwrap().to_f64());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    }
}
