//! Numbers of bytes as people write and read them.

use crate::progress::thousands;

/// The factors of the units, with the names they go by in small letters. A lone letter means the binary unit, as where
/// the limits of containers are written.
const UNITS: [(&[&str], f64); 8] = [
    (&["", "b", "byte", "bytes"], 1.0),
    (&["kb"], 1e3),
    (&["k", "ki", "kib"], 1024.0),
    (&["mb"], 1e6),
    (&["m", "mi", "mib"], 1048576.0),
    (&["gb"], 1e9),
    (&["g", "gi", "gib"], 1073741824.0),
    (&["t", "ti", "tib"], 1099511627776.0),
];

/// Reads `512MiB`, `2GB`, `1.5 GiB` or plain bytes. Fractions of a byte are dropped.
///
/// ```
/// use barun_train::memory::parse_bytes;
/// assert_eq!(parse_bytes("1.5 GiB"), Ok(1_610_612_736));
/// assert_eq!(parse_bytes("2GB"), Ok(2_000_000_000));
/// ```
///
/// # Errors
/// What is wrong and what to write, for whoever wrote it.
pub fn parse_bytes(text: &str) -> Result<usize, String> {
    const EXAMPLES: &str = "write a size such as 512MiB, 2GB, 1.5GiB or a number of bytes";
    let text = text.trim();
    let unit_at = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..unit_at].trim(), text[unit_at..].trim());
    let factor = UNITS
        .iter()
        .find(|(names, _)| names.contains(&unit.to_lowercase().as_str()))
        .map(|(_, factor)| factor)
        .ok_or_else(|| format!("'{unit}' is no unit of memory; {EXAMPLES}"))?;
    let is_plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number: f64 = number
        .parse()
        .ok()
        .filter(|_| is_plain)
        .ok_or_else(|| format!("'{text}' does not begin with a number; {EXAMPLES}"))?;
    let bytes = (number * factor).floor();
    if bytes < 1.0 {
        return Err(format!("no memory at all is too little; {EXAMPLES}"));
    }
    // From here on a float no longer tells neighbours apart, and no machine has as much.
    if bytes > 2f64.powi(53) {
        return Err(format!("that is more than any machine has; {EXAMPLES}"));
    }
    Ok(bytes as usize)
}

/// `16,123,456 bytes (15.4 MiB)`.
pub fn bytes_text(bytes: usize) -> String {
    let (plain, short) = (format!("{} bytes", thousands(bytes as f64)), short_bytes_text(bytes));
    if short == plain { plain } else { format!("{plain} ({short})") }
}

/// `15.4 MiB`; below a KiB plain bytes.
pub fn short_bytes_text(bytes: usize) -> String {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    match units.iter().rev().find(|(_, power)| bytes >> power > 0) {
        Some((unit, power)) => format!("{:.1} {unit}", bytes as f64 / (1u64 << power) as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_binary_and_decimal_units_with_fractions_and_spaces() {
        for (text, bytes) in [
            ("4096", 4096),
            ("512MiB", 512 << 20),
            ("512 mib", 512 << 20),
            ("2GB", 2_000_000_000),
            (" 1.5 GiB ", 3 << 29),
            ("2g", 2 << 30),
            ("1.0001kB", 1000),
            ("1 byte", 1),
            (".5KiB", 512),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_examples() {
        for (text, complaint) in [
            ("", "'' does not begin with a number"),
            ("much", "'much' is no unit"),
            ("GiB", "'GiB' does not begin with a number"),
            ("2 parsecs", "'parsecs' is no unit"),
            ("-1GiB", "'-1GiB' does not begin with a number"),
            ("1.2.3", "'1.2.3' does not begin with a number"),
            ("1e9", "'e9' is no unit"),
            ("0", "no memory at all"),
            ("0.5", "no memory at all"),
            ("99999999 TiB", "that is more than any machine has"),
        ] {
            let message = parse_bytes(text).unwrap_err();
            assert!(message.starts_with(complaint), "{text}: {message}");
            assert!(message.ends_with("write a size such as 512MiB, 2GB, 1.5GiB or a number of bytes"));
        }
    }

    #[test]
    fn a_size_is_told_exactly_and_in_a_unit_for_the_eye() {
        assert_eq!(bytes_text(999), "999 bytes");
        assert_eq!(bytes_text(1_610_612_736), "1,610,612,736 bytes (1.5 GiB)");
        assert_eq!(bytes_text(2048), "2,048 bytes (2.0 KiB)");
    }
}
