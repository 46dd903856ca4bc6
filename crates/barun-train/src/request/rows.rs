//! Which rows stand for a part.

use barun_data::{Part, Targets};

/// So many samples, taken from the classes in turn.
pub(super) fn in_turn(part: &Part, samples: usize) -> Vec<usize> {
    let Targets::Classes { labels, classes, .. } = part.dataset().targets() else {
        return part.indices().iter().copied().take(samples).collect();
    };
    let mut of_class = vec![Vec::new(); classes.len()];
    part.indices().iter().for_each(|&index| of_class[labels[index] as usize].push(index));
    let longest = of_class.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..longest).flat_map(|turn| of_class.iter().filter_map(move |class| class.get(turn)));
    turns.copied().take(samples).collect()
}
