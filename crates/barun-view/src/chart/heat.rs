//! A matrix of counts: what was taken for what.

use super::frame::{Picture, fitted, width_of};
use crate::number::thousands;

/// A square matrix, a row for what things are and a column for what they were taken for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatMap {
    /// What it is called.
    pub title: String,
    /// The names of rows and columns.
    pub names: Vec<String>,
    /// The counts, row by row.
    pub counts: Vec<Vec<u64>>,
}

/// With more names than this counts are shown under the pointer only.
const MOST_WRITTEN: usize = 20;
/// The longest name that is written whole.
const NAME: f64 = 100.0;

impl HeatMap {
    /// The chart as an `svg` element. A cell is the darker, the larger its share of its row.
    pub fn svg(&self) -> String {
        let size = self.names.len().max(1);
        let cell = (400.0 / size as f64).clamp(4.0, 64.0);
        // Names as high as a cell at least, else some are left out.
        let every = (11.0 / cell).ceil() as usize;
        let names: Vec<String> = self.names.iter().map(|name| fitted(name, NAME)).collect();
        let widest = names.iter().map(|name| width_of(name)).fold(0.0, f64::max);
        let is_upright = names.iter().any(|name| width_of(name) > cell - 2.0);
        let (left, top) = (widest + 26.0, if is_upright { widest + 30.0 } else { 36.0 });
        let side = cell * size as f64;
        let mut picture = Picture::new(left + side + 4.0, top + side + 4.0);
        picture.text("label", "middle", (left + side / 2.0, 12.0), "predicted");
        picture.upwards("label", "middle", (12.0, top + side / 2.0), "actual");
        for (at, name) in names.iter().enumerate().filter(|(at, _)| at % every == 0) {
            let middle = cell * (at as f64 + 0.5);
            picture.text("name", "end", (left - 6.0, top + middle + 3.5), name);
            match is_upright {
                true => picture.upwards("name", "start", (left + middle + 3.5, top - 6.0), name),
                false => picture.text("name", "middle", (left + middle, top - 6.0), name),
            }
        }
        for (row, counts) in self.counts.iter().enumerate() {
            let total: u64 = counts.iter().sum();
            for (column, &count) in counts.iter().enumerate() {
                let share = count as f64 / total.max(1) as f64;
                let place = [left + cell * column as f64, top + cell * row as f64, cell - 1.0, cell - 1.0];
                // A single mistake among many rows shall be seen.
                let strength = if count == 0 { 0.0 } else { 0.12 + 0.88 * share };
                picture.cell(strength, place, &self.tip(row, column, count, share));
                if size <= MOST_WRITTEN && count > 0 {
                    let class = if strength > 0.55 { "count on" } else { "count" };
                    let middle = (place[0] + cell / 2.0 - 0.5, place[1] + cell / 2.0 + 3.5);
                    picture.text(class, "middle", middle, &thousands(count));
                }
            }
        }
        picture.svg(&self.title)
    }

    fn tip(&self, row: usize, column: usize, count: u64, share: f64) -> String {
        let name = |at: usize| self.names.get(at).map_or("", String::as_str);
        let (actual, predicted) = (name(row), name(column));
        format!(
            "actual {actual}\npredicted {predicted}\n{} rows, {:.1} % of {actual}",
            thousands(count),
            100.0 * share
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_says_what_was_taken_for_what() {
        let names = vec!["cat".to_string(), "<script>".to_string()];
        let svg = HeatMap { title: "confusion".into(), names, counts: vec![vec![3, 1], vec![0, 6]] }.svg();
        assert!(svg.contains("actual cat\npredicted &lt;script&gt;\n1 rows, 25.0 % of cat"), "{svg}");
        assert!(!svg.contains("<script"));
        assert_eq!(svg.matches("class=\"cell\"").count(), 4);
        assert_eq!(svg.matches("class=\"count").count(), 3);
    }

    #[test]
    fn a_thousand_classes_stay_a_picture() {
        let names: Vec<String> = (0..1000).map(|class| format!("class {class}")).collect();
        let counts = vec![vec![1; 10]; 10];
        let svg = HeatMap { title: "confusion".into(), names, counts }.svg();
        assert!(svg.matches("<text").count() < 1500);
    }
}
