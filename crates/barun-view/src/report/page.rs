//! From a document to its page.

use std::fmt::Write;

use super::block::{Block, Card, Figure, Notice, Severity, Table, Tile};
use super::{Document, Section};
use crate::markup::escaped;

pub(crate) const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Cells of more letters than this are broken into lines.
const LONG_CELL: usize = 40;
/// The page may show pictures that are part of it and run its own script, and load nothing.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The report as a page, whole in itself.
pub fn page(document: &Document) -> String {
    let sections: Vec<&Section> = document.sections.iter().filter(|section| !section.is_empty()).collect();
    let title = escaped(&document.title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title>\n\
         <style>\n{STYLE}</style></head>\n<body>\n<header><h1>{title}</h1>"
    );
    if !document.lead.is_empty() {
        let _ = write!(html, "<p class=\"lead\">{}</p>", escaped(&document.lead));
    }
    html.push_str("</header>\n<main>\n");
    tiles(&mut html, &document.tiles);
    notices(&mut html, &document.notices);
    contents(&mut html, &sections);
    for (number, section) in sections.iter().enumerate() {
        let _ = write!(html, "<section id=\"s{number}\"><h2>{}</h2>", escaped(&section.title));
        if !section.lead.is_empty() {
            let _ = write!(html, "<p class=\"lead\">{}</p>", escaped(&section.lead));
        }
        for shown in section.blocks.iter().filter(|block| !block.is_empty()) {
            block(&mut html, shown);
        }
        html.push_str("</section>\n");
    }
    let footer = escaped(&document.footer);
    let _ = write!(
        html,
        "</main>\n<footer>{footer}</footer>\n<div id=\"tip\" hidden></div>\n<script>\n{SCRIPT}</script>\n</body></html>\n"
    );
    html
}

fn contents(html: &mut String, sections: &[&Section]) {
    if sections.len() < 3 {
        return;
    }
    html.push_str("<nav>");
    for (number, section) in sections.iter().enumerate() {
        let _ = write!(html, "<a href=\"#s{number}\">{}</a>", escaped(&section.title));
    }
    html.push_str("</nav>\n");
}

fn block(html: &mut String, block: &Block) {
    match block {
        Block::Text(text) => {
            let _ = write!(html, "<p>{}</p>", escaped(text));
        }
        Block::Notices(found) => notices(html, found),
        Block::Charts(charts) => figures(html, "charts", charts),
        Block::SmallCharts { heading, figures: charts } => {
            let _ = write!(html, "<h3>{}</h3>", escaped(heading));
            figures(html, "charts small", charts);
        }
        Block::Table(shown) => table(html, shown),
        Block::Cards(shown) => cards(html, shown),
        Block::Code { caption, text } => {
            let _ = write!(html, "<h3>{}</h3><pre>{}</pre>", escaped(caption), escaped(text));
        }
    }
}

fn tiles(html: &mut String, tiles: &[Tile]) {
    if tiles.is_empty() {
        return;
    }
    html.push_str("<div class=\"tiles\">");
    for tile in tiles {
        let _ = write!(
            html,
            "<div class=\"tile\"><span class=\"what\">{}</span><span class=\"value\">{}</span>",
            escaped(&tile.name),
            escaped(&tile.value)
        );
        if !tile.detail.is_empty() {
            let _ = write!(html, "<span class=\"detail\">{}</span>", escaped(&tile.detail));
        }
        html.push_str("</div>");
    }
    html.push_str("</div>\n");
}

fn notices(html: &mut String, notices: &[Notice]) {
    for notice in notices {
        let (class, word) = match notice.severity {
            Severity::Good => ("good", "ok"),
            Severity::Note => ("note", "note"),
            Severity::Warning => ("warning", "warning"),
            Severity::Error => ("error", "serious"),
        };
        let text = prose(&notice.text);
        let _ = write!(html, "<div class=\"notice {class}\"><b>{word}</b><div>{text}");
        for detail in &notice.details {
            let _ = write!(html, "<div>{}</div>", prose(detail));
        }
        advice(html, &notice.advice);
        html.push_str("</div></div>\n");
    }
}

fn advice(html: &mut String, advice: &[String]) {
    match advice {
        [] => {}
        [only] => {
            let _ = write!(html, "<div class=\"advice\">{}</div>", prose(only));
        }
        several => {
            let items: String = several.iter().map(|item| format!("<li>{}</li>", prose(item))).collect();
            let _ = write!(html, "<ol class=\"advice\">{items}</ol>");
        }
    }
}

/// Text in which what stands between back-quotes is code.
fn prose(text: &str) -> String {
    let escaped = escaped(text);
    let parts: Vec<&str> = escaped.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escaped;
    }
    let part = |(at, part): (usize, &&str)| match at % 2 {
        0 => part.to_string(),
        _ => format!("<code>{part}</code>"),
    };
    parts.iter().enumerate().map(part).collect()
}

fn figures(html: &mut String, class: &str, figures: &[Figure]) {
    let _ = write!(html, "<div class=\"{class}\">");
    for figure in figures {
        let (title, svg) = (escaped(figure.chart.title()), figure.chart.svg());
        let _ = write!(html, "<figure><h3>{title}</h3>{svg}");
        if !figure.caption.is_empty() {
            let _ = write!(html, "<figcaption>{}</figcaption>", escaped(&figure.caption));
        }
        html.push_str("</figure>\n");
    }
    html.push_str("</div>\n");
}

fn table(html: &mut String, table: &Table) {
    let of_numbers: Vec<bool> = (0..table.header.len()).map(|column| is_of_numbers(table, column)).collect();
    let class_of = |column: usize, cell: &str| match of_numbers.get(column) {
        Some(true) => " class=\"number\"",
        _ if cell.chars().count() > LONG_CELL => " class=\"long\"",
        _ => "",
    };
    html.push_str("<div class=\"scroll\"><table><thead><tr>");
    for (column, name) in table.header.iter().enumerate() {
        let _ = write!(html, "<th{}>{}</th>", class_of(column, ""), escaped(name));
    }
    html.push_str("</tr></thead><tbody>\n");
    for row in &table.rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(html, "<td{}>{}</td>", class_of(column, cell), escaped(cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    if !table.caption.is_empty() {
        let _ = write!(html, "<p class=\"caption\">{}</p>", escaped(&table.caption));
    }
}

/// Whether a column stands to the right: it is not the one that names the rows, and has nothing but numbers in it.
fn is_of_numbers(table: &Table, column: usize) -> bool {
    column > 0 && table.rows.iter().all(|row| row.get(column).is_some_and(|cell| is_number(cell)))
}

/// Whether a cell begins as a number does and has no words in it.
fn is_number(cell: &str) -> bool {
    let begins = |c: char| c.is_ascii_digit() || "-+–".contains(c);
    cell.starts_with(begins) && !cell.chars().any(|c| c == '(' || (c.is_alphabetic() && c != 'e'))
}

fn cards(html: &mut String, cards: &[Card]) {
    html.push_str("<div class=\"cards\">");
    for card in cards {
        let (address, lines) = (card.picture.data_address(), &card.lines);
        // Small pictures are shown large, pixel by pixel, so that one sees what the network saw.
        let class = if card.picture.width.max(card.picture.height) < 100 { " class=\"pixels\"" } else { "" };
        let alt = escaped(&lines.join(", "));
        let _ = write!(html, "<div class=\"card\"><img{class} alt=\"{alt}\" src=\"{address}\">");
        for (at, line) in lines.iter().enumerate() {
            let tag = if at == 0 { "b" } else { "span" };
            let _ = write!(html, "<{tag}>{}</{tag}>", escaped(line));
        }
        html.push_str("</div>\n");
    }
    html.push_str("</div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::{BarChart, Chart};
    use crate::report::Picture;

    const NASTY: &str = "<script>alert('x')</script>\" onload=\"alert(1)";

    /// A document with the same text wherever a text may stand.
    fn everywhere(text: &str) -> Document {
        let text = || text.to_string();
        let chart = BarChart { title: text(), bars: vec![(text(), 1.0)] };
        let picture = Picture::of([1, 1, 1], &[9]).unwrap();
        let notice = || Notice {
            severity: Severity::Warning,
            text: text(),
            details: vec![text()],
            advice: vec![text(), text()],
        };
        let blocks = vec![
            Block::Text(text()),
            Block::Notices(vec![notice()]),
            Block::Charts(vec![Figure::new(Chart::Bars(chart)).caption(text())]),
            Block::Table(Table { caption: text(), ..Table::new([text()]).row([text()]) }),
            Block::Cards(vec![Card { picture, lines: vec![text(), text()] }]),
            Block::Code { caption: text(), text: text() },
            Block::SmallCharts { heading: text(), figures: vec![] },
        ];
        Document {
            title: text(),
            lead: text(),
            tiles: vec![Tile { name: text(), value: text(), detail: text() }],
            notices: vec![notice()],
            sections: vec![Section { title: text(), lead: text(), blocks }; 3],
            footer: text(),
        }
    }

    #[test]
    fn what_stands_between_back_quotes_is_code_and_a_single_one_is_itself() {
        assert_eq!(prose("try `a < b` or `c`."), "try <code>a &lt; b</code> or <code>c</code>.");
        assert_eq!(prose("5` wide"), "5` wide");
    }

    #[test]
    fn no_text_becomes_markup() {
        let (nasty, plain) = (page(&everywhere(NASTY)), page(&everywhere("plain")));
        assert_eq!(nasty.matches("<script").count(), 1);
        assert!(!nasty.contains("onload=\"alert"));
        // The same tags in the same number.
        assert_eq!(nasty.matches('<').count(), plain.matches('<').count());
    }

    #[test]
    fn a_page_asks_for_nothing_from_elsewhere() {
        let html = page(&everywhere("plain"));
        for address in ["http:", "https:", "//", "@import", "url("] {
            let is_comment = |line: &&str| line.trim_start().starts_with("//");
            let found = html.lines().find(|line| line.contains(address) && !is_comment(line));
            assert_eq!(found, None, "{address}");
        }
    }

    #[test]
    fn what_there_is_nothing_of_is_left_out() {
        let empty = Section::new("Nothing").lead("how to read it").block(Block::Table(Table::new(["a"])));
        let html = page(&Document { title: "t".into(), sections: vec![empty], ..Document::default() });
        assert!(!html.contains("Nothing") && !html.contains("<nav>") && !html.contains("class=\"tiles\""));
    }

    #[test]
    fn numbers_stand_to_the_right_and_words_do_not() {
        for number in ["12", "-0.5", "1.2e-5", "0.95 – 0.99", "10.0 %", "–"] {
            assert!(is_number(number), "{number}");
        }
        for word in ["rose", "", "3 of 7 rows", "e5", "9 (2)"] {
            assert!(!is_number(word), "{word}");
        }
    }
}
