use barun_engine::*;
use std::time::Instant;
fn main() {
    let sizes: Vec<usize> = std::env::args()
        .nth(1)
        .map_or(vec![784, 512, 256, 10], |s| s.split(',').map(|x| x.parse().unwrap()).collect());
    let batch: usize = std::env::args().nth(2).map_or(128, |s| s.parse().unwrap());
    let mut slots = vec![];
    for (i, w) in sizes.windows(2).enumerate() {
        for (n, sh) in [("w", vec![w[0], w[1]]), ("b", vec![w[1]])] {
            for suf in ["", ".m", ".v"] {
                slots.push((format!("{n}{i}{suf}"), sh.clone().into(), DType::F32));
            }
        }
    }
    slots.push(("step".into(), [].into(), DType::F32));
    let n = slots.len();
    let layout = Layout::new(slots).unwrap();
    let x = Tensor::placeholder("x", [batch, sizes[0]], DType::F32);
    let y = Tensor::placeholder("y", [batch], DType::I64);
    let step = layout.tensor(n - 1);
    let params: Vec<Tensor> = (0..(n - 1) / 3).map(|i| layout.tensor(3 * i)).collect();
    let mut h = x.clone();
    let layers = sizes.len() - 1;
    for i in 0..layers {
        h = h.matmul(&params[2 * i]) + &params[2 * i + 1];
        if i + 1 < layers {
            h = h.relu();
        }
    }
    let k = *sizes.last().unwrap();
    let loss = -(y.one_hot(k, DType::F32) * h.log_softmax(-1)).sum(..) / batch as f64;
    let grads = loss.grad(&params.iter().collect::<Vec<_>>()).unwrap();
    let norm = grads.iter().map(|g| g.square().sum(..)).reduce(|a, b| a + b).unwrap();
    let ok = norm.less(&norm.like(f64::INFINITY));
    let t = &step + 1.0;
    let c1 = 1.0 - (&t * 0.9f64.ln()).exp();
    let c2 = (1.0 - (&t * 0.999f64.ln()).exp()).sqrt();
    let mut updates = vec![(n - 1, t.clone())];
    for (i, g) in grads.iter().enumerate() {
        let (m, v) = (layout.tensor(3 * i + 1), layout.tensor(3 * i + 2));
        let m2 = &m * 0.9 + g * 0.1;
        let v2 = &v * 0.999 + g.square() * 0.001;
        let p2 = &params[i] - (1e-3 / &c1) * &m2 / (v2.sqrt() / &c2 + 1e-8);
        updates.push((3 * i, ok.where_(&p2, &params[i])));
        updates.push((3 * i + 1, ok.where_(&m2, &m)));
        updates.push((3 * i + 2, ok.where_(&v2, &v)));
    }
    let t0 = Instant::now();
    let p = Program::compile(
        &ProgramSpec { layout: &layout, inputs: &[x, y], outputs: &[loss], updates: &updates },
        &Options::default(),
    )
    .unwrap();
    println!("compile {:?}", t0.elapsed());
    println!("{}", p.describe());
    let mut s = State::zeros(&layout);
    let mut st = random::Stream::new(1, "x");
    for i in 0..(n - 1) / 3 {
        let sh = layout.slots()[3 * i].shape.clone();
        let v: Vec<f32> = (0..sh.elements()).map(|_| st.normal() as f32 * 0.05).collect();
        s.write(3 * i, &Buffer::new(&v, sh)).unwrap();
    }
    let xb: Vec<f32> = (0..batch * sizes[0]).map(|_| st.normal() as f32).collect();
    let xb = Buffer::new(&xb, [batch, sizes[0]]);
    let yb: Vec<i64> = (0..batch).map(|i| (i % k) as i64).collect();
    let yb = Buffer::new(&yb, [batch]);
    for _ in 0..5 {
        let mut ts: Vec<f64> = (0..100)
            .map(|_| {
                let t = Instant::now();
                p.run(&mut s, &[&xb, &yb]).unwrap();
                t.elapsed().as_secs_f64() * 1e6
            })
            .collect();
        ts.sort_by(f64::total_cmp);
        println!("median {:.1} us  min {:.1}", ts[50], ts[0]);
    }
    println!("loss {:?}", p.run(&mut s, &[&xb, &yb]).unwrap()[0]);
}
