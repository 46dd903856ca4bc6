//! The frame around what a chart shows: axes, ticks, labels, legend; and the elements that go into it.

use std::fmt::Write;

use crate::markup::{escaped, shortened, width_em};
use crate::scale::Axis;

/// Pixels of letters; the page scales the whole picture.
const FONT: f64 = 11.0;

/// Pixels of a row of the legend, of the key before a name, and between two entries.
const LEGEND_ROW: f64 = 14.0;
const KEY: f64 = 24.0;
const BETWEEN_ENTRIES: f64 = 12.0;

/// A picture being drawn. Coordinates are pixels from the upper left corner.
pub(super) struct Picture {
    width: f64,
    height: f64,
    elements: String,
}

impl Picture {
    pub fn new(width: f64, height: f64) -> Picture {
        Picture { width, height, elements: String::new() }
    }

    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = write!(
            self.elements,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    /// A rectangle; `tip` is what is said of it under the pointer.
    pub fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4], tip: &str) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        let _ = write!(
            self.elements,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"{}/>"#,
            tip_attribute(tip)
        );
    }

    /// A rectangle as dark as `strength` says, from 0 to 1.
    pub fn cell(&mut self, strength: f64, [x, y, width, height]: [f64; 4], tip: &str) {
        let _ = write!(
            self.elements,
            r#"<rect class="cell" fill-opacity="{strength:.3}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"{}/>"#,
            tip_attribute(tip)
        );
    }

    pub fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64, tip: &str) {
        let _ = write!(
            self.elements,
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"{}/>"#,
            tip_attribute(tip)
        );
    }

    /// A line through points; where there is none, it is broken.
    pub fn path(&mut self, class: &str, points: impl Iterator<Item = Option<(f64, f64)>>) {
        let mut path = String::new();
        let mut is_broken = true;
        for point in points {
            if let Some((x, y)) = point {
                let _ = write!(path, "{}{x:.1} {y:.1}", if is_broken { 'M' } else { 'L' });
            }
            is_broken = point.is_none();
        }
        let _ = write!(self.elements, r#"<path class="{class}" d="{path}"/>"#);
    }

    /// Text whose `anchor` (`start`, `middle`, `end`) is at `x`, its base line at `y`.
    pub fn text(&mut self, class: &str, anchor: &str, (x, y): (f64, f64), text: &str) {
        let text = escaped(text);
        let _ = write!(
            self.elements,
            r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{text}</text>"#
        );
    }

    /// Text that runs upwards.
    pub fn upwards(&mut self, class: &str, anchor: &str, (x, y): (f64, f64), text: &str) {
        let text = escaped(text);
        let _ = write!(
            self.elements,
            r#"<text class="{class}" text-anchor="{anchor}" transform="translate({x:.1} {y:.1}) rotate(-90)">{text}</text>"#
        );
    }

    /// The whole as an `svg` element, called `title` for those who hear pages.
    pub fn svg(self, title: &str) -> String {
        let Picture { width, height, elements } = self;
        let title = escaped(title);
        format!(
            r#"<svg viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{title}" style="max-width:{:.0}px">{elements}</svg>"#,
            width * 1.35
        )
    }
}

fn tip_attribute(tip: &str) -> String {
    if tip.is_empty() { String::new() } else { format!(r#" data-tip="{}""#, escaped(tip)) }
}

/// How wide `text` is.
pub(super) fn width_of(text: &str) -> f64 {
    FONT * width_em(text)
}

/// `text` in at most `pixels`.
pub(super) fn fitted(text: &str, pixels: f64) -> String {
    shortened(text, pixels / FONT)
}

/// A name in a legend and the class of its key.
pub(super) struct Entry<'a> {
    pub name: &'a str,
    pub class: &'a str,
    /// Whether the key is a line; else a patch.
    pub is_line: bool,
}

/// What a frame shows beside its axes.
pub(super) struct Labels<'a> {
    pub x: &'a str,
    pub y: &'a str,
    pub legend: &'a [Entry<'a>],
}

/// A label with what must be known of its axis.
fn scaled_label(label: &str, axis: &Axis) -> String {
    if axis.is_log() { format!("{label}, log scale") } else { label.to_string() }
}

/// The entries of each row of a legend in `width` pixels; of the first row `taken` are taken.
fn rows<'a>(mut entries: &'a [Entry<'a>], width: f64, mut taken: f64) -> Vec<&'a [Entry<'a>]> {
    let mut rows = Vec::new();
    while !entries.is_empty() {
        let mut end = taken;
        let widths = entries.iter().map(|entry| BETWEEN_ENTRIES + KEY + width_of(entry.name));
        let fit = widths.take_while(|entry| {
            end += entry;
            end <= width
        });
        let fit = fit.count().max(usize::from(taken == 0.0));
        let (row, rest) = entries.split_at(fit);
        rows.push(row);
        (entries, taken) = (rest, 0.0);
    }
    rows
}

/// A picture with two axes.
pub(super) struct Frame {
    pub picture: Picture,
    pub x: Axis,
    pub y: Axis,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame {
    /// A frame of `width` by `height` pixels with axes, grid, labels and legend drawn.
    pub fn new((width, height): (f64, f64), (x, y): (Axis, Axis), labels: &Labels<'_>) -> Frame {
        let widest = y.ticks.iter().map(|(_, label)| width_of(label)).fold(0.0, f64::max);
        let first = x.ticks.first().map_or(0.0, |(_, label)| width_of(label) / 2.0);
        let last = x.ticks.last().map_or(0.0, |(_, label)| width_of(label) / 2.0);
        let y_label = scaled_label(labels.y, &y);
        let legend = rows(labels.legend, width - 8.0, width_of(&y_label));
        let above = match legend.len() {
            0 if labels.y.is_empty() => 8.0,
            rows => 8.0 + LEGEND_ROW * rows.max(1) as f64,
        };
        let below = if labels.x.is_empty() { 18.0 } else { 34.0 };
        let (left, right) = ((widest + 10.0).max(first + 2.0), width - last.max(8.0));
        let picture = Picture::new(width, height);
        let mut frame = Frame { picture, x, y, left, right, top: above, bottom: height - below };
        frame.draw_axes();
        frame.picture.text("label", "start", (2.0, 12.0), &y_label);
        frame.draw_x_label(labels.x);
        for (row, entries) in legend.into_iter().enumerate() {
            frame.draw_legend(LEGEND_ROW * row as f64, entries);
        }
        frame
    }

    fn draw_axes(&mut self) {
        for (tick, label) in self.y.ticks.clone() {
            let Some(at) = self.y_of(tick) else { continue };
            self.picture.line("grid", (self.left, at), (self.right, at));
            self.picture.text("tick", "end", (self.left - 6.0, at + 3.5), &label);
        }
        // Labels that would touch are left out.
        let mut free = f64::NEG_INFINITY;
        for (tick, label) in self.x.ticks.clone() {
            let Some(at) = self.x_of(tick) else { continue };
            self.picture.line("axis", (at, self.bottom), (at, self.bottom + 4.0));
            let half = width_of(&label) / 2.0;
            if at - half >= free {
                self.picture.text("tick", "middle", (at, self.bottom + 15.0), &label);
                free = at + half + 5.0;
            }
        }
        self.picture.line("axis", (self.left, self.bottom), (self.right, self.bottom));
    }

    fn draw_x_label(&mut self, label: &str) {
        let label = scaled_label(label, &self.x);
        if !label.is_empty() {
            self.picture.text(
                "label",
                "middle",
                ((self.left + self.right) / 2.0, self.bottom + 30.0),
                &label,
            );
        }
    }

    /// A row of the legend, to the right.
    fn draw_legend(&mut self, top: f64, entries: &[Entry<'_>]) {
        let mut at = self.right;
        for entry in entries.iter().rev() {
            at -= width_of(entry.name);
            self.picture.text("label", "start", (at, top + 12.0), entry.name);
            at -= KEY;
            match entry.is_line {
                true => self.picture.line(entry.class, (at, top + 8.5), (at + 19.0, top + 8.5)),
                false => self.picture.rect(entry.class, [at + 6.0, top + 3.5, 12.0, 10.0], ""),
            }
            at -= BETWEEN_ENTRIES;
        }
    }

    /// Where a number of the horizontal axis lies.
    pub fn x_of(&self, number: f64) -> Option<f64> {
        Some(self.left + self.x.place(number)? * (self.right - self.left))
    }

    /// Where a number of the vertical axis lies.
    pub fn y_of(&self, number: f64) -> Option<f64> {
        Some(self.bottom - self.y.place(number)? * (self.bottom - self.top))
    }

    /// Where a pair of numbers lies.
    pub fn point(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x_of(x)?, self.y_of(y)?))
    }

    /// The area between the axes: left, top, right, bottom.
    pub fn area(&self) -> [f64; 4] {
        [self.left, self.top, self.right, self.bottom]
    }
}
