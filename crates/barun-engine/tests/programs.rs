//! What compiled programs promise: the same results however they are run.

use std::sync::Arc;

use barun_engine::cpu::isa::Isa;
use barun_engine::graph::Primitive;
use barun_engine::random::Stream;
use barun_engine::{
    Buffer, Conv2d, DType, Device, DeviceOptions, Error, Fleet, Gradients, Layout, Options, Program,
    ProgramSpec, ScanOptions, Session, Shape, State, Tensor, scan,
};

fn random(seed: u64, shape: &[usize]) -> Buffer {
    let mut stream = Stream::new(seed, "values");
    let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|_| stream.normal() as f32).collect();
    Buffer::new(&values, shape)
}

/// A training step with everything in it: matrix products, dropout, softmax, column and row reductions, Adam-like
/// updates, all in place.
struct Training {
    layout: Arc<Layout>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    updates: Vec<(usize, Tensor)>,
}

fn training(batch: usize) -> Training {
    let slots = [("w1", vec![64, 300]), ("b1", vec![300]), ("w2", vec![300, 10]), ("b2", vec![10])];
    let mut all = Vec::new();
    for (name, shape) in &slots {
        for suffix in ["", ".m", ".v"] {
            all.push((format!("{name}{suffix}"), shape.clone().into(), DType::F32));
        }
    }
    all.push(("step".into(), [].into(), DType::I64));
    let layout = Layout::new(all).unwrap();
    let x = Tensor::placeholder("x", [batch, 64], DType::F32);
    let y = Tensor::placeholder("y", [batch], DType::I64);
    let step = layout.tensor(12);
    let params: Vec<Tensor> = (0..4).map(|index| layout.tensor(3 * index)).collect();
    let hidden = (x.matmul(&params[0]) + &params[1]).relu();
    let seed = Tensor::from(42i64);
    let keep =
        Tensor::random(9, [batch, 300], DType::F32, &seed, &step).greater(&Tensor::scalar(0.3, DType::F32));
    let hidden = keep.where_(&(&hidden / 0.7), &hidden.like(0.0));
    let logits = hidden.matmul(&params[2]) + &params[3];
    let loss = -(y.one_hot(10, DType::F32) * logits.log_softmax(-1)).sum(..) / batch as f64;
    let gradients = loss.grad(&params.iter().collect::<Vec<_>>()).unwrap();
    let mut updates = vec![(12, &step + 1.0)];
    let norm = gradients.iter().map(|g| g.square().sum(..)).reduce(|a, b| a + b).unwrap();
    let finite = norm.less(&norm.like(f64::INFINITY));
    for (index, gradient) in gradients.iter().enumerate() {
        let (m, v) = (layout.tensor(3 * index + 1), layout.tensor(3 * index + 2));
        let new_m = &m * 0.9 + gradient * 0.1;
        let new_v = &v * 0.999 + gradient.square() * 0.001;
        let new_p = &params[index] - 1e-2 * &new_m / (new_v.sqrt() + 1e-8);
        updates.push((3 * index, finite.where_(&new_p, &params[index])));
        updates.push((3 * index + 1, finite.where_(&new_m, &m)));
        updates.push((3 * index + 2, finite.where_(&new_v, &v)));
    }
    Training { layout, inputs: vec![x, y], outputs: vec![loss, norm], updates }
}

impl Training {
    fn compile(&self, options: &Options) -> Program {
        let spec = ProgramSpec {
            layout: &self.layout,
            inputs: &self.inputs,
            outputs: &self.outputs,
            updates: &self.updates,
        };
        Program::compile(&spec, options).unwrap()
    }

    fn init(&self, seed: u64) -> State {
        let mut state = State::zeros(&self.layout);
        for index in [0, 3, 6, 9] {
            let shape = self.layout.slots()[index].shape.clone();
            let values = random(seed + index as u64, &shape);
            let scaled: Vec<f32> = values.as_slice::<f32>().unwrap().iter().map(|x| x * 0.1).collect();
            state.write(index, &Buffer::new(&scaled, shape)).unwrap();
        }
        state
    }
}

fn batches(batch: usize, count: usize) -> Vec<(Buffer, Buffer)> {
    (0..count)
        .map(|index| {
            let mut stream = Stream::new(index as u64, "labels");
            let labels: Vec<i64> = (0..batch).map(|_| stream.below(10) as i64).collect();
            (random(100 + index as u64, &[batch, 64]), Buffer::new(&labels, [batch]))
        })
        .collect()
}

fn on(threads: usize, isa: Option<Isa>) -> Options {
    let device = Device::new(DeviceOptions { threads: Some(threads), isa }).unwrap();
    Options { device: Some(device), ..Options::default() }
}

fn train(training: &Training, options: &Options, steps: &[(Buffer, Buffer)]) -> (State, Vec<f64>) {
    let program = training.compile(options);
    let mut state = training.init(1);
    let losses =
        steps.iter().map(|(x, y)| program.run(&mut state, &[x, y]).unwrap()[0].to_f64()[0]).collect();
    (state, losses)
}

#[test]
fn tensor_19_a_step_gives_the_same_bits_for_any_number_of_threads() {
    let (training, steps) = (training(200), batches(200, 5));
    let (state, losses) = train(&training, &on(1, None), &steps);
    let again: Vec<_> = steps.iter().map(|_| steps[0].clone()).collect();
    let (_, falling) = train(&training, &on(1, None), &again);
    assert!(falling[4] < falling[0], "{falling:?}");
    for threads in [2, 3, 4] {
        let (other, other_losses) = train(&training, &on(threads, None), &steps);
        assert_eq!(losses, other_losses);
        assert!(state.bytes() == other.bytes(), "{threads} threads differ");
    }
}

#[test]
fn fused_and_unfused_programs_give_the_same_bits() {
    let (training, steps) = (training(64), batches(64, 4));
    let (state, losses) = train(&training, &on(2, None), &steps);
    let (other, other_losses) = train(&training, &Options { fuse: false, ..on(2, None) }, &steps);
    assert_eq!(losses, other_losses);
    assert!(state.bytes() == other.bytes());
}

#[test]
fn every_instruction_set_agrees_with_the_scalar_one() {
    let (training, steps) = (training(64), batches(64, 3));
    let (_, scalar) = train(&training, &on(1, Some(Isa::Scalar)), &steps);
    for isa in Isa::available() {
        let (_, losses) = train(&training, &on(1, Some(isa)), &steps);
        for (a, b) in scalar.iter().zip(&losses) {
            assert!((a - b).abs() <= 1e-5 * a.abs(), "{isa}: {a} {b}");
        }
    }
}

#[test]
fn a_forked_state_goes_on_as_the_original_does() {
    let (training, steps) = (training(64), batches(64, 6));
    let program = training.compile(&on(2, None));
    let mut state = training.init(1);
    steps[..3].iter().for_each(|(x, y)| drop(program.run(&mut state, &[x, y]).unwrap()));
    let mut fork = state.clone();
    for (x, y) in &steps[3..] {
        assert_eq!(
            program.run(&mut state, &[x, y]).unwrap()[0].to_f64(),
            program.run(&mut fork, &[x, y]).unwrap()[0].to_f64()
        );
    }
    assert!(state.bytes() == fork.bytes());
}

#[test]
fn a_fleet_of_eight_equals_eight_runs() {
    let (training, steps) = (training(64), batches(64, 3));
    let program = training.compile(&on(2, None));
    let mut fleet = Fleet { states: (0..8).map(|seed| training.init(seed)).collect() };
    let mut alone: Vec<State> = fleet.states.clone();
    for step in 0..3 {
        let feeds = |index: usize| {
            let (x, y) = &steps[(step + index) % 3];
            vec![x, y]
        };
        let together = fleet.run(&program, feeds).unwrap();
        for (index, state) in alone.iter_mut().enumerate() {
            let result = program.run(state, &feeds(index)).unwrap();
            assert_eq!(result[0].to_f64(), together[index][0].to_f64());
        }
    }
    for (a, b) in fleet.states.iter().zip(&alone) {
        assert!(a.bytes() == b.bytes());
    }
}

#[test]
fn a_step_with_a_nan_is_not_applied() {
    let training = training(32);
    let program = training.compile(&on(2, None));
    let mut state = training.init(1);
    let before = state.get("w1").unwrap();
    let (_, y) = &batches(32, 1)[0];
    let x = Buffer::new(&vec![f32::NAN; 32 * 64], [32, 64]);
    program.run(&mut state, &[&x, y]).unwrap();
    assert_eq!(before.bytes(), state.get("w1").unwrap().bytes());
}

#[test]
fn the_debug_switch_names_the_operation_that_made_the_first_nan() {
    let x = Tensor::placeholder("x", [3], DType::F32);
    let _layer = barun_engine::layer_scope("net.head");
    let bad = (&x - 1.0).ln();
    let loss = (bad * 2.0).sum(..);
    let options = Options { check_finite: true, ..Options::default() };
    let mut session = Session::with_options(&[&loss], &[], &options).unwrap();
    assert!(session.run(&[("x", &Buffer::new(&[2.0f32, 3.0, 4.0], [3]))]).is_ok());
    let error = session.run(&[("x", &Buffer::new(&[2.0f32, 0.5, 4.0], [3]))]).unwrap_err();
    let Error::NonFinite(found) = &error else { panic!("{error}") };
    assert_eq!((found.layer.as_str(), found.op.as_str(), found.index), ("net.head", "ln", 1));
    assert!(error.to_string().contains("programs.rs:"), "{error}");
}

/// One test measures the process's memory, the other takes much of it: not at the same time.
static MEMORY: std::sync::Mutex<()> = std::sync::Mutex::new(());

#[test]
fn tensor_08_by_run_loops_stay_in_constant_memory() {
    let _alone = MEMORY.lock();
    let mut w = Tensor::from([1.0f32, 2.0, 3.0]).variable();
    let mut unread = Tensor::from(0.0f32);
    let mut first_resident = 0;
    for turn in 0..100_000 {
        let loss = w.square().sum(..);
        let gradient = loss.grad(&[&w]).unwrap().remove(0);
        w = (&w - gradient * 1e-5).variable();
        // A chain nobody reads.
        unread = &unread + 1.0;
        if turn == 10_000 {
            first_resident = resident_kb();
        }
    }
    let grown = resident_kb().saturating_sub(first_resident);
    assert!(grown < 4096, "{grown} kB more after 90,000 further turns");
    assert_eq!(unread.item::<f32>().unwrap(), 100_000.0);
}

fn resident_kb() -> usize {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return 0 };
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[test]
fn a_chain_of_a_million_nodes_is_built_and_dropped_without_recursion() {
    let _alone = MEMORY.lock();
    let x = Tensor::placeholder("x", [1], DType::F32);
    let mut y = x.clone();
    for _ in 0..1_000_000 {
        y = y + 1.0;
    }
    drop(y);
}

/// With more threads than cores whoever waits sleeps at once, so a wake-up that is left out shows as a test that never
/// ends: a turn whose body is wide enough for all and ends with small work for one.
#[test]
fn the_members_of_a_scan_are_woken_at_the_end_of_each_turn() {
    let w = Tensor::new(random(1, &[128, 128]));
    let xs = Tensor::new(random(2, &[40, 64, 128]));
    let step = |carry: &[Tensor], x: &[Tensor]| {
        let h = (carry[0].matmul(&w) * 0.05 + &x[0]).tanh();
        let mean = h.mean(..);
        Ok((vec![h.clone()], vec![&mean * 2.0 + mean.exp()]))
    };
    let all = |threads: usize| {
        let h0 = Tensor::zeros([64, 128], DType::F32);
        let (last, means) = scan(&[&h0], &[&xs], ScanOptions::default(), step).unwrap();
        let outputs = [last[0].clone(), means[0].clone()];
        let layout = Layout::new(Vec::new()).unwrap();
        let spec = ProgramSpec { layout: &layout, inputs: &[], outputs: &outputs, updates: &[] };
        let program = Program::compile(&spec, &on(threads, None)).unwrap();
        let runs = (0..5).flat_map(|_| program.evaluate(&State::zeros(&layout), &[]).unwrap());
        runs.map(|buffer| buffer.as_slice::<f32>().unwrap().to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(all(1), all(16));
}

#[test]
fn a_scan_of_a_thousand_steps_is_one_node_and_has_gradients() {
    let w = Tensor::from([[0.5f64, 0.1], [-0.2, 0.4]]).variable();
    let xs =
        Tensor::new(Buffer::new(&(0..2000).map(|i| (i as f64 * 0.1).sin()).collect::<Vec<_>>(), [1000, 2]));
    let h0 = Tensor::zeros([1, 2], DType::F64);
    let run = |length: usize| {
        let xs = xs.narrow(0, 0, length);
        let (last, hs) = scan(&[&h0], &[&xs], ScanOptions::default(), |carry, x| {
            let h = (carry[0].matmul(&w) + &x[0]).tanh();
            Ok((vec![h.clone()], vec![h]))
        })
        .unwrap();
        (&last[0] * 2.0).sum(..) + hs[0].square().sum(..)
    };
    // The same, unrolled.
    let mut h = h0.clone();
    let mut sum = Tensor::scalar(0.0, DType::F64);
    for step in 0..5 {
        h = (h.matmul(&w) + xs.narrow(0, step, step + 1)).tanh();
        sum = sum + h.square().sum(..);
    }
    let unrolled = (&h * 2.0).sum(..) + sum;
    let short = run(5);
    let value = |tensor: &Tensor| tensor.item::<f64>().unwrap();
    assert!((value(&short) - value(&unrolled)).abs() < 1e-12);
    let gradient = |loss: &Tensor| loss.grad(&[&w]).unwrap().remove(0);
    let (a, b) = (gradient(&short), gradient(&unrolled));
    for (a, b) in a.to_vec::<f64>().unwrap().iter().zip(b.to_vec::<f64>().unwrap()) {
        assert!((a - b).abs() < 1e-10, "{a} {b}");
    }
    // Second order through the loop.
    let second = |loss: &Tensor| gradient(&gradient(loss).square().sum(..));
    for (a, b) in
        second(&short).to_vec::<f64>().unwrap().iter().zip(second(&unrolled).to_vec::<f64>().unwrap())
    {
        assert!((a - b).abs() < 1e-8 * b.abs().max(1.0), "{a} {b}");
    }
    let long = run(1000);
    let session = Session::new(&[&long, &gradient(&long)], &[]).unwrap();
    assert!(session.program().graph().nodes.len() < 100, "{}", session.program().graph());
}

/// Matrix products (also of the transpose, and with a batch of them), a convolution, a sum and an element-wise product:
/// each with a constant whose gradient is a sum over the turns.
#[test]
fn gradients_of_what_a_loop_uses_in_every_turn_are_those_of_the_loop_unrolled() {
    let values = |seed: u64, shape: &[usize]| {
        (*Tensor::new(random(seed, shape)).cast(DType::F64).eval().unwrap()).clone()
    };
    let variable = |seed: u64, shape: &[usize]| Tensor::new(values(seed, shape)).variable();
    let constants =
        [variable(1, &[6, 6]), variable(2, &[6]), variable(3, &[2, 3, 6]), variable(4, &[3, 3, 1, 1])];
    let xs = variable(5, &[4, 2, 3, 6]);
    let first = variable(6, &[2, 3, 6]);
    let turn = |h: &Tensor, x: &Tensor| {
        let [w, b, s, kernel] = &constants;
        let image = h.reshape([2, 3, 6, 1]);
        let conv = Conv2d { padding: [(1, 1); 2], ..Conv2d::default() };
        let seen = image.conv2d(kernel, conv).reshape([2, 3, 6]);
        let h = (h.matmul(w) * 0.3 + x.matmul(&w.transpose()) * 0.2 + b + seen * 0.1).tanh();
        (&h * s, h)
    };
    let options = ScanOptions { reverse: true, ..ScanOptions::default() };
    let (last, outputs) = scan(&[&first], &[&xs], options, |carry, x| {
        let (output, next) = turn(&carry[0], &x[0]);
        Ok((vec![next], vec![output]))
    })
    .unwrap();
    let looped = last[0].square().sum(..) + outputs[0].exp().sum(..);
    let mut h = first.clone();
    let mut unrolled = Tensor::scalar(0.0, DType::F64);
    for index in (0..4).rev() {
        let (output, next) = turn(&h, &xs.narrow(0, index, index + 1).reshape([2, 3, 6]));
        h = next;
        unrolled = unrolled + output.exp().sum(..);
    }
    unrolled = unrolled + h.square().sum(..);
    let wrt: Vec<&Tensor> = constants.iter().chain([&xs, &first]).collect();
    let orders = |loss: &Tensor| {
        let first = loss.grad(&wrt).unwrap();
        let size = first.iter().map(|gradient| gradient.square().sum(..)).reduce(|a, b| a + b).unwrap();
        let second = size.grad(&wrt).unwrap();
        first.iter().chain(&second).map(|gradient| gradient.to_vec::<f64>().unwrap()).collect::<Vec<_>>()
    };
    for (looped, unrolled) in orders(&looped).iter().zip(orders(&unrolled)) {
        for (a, b) in looped.iter().zip(unrolled) {
            assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{a} {b}");
        }
    }
}

#[test]
fn a_turn_backwards_neither_computes_a_product_again_nor_adds_up_the_gradient_of_its_matrix() {
    let w = Tensor::new(random(1, &[8, 8])).variable();
    let xs = Tensor::new(random(2, &[5, 4, 8]));
    let h0 = Tensor::zeros([4, 8], DType::F32);
    let (last, _) = scan(&[&h0], &[&xs], ScanOptions::default(), |carry, x| {
        Ok((vec![(carry[0].matmul(&w) + &x[0]).tanh()], vec![]))
    })
    .unwrap();
    let gradient = last[0].sum(..).grad(&[&w]).unwrap().remove(0);
    let session = Session::new(&[&gradient], &[]).unwrap();
    let graph = session.program().graph();
    let products = |graph: &barun_engine::graph::Graph| {
        graph
            .nodes
            .iter()
            .filter(|inst| inst.op == Primitive::MatMul)
            .map(|inst| inst.shape.clone())
            .collect()
    };
    let backward = graph.nodes.iter().find_map(|inst| match &inst.op {
        Primitive::Scan(scan) if scan.reverse => Some(scan),
        _ => None,
    });
    let backward = backward.unwrap();
    assert_eq!(
        backward.carries, 1,
        "the gradient of the state alone goes from turn to turn: {}",
        backward.body
    );
    let inside: Vec<Shape> = products(&backward.body);
    assert_eq!(inside, [Shape::from([4, 8])]);
    let outside: Vec<Shape> = products(graph);
    assert_eq!(outside, [Shape::from([8, 8])]);
}

#[test]
fn a_loop_may_swap_its_carries_leave_them_as_they_are_and_give_one_value_twice() {
    let w = Tensor::new(random(1, &[96, 96]));
    let firsts: Vec<Tensor> = (2..5).map(|seed| Tensor::new(random(seed, &[64, 96]))).collect();
    let xs = Tensor::new(random(5, &[3, 64, 96]));
    let turn = |carry: &[Tensor], x: &Tensor| {
        let next = (carry[0].matmul(&w) * 0.1 + x).tanh();
        let carries = vec![carry[1].clone(), carry[0].clone(), carry[2].clone()];
        (carries, vec![next.clone(), carry[2].clone(), next])
    };
    let mut carries = firsts.clone();
    let mut outputs = vec![Vec::new(); 3];
    for index in 0..3 {
        let (next, given) = turn(&carries, &xs.narrow(0, index, index + 1).reshape([64, 96]));
        carries = next;
        outputs.iter_mut().zip(given).for_each(|(all, one)| all.push(one));
    }
    let numbers = |tensors: &[Tensor]| -> Vec<f32> {
        tensors.iter().flat_map(|tensor| tensor.to_vec::<f32>().unwrap()).collect()
    };
    let expected = [carries, outputs.concat()].concat();
    let expected = numbers(&expected);
    for threads in [1, 2, 3] {
        let firsts: Vec<&Tensor> = firsts.iter().collect();
        let (last, all) =
            scan(&firsts, &[&xs], ScanOptions::default(), |carry, x| Ok(turn(carry, &x[0]))).unwrap();
        let results = [last, all].concat();
        let layout = Layout::new(Vec::new()).unwrap();
        let spec = ProgramSpec { layout: &layout, inputs: &[], outputs: &results, updates: &[] };
        let program = Program::compile(&spec, &on(threads, None)).unwrap();
        let found = program.evaluate(&State::zeros(&layout), &[]).unwrap();
        let found: Vec<f32> =
            found.iter().flat_map(|buffer| buffer.as_slice::<f32>().unwrap().to_vec()).collect();
        assert_eq!(found, expected);
    }
}

/// The slot is a sequence that every turn reads an element of and gives a new one of, all of it is read in every turn,
/// and something else wants the old value, too.
#[test]
fn a_slot_that_a_loop_reads_and_makes_anew_keeps_its_old_value_until_all_have_read_it() {
    let layout = Layout::new(vec![("rows".into(), [3, 64, 64].into(), DType::F32)]).unwrap();
    let turn = |rows: &Tensor, row: &Tensor| (row.matmul(&rows.sum(0)) * 0.1).tanh();
    let first = random(1, &[3, 64, 64]);
    let rows = Tensor::new(first.clone());
    let expected: Vec<f32> = (0..3)
        .flat_map(|index| {
            let row = rows.narrow(0, index, index + 1).reshape([64, 64]);
            turn(&rows, &row).to_vec::<f32>().unwrap()
        })
        .collect();
    for threads in [1, 2] {
        let slot = layout.tensor(0);
        let (_, all) = scan(&[], &[&slot], ScanOptions::default(), |_, row| {
            Ok((vec![], vec![(row[0].matmul(&(slot.sum(0) * 1.0)) * 0.1).tanh()]))
        })
        .unwrap();
        let after = (&slot + all[0].sum(..) * 0.0).exp().sum(..);
        let spec =
            ProgramSpec { layout: &layout, inputs: &[], outputs: &[after], updates: &[(0, all[0].clone())] };
        let program = Program::compile(&spec, &on(threads, None)).unwrap();
        let mut state = State::zeros(&layout);
        state.set("rows", &first).unwrap();
        let found = program.run(&mut state, &[]).unwrap();
        assert_eq!(found[0].to_f64(), rows.exp().sum(..).eval().unwrap().to_f64());
        assert_eq!(state.get("rows").unwrap().as_slice::<f32>().unwrap(), expected);
    }
}

#[test]
fn the_gradient_of_slices_that_leave_nothing_out_is_put_together_without_zeros() {
    let x = Tensor::new(random(1, &[4, 12])).variable();
    let slices = [(5, 12), (0, 2), (2, 5)].map(|(from, to)| x.narrow(1, from, to).square().sum(..));
    let loss = slices.iter().cloned().reduce(|a, b| a + b).unwrap();
    let gradient = loss.grad(&[&x]).unwrap().remove(0);
    let session = Session::new(&[&gradient], &[]).unwrap();
    let kernels = session.program().kernels();
    assert!(kernels.iter().all(|kernel| !kernel.name.contains("pad")), "{kernels:?}");
    assert_eq!(gradient.to_vec::<f32>().unwrap(), (&x * 2.0).to_vec::<f32>().unwrap());
}

#[test]
fn tensor_10_a_wrong_feed_says_what_was_expected() {
    let x = Tensor::placeholder("x", [2, 3], DType::F32);
    let mut session = Session::new(&[&x.sum(..)], &[]).unwrap();
    let wrong = Buffer::zeros([3, 2], DType::F32);
    let error = session.run(&[("x", &wrong)]).unwrap_err().to_string();
    assert_eq!(error, "input `x`: expected f32[2, 3], got f32[3, 2]");
    let error = session.run(&[("z", &wrong)]).unwrap_err().to_string();
    assert_eq!(error, "this program has no input `z`; its inputs are `x`");
}

#[test]
fn tensor_20_a_shape_error_names_both_shapes_and_the_fix() {
    let (a, b) = (Tensor::zeros([128, 784], DType::F32), Tensor::zeros([512, 784], DType::F32));
    let error = (a.matmul(&b).relu() + 1.0).to_vec::<f32>().unwrap_err().to_string();
    assert!(
        error.starts_with(
            "matmul of f32[128, 784] and f32[512, 784]: the inner sizes must agree: the left has 784 columns, the right \
             512 rows (at "
        ) && error.contains("programs.rs:")
            && error.ends_with("the right side looks transposed: use .transpose()"),
        "{error}"
    );
    let error = (&a + &b.cast(DType::F64)).shape().unwrap_err().to_string();
    assert!(error.contains("the types must be the same, not f32 and f64"), "{error}");
}

#[test]
fn tensor_11_and_07_a_graph_prints_with_its_gradients() {
    let x = Tensor::placeholder("x", [2], DType::F32);
    let w = Tensor::from([1.0f32, 2.0]).variable();
    let loss = (&w * &x).tanh().sum(..);
    let gradient = loss.grad(&[&w]).unwrap().remove(0);
    let session = Session::new(&[&loss, &gradient], &[]).unwrap();
    let graph = session.program().graph();
    let text = graph.to_string();
    assert!(text.contains("tanh") && text.contains("return"), "{text}");
    // In topological order, the nodes of the gradient after those of the loss.
    for (index, line) in text.lines().take(graph.nodes.len()).enumerate() {
        let (name, made_by) = line.split_once(" = ").unwrap();
        assert_eq!(name, format!("%{index}"));
        let operands = made_by.split_whitespace().filter_map(|word| word.strip_prefix('%'));
        assert!(
            operands.map(|operand| operand.parse::<usize>().unwrap()).all(|operand| operand < index),
            "{line}"
        );
    }
    let alone = Session::new(&[&loss], &[]).unwrap().program().graph().nodes.len();
    assert!(graph.nodes.len() > alone && graph.outputs[1] > graph.outputs[0], "{text}");
    // Every node shows its value in green and its gradient in red.
    let numbers = |number: f32| -> Vec<Option<Buffer>> {
        let all = graph.nodes.iter().map(|inst| vec![number; inst.shape.elements()]);
        all.zip(&graph.nodes).map(|(values, inst)| Some(Buffer::new(&values, inst.shape.clone()))).collect()
    };
    let dot = graph.to_dot(&numbers(1.5), &numbers(-0.25));
    assert!(dot.starts_with("digraph"), "{dot}");
    for (index, inst) in graph.nodes.iter().enumerate() {
        let node = dot.lines().find(|line| line.starts_with(&format!("  n{index} [label"))).unwrap();
        assert!(node.contains("\"green4\">1.5000") && node.contains("\"red3\">-0.2500"), "{node}");
        assert!(
            inst.operands.iter().all(|operand| dot.contains(&format!("  n{operand} -> n{index};"))),
            "{dot}"
        );
    }
    assert!(session.program().describe().contains("MFLOP"));
}

#[test]
fn tensor_05_a_node_used_twice_sums_its_gradients() {
    let x = Tensor::from(3.0f64).variable();
    let y = &x * &x + &x * 2.0;
    let mut gradients = Gradients::new(&[&x]);
    gradients.backward(&y).unwrap();
    assert_eq!(gradients.get(&x).unwrap().item::<f64>().unwrap(), 8.0);
    // Of z = x y each gets what comes from above times the other.
    let (x, y) = (Tensor::from(3.0f64).variable(), Tensor::from(5.0f64).variable());
    let z = &x * &y;
    let found = z.square().grad(&[&z, &x, &y]).unwrap();
    let [above, to_x, to_y] = [0, 1, 2].map(|at: usize| found[at].item::<f64>().unwrap());
    assert_eq!((above, to_x, to_y), (30.0, above * 5.0, above * 3.0));
}

#[test]
fn states_swapped_by_updates_are_swapped() {
    let layout =
        Layout::new(vec![("a".into(), [3].into(), DType::F32), ("b".into(), [3].into(), DType::F32)])
            .unwrap();
    let (a, b) = (layout.tensor(0), layout.tensor(1));
    let spec = ProgramSpec {
        layout: &layout,
        inputs: &[],
        outputs: std::slice::from_ref(&a),
        updates: &[(0, b.clone()), (1, a.clone())],
    };
    let program = Program::compile(&spec, &Options::default()).unwrap();
    let mut state = State::zeros(&layout);
    state.set("a", &Buffer::new(&[1.0f32; 3], [3])).unwrap();
    let old = program.run(&mut state, &[]).unwrap();
    assert_eq!(old[0].to_f64(), [1.0; 3]);
    assert_eq!(state.get("a").unwrap().to_f64(), [0.0; 3]);
    assert_eq!(state.get("b").unwrap().to_f64(), [1.0; 3]);
}

/// A convolution that Winograd's algorithm computes, with bias and ReLU, and the gradients of a sum of squares.
fn wide_convolution(dtype: DType, options: &Options) -> Vec<Buffer> {
    let cast = |seed: u64, shape: &[usize], scale: f64| Tensor::new(random(seed, shape)).cast(dtype) * scale;
    let [x, w, b] = [
        cast(1, &[8, 14, 15, 48], 1.0).variable(),
        cast(2, &[3, 3, 48, 72], 0.07).variable(),
        cast(3, &[72], 1.0).variable(),
    ];
    let y = (x.conv2d(&w, Conv2d { padding: [(1, 1); 2], ..Conv2d::default() }) + &b).relu();
    let gradients = y.square().sum(..).grad(&[&x, &w, &b]).unwrap();
    let outputs: Vec<Tensor> = std::iter::once(y).chain(gradients.iter().cloned()).collect();
    let layout = Layout::new(Vec::<(String, barun_engine::Shape, DType)>::new()).unwrap();
    let spec = ProgramSpec { layout: &layout, inputs: &[], outputs: &outputs, updates: &[] };
    let program = Program::compile(&spec, options).unwrap();
    program.run(&mut State::zeros(&layout), &[]).unwrap()
}

#[test]
fn a_wide_convolution_has_the_same_bits_on_any_team_and_is_near_the_exact_one() {
    let exact = wide_convolution(DType::F64, &on(2, None));
    let got = wide_convolution(DType::F32, &on(1, None));
    for (got, exact) in got.iter().zip(&exact) {
        let (got, exact) = (got.to_f64(), exact.to_f64());
        let most = exact.iter().fold(0f64, |most, x| most.max(x.abs()));
        let error = got.iter().zip(&exact).fold(0f64, |most, (a, b)| most.max((a - b).abs()));
        assert!(error < 1e-5 * most, "{error} of {most}");
    }
    for threads in [2, 3, 4] {
        for fuse in [true, false] {
            let other = wide_convolution(DType::F32, &Options { fuse, ..on(threads, None) });
            for (got, other) in got.iter().zip(&other) {
                assert!(got.to_f64() == other.to_f64(), "{threads} threads, fused {fuse}");
            }
        }
    }
}

#[test]
fn cnn_01_the_notes_convolution() {
    let image = Tensor::from_slice(
        &[1.0f32, 2., 3., 0., 0., 1., 2., 3., 3., 0., 1., 2., 2., 3., 0., 1.],
        [1, 4, 4, 1],
    );
    let filter = Tensor::from_slice(&[2.0f32, 0., 1., 0., 1., 2., 1., 0., 2.], [3, 3, 1, 1]);
    let map = image.conv2d(&filter, Conv2d::default());
    assert_eq!(map.to_vec::<f32>().unwrap(), [15.0, 16.0, 6.0, 15.0]);
}

#[test]
fn empty_tensors_are_tensors() {
    let empty = Tensor::zeros([0, 3], DType::F32);
    assert_eq!((&empty * 2.0 + 1.0).to_vec::<f32>().unwrap(), [] as [f32; 0]);
    assert_eq!(empty.sum(0).to_vec::<f32>().unwrap(), [0.0; 3]);
    assert_eq!(empty.sum(..).item::<f32>().unwrap(), 0.0);
    let product = Tensor::zeros([2, 0], DType::F32).matmul(&Tensor::zeros([0, 3], DType::F32));
    assert_eq!(product.to_vec::<f32>().unwrap(), [0.0; 6]);
    assert!(empty.max(0).check().unwrap_err().to_string().contains("maximum of no elements"));
    let rows = empty.gather(&Tensor::from([0i64]));
    assert!(rows.check().unwrap_err().to_string().contains("no row for an index"));
}

#[test]
fn shapes_beyond_any_memory_are_errors() {
    let huge = Tensor::zeros([usize::MAX, 2], DType::F32);
    assert!(huge.check().unwrap_err().to_string().contains("does not fit into any memory"));
    let deep = Tensor::zeros([1; 13], DType::F32);
    assert!(deep.check().unwrap_err().to_string().contains("13 axes"));
}

#[test]
fn what_made_a_result_not_finite_is_found_by_going_back_from_it() {
    let x = Tensor::placeholder("x", [3], DType::F32).variable();
    let masked = {
        let _layer = barun_engine::layer_scope("mask");
        x.less(&x.like(0.0)).where_(&x.like(f64::NEG_INFINITY), &x).exp()
    };
    let root = {
        let _layer = barun_engine::layer_scope("root");
        (masked - 1.0).sqrt()
    };
    let outputs = [(root * 2.0).sum(..), x.sum(..)];
    let layout = Layout::new(Vec::new()).unwrap();
    let spec = ProgramSpec { layout: &layout, inputs: &[x], outputs: &outputs, updates: &[] };
    let options = Options { check_finite: true, ..Options::default() };
    let program = Program::compile(&spec, &options).unwrap();
    let state = State::zeros(&layout);
    let look = |x: [f32; 3]| program.locate(&state, &[&Buffer::new(&x, [3])]).unwrap();
    assert_eq!(look([1.0, 2.0, 3.0]), None);
    let found = look([1.0, 2.0, -1.0]).unwrap();
    assert_eq!((found.layer.as_str(), found.op.as_str(), found.index), ("root", "sqrt", 2));
    assert!(!found.in_gradient && found.location.contains("programs.rs:"), "{found}");
    let plain = Program::compile(&spec, &Options::default()).unwrap();
    let error = plain.locate(&state, &[&Buffer::new(&[1.0f32; 3], [3])]).unwrap_err();
    assert!(error.to_string().contains("check_finite"), "{error}");
}
