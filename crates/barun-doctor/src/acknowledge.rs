//! Rules whose findings the user knows and means.

use barun_train::nearest::nearest;

use crate::rules::{all, by_name};

/// The numbers of acknowledged rules, given by number or name in any case; what is no rule is left out, see
/// [`unknown_rule`].
pub(crate) fn numbers(acknowledged: &[String]) -> Vec<String> {
    acknowledged.iter().filter_map(|name| Some(by_name(name)?.about().id.to_string())).collect()
}

/// What is wrong with a list of acknowledged rules: the first that is no rule, with the nearest that is.
pub fn unknown_rule(acknowledged: &[String]) -> Option<String> {
    let unknown = acknowledged.iter().find(|name| by_name(name).is_none())?;
    let rules = all();
    let names = rules.iter().flat_map(|rule| [rule.about().id, rule.about().name]);
    let hint = nearest(unknown, names).map_or(String::new(), |near| format!(": did you mean `{near}`?"));
    Some(format!(
        "`doctor.acknowledge` has \"{unknown}\", which is no rule{hint}; `barun list rules` shows them"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_acknowledged_by_number_or_name_and_slips_are_told() {
        let given = ["r24".to_string(), "DEAD_UNITS".to_string()];
        assert_eq!(numbers(&given), ["R24", "R11"]);
        assert_eq!(unknown_rule(&given), None);
        let slip = unknown_rule(&["DEAD_UNIT".to_string()]).unwrap();
        assert!(slip.contains("did you mean `DEAD_UNITS`?"), "{slip}");
    }
}
