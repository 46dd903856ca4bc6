//! Lines of a recipe as they are typed: `--set key=value`, in quotes where a shell would read more into it, numbers with few
//! digits.

/// What is typed to set these lines of a recipe, such as `--set train.lr=0.1 --set "train.clip=norm(1)"`.
///
/// In double quotes, which every shell knows; what has those itself, or what a Unix shell reads within them, is in single ones.
pub fn as_arguments(settings: &[String]) -> String {
    settings.iter().map(|setting| format!("--set {}", argument(setting))).collect::<Vec<_>>().join(" ")
}

fn argument(setting: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-+=.,:/".contains(c);
    match () {
        () if setting.chars().all(is_plain) => setting.to_string(),
        () if setting.contains(['"', '$', '`', '\\', '!']) => format!("'{}'", setting.replace('\'', r"'\''")),
        () => format!("\"{setting}\""),
    }
}

/// A number rounded to so many digits that count, as a recipe takes it: `0.00986`, `3e5`.
pub fn short_number(number: f64, digits: usize) -> String {
    let rounded: f64 = format!("{number:.*e}", digits.saturating_sub(1)).parse().unwrap_or(number);
    match rounded.abs() {
        size if size == 0.0 || (1e-4..1e5).contains(&size) => format!("{rounded}"),
        _ => format!("{rounded:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_count_and_no_row_of_zeros() {
        let numbers =
            [0.0, 0.009_861_2, 1.0 / 3.0, 299_999.0, 1e-9, 3.3e299].map(|number| short_number(number, 2));
        assert_eq!(numbers, ["0", "0.0099", "0.33", "3e5", "1e-9", "3.3e299"]);
        assert_eq!(short_number(0.51234, 3), "0.512");
    }

    #[test]
    fn what_a_shell_would_take_apart_is_in_quotes() {
        let settings =
            ["train.lr=1e-3", "train.clip=norm(1)", "train.schedule.warmup=1 epoch"].map(String::from);
        assert_eq!(
            as_arguments(&settings),
            "--set train.lr=1e-3 --set \"train.clip=norm(1)\" --set \"train.schedule.warmup=1 epoch\""
        );
        let settings = ["doctor.acknowledge=[\"R24\"]", "data.target='a' $b"].map(String::from);
        assert_eq!(
            as_arguments(&settings),
            r#"--set 'doctor.acknowledge=["R24"]' --set 'data.target='\''a'\'' $b'"#
        );
    }
}
