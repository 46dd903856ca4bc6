//! The page about the doctor, written from the rules themselves.

use std::path::Path;

use barun_doctor::rules::{About, all, explanation};

const INTRODUCTION: &str = "\
# The doctor

The doctor looks into a network while it learns, tells what is wrong as it arises, and at the end the root cause first. It
changes nothing: a run ends with the same bits with and without it.

```
barun train digits                        the doctor advises, unless told otherwise
barun train digits --doctor off           nobody watches
barun check digits                        what can be said before training: data, network, first step
barun doctor runs/digits-mlp-1            what was wrong with a run
barun list rules                          what it looks for
barun explain R11                         one of the rules
```

In a recipe `doctor.mode` is `advise` or `off`, and `doctor.acknowledge = [\"R24\"]` names rules whose findings are known and
meant. In Rust: `Trainer::new(model, loss).with(Doctor::advise())`, then `trained.report().doctor`.

## What it says

A finding has a rule, a level (`info`: worth knowing; `warn`: it costs accuracy or time; `error`: the run cannot end well), a
place, what was measured and against what, why it matters, what else points to it, and cures, the best first, with the settings
that do them. `--json` of `barun train` has them under `doctor.findings`. A run's folder has

- `findings.jsonl`: one finding a line, as they arose: `rule`, `name`, `level`, `layer`, `step`, `value`, `threshold`, `message`,
  `why`, `evidence[]`, `cure[]` with `advice` and `set[]` (as `--set` takes them). What does not apply is left out; a number
  that is not finite is `null`. The same rule comes again only at a graver level;
- `doctor.json`: the diagnosis at the end, root cause first: `mode`, `watched` (`steps`, `checks`, `evaluations`, `parameters`,
  `layers`, `rules`), `findings[]`, `acknowledged[]`, `course[]` (how learning went, in sentences), `vitals` (`steps[]` and,
  for each layer or weight, values at them: `activations[]`, `gradients[]`, `updates[]`, `dead[]`).

## How it judges

Every step of the first 50 is looked at from inside, then every 20th (of steps with fewer than two million parameters times
rows every 100th, or more often where a run would be looked at fewer than 40 times). A rule must be true in some of its last looks. A *symptom* rises above `info` only while the run is in
*trouble*: while `R08`, `R15` or `R16` holds, or a part of the network has died (`R11`, `R14`). What explains another finding takes it as its evidence; what explains something
comes first, then what is nearer to the beginning: data, head and loss, first weights and architecture, optimiser, schedule
and regularisation. A symptom or trouble that has passed at the end is `info`. How often all of this is right is measured: [the fault bench](faults.md).

## The rules
";

fn page() -> String {
    let mut page = INTRODUCTION.to_string();
    page.push_str("\n| rule | name | looks at | must hold | finds |\n|---|---|---|---|---|\n");
    for About { id, name, summary, kind, persist: (times, of), .. } in all().iter().map(|rule| rule.about()) {
        page.push_str(&format!(
            "| {id} | {name} | {kind} | {times} of {of} | {} |\n",
            summary.trim_end_matches('.')
        ));
    }
    for About { id, name, .. } in all().iter().map(|rule| rule.about()) {
        page.push_str(&format!("\n### {id} {name}\n\n{}\n", explanation(id)));
    }
    page.push_str("\nWritten from the rules by `BARUN_WRITE_DOCS=1 cargo test --release -p barun-doctor --test page`.\n");
    page
}

#[test]
fn the_page_about_the_doctor_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/doctor.md");
    if std::env::var_os("BARUN_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        written == page(),
        "docs/doctor.md is out of date; write it with BARUN_WRITE_DOCS=1 cargo test --release -p barun-doctor --test page"
    );
}
