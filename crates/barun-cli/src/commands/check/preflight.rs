//! `barun check --overfit-batch`, `barun check --lr-find`: short trainings before the long one, in words and pictures.

use std::path::Path;

use barun_train::files;
use barun_train::request::{LrFindReport, OverfitReport};
use barun_view::Scale;
use barun_view::chart::{Chart, LineChart, Mark, Series};
use barun_view::terminal::{Curve, Plot};

use crate::error::Result;

/// Columns and lines of a picture made of letters.
const PLOT: (u16, u16) = (76, 16);

/// Whether a few rows were learned by heart, and what to do if not.
pub fn overfit_text(report: &OverfitReport) -> String {
    let OverfitReport { rows, steps, most_steps, lr, loss, loss_of_guessing, .. } = report;
    let wrong = match report.error_rate {
        Some(0.0) => ", no answer is wrong".to_string(),
        Some(rate) => format!(", {:.0} % of the answers are wrong", 100.0 * rate),
        None => String::new(),
    };
    let figures = format!("loss {}, guessing {}{wrong}", short(*loss), short(*loss_of_guessing));
    if report.learned {
        return format!(
            "One batch by heart: learned {rows} rows in {steps} of {most_steps} steps at learning rate {}\n  ({figures}).\n",
            short(*lr)
        );
    }
    let broken =
        if loss.is_finite() { "" } else { " The loss left the finite numbers: the rate is too large." };
    format!(
        "One batch by heart: NOT learned. After {steps} steps at learning rate {} on {rows} rows: {figures};\n\
         \x20 learned would be a loss of {} and at most 5 % wrong.{broken} A network that cannot learn so few rows cannot\n\
         \x20 learn the data. Try, in this order: another learning rate (--lr-find shows which), another optimizer, more units\n\
         \x20 or layers; and look whether these rows can be told apart at all (barun check without options).\n",
        short(*lr),
        short(0.1 * loss_of_guessing),
    )
}

/// Which rate the network learns fastest with, beside the recipe's, and the curve.
pub fn lr_text(report: &LrFindReport) -> String {
    let recipe = short(report.recipe_lr);
    let end = match report.blew_up_at {
        Some(rate) => format!("blows up at {}", short(rate)),
        None => "does not blow up".to_string(),
    };
    let mut text = match report.suggestion {
        Some(rate) => {
            let verdict = verdict(report.recipe_lr, rate, report.blew_up_at);
            format!(
                "Learning rate: the loss falls steepest at {} and {end}; the recipe has {recipe}, {verdict}.\n",
                short(rate)
            )
        }
        None => format!(
            "Learning rate: the loss never fell on the way from {} to {}; it {end}. The data or the network is to blame\n\
             \x20 rather than the rate: try --overfit-batch.\n",
            report.points.first().map_or_else(String::new, |point| short(point.lr)),
            report.points.last().map_or_else(String::new, |point| short(point.lr)),
        ),
    };
    if let Some(rate) = report.suggestion {
        text.push_str(&format!("  to train with it: --set train.lr={}\n", short(rate)));
    }
    text.push_str(&plot(report));
    text
}

/// What to think of a recipe's rate.
fn verdict(recipe: f64, suggestion: f64, blew_up_at: Option<f64>) -> &'static str {
    match recipe / suggestion {
        _ if blew_up_at.is_some_and(|end| recipe >= end) => "at which the loss blows up",
        part if part > 10.0 => "which is much more",
        part if part < 0.1 => "which is much less",
        _ => "which is near enough",
    }
}

/// The smoothed curve, with the single batches as dots.
fn plot(report: &LrFindReport) -> String {
    let [batches, smoothed] = curves(report);
    let plot = Plot {
        curves: vec![
            Curve { name: "batch".into(), points: batches, is_faint: true },
            Curve { name: "smoothed".into(), points: smoothed, is_faint: false },
        ],
        ..Plot::default()
    };
    let (columns, lines) = PLOT;
    format!("\nloss by learning rate\n{}", plot.text(columns, lines))
}

fn curves(report: &LrFindReport) -> [Vec<(f64, f64)>; 2] {
    [
        report.points.iter().map(|point| (point.lr, point.loss)).collect(),
        report.points.iter().map(|point| (point.lr, point.smoothed)).collect(),
    ]
}

/// Writes the curve as an SVG file.
pub fn write_picture(report: &LrFindReport, out: &Path) -> Result<()> {
    let [batches, smoothed] = curves(report);
    let mark = report.suggestion.map(|lr| Mark { x: lr, label: format!("steepest: {}", short(lr)) });
    let chart = Chart::Line(LineChart {
        title: "Loss by learning rate".into(),
        x_label: "learning rate".into(),
        y_label: "loss".into(),
        x_scale: Some(Scale::Auto),
        series: vec![
            Series { name: "smoothed".into(), points: smoothed },
            Series { name: "batch".into(), points: batches },
        ],
        mark,
        ..LineChart::default()
    });
    Ok(files::write_atomically(out, chart.file().as_bytes())?)
}

/// Two or three digits that count, as a recipe takes them.
fn short(number: f64) -> String {
    match number.abs() {
        _ if !number.is_finite() => number.to_string(),
        0.0 => "0".to_string(),
        size if (0.01..1e4).contains(&size) => {
            let decimals = (2 - size.log10().floor() as i32).clamp(0, 4) as usize;
            let text = format!("{number:.decimals$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_string()
            } else {
                text
            }
        }
        _ => format!("{:e}", format!("{number:.1e}").parse().unwrap_or(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use barun_train::request::LrFindPoint;

    fn overfit() -> OverfitReport {
        OverfitReport {
            learned: true,
            rows: 16,
            steps: 43,
            most_steps: 300,
            lr: 1e-3,
            loss: 0.2105,
            loss_of_guessing: 2.302,
            error_rate: Some(0.0),
            losses: Vec::new(),
        }
    }

    #[test]
    fn a_batch_that_was_learned_takes_a_line_and_one_that_was_not_says_what_to_do() {
        assert_eq!(
            overfit_text(&overfit()),
            "One batch by heart: learned 16 rows in 43 of 300 steps at learning rate 1e-3\n  (loss 0.21, guessing 2.3, no answer is wrong).\n"
        );
        let failed =
            OverfitReport { learned: false, steps: 300, loss: 1.9, error_rate: Some(0.625), ..overfit() };
        let text = overfit_text(&failed);
        assert!(
            text.contains("NOT learned") && text.contains("a loss of 0.23") && text.contains("--lr-find"),
            "{text}"
        );
        let broken = overfit_text(&OverfitReport { loss: f64::NAN, ..failed });
        assert!(broken.contains("the rate is too large"), "{broken}");
    }

    #[test]
    fn numbers_are_written_as_a_recipe_takes_them() {
        assert_eq!(
            [1e-3, 0.0021, 0.5, 2.302, 1234.0, 1.234e-7, 0.0].map(short),
            ["1e-3", "2.1e-3", "0.5", "2.3", "1234", "1.2e-7", "0"]
        );
    }

    #[test]
    fn the_suggestion_stands_beside_the_rate_of_the_recipe() {
        let points = (0..40).map(|at| {
            let lr = 1e-5 * 1.4f64.powi(at);
            LrFindPoint { lr, loss: 2.0 - 0.03 * f64::from(at), smoothed: 2.0 - 0.03 * f64::from(at) }
        });
        let report = LrFindReport {
            suggestion: Some(0.002),
            blew_up_at: Some(0.7),
            recipe_lr: 1e-4,
            points: points.collect(),
        };
        let text = lr_text(&report);
        assert!(
            text.contains("steepest at 2e-3 and blows up at 0.7; the recipe has 1e-4, which is much less."),
            "{text}"
        );
        assert!(text.contains("--set train.lr=2e-3\n"), "{text}");
        assert_eq!(text.lines().count(), 2 + 2 + usize::from(PLOT.1));
        let above = lr_text(&LrFindReport { recipe_lr: 0.9, ..report.clone() });
        assert!(above.contains("at which the loss blows up"), "{above}");
        let never = lr_text(&LrFindReport { suggestion: None, ..report });
        assert!(never.contains("never fell") && !never.contains("--set"), "{never}");
    }
}
