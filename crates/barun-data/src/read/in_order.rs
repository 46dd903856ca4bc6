//! Work on the pieces of a stream by several threads, its results taken in the order of the pieces.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::error::Result;

/// More threads than this only wait for each other at the file.
const MOST_THREADS: usize = 8;

/// Takes pieces from `produce` until there is none, has `work` done on each, and hands the results to `consume` in the
/// order of the pieces. At most two pieces a thread are under way, which bounds the memory. The first error of `produce`
/// or `consume` ends it.
pub(super) fn in_order<T: Send, R: Send>(
    mut produce: impl FnMut() -> Result<Option<T>>,
    work: impl Fn(T) -> R + Sync,
    mut consume: impl FnMut(R) -> Result<()>,
) -> Result<()> {
    let Some(first) = produce()? else { return Ok(()) };
    let Some(second) = produce()? else { return consume(work(first)) };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let (give, pieces) = channel::<(usize, T)>();
    let (done, results) = channel::<(usize, R)>();
    let pieces = Mutex::new(pieces);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (pieces, done, work) = (&pieces, done.clone(), &work);
            scope.spawn(move || {
                loop {
                    let next = pieces.lock().map_or(None, |pieces| pieces.recv().ok());
                    let Some((at, piece)) = next else { return };
                    if done.send((at, work(piece))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);

        let mut waiting: BTreeMap<usize, R> = BTreeMap::new();
        let (mut given, mut taken) = (0, 0);
        let mut next = Some(first);
        let mut after = Some(second);
        let mut give = Some(give);
        loop {
            // A piece that cannot be given away means that a thread is gone; its panic comes out of the scope.
            while let (Some(piece), true) = (next.take_if(|_| given - taken < 2 * threads), give.is_some()) {
                if give.as_ref().is_none_or(|give| give.send((given, piece)).is_err()) {
                    return Ok(());
                }
                given += 1;
                next = match after.take() {
                    Some(piece) => Some(piece),
                    None => produce()?,
                };
            }
            if next.is_none() {
                give = None;
            }
            if taken == given {
                return Ok(());
            }
            let Ok((at, result)) = results.recv() else { return Ok(()) };
            waiting.insert(at, result);
            while let Some(result) = waiting.remove(&taken) {
                consume(result)?;
                taken += 1;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for pieces in [0, 1, 2, 100] {
            let mut left = 0..pieces;
            let mut seen = Vec::new();
            let work = |piece: u64| {
                std::thread::sleep(std::time::Duration::from_micros(piece * 7 % 5 * 100));
                piece * piece
            };
            in_order(
                || Ok(left.next()),
                work,
                |result| {
                    seen.push(result);
                    Ok(())
                },
            )
            .unwrap();
            assert_eq!(seen, (0..pieces).map(|piece| piece * piece).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_on_either_side_ends_it() {
        let error = || Err(Error::ZeroBatch);
        let mut left = 0..1000;
        assert!(
            in_order(|| Ok(left.next()), |piece| piece, |at| if at == 20 { error() } else { Ok(()) })
                .is_err()
        );
        assert!(left.next().unwrap() < 100, "the rest is left alone");
        let mut count = 0;
        let produce = || {
            count += 1;
            if count == 5 { Err(Error::ZeroBatch) } else { Ok(Some(())) }
        };
        assert!(in_order(produce, |()| (), |()| Ok(())).is_err());
    }
}
