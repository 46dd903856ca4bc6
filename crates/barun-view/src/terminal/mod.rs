//! A run as it goes, on a terminal: the curves of the report, drawn while they grow.
//!
//! A [`Board`] is what is shown, plain data; [`draw`] draws it; a [`Screen`] takes the terminal over, draws its board ten
//! times a second on a thread of its own - so that a window that changes its size, a clock and a key need not wait for a
//! step - and gives the terminal back when it is dropped, also after a panic.
//!
//! What is drawn goes to standard error, as all progress does. A [`Plot`] draws curves once, as text.

mod board;
mod plot;
mod screen;
mod view;

pub use board::{Board, Curve, Curves};
pub use plot::Plot;
pub use screen::Screen;
pub use view::draw;
