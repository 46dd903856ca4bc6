//! A run as it goes, on a terminal that it has for itself.
//!
//! The same curves as in the report: loss and the figure that people ask for first, by epoch, for training and validation
//! part, and faintly the loss of each batch, so that the first epoch shows something too.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use barun_data::integrity::{self, Severity};
use barun_view::terminal::{Board, Curve, Curves, Screen};
use barun_view::{Scale, Thinned};

use crate::callback::{Batch, Callback, EpochEnd, Flow, Start};
use crate::diagnosis::{Finding, Level};
use crate::error::{Error, Result};
use crate::metrics::Metrics;
use crate::progress::{
    MENDING, duration_text, figure_text, metrics_text, resumed_text, start_text, thousands,
};
use crate::repair::Repair;
use crate::report::TrainReport;

/// The names of the curves, by which they are found again.
const BATCHES: &str = "batches";
const TRAIN: &str = "train";
const VALID: &str = "valid";

/// What changes with every step is set no more often than this.
const REDRAW: Duration = Duration::from_millis(50);

/// Shows a run on the terminal from its first to its last step. Before and after, the terminal is as ever.
pub struct Dashboard {
    stop: Arc<AtomicBool>,
    screen: Option<Screen>,
    messages: Vec<String>,
    epochs: usize,
    steps_per_epoch: usize,
    samples: usize,
    /// Losses of batches, and how many steps there were before them.
    losses: Thinned,
    steps_before: usize,
    /// When the first step of this process and the last shown one were.
    first: Option<Duration>,
    shown: Duration,
}

impl Dashboard {
    /// Whether there is a terminal for it.
    pub fn is_possible() -> bool {
        Screen::is_possible()
    }

    /// A dashboard whose user sets `stop` with a key.
    pub fn new(stop: Arc<AtomicBool>) -> Dashboard {
        Dashboard {
            stop,
            screen: None,
            messages: Vec::new(),
            epochs: 0,
            steps_per_epoch: 0,
            samples: 0,
            losses: Thinned::default(),
            steps_before: 0,
            first: None,
            shown: Duration::ZERO,
        }
    }

    /// Epochs so far, with the part of the running one.
    fn epochs_at(&self, step: f64) -> f64 {
        (self.steps_before as f64 + step) / self.steps_per_epoch.max(1) as f64
    }

    /// Gives the terminal back, and leaves on it what was said on the way.
    fn close(&mut self) {
        let Some(screen) = self.screen.take() else { return };
        let messages = std::mem::take(&mut screen.board().messages);
        drop(screen);
        let mut out = std::io::stderr().lock();
        // A reader that has gone away is no reason to lose the run.
        let _ = messages.iter().try_for_each(|message| writeln!(out, "{message}"));
    }

    fn loss_points(&self) -> Vec<(f64, f64)> {
        self.losses.points().map(|(step, loss)| (self.epochs_at(step), loss)).collect()
    }
}

impl Callback for Dashboard {
    fn on_check(&mut self, report: &integrity::Report) -> Result<()> {
        let grave = report.findings.iter().filter(|finding| finding.severity > Severity::Note);
        self.messages = grave.map(|finding| format!("{}: {}", finding.severity, finding.message)).collect();
        Ok(())
    }

    fn on_start(&mut self, event: &Start<'_>) -> Result<()> {
        (self.epochs, self.steps_per_epoch) = (event.epochs, event.steps_per_epoch);
        self.samples = event.epochs * event.samples_per_epoch;
        let done = event.resumed.map_or((0, 0), |resumed| (resumed.epochs, resumed.batches));
        self.steps_before = done.0 * event.steps_per_epoch + done.1;
        (self.losses, self.first, self.shown) = (Thinned::default(), None, Duration::ZERO);
        let mut messages = std::mem::take(&mut self.messages);
        messages.extend(event.notes.iter().map(|note| format!("note: {note}")));
        if let Some(resumed) = event.resumed {
            messages.extend(resumed.notes.iter().map(|note| format!("note: {note}")));
            messages.push(resumed_text(resumed));
        }
        let curve = |name: &str| Curve { name: name.into(), ..Curve::default() };
        let curves = |title: &str, scale, faint: Option<Curve>| Curves {
            title: title.into(),
            width: event.epochs as f64,
            scale,
            curves: faint.into_iter().chain([curve(TRAIN), curve(VALID)]).collect(),
        };
        let faint = Curve { is_faint: true, ..curve(BATCHES) };
        let figure = if event.classes.is_some() { "accuracy" } else { "rmse" };
        let screen = Screen::open(Arc::clone(&self.stop)).map_err(Error::Terminal)?;
        *screen.board() = Board {
            title: format!("{} on {}", event.model, event.data),
            lead: start_text(event),
            charts: vec![curves("loss", Scale::Auto, Some(faint)), curves(figure, Scale::Auto, None)],
            messages,
            ..Board::default()
        };
        self.screen = Some(screen);
        Ok(())
    }

    fn on_batch(&mut self, event: &Batch) -> Result<Flow> {
        self.losses.add(event.batch_loss);
        let first = *self.first.get_or_insert(event.elapsed);
        if event.elapsed.saturating_sub(self.shown) < REDRAW {
            return Ok(Flow::Continue);
        }
        self.shown = event.elapsed;
        let seconds = event.elapsed.as_secs_f64();
        let per_second = event.samples as f64 / seconds.max(1e-9);
        let left = self.samples.saturating_sub(event.samples) as f64 / per_second;
        let points = self.loss_points();
        let Some(screen) = &self.screen else { return Ok(Flow::Continue) };
        let mut board = screen.board();
        if let Some(curve) = find(&mut board, 0, BATCHES) {
            curve.points = points;
        }
        board.progress =
            format!("epoch {}/{}  step {}/{} ", event.epoch, self.epochs, event.step, self.steps_per_epoch);
        board.share = event.samples as f64 / self.samples.max(1) as f64;
        let gone = duration_text(seconds);
        board.pace = match event.elapsed > first {
            true => format!("{} samples/s  {gone} gone, {} left", thousands(per_second), duration_text(left)),
            false => format!("{gone} gone"),
        };
        let running = Metrics { loss: event.loss, accuracy: event.accuracy, ..Metrics::default() };
        set(&mut board, "this epoch", metrics_text(&running));
        set(&mut board, "learning rate", figure_text(event.lr));
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, event: &EpochEnd<'_>) -> Result<Flow> {
        let record = event.record;
        let Some(screen) = &self.screen else { return Ok(Flow::Continue) };
        let mut board = screen.board();
        let epoch = record.epoch as f64;
        for (part, metrics) in [(TRAIN, Some(record.train)), (VALID, record.valid)] {
            let Some(metrics) = metrics else { continue };
            for chart in 0..board.charts.len() {
                let title = board.charts[chart].title.clone();
                let figure = metrics.named().find(|(name, _)| *name == title);
                if let (Some((_, figure)), Some(curve)) = (figure, find(&mut board, chart, part)) {
                    curve.points.push((epoch, figure));
                }
            }
            set(&mut board, part, metrics_text(&metrics));
        }
        if record.best {
            let figures = record.valid.unwrap_or(record.train);
            set(&mut board, "best", format!("epoch {}: {}", record.epoch, metrics_text(&figures)));
        }
        if record.skipped_steps > 0 {
            let (steps, epoch) = (record.skipped_steps, record.epoch);
            board.messages.push(format!("epoch {epoch}: {steps} steps skipped, not finite"));
        }
        Ok(Flow::Continue)
    }

    fn on_finding(&mut self, finding: &Finding) -> Result<()> {
        if let (Some(screen), true) = (&self.screen, finding.level > Level::Info) {
            screen.board().messages.push(finding.headline());
        }
        Ok(())
    }

    /// The next batch puts its own text there.
    fn on_mending(&mut self) -> Result<()> {
        if let Some(screen) = &self.screen {
            screen.board().pace = MENDING.to_string();
        }
        Ok(())
    }

    /// What was done; the rest of it is said at the end.
    fn on_repair(&mut self, repair: &Repair) -> Result<()> {
        if let Some(screen) = &self.screen {
            screen.board().messages.extend(repair.lines().into_iter().take(1));
        }
        Ok(())
    }

    fn on_end(&mut self, _: &TrainReport) -> Result<()> {
        self.close();
        Ok(())
    }
}

/// A run that fails gives the terminal back too.
impl Drop for Dashboard {
    fn drop(&mut self) {
        self.close();
    }
}

fn find<'a>(board: &'a mut Board, chart: usize, name: &str) -> Option<&'a mut Curve> {
    board.charts.get_mut(chart)?.curves.iter_mut().find(|curve| curve.name == name)
}

/// Says `text` of `name`, in the place where something was said of it before.
fn set(board: &mut Board, name: &str, text: String) {
    match board.figures.iter_mut().find(|(known, _)| known == name) {
        Some((_, said)) => *said = text,
        None => board.figures.push((name.to_string(), text)),
    }
}
