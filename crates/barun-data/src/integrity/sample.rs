//! Looking at a part of the rows where all of them would take too long, and saying so.

use barun_engine::random::Stream;

/// What has been sampled so far, in sentences.
#[derive(Default)]
pub(super) struct Sampled {
    pub notes: Vec<String>,
}

impl Sampled {
    /// All `rows`, or `most` of them drawn at random and put in order; `what` was looked at in a sample then.
    pub fn rows(&mut self, rows: &[usize], most: usize, what: &str) -> Vec<usize> {
        if rows.len() <= most {
            return rows.to_vec();
        }
        self.note(format!("{what}: {most} rows of {}, drawn at random", rows.len()));
        let mut drawn = rows.to_vec();
        Stream::new(0, what).shuffle(&mut drawn);
        drawn.truncate(most);
        drawn.sort_unstable();
        drawn
    }

    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
