//! The report: one HTML file that opens without a network, on a screen, a phone or paper.
//!
//! A [`Document`] is a title, figures worth a headline, and sections; a [`Section`] is made of [`Block`]s. The page knows
//! how blocks look and nothing of what they tell, so whoever has something to tell - how a run went, what a diagnosis
//! found - hands over a section of its own. What there is nothing of is left out: an empty block or section does not show.
//!
//! ```
//! use barun_view::report::{Block, Document, Section, Table, page};
//!
//! let table = Table::new(["class", "rows"]).row(["<rose>", "40"]);
//! let section = Section::new("Classes").block(Block::Table(table));
//! let html = page(&Document { title: "iris by an mlp".into(), sections: vec![section], ..Document::default() });
//! assert!(html.contains("&lt;rose&gt;") && !html.contains("https:"));
//! ```

mod block;
mod page;
mod picture;

pub use block::{Block, Card, Figure, Notice, Row, Severity, Table, Tile};
pub(crate) use page::STYLE;
pub use page::page;
pub use picture::Picture;

/// A report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// What it is about: `digits by an mlp`.
    pub title: String,
    /// In a sentence: when, how, with what outcome.
    pub lead: String,
    /// The figures that people ask for first.
    pub tiles: Vec<Tile>,
    /// What must not be overlooked.
    pub notices: Vec<Notice>,
    /// Everything else, in the order in which it is read.
    pub sections: Vec<Section>,
    /// What stands below everything: with what it was made.
    pub footer: String,
}

/// A part of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    /// What it is called.
    pub title: String,
    /// How to read it, in a sentence or two; may be empty.
    pub lead: String,
    /// What it shows.
    pub blocks: Vec<Block>,
}

impl Section {
    /// An empty section.
    pub fn new(title: impl Into<String>) -> Section {
        Section { title: title.into(), ..Section::default() }
    }

    /// With a word on how to read it.
    pub fn lead(self, lead: impl Into<String>) -> Section {
        Section { lead: lead.into(), ..self }
    }

    /// With one more block.
    pub fn block(mut self, block: Block) -> Section {
        self.blocks.push(block);
        self
    }

    /// Whether there is nothing to see.
    pub fn is_empty(&self) -> bool {
        self.blocks.iter().all(Block::is_empty)
    }
}
