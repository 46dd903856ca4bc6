//! What the doctor says, and the vital signs by which it judges: layer by layer, through time.

use barun_data::table::counted;
use barun_view::Scale;
use barun_view::chart::{Chart, LineChart, Series};
use barun_view::report::{Block, Figure, Notice, Section, Severity};

use super::Run;
use crate::diagnosis::{Cure, Diagnosis, Finding, Level, Sign, Vitals};
use crate::recipe::as_arguments;
use crate::repair::Repair;

/// More lines than this cannot be told apart: of more layers some are shown, the first and the last among them.
const MOST_LINES: usize = 6;

pub(super) fn section(run: &Run) -> Option<Section> {
    let diagnosis = run.diagnosis.as_ref()?;
    let lead = match diagnosis.is_healthy() {
        true => healthy(diagnosis),
        false => "What is wrong, the root cause first; what it explains stands with it.".to_string(),
    };
    let mut section = Section::new("Doctor").lead(lead);
    section = section.block(Block::Notices(diagnosis.findings.iter().map(notice).collect()));
    section = section.block(Block::Notices(diagnosis.repairs.iter().map(repair).collect()));
    for note in &diagnosis.repair_notes {
        section = section.block(Block::Text(format!("{}.", capital(note))));
    }
    for sentence in &diagnosis.course {
        section = section.block(Block::Text(format!("{}.", capital(sentence))));
    }
    Some(section.block(Block::Charts(charts(&diagnosis.vitals))))
}

fn healthy(diagnosis: &Diagnosis) -> String {
    let watched = diagnosis.watched;
    format!(
        "Nothing wrong was found by {} in {}, {} of which were looked at from inside, and {}.",
        counted(watched.rules, "rule"),
        counted(watched.steps, "step"),
        watched.checks,
        counted(watched.evaluations, "evaluation")
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).collect::<String>() + letters.as_str()
}

fn notice(finding: &Finding) -> Notice {
    let severity = match finding.level {
        Level::Info => Severity::Note,
        Level::Warn => Severity::Warning,
        Level::Error => Severity::Error,
    };
    let mut details = vec![format!("Why it matters: {}.", finding.why)];
    details.extend(finding.evidence.iter().map(|evidence| format!("Also: {evidence}.")));
    Notice {
        severity,
        text: format!("{}.", finding.sentence()),
        details,
        advice: finding.cure.iter().map(advice).collect(),
    }
}

fn advice(cure: &Cure) -> String {
    match cure.set.is_empty() {
        true => cure.to_string(),
        false => format!("{}: `{}`", cure.advice, as_arguments(&cure.set)),
    }
}

fn repair(repair: &Repair) -> Notice {
    let mut lines = repair.lines().into_iter();
    let text = capital(&lines.next().unwrap_or_default());
    let details = lines.map(|line| line.trim().to_string()).collect();
    Notice { severity: Severity::Note, text, details, advice: Vec::new() }
}

fn charts(vitals: &Vitals) -> Vec<Figure> {
    let charts = [
        ("What layers give", "standard deviation", Scale::Auto, &vitals.activations),
        ("Gradients", "root mean square", Scale::Auto, &vitals.gradients),
        ("Steps, as a part of the weights", "update / weight", Scale::Auto, &vitals.updates),
        ("Units that give nothing", "share of the layer", Scale::FromZero, &vitals.dead),
    ];
    charts
        .into_iter()
        .filter_map(|(title, label, scale, signs)| chart(vitals, (title, label, scale), signs))
        .collect()
}

fn chart(vitals: &Vitals, (title, label, scale): (&str, &str, Scale), signs: &[Sign]) -> Option<Figure> {
    let seen: Vec<&Sign> = signs.iter().filter(|sign| sign.values.iter().any(Option::is_some)).collect();
    if vitals.steps.len() < 2 || seen.is_empty() {
        return None;
    }
    let shown = spread_out(&seen);
    let mut caption = match shown.len() < seen.len() {
        true => format!("{} of {} layers, from the first to the last.", shown.len(), seen.len()),
        false => String::new(),
    };
    // What is nothing everywhere has a place on no logarithmic axis.
    let is_something = |sign: &&&Sign| sign.values.iter().flatten().any(|value| *value > 0.0);
    let scale = match shown.iter().find(is_something) {
        Some(_) => scale,
        None => {
            caption = ["All are exactly 0.", &caption].join(" ").trim_end().to_string();
            Scale::FromZero
        }
    };
    let chart = LineChart {
        title: title.into(),
        x_label: "step".into(),
        y_label: label.into(),
        x_scale: None,
        y_scale: scale,
        series: shown.into_iter().map(|sign| series(&vitals.steps, sign, scale)).collect(),
        ..LineChart::default()
    };
    Some(Figure::new(Chart::Line(chart)).caption(caption))
}

/// At most [`MOST_LINES`] of them, evenly over the network.
fn spread_out<'a>(signs: &[&'a Sign]) -> Vec<&'a Sign> {
    if signs.len() <= MOST_LINES {
        return signs.to_vec();
    }
    (0..MOST_LINES).map(|at| signs[at * (signs.len() - 1) / (MOST_LINES - 1)]).collect()
}

fn series(steps: &[usize], sign: &Sign, scale: Scale) -> Series {
    let name = match sign.kind.is_empty() {
        true => sign.path.clone(),
        false => format!("{} {}", sign.path, sign.kind),
    };
    // On an axis that may be logarithmic 0 has no place; there the curve is broken.
    let has_place = |value: &f32| *value > 0.0 || scale == Scale::FromZero;
    let value = |value: &Option<f32>| value.filter(has_place).map_or(f64::NAN, f64::from);
    let points = steps.iter().zip(&sign.values).map(|(step, sign)| (*step as f64, value(sign)));
    Series { name, points: points.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_that_are_all_0_are_drawn_at_0() {
        let still = Sign { path: "0.weight".into(), values: vec![Some(0.0); 3], ..Sign::default() };
        let vitals = Vitals { steps: vec![1, 2, 3], gradients: vec![still], ..Vitals::default() };
        let drawn = charts(&vitals);
        let Chart::Line(chart) = &drawn[0].chart else { panic!("a line chart") };
        assert_eq!(chart.series[0].points, [(1.0, 0.0), (2.0, 0.0), (3.0, 0.0)]);
        assert_eq!(drawn[0].caption, "All are exactly 0.");
    }

    #[test]
    fn of_many_layers_a_few_are_drawn_with_the_first_and_the_last() {
        let signs: Vec<Sign> = (0..20)
            .map(|at| Sign { path: at.to_string(), values: vec![Some(1.0); 3], ..Sign::default() })
            .collect();
        let vitals = Vitals { steps: vec![1, 2, 3], gradients: signs, ..Vitals::default() };
        let drawn = charts(&vitals);
        assert_eq!(drawn.len(), 1);
        let Chart::Line(chart) = &drawn[0].chart else { panic!("a line chart") };
        let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["0", "3", "7", "11", "15", "19"]);
        assert_eq!(drawn[0].caption, "6 of 20 layers, from the first to the last.");
    }
}
