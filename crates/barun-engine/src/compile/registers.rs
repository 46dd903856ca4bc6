//! Registers: which instructions of a loop are native, which values live in memory, and which tile register the others
//! get.

use std::collections::HashMap;
use std::ops::Range;

use super::lower::operand_count;
use crate::cpu::fused::{Access, FusedLoop, Load};
use crate::cpu::native::{self, Step, Surroundings};
use crate::cpu::tile::{TILE, TileOp};

/// The fewest copies of a value that stays the same: native code reads eight at once.
const FEWEST_REPEATS: usize = 8;

/// Decides who does which instructions and which stores write memory directly, and gives the other values registers.
/// `same_memory` says whether two pointers of the loop are one place.
pub fn assign(body: &mut FusedLoop, same_memory: impl Fn(usize, usize) -> bool) {
    let stretches = native::stretches(&body.code, body.isa);
    let uses = Uses::of(body);
    let in_memory = place_stores(body, &stretches, &uses, same_memory);
    body.steps = stretches.into_iter().map(|stretch| step(body, stretch, &uses, &in_memory)).collect();
    body.is_one_walk = is_one_walk(body);
    give_registers(body, &uses, &in_memory);
    body.repeats = repeats(body).min(TILE.min(body.elements()).max(FEWEST_REPEATS));
}

/// Where values are made and read, by instruction.
struct Uses {
    made_at: HashMap<u16, usize>,
    /// The last instruction that reads a value; their number if the loop itself does in the end.
    last_read: HashMap<u16, usize>,
}

impl Uses {
    fn of(body: &FusedLoop) -> Uses {
        let made_at: HashMap<u16, usize> =
            body.code.iter().enumerate().map(|(index, instr)| (instr.result, index)).collect();
        let mut last_read = HashMap::new();
        for (index, instr) in body.code.iter().enumerate() {
            for &operand in &instr.operands[..operand_count(&instr.op)] {
                last_read.insert(operand, index);
            }
        }
        let copied = body.stores.iter().map(|store| store.value).filter(|value| !made_at.contains_key(value));
        for value in body.reduces.iter().map(|reduce| reduce.value).chain(copied) {
            last_read.insert(value, body.code.len());
        }
        Uses { made_at, last_read }
    }
}

/// Decides for each store whether its value is written straight to memory; gives the values that lie in memory.
fn place_stores(
    body: &mut FusedLoop,
    stretches: &[(Range<usize>, bool)],
    uses: &Uses,
    same_memory: impl Fn(usize, usize) -> bool,
) -> Vec<bool> {
    let mut in_memory: Vec<bool> = vec![false; body.registers.len()];
    for load in &body.loads {
        in_memory[load.value as usize] = matches!(load.access, Access::Contiguous { .. });
    }
    let end = body.code.len();
    for index in 0..body.stores.len() {
        let store = &body.stores[index];
        let made = uses.made_at.get(&store.value).copied().unwrap_or(end);
        let is_native = stretches.iter().any(|(range, native)| *native && range.contains(&made));
        let overwrites = |load: &Load| {
            let read = uses.last_read.get(&load.value).copied().unwrap_or(0);
            // The interpreter's instructions take whole tiles; native ones read an element before they write it.
            let in_step = is_native && load.access == (Access::Contiguous { offset: 0 });
            same_memory(load.pointer, store.pointer) && if in_step { read > made } else { read >= made }
        };
        let direct = !body.loads.iter().any(overwrites) && !in_memory[store.value as usize];
        in_memory[store.value as usize] |= direct;
        body.stores[index].direct = direct;
    }
    in_memory
}

/// A stretch, native if it may be and the system lets it.
fn step(body: &FusedLoop, (range, native): (Range<usize>, bool), uses: &Uses, in_memory: &[bool]) -> Step {
    if native {
        let surroundings = Surroundings {
            is_invariant: &|value| is_invariant(body, value),
            is_wanted: &|value| {
                let is_read_later = uses.last_read.get(&value).is_some_and(|&read| read >= range.end);
                is_read_later
                    || in_memory[value as usize]
                    || body.stores.iter().any(|store| store.value == value)
            },
        };
        if let Some(native) = native::compile(&body.code[range.clone()], &surroundings) {
            return Step::Native(range, native);
        }
    }
    Step::Interpreted(range)
}

/// Whether native code does the whole chain, each operand lies as it is read and each result as it is written.
fn is_one_walk(body: &FusedLoop) -> bool {
    let in_place = |load: &Load| matches!(load.access, Access::Contiguous { .. } | Access::Uniform { .. });
    let is_native = matches!(&body.steps[..], [Step::Native(range, _)] if range.len() == body.code.len());
    let is_flat = body.pattern.is_none() && body.stores.iter().all(|store| store.direct);
    is_native && is_flat && body.loads.iter().all(in_place)
}

/// Whether a value is the same for all elements.
fn is_invariant(body: &FusedLoop, value: u16) -> bool {
    body.constants.iter().any(|&(constant, ..)| constant == value)
        || body.loads.iter().any(|load| load.value == value && matches!(load.access, Access::Uniform { .. }))
}

/// Gives every value that lies neither in memory nor inside native code a register, and takes it back when the value
/// is no longer needed.
fn give_registers(body: &mut FusedLoop, uses: &Uses, in_memory: &[bool]) {
    let end = body.code.len();
    let last_read = |value: u16| {
        let is_copied_out = body.stores.iter().any(|store| store.value == value && !store.direct);
        if is_copied_out { Some(end) } else { uses.last_read.get(&value).copied() }
    };
    let mut free: Vec<u16> = Vec::new();
    let mut count = 0u16;
    let mut take = |free: &mut Vec<u16>| {
        free.pop().unwrap_or_else(|| {
            count += 1;
            count - 1
        })
    };
    let mut registers = vec![None; body.registers.len()];
    // Constants, uniform and periodic operands are filled once and stay; strided ones are filled before the code runs.
    let mut stays = vec![false; body.registers.len()];
    for (value, ..) in &body.constants {
        registers[*value as usize] = Some(take(&mut free));
        stays[*value as usize] = true;
    }
    for load in &body.loads {
        if !in_memory[load.value as usize] {
            registers[load.value as usize] = Some(take(&mut free));
            stays[load.value as usize] =
                matches!(load.access, Access::Uniform { .. } | Access::Periodic { .. });
        }
    }
    // The interpreter is done with its operands instruction by instruction, native code with all of them in the end.
    let turns = body.steps.iter().flat_map(|step| match step {
        Step::Native(range, _) => vec![(range.clone(), true)],
        Step::Interpreted(range) => range.clone().map(|index| (index..index + 1, false)).collect(),
    });
    for (range, native) in turns {
        let is_inside = |value: u16| native && last_read(value).is_none_or(|last| last < range.end);
        // All results before anything is freed: no result lies where an operand does.
        for instr in &body.code[range.clone()] {
            if !in_memory[instr.result as usize] && !is_inside(instr.result) {
                registers[instr.result as usize] = Some(take(&mut free));
            }
        }
        let mut done: Vec<u16> = body.code[range.clone()]
            .iter()
            .flat_map(|instr| {
                instr.operands[..operand_count(&instr.op)].iter().copied().chain([instr.result])
            })
            .collect();
        done.sort_unstable();
        done.dedup();
        for value in done {
            let unused = last_read(value).is_none_or(|last| last < range.end);
            if unused
                && !stays[value as usize]
                && !in_memory[value as usize]
                && let Some(register) = registers[value as usize]
            {
                free.push(register);
            }
        }
    }
    body.registers = registers;
    body.register_count = count as usize;
}

/// How many copies of values that stay the same the loop's steps and reductions read.
fn repeats(body: &FusedLoop) -> usize {
    let interpreted = body.steps.iter().filter(|step| matches!(step, Step::Interpreted(_)));
    let mut read = interpreted
        .flat_map(|step| &body.code[step.range()])
        // A draw reads its seed and step once.
        .filter(|instr| !matches!(instr.op, TileOp::Random { .. }))
        .flat_map(|instr| &instr.operands[..operand_count(&instr.op)])
        .chain(body.reduces.iter().map(|reduce| &reduce.value))
        .chain(body.stores.iter().map(|store| &store.value));
    if read.any(|&value| is_invariant(body, value)) { TILE } else { FEWEST_REPEATS }
}
