//! Which cells say that there is no value.

/// What stands in a cell that has no value, unless said otherwise. Spaces around it do not count.
pub const DEFAULT_MARKS: [&str; 9] = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"];

/// The cells that count as missing.
#[derive(Clone, Debug)]
pub(crate) struct Marks {
    marks: Vec<Vec<u8>>,
    /// By first byte, so that most cells are told apart by one look.
    starts: [bool; 256],
    /// A mark such as -999 looks like a number and must be looked for first.
    pub any_is_number: bool,
}

impl Marks {
    /// The given marks, or [`DEFAULT_MARKS`]; an empty cell is always missing.
    pub fn new(marks: Option<&[String]>) -> Marks {
        let marks: Vec<Vec<u8>> = match marks {
            Some(marks) => marks.iter().map(|mark| mark.trim().as_bytes().to_vec()).collect(),
            None => DEFAULT_MARKS.iter().map(|mark| mark.as_bytes().to_vec()).collect(),
        };
        let mut starts = [false; 256];
        marks.iter().filter_map(|mark| mark.first()).for_each(|&first| starts[usize::from(first)] = true);
        let is_number = |mark: &Vec<u8>| fast_float2::parse::<f64, _>(mark).is_ok_and(f64::is_finite);
        let any_is_number = marks.iter().any(is_number);
        Marks { marks, starts, any_is_number }
    }

    /// Whether a trimmed cell is missing.
    pub fn contain(&self, cell: &[u8]) -> bool {
        match cell.first() {
            None => true,
            Some(&first) => self.starts[usize::from(first)] && self.marks.iter().any(|mark| mark == cell),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_marks_are_missing_and_words_that_begin_like_them_are_not() {
        let marks = Marks::new(None);
        assert!(DEFAULT_MARKS.iter().all(|mark| marks.contain(mark.as_bytes())));
        assert!(!marks.contain(b"Nancy") && !marks.contain(b"0") && !marks.any_is_number);
    }

    #[test]
    fn marks_can_be_replaced_and_may_be_numbers() {
        let marks = Marks::new(Some(&["-999".into(), " n.a. ".into()]));
        assert!(marks.contain(b"-999") && marks.contain(b"n.a.") && marks.contain(b""));
        assert!(!marks.contain(b"NA") && marks.any_is_number);
    }
}
