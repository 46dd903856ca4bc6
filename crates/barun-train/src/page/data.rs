//! What was learned from, and what was found in it.

use barun_data::integrity;
use barun_view::chart::{BarChart, Chart};
use barun_view::report::{Block, Figure, Notice, Section, Severity, Table};

use super::Run;
use crate::details::DataDetails;
use crate::progress::thousands;

/// With more classes than this the largest and smallest are shown.
const MOST_CLASSES: usize = 24;

pub(super) fn section(run: &Run) -> Option<Section> {
    let mut section = Section::new("Data");
    if let Some(details) = &run.details {
        section.lead = format!("{}.", details.data.about);
        section =
            section.block(Block::Table(parts(&details.data))).block(Block::Charts(classes(&details.data)));
    }
    let findings = run.outcome.as_ref().map_or(&[][..], |outcome| &outcome.findings);
    Some(section.block(Block::Notices(findings.iter().map(notice).collect())))
}

fn parts(data: &DataDetails) -> Table {
    let total: usize = data.parts.iter().sum();
    let roles = ["the network learned from it", "chose the best epoch", "judged the result, once"];
    let mut table = Table::new(["part", "rows", "share", "what for"]);
    for ((name, rows), role) in ["train", "valid", "test"].into_iter().zip(data.parts).zip(roles) {
        if rows > 0 {
            let share = format!("{:.1} %", 100.0 * rows as f64 / total as f64);
            table = table.row([name.to_string(), thousands(rows as f64), share, role.to_string()]);
        }
    }
    table
}

fn classes(data: &DataDetails) -> Vec<Figure> {
    if data.classes.is_empty() {
        return Vec::new();
    }
    let mut bars: Vec<(String, f64)> =
        data.classes.iter().map(|(class, parts)| (class.clone(), parts[0] as f64)).collect();
    let mut caption = String::new();
    if bars.len() > MOST_CLASSES {
        bars.sort_by(|a, b| b.1.total_cmp(&a.1));
        let half = MOST_CLASSES / 2;
        let smallest = bars.split_off(bars.len() - half);
        caption = format!("The {half} most and the {half} least frequent of {} classes.", data.classes.len());
        bars.truncate(half);
        bars.extend(smallest);
    }
    let title = "Training rows of each class".to_string();
    vec![Figure::new(Chart::Bars(BarChart { title, bars })).caption(caption)]
}

fn notice(finding: &integrity::Finding) -> Notice {
    let mut text = finding.message.clone();
    if !finding.examples.is_empty() {
        const SHOWN: usize = 3;
        let together = |rows: &Vec<usize>| {
            rows.iter().take(SHOWN).map(usize::to_string).collect::<Vec<_>>().join(" and ")
        };
        let rows: Vec<String> = finding.examples.iter().take(SHOWN).map(together).collect();
        text.push_str(&format!(" (such as rows {})", rows.join(", ")));
    }
    let severity = match finding.severity {
        integrity::Severity::Note => Severity::Note,
        integrity::Severity::Warning => Severity::Warning,
        integrity::Severity::Error => Severity::Error,
    };
    Notice::new(severity, text + ".").advice(format!("{}.", finding.advice.trim_end_matches('.')))
}
