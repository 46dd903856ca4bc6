//! Handing rows to parts: how many of each stratum to each part, and which.
//!
//! A *stratum* is a set of rows of which every part shall get its share: a class, or all rows. A *bundle* is a set of
//! rows that must stay together: a group, or copies of one row. Bundles are placed first, each where the strata's
//! counts are furthest below what they should be; single rows then fill up what is missing, at random.

use barun_engine::random::Stream;

/// Which rows are divided, and what they belong to.
pub(super) struct Rows<'a> {
    /// The rows, ascending.
    pub rows: Vec<usize>,
    /// The number of strata.
    pub strata: usize,
    /// The stratum of a row of the data set.
    pub stratum_of: &'a dyn Fn(usize) -> usize,
    /// The bundle of each row of the data set; rows that are alone in theirs are single.
    pub bundles: Option<&'a [u32]>,
}

/// The rows of each part, ascending. `fractions` add up to 1.
pub(super) fn assign(rows: Rows<'_>, fractions: &[f64], seed: u64) -> Vec<Vec<usize>> {
    let Rows { rows, strata, stratum_of, bundles } = rows;
    let (bundles, rows) = match bundles {
        Some(bundles) => gather(&rows, bundles),
        None => (Vec::new(), rows),
    };
    let mut totals = vec![0; strata];
    let mut singles = vec![Vec::new(); strata];
    for row in rows {
        totals[stratum_of(row)] += 1;
        singles[stratum_of(row)].push(row);
    }
    bundles.iter().flatten().for_each(|&row| totals[stratum_of(row)] += 1);

    let mut parts = vec![Vec::new(); fractions.len()];
    let placed = place(bundles, stratum_of, &totals, fractions, seed, &mut parts);
    let mut random = Stream::new(seed, "split");
    let mut owed = vec![0.0; fractions.len()];
    for (stratum, mut rows) in singles.into_iter().enumerate() {
        random.shuffle(&mut rows);
        let counts = apportion(totals[stratum], fractions, &mut owed);
        let missing = fill_up(counts, &placed, stratum, rows.len());
        let mut rest = rows.as_slice();
        for (part, count) in parts.iter_mut().zip(missing) {
            let (taken, left) = rest.split_at(count);
            part.extend_from_slice(taken);
            rest = left;
        }
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts
}

/// The bundles of two rows and more, in the order of their first rows, and the rows that are in none.
fn gather(rows: &[usize], bundle_of: &[u32]) -> (Vec<Vec<usize>>, Vec<usize>) {
    let bundles = bundle_of.iter().max().map_or(0, |&last| last as usize + 1);
    let mut sizes = vec![0u32; bundles];
    rows.iter().for_each(|&row| sizes[bundle_of[row] as usize] += 1);
    let mut place = vec![usize::MAX; bundles];
    let (mut gathered, mut singles) = (Vec::<Vec<usize>>::new(), Vec::new());
    for &row in rows {
        let bundle = bundle_of[row] as usize;
        if sizes[bundle] == 1 {
            singles.push(row);
            continue;
        }
        if place[bundle] == usize::MAX {
            place[bundle] = gathered.len();
            gathered.push(Vec::with_capacity(sizes[bundle] as usize));
        }
        gathered[place[bundle]].push(row);
    }
    (gathered, singles)
}

/// Puts each bundle, the large ones first, into the part where it brings the counts of the strata nearest to their
/// shares in the sense of least squares. Gives the rows of each part by stratum.
fn place(
    mut bundles: Vec<Vec<usize>>,
    stratum_of: &dyn Fn(usize) -> usize,
    totals: &[usize],
    fractions: &[f64],
    seed: u64,
    parts: &mut [Vec<usize>],
) -> Vec<Vec<usize>> {
    let mut placed = vec![vec![0; totals.len()]; parts.len()];
    if bundles.is_empty() {
        return placed;
    }
    Stream::new(seed, "split bundles").shuffle(&mut bundles);
    bundles.sort_by_key(|bundle| std::cmp::Reverse(bundle.len()));
    let mut of_part: Vec<Vec<Vec<usize>>> = vec![Vec::new(); parts.len()];
    // Where there are single rows too, each part gets its share of the bundles of every size: what occurs several times may
    // be special, and a part without it would be another kind of data.
    let bundled: usize = bundles.iter().map(Vec::len).sum();
    let has_singles = bundled < totals.iter().sum();
    let mut shared = if has_singles { vec![0; totals.len()] } else { totals.to_vec() };
    for bundle in bundles {
        let counts = count_strata(&bundle, stratum_of);
        if has_singles {
            counts.iter().for_each(|&(stratum, count)| shared[stratum] += count);
        }
        let rise = |part: usize| -> f64 {
            let by_stratum = counts.iter().map(|&(stratum, count)| {
                let target = fractions[part] * shared[stratum] as f64;
                let count = count as f64;
                count * (count + 2.0 * (placed[part][stratum] as f64 - target))
            });
            by_stratum.sum()
        };
        let wanted = (0..parts.len()).filter(|&part| fractions[part] > 0.0);
        let best = wanted.min_by(|&a, &b| rise(a).total_cmp(&rise(b))).unwrap_or(0);
        counts.iter().for_each(|&(stratum, count)| placed[best][stratum] += count);
        of_part[best].push(bundle);
    }
    let singles = totals.iter().sum::<usize>() - placed.iter().flatten().sum::<usize>();
    if singles == 0 {
        leave_none_empty(&mut of_part, fractions);
    }
    for (part, bundles) in of_part.into_iter().enumerate() {
        parts[part].extend(bundles.into_iter().flatten());
    }
    placed
}

fn count_strata(bundle: &[usize], stratum_of: &dyn Fn(usize) -> usize) -> Vec<(usize, usize)> {
    let mut strata: Vec<usize> = bundle.iter().map(|&row| stratum_of(row)).collect();
    strata.sort_unstable();
    strata.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect()
}

/// Least squares would rather leave a small part empty than far too full; but a part that is wanted needs rows. It gets
/// the smallest bundle of the part that has most bundles.
fn leave_none_empty(of_part: &mut [Vec<Vec<usize>>], fractions: &[f64]) {
    for part in 0..of_part.len() {
        if fractions[part] == 0.0 || !of_part[part].is_empty() {
            continue;
        }
        let richest = (0..of_part.len()).max_by_key(|&other| of_part[other].len()).unwrap_or(part);
        if of_part[richest].len() > 1
            && let Some(smallest) = of_part[richest].pop()
        {
            of_part[part].push(smallest);
        }
    }
}

/// How many of `rows` single rows each part gets, so that with the bundles it comes to `counts`.
fn fill_up(counts: Vec<usize>, placed: &[Vec<usize>], stratum: usize, rows: usize) -> Vec<usize> {
    let mut missing: Vec<usize> = counts
        .iter()
        .zip(placed)
        .map(|(&count, placed): (&usize, &Vec<usize>)| count.saturating_sub(placed[stratum]))
        .collect();
    // Where bundles have overfilled a part, the others get fewer.
    let mut surplus = missing.iter().sum::<usize>() - rows;
    while surplus > 0 {
        let Some(most) = missing.iter_mut().max() else { break };
        *most -= 1;
        surplus -= 1;
    }
    missing
}

/// Whole numbers that add up to `count`, each less than 1 away from its fraction: floors first, then one more to the
/// parts with the largest remainders, counting what earlier strata `owed` them. A stratum's first row is trained on.
fn apportion(count: usize, fractions: &[f64], owed: &mut [f64]) -> Vec<usize> {
    let exact: Vec<f64> = fractions.iter().map(|fraction| fraction * count as f64).collect();
    // The nudge keeps 0.1 * 70 = 7.000000000000001 and 0.7 * 10 = 6.999999999999999 whole.
    let mut counts: Vec<usize> = exact.iter().map(|exact| (exact + 1e-6).floor() as usize).collect();
    let mut left = count.saturating_sub(counts.iter().sum());
    let mut order: Vec<usize> = (0..fractions.len()).filter(|&part| fractions[part] > 0.0).collect();
    order.sort_by(|&a, &b| {
        let remainder = |part: usize| exact[part] - counts[part] as f64 + owed[part];
        let starved = |part: usize| part == 0 && counts[0] == 0;
        starved(b).cmp(&starved(a)).then(remainder(b).total_cmp(&remainder(a)))
    });
    for part in order {
        if left > 0 {
            counts[part] += 1;
            left -= 1;
        }
    }
    for part in 0..fractions.len() {
        owed[part] += exact[part] - counts[part] as f64;
    }
    counts
}

/// Cuts rows by `time_of`, the earliest into the first part. Rows of one moment stay together: a boundary that would
/// divide them moves to the nearer end of the moment.
pub(super) fn assign_by_time(
    mut rows: Vec<usize>,
    time_of: impl Fn(usize) -> f64,
    fractions: &[f64],
) -> Vec<Vec<usize>> {
    rows.sort_by(|&a, &b| time_of(a).total_cmp(&time_of(b)).then(a.cmp(&b)));
    let is_boundary = |at: usize| at == 0 || at >= rows.len() || time_of(rows[at - 1]) < time_of(rows[at]);
    let (mut parts, mut begin, mut reached) = (Vec::new(), 0, 0.0);
    for (part, fraction) in fractions.iter().enumerate() {
        reached += fraction;
        let wanted = (reached * rows.len() as f64).round() as usize;
        let wanted = if part + 1 == fractions.len() { rows.len() } else { wanted.min(rows.len()) };
        let distance = (0..=rows.len()).find(|&distance| {
            is_boundary(wanted.saturating_sub(distance)) || is_boundary((wanted + distance).min(rows.len()))
        });
        let distance = distance.unwrap_or(0);
        let below = wanted.saturating_sub(distance);
        let end = if is_boundary(below) { below } else { wanted + distance }.max(begin);
        let mut taken = rows[begin..end].to_vec();
        taken.sort_unstable();
        parts.push(taken);
        begin = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign_bundles(bundles: &[u32], fractions: &[f64]) -> Vec<Vec<usize>> {
        let rows = (0..bundles.len()).collect();
        assign(Rows { rows, strata: 1, stratum_of: &|_| 0, bundles: Some(bundles) }, fractions, 5)
    }

    #[test]
    fn bundles_stay_whole_and_single_rows_even_the_sizes_out() {
        let bundles: Vec<u32> = (0..100).map(|row| if row < 40 { row / 4 } else { row }).collect();
        let parts = assign_bundles(&bundles, &[0.6, 0.2, 0.2]);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [60, 20, 20]);
        for bundle in 0..10 {
            let holders = parts.iter().filter(|part| part.iter().any(|&row| bundles[row] == bundle)).count();
            assert_eq!(holders, 1, "bundle {bundle}");
        }
    }

    #[test]
    fn three_bundles_fill_three_parts_however_unequal_the_shares() {
        let bundles: Vec<u32> = (0..100).map(|row| row % 3).collect();
        let parts = assign_bundles(&bundles, &[0.8, 0.1, 0.1]);
        assert!(parts.iter().all(|part| part.len() >= 33), "{parts:?}");
    }

    #[test]
    fn a_cut_by_time_never_divides_a_moment() {
        let times = [5.0, 1.0, 3.0, 3.0, 3.0, 2.0, 4.0, 3.0];
        let parts = assign_by_time((0..8).collect(), |row| times[row], &[0.5, 0.25, 0.25]);
        assert_eq!(parts, [vec![1, 5], vec![2, 3, 4, 7], vec![0, 6]]);
    }
}
