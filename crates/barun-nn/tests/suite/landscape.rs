//! Critical points, minima and convexity.

use std::f64::consts::SQRT_2;

use barun_engine::random::Stream;
use barun_nn::analysis::{
    Convexity, CounterExample, Curvature, Descent, Function, Kind, Region, Verdict, classify, convexity,
    find_critical_point, first_point, hessian_eigenvalues, minimum_report, symmetric_eigen, top_eigenvalue,
};
use barun_nn::layers::*;
use barun_nn::losses::{BceWithLogits, CrossEntropy, Loss, Mse};
use barun_nn::optimizers::Sgd;
use barun_nn::{Batch, Buffer, Forward, Mode, Module, Step, Tensor, sequential};

use crate::common::{blobs, f64s};

fn of_two(f: impl FnOnce(Tensor, Tensor) -> Tensor) -> Function {
    Function::of_numbers(2, |x| Ok(f(x.narrow(0, 0, 1).sum(..), x.narrow(0, 1, 2).sum(..)))).unwrap()
}

fn loss_of(model: &(impl Module + Forward), loss: &impl Loss, batch: &Batch) -> Function {
    Function::of_model(model, loss, batch, Mode::Train, 1).unwrap()
}

fn starts(model: &impl Module, count: u64) -> Vec<Vec<f64>> {
    (1..=count).map(|seed| first_point(model, seed).unwrap()).collect()
}

/// A curve with noise: sixteen pairs of numbers.
fn curve() -> Batch {
    let mut stream = Stream::new(5, "curve");
    let x: Vec<f64> = (0..16).map(|at| at as f64 / 4.0 - 2.0).collect();
    let y: Vec<f64> = x.iter().map(|x| (2.0 * x).sin() + 0.2 * stream.normal()).collect();
    Batch { x: f64s(&x, [16, 1]), y: f64s(&y, [16, 1]) }
}

#[test]
fn opt_39_minima_maxima_and_saddles_are_told_by_the_hessian() {
    let kind = |f: Function, at: [f64; 2]| classify(&f, &at).unwrap().kind;
    assert_eq!(kind(of_two(|x, y| x.square() + y.square()), [0.0; 2]), Kind::Minimum);
    assert_eq!(kind(of_two(|x, y| -(x.square() + y.square())), [0.0; 2]), Kind::Maximum);
    assert_eq!(kind(of_two(|x, y| x.square() - y.square()), [0.0; 2]), Kind::Saddle);
    assert_eq!(kind(of_two(|x, _| x.square()), [0.0, 5.0]), Kind::Degenerate);
    assert_eq!(kind(of_two(|x, y| x.square() + y.square()), [0.1, 0.0]), Kind::NotCritical);
    let saddle = of_two(|x, y| x.square() * 2.0 - y.square());
    let point = classify(&saddle, &[0.0; 2]).unwrap();
    assert_eq!((point.signs(), point.index()), ([1, 0, 1], 0.5));
    assert_eq!(point.eigenvalues, [-2.0, 4.0]);
    let error = classify(&saddle, &[0.0]).unwrap_err().to_string();
    assert_eq!(error, "the function is one of 2 numbers, and 1 were given");
}

#[test]
fn hessian_products_of_a_network_are_the_differences_of_its_gradients() {
    let model = sequential![Linear::new(3, 4), Tanh::default(), Linear::new(4, 2)];
    let loss = loss_of(&model, &CrossEntropy::default(), &blobs(12, 3, 2, 1));
    let at = first_point(&model, 1).unwrap();
    let mut stream = Stream::new(2, "direction");
    let direction: Vec<f64> = at.iter().map(|_| stream.normal()).collect();
    let moved = |h: f64| at.iter().zip(&direction).map(|(x, d)| x + h * d).collect::<Vec<_>>();
    let (above, below) = (loss.gradient(&moved(1e-5)).unwrap(), loss.gradient(&moved(-1e-5)).unwrap());
    let product = loss.hessian_times(&at, &direction).unwrap();
    for (product, (above, below)) in product.iter().zip(above.iter().zip(&below)) {
        assert!((product - (above - below) / 2e-5).abs() < 1e-8);
    }
    // The whole Hessian is the products along the axes, and power iteration finds its sharpest direction.
    let eigenvalues = hessian_eigenvalues(&loss, &at).unwrap();
    assert_eq!(eigenvalues.len(), at.len());
    let sharpest = *eigenvalues.iter().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
    let top = top_eigenvalue(&loss, &at, 300, 1).unwrap();
    assert!((top.value - sharpest).abs() < 1e-6 && top.residual < 1e-3, "{} {sharpest}", top.value);
    assert!((top.direction.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-12);
    let flat = Function::of_numbers(2, |x| Ok((x * 3.0).sum(..))).unwrap();
    assert_eq!(top_eigenvalue(&flat, &[1.0, 1.0], 5, 1).unwrap().value, 0.0);
}

#[test]
fn opt_41_with_every_dimension_fewer_random_points_curve_up_in_all_directions() {
    // Symmetric matrices of normal numbers, the diagonal with twice the variance (the Gaussian orthogonal ensemble).
    let draws = 20_000;
    let mut stream = Stream::new(1, "matrices");
    let mut shares = Vec::new();
    for n in 1..=6 {
        let mut all_up = 0;
        for _ in 0..draws {
            let drawn: Vec<f64> = (0..n * n).map(|_| stream.normal()).collect();
            let cell =
                |row: usize, column: usize| (drawn[row * n + column] + drawn[column * n + row]) / SQRT_2;
            let matrix = (0..n).map(|row| (0..n).map(|column| cell(row, column)).collect()).collect();
            all_up += usize::from(symmetric_eigen(matrix).values[0] > 0.0);
        }
        shares.push(f64::from(all_up as u32) / f64::from(draws));
        println!("n = {n}: {:.4} have positive eigenvalues only", shares[n - 1]);
    }
    for (share, exact) in shares.iter().zip([0.5, 0.1464, 0.0249]) {
        let deviation = (exact * (1.0 - exact) / f64::from(draws)).sqrt();
        assert!((share - exact).abs() < 3.0 * deviation, "{share} {exact}");
    }
    assert!(shares.is_sorted_by(|a, b| a >= b) && shares[5] < 1e-3, "{shares:?}");
}

/// The ranks of values, equal ones sharing theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 - 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum =
        |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - mean_a, b - mean_b)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

#[test]
fn opt_42_critical_points_with_more_ways_down_lie_higher() {
    let model = sequential![Linear::new(1, 3), Tanh::default(), Linear::new(3, 1)];
    let loss = loss_of(&model, &Mse::default(), &curve());
    let mut stream = Stream::new(3, "starts");
    let mut found = Vec::new();
    for _ in 0..60 {
        let start: Vec<f64> = (0..loss.dimensions()).map(|_| stream.normal()).collect();
        let point = find_critical_point(&loss, &start, 200).unwrap();
        if point.kind != Kind::NotCritical {
            found.push(point);
        }
    }
    for point in &found {
        println!("index {:.2}  loss {:.4}  {}", point.index(), point.value, point.kind);
    }
    assert!(found.len() >= 20, "{} critical points", found.len());
    let saddles = found.iter().filter(|point| point.index() > 0.0).count();
    let indices: Vec<f64> = found.iter().map(|point| point.index()).collect();
    let values: Vec<f64> = found.iter().map(|point| point.value).collect();
    let rank_correlation = correlation(&ranks(&indices), &ranks(&values));
    println!(
        "{} critical points, {saddles} with ways down; rank correlation {rank_correlation:.2}",
        found.len()
    );
    assert!(saddles >= 5 && rank_correlation > 0.3, "{saddles} {rank_correlation}");
}

#[test]
fn opt_43_and_opt_45_restarts_of_a_small_network_end_near_each_other_and_how_many_agree_is_told() {
    let model = sequential![Linear::new(1, 6), Tanh::default(), Linear::new(6, 1)];
    let loss = loss_of(&model, &Mse::default(), &curve());
    let ends = Descent::default().from_each(&loss, &starts(&model, 12)).unwrap();
    let first = ends.first_values.iter().sum::<f64>() / 12.0;
    let spread = ends.ends[11].0 - ends.best();
    println!(
        "from {first:.3} to {:.4} .. {:.4}; {} of 12 agree",
        ends.best(),
        ends.ends[11].0,
        ends.agreeing(1e-3)
    );
    assert_eq!(ends.starts(), 12);
    assert!((1..=12).contains(&ends.agreeing(1e-6)) && ends.agreeing(first) == 12);
    assert!(spread < 0.2 * (first - ends.best()), "spread {spread} of {first}");
}

#[test]
fn opt_44_and_err_22_a_minimum_is_called_certain_only_where_the_function_is_a_convex_quadratic() {
    let bowl = of_two(|x, y| x.square() + (&x * &y) + y.square() * 3.0 + x);
    let end = Descent::default().run(&bowl, &[4.0, -7.0]).unwrap();
    let report = minimum_report(&bowl, &end, None).unwrap();
    assert_eq!(report.verdict, Verdict::GlobalMinimum);
    assert!(report.to_string().contains("for certain"), "{report}");
    // Least squares is one in the weights, and is recognised through the layer and the loss.
    let line = Linear::new(1, 1);
    let fit = loss_of(&line, &Mse::default(), &curve());
    assert!(fit.is_quadratic().unwrap());
    let end = Descent::default().run(&fit, &first_point(&line, 1).unwrap()).unwrap();
    assert_eq!(minimum_report(&fit, &end, None).unwrap().verdict, Verdict::GlobalMinimum);

    // A network: never a proof, whatever agrees with it.
    let model = sequential![Linear::new(1, 1), Tanh::default(), Linear::new(1, 1)];
    // A bend that the network can make, with noise: its best weights are finite.
    let x = curve().x.to_f64();
    let bend: Vec<f64> = x.iter().map(|x| (1.2 * x - 0.4).tanh() + 0.1 * (7.0 * x).sin()).collect();
    let loss = loss_of(&model, &Mse::default(), &Batch { x: f64s(&x, [16, 1]), y: f64s(&bend, [16, 1]) });
    let ends = Descent::default().from_each(&loss, &starts(&model, 10)).unwrap();
    let best = ends.ends[0].1.clone();
    let worst = ends.ends.last().unwrap().1.clone();
    let report = minimum_report(&loss, &best, None).unwrap();
    assert_eq!(report.verdict, Verdict::LocalMinimum, "{report}");
    let report = minimum_report(&loss, &best, Some(ends.clone())).unwrap();
    assert_eq!(report.verdict, Verdict::LikelyGlobal, "{report}");
    let text = report.to_string();
    assert!(text.contains("this is no proof") && text.contains("10 other starts"), "{text}");
    println!("{text}");
    println!("{}", minimum_report(&loss, &worst, Some(ends.clone())).unwrap());
    // The one that is known not to be global: two wells, the start in the shallower.
    let wells = of_one(|x| (x.square() - 1.0).square() + x * 0.3);
    let ends = Descent::default().from_each(&wells, &[vec![2.0], vec![-2.0]]).unwrap();
    let report = minimum_report(&wells, &ends.ends[1].1.clone(), Some(ends)).unwrap();
    assert_eq!(report.verdict, Verdict::NotGlobal, "{report}");
    let zeros = vec![0.0; loss.dimensions()];
    let saddle = find_critical_point(&loss, &zeros, 100).unwrap();
    assert_eq!(minimum_report(&loss, &saddle.point, None).unwrap().verdict, Verdict::NoMinimum);
    let start = first_point(&model, 1).unwrap();
    assert_eq!(minimum_report(&loss, &start, None).unwrap().verdict, Verdict::NotAtRest);
    // x^4 has its minimum at 0, but second derivatives do not tell.
    let flat = Function::of_numbers(1, |x| Ok(x.square().square().sum(..))).unwrap();
    assert_eq!(minimum_report(&flat, &[0.0], None).unwrap().verdict, Verdict::Undecided);
}

/// A curve with a shallow well at 0.13, a hill at 1.3 and the deepest well at 2.9: its slope is 0 there and nowhere else.
fn two_wells() -> Function {
    let slopes = [-0.13 * 1.3 * 2.9, 0.13 * 1.3 + 0.13 * 2.9 + 1.3 * 2.9, -(0.13 + 1.3 + 2.9), 1.0];
    of_one(|x| {
        let terms = slopes.iter().enumerate().map(|(power, slope)| {
            let degree = power as i32 + 1;
            (0..degree).fold(x.like(slope / f64::from(degree)), |term, _| term * x)
        });
        terms.reduce(|sum, term| sum + term).unwrap()
    })
}

#[test]
fn opt_33_which_well_descent_ends_in_depends_on_where_it_starts() {
    let wells = two_wells();
    assert!(wells.value(&[2.9]).unwrap() < wells.value(&[0.13]).unwrap());
    let mut ends = [0; 2];
    for start in (0..100).map(|at| -0.98 + 0.05 * f64::from(at)) {
        let mut x = start;
        for _ in 0..500 {
            x -= 0.05 * wells.gradient(&[x]).unwrap()[0];
        }
        let is_global = (x - 2.9).abs() < 1e-3;
        assert!(is_global || (x - 0.13).abs() < 1e-3, "from {start} to {x}");
        assert_eq!(is_global, start > 1.3, "from {start} to {x}");
        ends[usize::from(is_global)] += 1;
    }
    println!("of 100 starts {} end in the shallow well and {} in the deepest", ends[0], ends[1]);
    assert!(ends[0] > 30 && ends[1] > 30);
    let kinds = [0.13, 1.3, 2.9].map(|x| classify(&wells, &[x]).unwrap().kind);
    assert_eq!(kinds, [Kind::Minimum, Kind::Maximum, Kind::Minimum]);
}

#[test]
fn opt_37_and_opt_38_the_gradient_crosses_0_at_optima_and_in_a_run_goes_to_and_fro() {
    let wells = two_wells();
    let grid: Vec<f64> = (0..=500).map(|at| -1.0 + 0.01 * f64::from(at)).collect();
    let slopes: Vec<f64> = grid.iter().map(|x| wells.gradient(&[*x]).unwrap()[0]).collect();
    let crossings: Vec<f64> = (1..grid.len())
        .filter(|&at| (slopes[at] > 0.0) != (slopes[at - 1] > 0.0))
        .map(|at| grid[at])
        .collect();
    assert_eq!(crossings.len(), 3);
    assert!(crossings.iter().zip([0.13, 1.3, 2.9]).all(|(found, x)| (found - x).abs() < 0.011));

    // One weight of a classifier, batch by batch, after it has come near its optimum.
    let data = blobs(256, 3, 2, 7);
    let labels: Vec<i64> = (0..256).map(|row| i64::from(row % 2 == 0 || row % 7 == 0)).collect();
    let step = Step::compile(Linear::new(3, 2), &Sgd::default(), &CrossEntropy::default()).unwrap();
    let (x, mut state) = (data.x.to_f64(), step.init(1).unwrap());
    let mut seen = Vec::new();
    for turn in 0..600 {
        let rows = (turn * 16) % 256..(turn * 16) % 256 + 16;
        let values: Vec<f32> = x[3 * rows.start..3 * rows.end].iter().map(|x| *x as f32).collect();
        let batch = Batch { x: Buffer::new(&values, [16, 3]), y: Buffer::new(&labels[rows], [16]) };
        seen.push(step.gradients(&state, &batch).unwrap()[0].1.to_f64()[0]);
        step.run(&mut state, &batch, 0.1).unwrap();
    }
    let late = &seen[344..];
    let changes = late.windows(2).filter(|pair| (pair[0] > 0.0) != (pair[1] > 0.0)).count();
    let mean = late.iter().sum::<f64>() / late.len() as f64;
    let size = late.iter().map(|g| g.abs()).sum::<f64>() / late.len() as f64;
    println!("{changes} changes of sign in {} steps, mean {mean:.4} of size {size:.4}", late.len());
    assert!(changes > 50 && mean.abs() < 0.1 * size, "{changes} {mean} {size}");
}

const REGION: Region = Region { low: -3.0, high: 3.0 };

fn of_one(f: impl FnOnce(&Tensor) -> Tensor) -> Function {
    Function::of_numbers(1, |x| Ok(f(x).sum(..))).unwrap()
}

fn checked(f: &Function) -> Convexity {
    convexity(f, REGION, 200, 1).unwrap()
}

#[test]
fn opt_46_squares_are_convex_their_negatives_concave_and_a_sine_neither() {
    let square = checked(&of_one(Tensor::square));
    assert!(square.curvature() == Curvature::Convex && square.is_proved, "{square}");
    assert_eq!(checked(&of_one(|x| -x.square())).curvature(), Curvature::Concave);
    assert_eq!(checked(&of_one(|x| x * 2.0 + 1.0)).curvature(), Curvature::Affine);
    let exp = checked(&of_one(Tensor::exp));
    assert!(exp.curvature() == Curvature::Convex && !exp.is_proved, "{exp}");
    assert!(exp.to_string().contains("no counter-example in 200 trials, which is no proof"), "{exp}");
    let sine = checked(&of_one(Tensor::sin));
    println!("{sine}");
    assert_eq!(sine.curvature(), Curvature::Neither);
    // In all three forms, each with its numbers, which are true.
    assert_eq!((sine.against_convex.len(), sine.against_concave.len()), (3, 3), "{sine}");
    for example in &sine.against_convex {
        match example {
            CounterExample::Chord { x, y, t, value, chord } => {
                let at = t * x[0] + (1.0 - t) * y[0];
                assert!((at.sin() - value).abs() < 1e-12 && value > chord);
                assert!((t * x[0].sin() + (1.0 - t) * y[0].sin() - chord).abs() < 1e-12);
            }
            CounterExample::Tangent { x, y, value, tangent } => {
                assert!((y[0].sin() - value).abs() < 1e-12 && value < tangent);
                assert!((x[0].sin() + x[0].cos() * (y[0] - x[0]) - tangent).abs() < 1e-12);
            }
            CounterExample::Hessian { x, eigenvalue } => {
                assert!((eigenvalue + x[0].sin()).abs() < 1e-12 && *eigenvalue < 0.0);
            }
        }
    }
    assert!(sine.to_string().contains("the chord there"), "{sine}");
}

#[test]
fn opt_47_every_start_of_a_convex_loss_reaches_one_optimum_and_of_a_network_not() {
    // Classes that overlap, so that the optimum is finite.
    let mut batch = blobs(40, 3, 2, 7);
    let labels: Vec<f64> = (0..40).map(|row| f64::from(row % 2 == 0 || row % 7 == 0)).collect();
    batch.y = f64s(&labels, [40, 1]);
    let line = Linear::new(3, 1);
    let convex = loss_of(&line, &BceWithLogits::default(), &batch);
    assert_eq!(convexity(&convex, REGION, 100, 1).unwrap().curvature(), Curvature::Convex);
    let mut stream = Stream::new(4, "starts");
    let far: Vec<Vec<f64>> = (0..20).map(|_| (0..4).map(|_| 3.0 * stream.normal()).collect()).collect();
    let ends = Descent::default().from_each(&convex, &far).unwrap();
    println!("logistic regression: 20 ends within {:.1e}", ends.farthest());
    assert!(ends.farthest() < 1e-4, "{}", ends.farthest());

    let model = sequential![Linear::new(3, 2), Tanh::default(), Linear::new(2, 1)];
    let network = loss_of(&model, &BceWithLogits::default(), &batch);
    assert_eq!(convexity(&network, REGION, 100, 1).unwrap().curvature(), Curvature::Neither);
    let ends = Descent { steps: 60, ..Descent::default() }.from_each(&network, &starts(&model, 20)).unwrap();
    println!(
        "a network: 20 ends within {:.1e}, {} as low as the lowest",
        ends.farthest(),
        ends.agreeing(1e-4)
    );
    assert!(ends.farthest() > 0.1 && ends.agreeing(1e-4) < 20, "{}", ends.farthest());
}

#[test]
fn opt_48_the_negative_of_a_function_has_the_opposite_verdict() {
    let flipped = |curvature: Curvature| match curvature {
        Curvature::Convex => Curvature::Concave,
        Curvature::Concave => Curvature::Convex,
        same => same,
    };
    for f in [of_one(Tensor::square), of_one(|x| -x.exp()), of_one(Tensor::sin), of_one(|x| x * 2.0)] {
        let negative = f.negated().unwrap();
        assert_eq!(checked(&negative).curvature(), flipped(checked(&f).curvature()));
        assert_eq!(negative.value(&[0.7]).unwrap(), -f.value(&[0.7]).unwrap());
    }
    // To maximise a concave objective is to minimise a convex one.
    let objective = of_one(|x| -(x - 3.0).square());
    let end = Descent::default().run(&objective.negated().unwrap(), &[-5.0]).unwrap();
    assert!((end[0] - 3.0).abs() < 1e-8);
}

#[test]
fn a_function_that_is_no_scalar_or_too_large_for_a_matrix_is_refused() {
    let error = Function::of_numbers(2, |x| Ok(x.square())).err().unwrap().to_string();
    assert!(error.contains("a gradient starts at a scalar"), "{error}");
    let large = Function::of_numbers(3000, |x| Ok(x.square().sum(..))).unwrap();
    let error = large.hessian(&vec![0.0; 3000]).unwrap_err().to_string();
    assert!(error.contains("top_eigenvalue"), "{error}");
    assert!((top_eigenvalue(&large, &vec![0.0; 3000], 3, 1).unwrap().value - 2.0).abs() < 1e-12);
    let labels = Batch { x: Buffer::new(&[0i64, 1], [2]), y: Buffer::new(&[0i64, 1], [2]) };
    let model = sequential![Embedding::new(3, 4), Linear::new(4, 2)];
    assert_eq!(loss_of(&model, &CrossEntropy::default(), &labels).dimensions(), 12 + 10);
}
