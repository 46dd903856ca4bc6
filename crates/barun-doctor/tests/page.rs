//! The page about the doctor, written from the rules themselves.

use std::path::Path;

use barun_doctor::rules::{About, all, explanation};

const INTRODUCTION: &str = "\
# The doctor

The doctor looks into a network while it learns, tells what is wrong as it arises, and at the end the root cause first. It
changes nothing, unless it is to [repair](#repair): the weights of a run end with the same bits with and without it. (Files of
weights also hold the recipe, which says `doctor.mode`: of `--doctor off` their checksums are others.)

```
barun train digits                        the doctor advises, unless told otherwise
barun train digits --doctor repair        it also mends what it can
barun train digits --doctor off           nobody watches
barun check digits                        what can be said before training: data, network, first step
barun doctor runs/digits-mlp-1            what was wrong with a run
barun list rules                          what it looks for
barun explain R11                         one of the rules
```

In a recipe `doctor.mode` is `advise`, `repair` or `off`, and `doctor.acknowledge = [\"R24\"]` names rules whose findings are known and
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

Every step of the first 50 is looked at from inside, then every 20th; in runs of more than 800 steps 40 times in the run, but no
more than 50 steps apart (800 where parameters times rows of a batch are fewer than two million). A rule must be true in some of its last looks. A
*symptom* rises above `info` only while the run is in *trouble*: while `R06`, `R08`, `R15`, `R16` or `R27` holds, or a part of the network has
died (`R11`, `R14`). What explains another finding takes it as its evidence; what explains something
comes first, then what is nearer to the beginning: data, head and loss, first weights and architecture, optimiser, schedule
and regularisation. A symptom or trouble that has passed at the end is `info`. How often all of this is right is measured: [the fault bench](faults.md).

## Repair

With `--doctor repair` (`doctor.mode = \"repair\"`, in Rust `Doctor::repair()`) the doctor tries what mends a finding above `info`,
on copies of the run, and goes on with what is better by more than chance. Where nothing is found or nothing is better, the
run ends with the same bits as under `advise`.

1. The cures of the findings, root cause first, become edits: another learning rate, gradients clipped where nine of ten are
   smaller, a warm-up, Adam, another weight decay, dropout or an activation at the end passed over, a frozen layer in front that
   standardises the inputs by the training rows, new weights for dead units, all weights drawn anew, a last layer a tenth as large
   whose bias is at the base rates. They keep what was learned. What changes the network or the data - another activation, normalisation
   between layers, another loss, other rows - stays advice: it needs your word.
2. Up to three of them race beside the unchanged run over 5 to 200 steps in 5 orders of the rows, all with the same batches and seeds, each with a
   learning rate that falls to 0 over the second half: without that the smaller of two rates nearly always wins a short race.
   They begin at the state with the lowest loss among the present one, the last that were kept, the best epoch's and the first.
3. The loss in the end is measured on at most 2048 rows of the validation part (without one, of the training part), in eval mode. An edit is
   better if the mean of its gains is above two standard errors and above half a percent of the loss, and so once more in 5 fresh orders: the best of
   several looks better than it is. The test part is never touched.
4. All trials together take at most a tenth of the planned steps; `doctor.budget = 0.5` allows half of them. When
   the budget is used up, the doctor only advises. It is wall time, not training: the run still takes its planned steps.

What was tried is told as it happens, at the end, in `report.html`, and in the run's folder:

- `repairs.jsonl`, also `doctor.repairs[]` of `--json`: `step`, `findings[]`, `outcome` (`accepted`, `rejected`, and `untried` of an edit by chance), `trials[]` and `confirmed`
  (`name`, `loss`, `unchanged_loss`, `gain`, `standard_error`, `orders`), `trial_steps`, `cost_steps`, `back_to`, `set[]`, `before`;
- `recipe-repaired.toml`: the recipe with the changes from the beginning on; `recipe.toml` is as it was, and training by it with
  `--doctor advise` gives the run that was not mended;
- `checkpoints/before-repair-1.safetensors`: the state before the first repair, a model file like the others.

`barun resume` ends with the same bits as a run that was not interrupted, repairs and all; trials that Ctrl-C or `--max-time`
breaks off begin again with it. What repairs are worth is to be
held against edits by chance: `Doctor::repair().by_chance(seed)` does one drawn evenly from all that it could do, untried.

If an error stands at the end, `barun train` writes everything and exits with code 3; what is acknowledged does not count, nor
what the checks of the data found (R24 to R26).

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
