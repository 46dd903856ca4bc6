//! How a run shows its progress: a bar on a terminal, plain lines elsewhere. No colours.

use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use barun_data::integrity::{Finding, Kind, Report, Severity};

use crate::callback::{Batch, Callback, EpochEnd, Flow, Resumed, Start};
use crate::diagnosis::{self, Level};
use crate::error::Result;
use crate::log::EpochRecord;
use crate::metrics::Metrics;
use crate::preparation::INPUT;
use crate::repair::Repair;
use crate::report::TrainReport;

/// The progress for standard error: a [`Bar`] on a terminal, [`Lines`] elsewhere. What of the data was `told` of an earlier run is
/// not told again.
pub fn for_stderr(told: &Told) -> Box<dyn Callback> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match std::io::stderr().is_terminal() && !dumb {
        true => {
            let mut bar = Bar::new();
            bar.told = told.clone();
            Box::new(bar)
        }
        false => Box::new(Lines { told: told.clone(), ..Lines::new(std::io::stderr()) }),
    }
}

/// The lines on the data that runs of several seeds or folds have told between them.
#[derive(Clone, Debug, Default)]
pub struct Told(Arc<Mutex<HashSet<String>>>);

impl Told {
    /// Whether nobody has told it before.
    fn is_new(&self, line: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_string())
    }
}

/// What is said while copies of the run are tried.
pub(crate) const MENDING: &str = "the doctor tries repairs on copies of the run ...";

/// The bar is drawn anew no more often than this.
const REDRAW: Duration = Duration::from_millis(100);

/// A bar for the running epoch, with loss, accuracy, rows a second and time left; each epoch leaves its line above it.
pub struct Bar {
    bar: ProgressBar,
    plan: Plan,
    told: Told,
    drawn: Duration,
}

impl Bar {
    /// A bar on standard error.
    pub fn new() -> Bar {
        Bar {
            bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
            plan: Plan::default(),
            told: Told::default(),
            drawn: Duration::ZERO,
        }
    }
}

impl Default for Bar {
    fn default() -> Self {
        Bar::new()
    }
}

/// A run that ends early leaves its epochs' lines, and no half-drawn bar.
impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Callback for Bar {
    fn on_check(&mut self, report: &Report) -> Result<()> {
        check_lines(report, &self.told).iter().for_each(|line| self.bar.println(line));
        Ok(())
    }

    fn on_start(&mut self, event: &Start<'_>) -> Result<()> {
        self.plan = Plan::of(event);
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:24}] {msg}") {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.set_length(event.steps_per_epoch as u64);
        start_lines(event).iter().for_each(|line| self.bar.println(line));
        Ok(())
    }

    fn on_batch(&mut self, event: &Batch) -> Result<Flow> {
        if event.step == 1 || event.elapsed.saturating_sub(self.drawn) >= REDRAW {
            self.drawn = event.elapsed;
            self.bar.set_prefix(self.plan.epoch_text(event.epoch));
            self.bar.set_message(self.plan.batch_text(event));
            self.bar.set_position(event.step as u64);
        }
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> Result<Flow> {
        self.bar.println(self.plan.epoch_figures(event.record) + &ending(event.record));
        Ok(Flow::Continue)
    }

    fn on_finding(&mut self, finding: &diagnosis::Finding) -> Result<()> {
        finding_lines(finding).iter().for_each(|line| self.bar.println(line));
        Ok(())
    }

    /// The next batch puts its own text there.
    fn on_mending(&mut self) -> Result<()> {
        self.bar.set_message(MENDING);
        self.bar.tick();
        Ok(())
    }

    fn on_repair(&mut self, repair: &Repair) -> Result<()> {
        repair.lines().iter().for_each(|line| self.bar.println(line));
        Ok(())
    }

    fn on_end(&mut self, _: &TrainReport) -> Result<()> {
        self.bar.finish_and_clear();
        Ok(())
    }
}

/// One line when the run begins and one an epoch, for logs and pipes.
pub struct Lines<W> {
    out: W,
    plan: Plan,
    told: Told,
}

impl<W: Write + Send> Lines<W> {
    /// Lines to `out`.
    pub fn new(out: W) -> Lines<W> {
        Lines { out, plan: Plan::default(), told: Told::default() }
    }

    /// A reader that has gone away is no reason to lose the run.
    fn say(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
    }
}

impl<W: Write + Send> Callback for Lines<W> {
    fn on_check(&mut self, report: &Report) -> Result<()> {
        check_lines(report, &self.told).iter().for_each(|line| self.say(line));
        Ok(())
    }

    fn on_start(&mut self, event: &Start<'_>) -> Result<()> {
        self.plan = Plan::of(event);
        start_lines(event).iter().for_each(|line| self.say(line));
        Ok(())
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> Result<Flow> {
        let line = self.plan.epoch_line(event.record);
        self.say(&line);
        Ok(Flow::Continue)
    }

    fn on_finding(&mut self, finding: &diagnosis::Finding) -> Result<()> {
        finding_lines(finding).iter().for_each(|line| self.say(line));
        Ok(())
    }

    fn on_repair(&mut self, repair: &Repair) -> Result<()> {
        repair.lines().iter().for_each(|line| self.say(line));
        Ok(())
    }
}

/// Shows nothing.
pub struct Silent;

impl Callback for Silent {}

#[derive(Clone, Copy, Default)]
struct Plan {
    epochs: usize,
    samples_per_epoch: usize,
}

impl Plan {
    fn of(event: &Start<'_>) -> Plan {
        Plan { epochs: event.epochs, samples_per_epoch: event.samples_per_epoch }
    }

    fn epoch_text(&self, epoch: usize) -> String {
        let width = self.epochs.to_string().len();
        format!("epoch {epoch:>width$}/{}", self.epochs)
    }

    fn batch_text(&self, batch: &Batch) -> String {
        let running = Metrics { loss: batch.loss, accuracy: batch.accuracy, ..Metrics::default() };
        let per_second = batch.samples as f64 / batch.elapsed.as_secs_f64().max(1e-9);
        let left = (self.epochs * self.samples_per_epoch).saturating_sub(batch.samples) as f64 / per_second;
        format!(
            "{}  {} samples/s  {} left",
            metrics_text(&running),
            thousands(per_second),
            duration_text(left)
        )
    }

    /// What stands above the bar, which tells the pace itself.
    fn epoch_figures(&self, record: &EpochRecord) -> String {
        let valid =
            record.valid.map_or_else(String::new, |valid| format!(" | valid {}", metrics_text(&valid)));
        format!("{}  train {}{valid}", self.epoch_text(record.epoch), metrics_text(&record.train))
    }

    fn epoch_line(&self, record: &EpochRecord) -> String {
        let seconds_per_epoch = record.seconds / record.epoch.max(1) as f64;
        let left = seconds_per_epoch * self.epochs.saturating_sub(record.epoch) as f64;
        format!(
            "{} | {} samples/s  {} left{}",
            self.epoch_figures(record),
            thousands(record.samples_per_second),
            duration_text(left),
            ending(record),
        )
    }
}

/// What is special about an epoch.
fn ending(record: &EpochRecord) -> String {
    let best = if record.best { "  (best)" } else { "" };
    let skipped = match record.skipped_steps {
        0 => String::new(),
        steps => format!("  ({steps} steps skipped: not finite)"),
    };
    format!("{best}{skipped}")
}

/// What was found in the data, a line each; of what only was to be known, `barun check` tells, but for what says how the
/// figures are to be read. What is `told` is not told again.
fn check_lines(report: &Report, told: &Told) -> Vec<String> {
    let is_told =
        |finding: &&Finding| finding.severity > Severity::Note || finding.kind == Kind::ClassImbalance;
    let lines = report.findings.iter().filter(is_told).map(ToString::to_string);
    lines.filter(|line| told.is_new(line)).collect()
}

/// What the doctor has found, with the first thing to do; of what only is to be known, the run's end tells.
fn finding_lines(finding: &diagnosis::Finding) -> Vec<String> {
    if finding.level == Level::Info {
        return Vec::new();
    }
    let cure = finding.cure.first().map(|cure| format!("  first cure: {cure}"));
    std::iter::once(finding.headline()).chain(cure).collect()
}

/// What was decided about the data, then what is trained on it; of a resumed run also where it goes on and what it found.
fn start_lines(event: &Start<'_>) -> Vec<String> {
    let mut lines: Vec<String> = event.notes.iter().map(|note| format!("note: {note}")).collect();
    lines.push(start_line(event));
    if let Some(resumed) = event.resumed {
        lines.extend(resumed.notes.iter().map(|note| format!("note: {note}")));
        lines.push(resumed_text(resumed));
    }
    lines
}

/// Where a run goes on.
pub(crate) fn resumed_text(resumed: &Resumed) -> String {
    match (resumed.epochs, resumed.batches) {
        (0, 0) => "resumed at the beginning".to_string(),
        (epochs, 0) => format!("resumed after epoch {epochs}"),
        (epochs, batches) => format!("resumed in epoch {} after step {batches}", epochs + 1),
    }
}

fn start_line(event: &Start<'_>) -> String {
    format!("{} on {}, {}", event.model, event.data, start_text(event))
}

/// What a network learns, and from how much.
pub(crate) fn start_text(event: &Start<'_>) -> String {
    let target = match event.classes {
        Some(classes) => format!("{classes} classes"),
        None if event.target == INPUT => "all its numbers".to_string(),
        None => "a number".to_string(),
    };
    format!(
        "target '{}' ({target}): {} parameters, {} training rows, {} steps an epoch",
        event.target,
        thousands(event.params as f64),
        thousands(event.samples_per_epoch as f64),
        thousands(event.steps_per_epoch as f64),
    )
}

/// The figures of a pass in one line: `loss 0.1234  accuracy 0.9712`.
pub fn metrics_text(metrics: &Metrics) -> String {
    let texts = metrics.named().map(|(name, figure)| format!("{name} {}", figure_text(figure)));
    texts.collect::<Vec<_>>().join("  ")
}

/// Four digits after the point where that says something, else powers of ten; what rounding has left of 0 is 0.
pub fn figure_text(figure: f64) -> String {
    if figure.abs() < 1e-12 {
        format!("{:.4}", 0.0)
    } else if !figure.is_finite() || (1e-3..1e5).contains(&figure.abs()) {
        format!("{figure:.4}")
    } else {
        format!("{figure:.3e}")
    }
}

/// `12,345`.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 && digits.is_ascii() {
            text.push(',');
        }
        text.push(digit);
    }
    if number.is_finite() { text } else { "-".to_string() }
}

/// `0:42`, `12:05`, `1:02:03`.
pub fn duration_text(seconds: f64) -> String {
    if !seconds.is_finite() || seconds > 1e9 {
        return "-".to_string();
    }
    let seconds = seconds.max(0.0).round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::BestBy;

    const PLAN: Plan = Plan { epochs: 10, samples_per_epoch: 1000 };

    fn record() -> EpochRecord {
        EpochRecord {
            epoch: 3,
            step: 24,
            samples: 3000,
            lr: 1e-3,
            train: Metrics { loss: 0.12344, accuracy: Some(0.9712), ..Metrics::default() },
            valid: Some(Metrics { loss: 0.2, accuracy: Some(0.95), ..Metrics::default() }),
            best: true,
            skipped_steps: 0,
            seconds: 30.0,
            samples_per_second: 123456.7,
        }
    }

    #[test]
    fn elsewhere_than_on_a_terminal_each_epoch_is_a_plain_line() {
        let start = Start {
            model: "mlp",
            data: "digits",
            target: "digit",
            classes: Some(10),
            params: 535_818,
            epochs: 10,
            steps_per_epoch: 8,
            samples_per_epoch: 1000,
            valid_rows: 100,
            best_by: BestBy::Auto,
            run: None,
            resumed: Some(&Resumed { epochs: 2, batches: 3, notes: vec!["a byte has changed".into()] }),
            notes: &["column 'id' is left out: it is empty".to_string()],
        };
        let mut lines = Lines::new(Vec::new());
        lines.on_start(&start).unwrap();
        lines.on_epoch_end(&EpochEnd { record: &record() }).unwrap();
        assert_eq!(
            String::from_utf8(lines.out).unwrap(),
            "note: column 'id' is left out: it is empty\n\
              mlp on digits, target 'digit' (10 classes): 535,818 parameters, 1,000 training rows, 8 steps an epoch\n\
              note: a byte has changed\nresumed in epoch 3 after step 3\n\
             epoch  3/10  train loss 0.1234  accuracy 0.9712 | valid loss 0.2000  accuracy 0.9500 | \
             123,457 samples/s  1:10 left  (best)\n"
        );
    }

    #[test]
    fn the_bar_tells_loss_accuracy_speed_and_time_left() {
        let batch = Batch {
            epoch: 2,
            step: 4,
            samples: 1500,
            batch_loss: 0.4,
            gradient_norm: 1.0,
            applied: true,
            lr: 1e-3,
            loss: 0.5,
            accuracy: Some(0.8),
            elapsed: Duration::from_secs(3),
        };
        assert_eq!(PLAN.batch_text(&batch), "loss 0.5000  accuracy 0.8000  500 samples/s  0:17 left");
        assert_eq!(PLAN.epoch_text(2), "epoch  2/10");
    }

    #[test]
    fn the_first_moment_of_a_run_divides_by_nothing() {
        let batch = Batch {
            epoch: 1,
            step: 1,
            samples: 0,
            batch_loss: f64::NAN,
            gradient_norm: f64::NAN,
            applied: false,
            lr: 1e-3,
            loss: f64::NAN,
            accuracy: None,
            elapsed: Duration::ZERO,
        };
        assert_eq!(PLAN.batch_text(&batch), "loss NaN  0 samples/s  - left");
    }

    #[test]
    fn figures_and_durations_are_short() {
        assert_eq!(figure_text(0.00001), "1.000e-5");
        assert_eq!(figure_text(1234567.0), "1.235e6");
        assert_eq!(figure_text(-2.5), "-2.5000");
        assert_eq!(thousands(1234567.0), "1,234,567");
        assert_eq!(thousands(999.0), "999");
        assert_eq!(duration_text(3723.4), "1:02:03");
    }

    #[test]
    fn a_reader_that_has_gone_away_does_not_end_the_run() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(Lines::new(Gone).on_epoch_end(&EpochEnd { record: &record() }).unwrap(), Flow::Continue);
    }
}
