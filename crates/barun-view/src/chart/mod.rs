//! Charts as SVG, written for a page that may be light or dark, on a screen, a phone or paper.
//!
//! A chart is plain data with one method, `svg`. It names classes (`train`, `axis`) and leaves colours to the page's style
//! sheet, so that one picture serves light and dark; a library that writes fixed colours and measures fonts could not. What
//! a mark stands for is written at it as `data-tip`, which the page's script shows under the pointer.
//!
//! | chart | for |
//! |---|---|
//! | [`LineChart`] | a figure over epochs or steps, of several parts |
//! | [`BarChart`] | how much of each name |
//! | [`HistogramChart`] | how numbers are distributed, now and before |
//! | [`HeatMap`] | a confusion matrix |
//! | [`ScatterChart`] | predicted over actual numbers, residuals |
//! | [`ReliabilityChart`] | whether probabilities are what they say |
//!
//! Colours are those of Okabe and Ito, "Color Universal Design", 2008, which people who see few colours tell apart; lines
//! differ in their strokes as well.

mod bars;
mod frame;
mod heat;
mod histogram;
mod line;
mod reliability;
mod scatter;

pub use bars::BarChart;
pub use heat::HeatMap;
pub use histogram::HistogramChart;
pub use line::{LineChart, Mark, Series};
pub use reliability::{ReliabilityBin, ReliabilityChart};
pub use scatter::{Guide, ScatterChart};

/// A chart of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Chart {
    /// A figure over epochs or steps.
    Line(LineChart),
    /// How much of each name.
    Bars(BarChart),
    /// How numbers are distributed.
    Histogram(HistogramChart),
    /// A matrix.
    Heat(HeatMap),
    /// A cloud of points.
    Scatter(ScatterChart),
    /// Whether probabilities are what they say.
    Reliability(ReliabilityChart),
}

impl Chart {
    /// The chart as an `svg` element.
    pub fn svg(&self) -> String {
        match self {
            Chart::Line(chart) => chart.svg(),
            Chart::Bars(chart) => chart.svg(),
            Chart::Histogram(chart) => chart.svg(),
            Chart::Heat(chart) => chart.svg(),
            Chart::Scatter(chart) => chart.svg(),
            Chart::Reliability(chart) => chart.svg(),
        }
    }

    /// The chart as a file of its own, with the colours of a page: for a browser, or whatever shows SVG with style sheets.
    pub fn file(&self) -> String {
        let svg = self.svg();
        let inside = svg.find('>').map_or("", |end| &svg[end + 1..]);
        let head = &svg[..svg.len() - inside.len()];
        let head = head.replacen("<svg ", r#"<svg xmlns="http://www.w3.org/2000/svg" "#, 1);
        let style = crate::report::STYLE;
        format!(
            "{head}<style><![CDATA[\n{style}]]></style>\
             <rect width=\"100%\" height=\"100%\" style=\"fill:var(--paper)\"/>{inside}\n"
        )
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        match self {
            Chart::Line(chart) => &chart.title,
            Chart::Bars(chart) => &chart.title,
            Chart::Histogram(chart) => &chart.title,
            Chart::Heat(chart) => &chart.title,
            Chart::Scatter(chart) => &chart.title,
            Chart::Reliability(chart) => &chart.title,
        }
    }
}
