//! The memory plan: every buffer of a run gets its place in one arena, and buffers that never live together share.

/// A piece of memory and the stages it lives through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// How many bytes.
    pub bytes: usize,
    /// First stage that writes it.
    pub first: usize,
    /// Last stage that reads it.
    pub last: usize,
}

/// Alignment of every place.
const ALIGN: usize = 64;

/// The offset of each block, and the size of the arena: largest first, each at the lowest place that is free for its
/// whole life (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020).
pub fn plan(blocks: &[Block]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(blocks[index].bytes), blocks[index].first, index));
    let mut offsets = vec![0; blocks.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut arena = 0;
    for index in order {
        let block = &blocks[index];
        let bytes = block.bytes.next_multiple_of(ALIGN);
        let mut offset = 0;
        for &other in &placed {
            let neighbour = &blocks[other];
            if neighbour.last < block.first || block.last < neighbour.first {
                continue;
            }
            if offset + bytes <= offsets[other] {
                break;
            }
            offset = offset.max(offsets[other] + neighbour.bytes.next_multiple_of(ALIGN));
        }
        offsets[index] = offset;
        arena = arena.max(offset + bytes);
        let at = placed.partition_point(|&other| offsets[other] <= offset);
        placed.insert(at, index);
    }
    (offsets, arena)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_never_live_together_share_and_others_do_not_overlap() {
        let mut stream = crate::random::Stream::new(1, "plan");
        let blocks: Vec<Block> = (0..300)
            .map(|_| {
                let first = stream.below(50) as usize;
                let last = first + stream.below(10) as usize;
                Block { bytes: stream.below(5000) as usize, first, last }
            })
            .collect();
        let (offsets, arena) = plan(&blocks);
        for a in 0..blocks.len() {
            for b in 0..a {
                let together = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
                let apart =
                    offsets[a] + blocks[a].bytes <= offsets[b] || offsets[b] + blocks[b].bytes <= offsets[a];
                assert!(!together || apart || blocks[a].bytes == 0 || blocks[b].bytes == 0);
            }
        }
        let total: usize = blocks.iter().map(|block| block.bytes.next_multiple_of(ALIGN)).sum();
        assert!(arena < total / 3, "{arena} of {total}");
    }
}
