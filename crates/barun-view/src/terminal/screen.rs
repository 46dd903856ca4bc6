//! The terminal while a run has it.

use std::io::{self, IsTerminal, Stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::board::Board;
use super::view::draw;

/// Between two pictures.
const PAUSE: Duration = Duration::from_millis(100);
/// How a process ends that the user has interrupted.
const INTERRUPTED: i32 = 130;

/// Whether the terminal is ours at the moment: there is one for the whole process.
static IS_OURS: AtomicBool = AtomicBool::new(false);

/// The terminal, taken over until this is dropped.
///
/// `q` and Ctrl-C set the flag by which the run is asked to stop; a further Ctrl-C ends the process at once, as it does
/// without a screen.
#[derive(Debug)]
pub struct Screen {
    board: Arc<Mutex<Board>>,
    is_over: Arc<AtomicBool>,
    drawing: Option<JoinHandle<()>>,
}

impl Screen {
    /// Whether there is a terminal to draw on and to read keys from.
    pub fn is_possible() -> bool {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        io::stderr().is_terminal() && io::stdin().is_terminal() && !(cfg!(unix) && is_dumb)
    }

    /// Takes the terminal over and begins to draw.
    ///
    /// # Errors
    /// When the terminal does not let itself be taken over, or is taken already.
    pub fn open(stop: Arc<AtomicBool>) -> io::Result<Screen> {
        let terminal = take_over()?;
        let (board, is_over) = (Arc::<Mutex<Board>>::default(), Arc::<AtomicBool>::default());
        let (shown, over) = (Arc::clone(&board), Arc::clone(&is_over));
        let drawing = std::thread::Builder::new().name("terminal".into()).spawn(move || {
            // A terminal that has gone away is no reason to lose the run: it goes on unseen.
            let _ = draw_until(terminal, &shown, &over, &stop);
            give_back();
        });
        match drawing {
            Ok(drawing) => Ok(Screen { board, is_over, drawing: Some(drawing) }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    /// What is shown, to be changed.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(drawing) = self.drawing.take() {
            let _ = drawing.join();
        }
        give_back();
    }
}

fn draw_until(
    mut terminal: Terminal<CrosstermBackend<Stderr>>,
    board: &Mutex<Board>,
    is_over: &AtomicBool,
    stop: &AtomicBool,
) -> io::Result<()> {
    while !is_over.load(Ordering::Relaxed) {
        // Not drawn under the lock: the run may want to go on.
        let shown = board.lock().unwrap_or_else(PoisonError::into_inner).clone();
        terminal.draw(|frame| draw(&shown, frame))?;
        if !event::poll(PAUSE)? {
            continue;
        }
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                obey(key, stop, board);
            }
        }
    }
    Ok(())
}

fn obey(key: KeyEvent, stop: &AtomicBool, board: &Mutex<Board>) {
    if key.kind != KeyEventKind::Press {
        return;
    }
    let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    if !is_interrupt && key.code != KeyCode::Char('q') {
        return;
    }
    if stop.swap(true, Ordering::Relaxed) {
        if is_interrupt {
            give_back();
            std::process::exit(INTERRUPTED);
        }
        return;
    }
    let message = "stopping after this step, the state will be saved; Ctrl-C again ends it at once";
    board.lock().unwrap_or_else(PoisonError::into_inner).messages.push(message.to_string());
}

fn take_over() -> io::Result<Terminal<CrosstermBackend<Stderr>>> {
    if IS_OURS.swap(true, Ordering::SeqCst) {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another run is on this terminal"));
    }
    give_back_after_panics();
    let taken = enable_raw_mode()
        .and_then(|()| execute!(io::stderr(), EnterAlternateScreen))
        .and_then(|()| Terminal::new(CrosstermBackend::new(io::stderr())));
    if taken.is_err() {
        give_back();
    }
    taken
}

/// Leaves the terminal as it was found; does nothing where it is not ours.
fn give_back() {
    if IS_OURS.swap(false, Ordering::SeqCst) {
        // Nobody is left to tell of a terminal that is gone.
        let _ = execute!(io::stderr(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
        let _ = io::stderr().flush();
    }
}

/// A panic's message must be seen, and the terminal be usable after it.
fn give_back_after_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
}
