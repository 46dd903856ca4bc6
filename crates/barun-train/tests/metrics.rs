//! Every figure is what scikit-learn says it is, see `fixtures/metrics.py`.

use barun_train::metrics::{Average, Confusion, Probabilities, Ranking, Residuals, Weights, argmax};
use serde_json::Value;

fn fixtures() -> Value {
    serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn whole(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

fn weights_of(case: &Value) -> Vec<u32> {
    whole(&case["weights"]).into_iter().map(|weight| weight as u32).collect()
}

fn assert_close(found: f64, expected: &Value, what: &str) {
    let Some(expected) = expected.as_f64() else {
        return assert!(found.is_nan(), "{what}: {found} where there is no figure");
    };
    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1.0), "{what}: {found}, not {expected}");
}

#[test]
fn figures_of_answers_are_those_of_scikit_learn() {
    for case in fixtures()["classes"].as_array().unwrap() {
        let (name, expected) = (&case["name"], &case["expected"]);
        let classes = case["classes"].as_u64().unwrap() as usize;
        let (probabilities, labels) = (numbers(&case["probabilities"]), whole(&case["labels"]));
        let predicted: Vec<Option<usize>> = probabilities.chunks(classes).map(argmax).collect();
        let counts = weights_of(case);
        let found = Confusion::of(&labels, &predicted, classes, Weights::drawn(&counts));
        assert_close(found.accuracy(), &expected["accuracy"], &format!("{name} accuracy"));
        assert_close(found.balanced_accuracy(), &expected["balanced_accuracy"], &format!("{name} balanced"));
        assert_close(found.mcc(), &expected["mcc"], &format!("{name} mcc"));
        for (average, key) in
            [(Average::Macro, "macro"), (Average::Micro, "micro"), (Average::Weighted, "weighted")]
        {
            let three = [found.precision(average), found.recall(average), found.f1(average)];
            for (at, figure) in three.into_iter().enumerate() {
                assert_close(figure, &expected["averages"][key][at], &format!("{name} {key} {at}"));
            }
        }
        for class in 0..classes {
            assert_close(
                found.precision_of(class),
                &expected["precision"][class],
                &format!("{name} precision"),
            );
            assert_close(found.recall_of(class), &expected["recall"][class], &format!("{name} recall"));
            assert_close(found.f1_of(class), &expected["f1"][class], &format!("{name} f1"));
        }
        assert_eq!(serde_json::json!(found.rows()), expected["confusion"], "{name}");
    }
}

#[test]
fn figures_of_probabilities_and_order_are_those_of_scikit_learn() {
    for case in fixtures()["classes"].as_array().unwrap() {
        let (name, expected) = (&case["name"], &case["expected"]);
        let classes = case["classes"].as_u64().unwrap() as usize;
        let (probabilities, labels) = (numbers(&case["probabilities"]), whole(&case["labels"]));
        let counts = weights_of(case);
        let weights = Weights::drawn(&counts);
        let found = Probabilities::new(&probabilities, classes, &labels);
        assert_close(found.log_loss(weights), &expected["log_loss"], &format!("{name} log loss"));
        assert_close(found.brier(weights), &expected["brier"], &format!("{name} brier"));
        let calibration = found.calibration_error(weights);
        assert_close(calibration, &expected["calibration_error"], &format!("{name} calibration"));
        if classes > 2 {
            assert_close(found.top_k(2, weights), &expected["top2"], &format!("{name} top 2"));
        }
        let ranked: Vec<usize> = if classes == 2 { vec![1] } else { (0..classes).collect() };
        let mean = |area: fn(&Ranking, Weights<'_>) -> f64| {
            let areas = ranked.iter().map(|&class| {
                let scores: Vec<f64> = probabilities.chunks(classes).map(|row| row[class]).collect();
                let positive: Vec<bool> = labels.iter().map(|&label| label == class).collect();
                area(&Ranking::new(&scores, &positive), weights)
            });
            let areas: Vec<f64> = areas.filter(|area| !area.is_nan()).collect();
            areas.iter().sum::<f64>() / areas.len() as f64
        };
        assert_close(mean(Ranking::auroc), &expected["auroc"], &format!("{name} auroc"));
        assert_close(mean(Ranking::auprc), &expected["auprc"], &format!("{name} auprc"));
    }
}

#[test]
fn figures_of_numbers_are_those_of_scikit_learn() {
    for case in fixtures()["numbers"].as_array().unwrap() {
        let (name, expected, counts) = (&case["name"], &case["expected"], weights_of(case));
        let found = Residuals::new(&numbers(&case["predictions"]), &numbers(&case["targets"]));
        let weights = Weights::drawn(&counts);
        assert_close(found.mae(weights), &expected["mae"], &format!("{name} mae"));
        assert_close(found.mse(weights), &expected["mse"], &format!("{name} mse"));
        assert_close(found.rmse(weights), &expected["rmse"], &format!("{name} rmse"));
        assert_close(found.r2(weights), &expected["r2"], &format!("{name} r2"));
        assert_close(found.mape(weights), &expected["mape"], &format!("{name} mape"));
        let median = found.median_absolute_error(weights);
        assert_close(median, &expected["median_absolute_error"], &format!("{name} median"));
    }
}
