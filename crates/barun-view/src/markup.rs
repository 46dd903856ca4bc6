//! Text that becomes part of a page.

/// `text` as it may stand between tags and in a quoted attribute. Control characters, which pages must not have, become
/// the character that stands for what cannot be shown.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// About how wide `text` is in ems of a proportional font: there is no font here to ask. Letters of the wide scripts, such
/// as Hangul, take a whole one.
pub(crate) fn width_em(text: &str) -> f64 {
    let width = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' => 0.3,
        'm' | 'w' | 'M' | 'W' | '@' => 0.87,
        c if ('\u{1100}'..='\u{11ff}').contains(&c) || c >= '\u{2e80}' => 1.0,
        c if c.is_uppercase() => 0.69,
        c if c.is_ascii_digit() => 0.64,
        _ => 0.57,
    };
    text.chars().map(width).sum()
}

/// `text`, or its beginning and an ellipsis where it would be wider than `most` ems.
pub(crate) fn shortened(text: &str, most: f64) -> String {
    if width_em(text) <= most {
        return text.to_string();
    }
    let mut short = String::new();
    let mut width = width_em("…");
    for c in text.chars() {
        width += width_em(c.encode_utf8(&mut [0; 4]));
        if width > most {
            break;
        }
        short.push(c);
    }
    short + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_ends_a_tag_or_an_attribute() {
        let text = "<script>alert(\"a\")</script> & 'b'\u{0}";
        let safe = escaped(text);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{0}']), "{safe}");
        assert_eq!(escaped("한국어 ü"), "한국어 ü");
    }

    #[test]
    fn long_names_are_shortened_by_their_width() {
        assert_eq!(shortened("rose", 10.0), "rose");
        let short = shortened(&"x".repeat(100), 10.0);
        assert!(short.ends_with('…') && width_em(&short) <= 10.0, "{short}");
        assert!(shortened(&"가".repeat(100), 10.0).chars().count() < short.chars().count());
    }
}
