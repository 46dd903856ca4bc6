//! How much of each name.

use super::frame::{Picture, fitted, width_of};
use crate::number::{short, thousands};

/// Horizontal bars, one a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BarChart {
    /// What it is called.
    pub title: String,
    /// Names and amounts, from above. What is not finite has no bar.
    pub bars: Vec<(String, f64)>,
}

const WIDTH: f64 = 460.0;
const ROW: f64 = 20.0;

impl BarChart {
    /// The chart as an `svg` element.
    pub fn svg(&self) -> String {
        let names: Vec<String> = self.bars.iter().map(|(name, _)| fitted(name, 150.0)).collect();
        let texts: Vec<String> = self.bars.iter().map(|(_, amount)| amount_text(*amount)).collect();
        let widest = |texts: &[String]| texts.iter().map(|text| width_of(text)).fold(0.0, f64::max);
        let (left, right) = (widest(&names) + 10.0, WIDTH - widest(&texts) - 10.0);
        let amounts = self.bars.iter().map(|(_, amount)| *amount).filter(|amount| amount.is_finite());
        let most = amounts.fold(0.0, f64::max);
        let mut picture = Picture::new(WIDTH, ROW * self.bars.len() as f64 + 4.0);
        for (at, (name, amount)) in self.bars.iter().enumerate() {
            let top = ROW * at as f64 + 2.0;
            let share = if *amount > 0.0 && most > 0.0 { amount / most } else { 0.0 };
            let tip = format!("{name}: {}", texts[at]);
            picture.text("name", "end", (left - 6.0, top + 14.0), &names[at]);
            picture.rect("bar", [left, top + 2.0, share * (right - left), ROW - 5.0], &tip);
            picture.text("tick", "start", (left + share * (right - left) + 5.0, top + 14.0), &texts[at]);
        }
        picture.svg(&self.title)
    }
}

fn amount_text(amount: f64) -> String {
    match amount.fract() == 0.0 && (0.0..1e15).contains(&amount) {
        true => thousands(amount as u64),
        false => short(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_escaped_and_the_longest_bar_is_the_largest_amount() {
        let bars = vec![("<b>".to_string(), 1200.0), ("c".to_string(), 300.0), ("d".to_string(), f64::NAN)];
        let svg = BarChart { title: "rows".into(), bars }.svg();
        assert!(svg.contains("&lt;b&gt;: 1,200") && !svg.contains("<b>"), "{svg}");
        assert_eq!(svg.matches("class=\"bar\"").count(), 3);
    }
}
