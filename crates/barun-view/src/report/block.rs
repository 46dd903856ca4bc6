//! What a section is made of.

use super::picture::Picture;
use crate::chart::Chart;

/// A part of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// What must not be overlooked.
    Notices(Vec<Notice>),
    /// Charts beside each other, as many as there is room for.
    Charts(Vec<Figure>),
    /// Small charts beside each other, in more columns, under a heading of their own.
    SmallCharts {
        /// What they are.
        heading: String,
        /// The charts.
        figures: Vec<Figure>,
    },
    /// A table.
    Table(Table),
    /// Pictures beside each other.
    Cards(Vec<Card>),
    /// Text as it would be typed, under a heading of its own.
    Code {
        /// What it is.
        caption: String,
        /// The text.
        text: String,
    },
}

impl Block {
    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        match self {
            Block::Text(text) | Block::Code { text, .. } => text.is_empty(),
            Block::Notices(notices) => notices.is_empty(),
            Block::Charts(figures) | Block::SmallCharts { figures, .. } => figures.is_empty(),
            Block::Table(table) => table.rows.is_empty(),
            Block::Cards(cards) => cards.is_empty(),
        }
    }
}

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// All is well.
    Good,
    /// Worth knowing.
    Note,
    /// Something may be wrong.
    Warning,
    /// Something is wrong.
    Error,
}

/// What must not be overlooked.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// What is the case. Here and below, what stands between back-quotes is shown as it would be typed.
    pub text: String,
    /// What else is to be known of it, a paragraph each.
    pub details: Vec<String>,
    /// What to do, the best first.
    pub advice: Vec<String>,
}

impl Notice {
    /// A notice that says no more than `text`.
    pub fn new(severity: Severity, text: impl Into<String>) -> Notice {
        Notice { severity, text: text.into(), details: Vec::new(), advice: Vec::new() }
    }

    /// With one more thing to do; nothing where it is empty.
    pub fn advice(mut self, advice: impl Into<String>) -> Notice {
        self.advice.extend(Some(advice.into()).filter(|advice| !advice.is_empty()));
        self
    }
}

/// A figure worth a headline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tile {
    /// What it is: `test accuracy`.
    pub name: String,
    /// The figure: `0.9783`.
    pub value: String,
    /// What stands beside it, such as its interval; may be empty.
    pub detail: String,
}

/// A chart with what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The chart; its title stands above it.
    pub chart: Chart,
    /// What is said below it; may be empty.
    pub caption: String,
}

impl Figure {
    /// A chart of which nothing needs to be said.
    pub fn new(chart: Chart) -> Figure {
        Figure { chart, caption: String::new() }
    }

    /// With a word below it.
    pub fn caption(self, caption: impl Into<String>) -> Figure {
        Figure { caption: caption.into(), ..self }
    }
}

/// A table. The first column names the rows; columns of numbers stand to the right.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The names of the columns.
    pub header: Vec<String>,
    /// Its rows, each as long as the header.
    pub rows: Vec<Row>,
    /// What is said below it; may be empty.
    pub caption: String,
}

/// The cells of a row.
pub type Row = Vec<String>;

impl Table {
    /// A table without rows.
    pub fn new<T: Into<String>>(header: impl IntoIterator<Item = T>) -> Table {
        Table { header: header.into_iter().map(Into::into).collect(), ..Table::default() }
    }

    /// With one more row.
    pub fn row<T: Into<String>>(mut self, cells: impl IntoIterator<Item = T>) -> Table {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }
}

/// A picture with what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// The picture.
    pub picture: Picture,
    /// Lines below it, the first of them in bold.
    pub lines: Vec<String>,
}
