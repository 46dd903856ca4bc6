//! Repairs on real, small runs: what is rescued, what is left alone to the bit, and that a resumed run is mended alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use barun_data::{Dataset, Features, PreparedData, Split, Standardize, Targets};
use barun_doctor::{Diagnosis, Doctor, Outcome, Repair};
use barun_nn::layers::*;
use barun_nn::losses::{CrossEntropy, Mse};
use barun_nn::optimizers::{AdamW, AnyOptimizer, Sgd};
use barun_nn::{Init, sequential};
use barun_train::callback::{Batch, Callback, Flow};
use barun_train::{Trained, Trainer};

/// Half of the planned steps: these runs are short.
const BUDGET: f64 = 2.0;

fn moons() -> PreparedData {
    let split = Split::stratified(0.6, 0.2, 0.2).seed(7);
    Dataset::open("moons").unwrap().split(split).unwrap().fit(Standardize::per_feature()).unwrap()
}

fn mlp() -> Sequential {
    sequential![
        Linear::new(2, 16),
        Relu::default(),
        Linear::new(16, 16),
        Relu::default(),
        Linear::new(16, 2)
    ]
}

fn sgd(lr: f64) -> AnyOptimizer {
    Sgd { lr, ..Sgd::default() }.into()
}

struct Case {
    model: fn() -> Sequential,
    optimizer: AnyOptimizer,
    data: PreparedData,
    epochs: usize,
}

impl Case {
    fn moons(model: fn() -> Sequential, optimizer: AnyOptimizer) -> Case {
        Case { model, optimizer, data: moons(), epochs: 15 }
    }

    fn fit(&self, seed: u64, doctor: Doctor) -> barun_train::Result<Trained<Sequential>> {
        Trainer::new((self.model)(), CrossEntropy::default())
            .optimizer(self.optimizer.clone())
            .epochs(self.epochs)
            .batch_size(16)
            .seed(seed)
            .with(doctor)
            .fit(&self.data)
    }
}

fn show(name: &str, case: &Case) {
    for seed in 0..3 {
        let started = std::time::Instant::now();
        let plain = case.fit(seed, Doctor::advise());
        let t1 = started.elapsed();
        let mended = case.fit(seed, Doctor::repair().budget(BUDGET));
        let t2 = started.elapsed() - t1;
        let chance = case.fit(seed, Doctor::repair().by_chance(seed));
        let told = |run: &barun_train::Result<Trained<Sequential>>| match run {
            Ok(run) => format!("{:?}", run.valid().unwrap()),
            Err(error) => error.to_string(),
        };
        println!("=== {name} seed {seed} {t1:?} {t2:?}\n  plain  {}\n  mended {}\n  chance {}", told(&plain), told(&mended), told(&chance));
        for run in [&plain, &mended, &chance].into_iter().flatten() {
            println!("  {}", run.report().doctor.as_ref().unwrap().closing_lines().join("\n  "));
        }
    }
}

#[test]
fn explore() {
    show("tiny lr", &Case::moons(mlp, sgd(1e-9)));
    show("huge lr", &Case::moons(mlp, sgd(30.0)));
    show("huge lr adam", &Case::moons(mlp, AdamW { lr: 3.0, ..AdamW::default() }.into()));
    fn dead() -> Sequential {
        let dead = |i, o| Linear { bias_init: Init::Constant(-20.0), ..Linear::new(i, o) };
        sequential![dead(2, 16), Relu::default(), dead(16, 16), Relu::default(), Linear::new(16, 2)]
    }
    show("dead", &Case::moons(dead, sgd(0.1)));
    fn soft() -> Sequential {
        sequential![Linear::new(2, 16), Relu::default(), Linear::new(16, 2), Softmax::default()]
    }
    show("softmax", &Case::moons(soft, sgd(0.1)));
    fn zero() -> Sequential {
        let zero = |i, o| Linear { init: Init::Zeros, ..Linear::new(i, o) };
        sequential![zero(2, 16), Relu::default(), zero(16, 16), Relu::default(), Linear::new(16, 2)]
    }
    show("zeros", &Case::moons(zero, sgd(0.1)));
    fn large() -> Sequential {
        let large = |i, o| Linear { init: Init::Normal(10.0), ..Linear::new(i, o) };
        sequential![large(2, 16), Relu::default(), large(16, 16), Relu::default(), large(16, 2)]
    }
    show("large init", &Case::moons(large, sgd(0.1)));
    show("healthy", &Case::moons(mlp, AdamW { lr: 1e-2, ..AdamW::default() }.into()));
}
