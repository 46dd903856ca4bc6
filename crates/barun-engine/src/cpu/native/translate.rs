//! From tile code to machine code: a loop whose turn is the whole chain on eight elements, held in vector registers.
//!
//! Every instruction of the chain becomes the vector instruction that rounds as it does. Truth values are masks of
//! eight times 32 bits inside and bytes outside. The elements behind the last eight are done one by one by a second
//! loop of the same shape, which never touches memory behind the last element.

use std::collections::HashMap;

use super::assembler::{self as asm, Assembler, Condition, Gpr, Opcode, Operand, Ymm};
use crate::cpu::tile::{Instr, TileOp};
use crate::graph::{Binary, Unary};
use crate::tensor::DType;

/// Whether an instruction has a translation.
pub fn is_translated(instr: &Instr) -> bool {
    use Binary::{Add, And, Div, Equal, Less, Max, Min, Mul, Or, Sub};
    match (&instr.op, instr.dtype) {
        (TileOp::Unary(op), DType::F32) => {
            matches!(op, Unary::Neg | Unary::Abs | Unary::Sign | Unary::Sqrt | Unary::Floor)
        }
        (TileOp::Unary(op), DType::Bool) => *op == Unary::Not,
        (TileOp::Binary(op), DType::F32) => matches!(op, Add | Sub | Mul | Div | Max | Min | Less | Equal),
        (TileOp::Binary(op), DType::Bool) => matches!(op, And | Or),
        (TileOp::Where, DType::F32 | DType::Bool) => true,
        (TileOp::Copy, DType::F32 | DType::BF16 | DType::Bool) => true,
        (TileOp::Cast(to), from) => matches!(
            (from, to),
            (DType::Bool | DType::U8 | DType::BF16, DType::F32) | (DType::F32, DType::Bool | DType::BF16)
        ),
        _ => false,
    }
}

/// How a value is held in a vector register.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// f32.
    Float,
    /// f32 of which the lower half is zero; the upper one in memory.
    Half,
    /// All bits set where true; a byte of 0 or 1 in memory.
    Mask,
    /// i32; a byte in memory.
    Byte,
}

impl Kind {
    fn of(dtype: DType) -> Kind {
        match dtype {
            DType::Bool => Kind::Mask,
            DType::BF16 => Kind::Half,
            DType::U8 => Kind::Byte,
            _ => Kind::Float,
        }
    }

    /// Bytes of an element in memory.
    fn scale(self) -> u8 {
        match self {
            Kind::Float => 4,
            Kind::Half => 2,
            Kind::Mask | Kind::Byte => 1,
        }
    }
}

/// The kinds of an instruction's operands and of its result.
fn kinds(instr: &Instr) -> (Vec<Kind>, Kind) {
    let kind = Kind::of(instr.dtype);
    match &instr.op {
        TileOp::Unary(_) | TileOp::Copy => (vec![kind], kind),
        TileOp::Cast(to) => (vec![kind], Kind::of(*to)),
        TileOp::Binary(Binary::Less | Binary::Equal) => (vec![kind; 2], Kind::Mask),
        TileOp::Where => (vec![Kind::Mask, kind, kind], kind),
        _ => (vec![kind; 2], kind),
    }
}

/// What surrounds a stretch of tile code.
pub struct Surroundings<'a> {
    /// Whether a value is the same for all elements: eight copies of it lie at its pointer.
    pub is_invariant: &'a dyn Fn(u16) -> bool,
    /// Whether a value the stretch makes is wanted in memory.
    pub is_wanted: &'a dyn Fn(u16) -> bool,
}

/// Machine code of `extern "sysv64" fn(values: *const *mut u8, count: usize)` for a stretch of translated instructions:
/// it reads and writes `count` elements at `values[value]` for each value that comes from outside or is wanted there.
pub fn translate(code: &[Instr], surroundings: &Surroundings<'_>) -> Vec<u8> {
    // How much of the stack is needed is known only at the end.
    let slots = Translator::new(code, surroundings, 0).run().0;
    Translator::new(code, surroundings, slots).run().1.finish()
}

/// Elements a turn of the loop takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Eight,
    One,
}

/// Registers that hold pointers; RAX, RCX, RDX, RSI and RDI have other duties. The last six belong to the caller.
const POINTERS: [Gpr; 10] =
    [Gpr(8), Gpr(9), Gpr(10), Gpr(11), Gpr(3), Gpr(5), Gpr(12), Gpr(13), Gpr(14), Gpr(15)];
const FREE_POINTERS: usize = 4;

struct Translator<'a> {
    code: &'a [Instr],
    surroundings: &'a Surroundings<'a>,
    assembler: Assembler,
    /// Values that lie in memory, in the order they are met; the first ones have their pointers in registers.
    memory: Vec<u16>,
    /// The positions at which each value is read.
    reads: HashMap<u16, Vec<usize>>,
    turn: Turn,
    held: [Option<u16>; 16],
    pinned: Vec<Ymm>,
    spilled: HashMap<u16, i32>,
    slots: i32,
    most_slots: i32,
    stack: i32,
}

impl<'a> Translator<'a> {
    fn new(code: &'a [Instr], surroundings: &'a Surroundings<'a>, slots: i32) -> Self {
        let mut memory = Vec::new();
        let mut reads: HashMap<u16, Vec<usize>> = HashMap::new();
        let mut made = Vec::new();
        for (at, instr) in code.iter().enumerate() {
            for &value in &instr.operands[..kinds(instr).0.len()] {
                reads.entry(value).or_default().push(at);
                if !made.contains(&value) && !memory.contains(&value) {
                    memory.push(value);
                }
            }
            made.push(instr.result);
            if (surroundings.is_wanted)(instr.result) && !memory.contains(&instr.result) {
                memory.push(instr.result);
            }
        }
        Translator {
            code,
            surroundings,
            assembler: Assembler::default(),
            memory,
            reads,
            turn: Turn::Eight,
            held: [None; 16],
            pinned: Vec::new(),
            spilled: HashMap::new(),
            slots: 0,
            most_slots: 0,
            stack: 32 * slots,
        }
    }

    /// The slots of the stack that were used, and the code.
    fn run(mut self) -> (i32, Assembler) {
        let in_registers = self.memory.len().min(POINTERS.len());
        let saved = &POINTERS[FREE_POINTERS.min(in_registers)..in_registers];
        saved.iter().for_each(|&register| self.assembler.push(register));
        self.assembler.take_stack(self.stack);
        for (&value, &register) in self.memory.iter().zip(&POINTERS) {
            self.assembler.load_pointer(register, entry(value));
        }
        let [eights, ones, check, end] = [(); 4].map(|()| self.assembler.label());
        self.assembler.clear_index();
        self.assembler.whole_eights_of_rsi_to_rdx();
        self.assembler.compare_index(asm::RDX);
        self.assembler.jump(Condition::NotBelow, check);
        self.assembler.place(eights);
        self.body(Turn::Eight);
        self.assembler.advance_index(8);
        self.assembler.compare_index(asm::RDX);
        self.assembler.jump(Condition::Below, eights);
        self.assembler.place(check);
        self.assembler.compare_index(asm::RSI);
        self.assembler.jump(Condition::NotBelow, end);
        self.assembler.place(ones);
        self.body(Turn::One);
        self.assembler.advance_index(1);
        self.assembler.compare_index(asm::RSI);
        self.assembler.jump(Condition::Below, ones);
        self.assembler.place(end);
        self.assembler.take_stack(-self.stack);
        saved.iter().rev().for_each(|&register| self.assembler.pop(register));
        self.assembler.clean_up_and_return();
        (self.most_slots, self.assembler)
    }

    fn body(&mut self, turn: Turn) {
        self.turn = turn;
        self.held = [None; 16];
        self.spilled.clear();
        self.slots = 0;
        for at in 0..self.code.len() {
            self.instruction(at);
            self.pinned.clear();
        }
        self.most_slots = self.most_slots.max(self.slots);
    }

    fn instruction(&mut self, at: usize) {
        let instr = &self.code[at];
        let [a, b, c] = instr.operands;
        let result = match (&instr.op, instr.dtype) {
            (TileOp::Unary(op), DType::F32) => self.float_unary(*op, a, at),
            (TileOp::Unary(_), _) => {
                let (a, ones) = (self.register(a, Kind::Mask, at), self.assembler.constant(u32::MAX));
                self.two(asm::XOR, a, ones, at)
            }
            (TileOp::Binary(op), DType::F32) => self.float_binary(*op, a, b, at),
            (TileOp::Binary(op), _) => {
                let (a, b) = (self.register(a, Kind::Mask, at), self.register(b, Kind::Mask, at));
                self.two(if *op == Binary::And { asm::AND } else { asm::OR }, a, Operand::Vector(b), at)
            }
            (TileOp::Where, dtype) => {
                let kind = Kind::of(dtype);
                let [condition, yes, no] = [(a, Kind::Mask), (b, kind), (c, kind)]
                    .map(|(value, kind)| self.register(value, kind, at));
                let result = self.take(at);
                self.blend(result, no, yes, condition);
                result
            }
            (TileOp::Cast(DType::F32), DType::U8) => {
                let a = self.register(a, Kind::Byte, at);
                let result = self.take(at);
                self.assembler.vector(asm::INT_TO_FLOAT, result, None, Operand::Vector(a));
                result
            }
            (TileOp::Cast(DType::F32), DType::BF16) => {
                let a = self.register(a, Kind::Half, at);
                self.two(asm::OR, a, Operand::Vector(a), at)
            }
            (TileOp::Cast(DType::BF16), _) => self.narrow(a, at),
            (TileOp::Cast(DType::F32), _) => {
                let (a, one) = (self.register(a, Kind::Mask, at), self.assembler.constant(1.0f32.to_bits()));
                self.two(asm::AND, a, one, at)
            }
            (TileOp::Cast(_), _) => {
                let (a, zero) = (self.register(a, Kind::Float, at), self.assembler.constant(0));
                self.compare(a, zero, asm::NOT_EQUAL, at)
            }
            (_, dtype) => {
                let a = self.register(a, Kind::of(dtype), at);
                self.two(asm::OR, a, Operand::Vector(a), at)
            }
        };
        for &operand in &instr.operands[..kinds(instr).0.len()] {
            if self.next_read(operand, at).is_none() {
                self.forget(operand);
            }
        }
        self.held[result.0 as usize] = Some(instr.result);
        if (self.surroundings.is_wanted)(instr.result) {
            self.pinned.push(result);
            self.store(instr.result, result, kinds(instr).1, at);
        }
        if self.next_read(instr.result, at).is_none() {
            self.forget(instr.result);
        }
    }

    fn float_unary(&mut self, op: Unary, a: u16, at: usize) -> Ymm {
        let a = self.register(a, Kind::Float, at);
        let sign = 0x8000_0000u32;
        match op {
            Unary::Neg => {
                let sign = self.assembler.constant(sign);
                self.two(asm::XOR, a, sign, at)
            }
            Unary::Abs => {
                let rest = self.assembler.constant(!sign);
                self.two(asm::AND, a, rest, at)
            }
            Unary::Sqrt => {
                let result = self.take(at);
                self.assembler.vector(asm::SQRT, result, None, Operand::Vector(a));
                result
            }
            Unary::Floor => {
                let result = self.take(at);
                self.assembler.vector_with(asm::ROUND, result, None, Operand::Vector(a), asm::DOWN);
                result
            }
            _ => {
                // 1 above 0, -1 below, otherwise the number itself: zeros and NaN.
                let [zero, one, minus_one] = [0.0f32, 1.0, -1.0].map(|number| {
                    let constant = self.assembler.constant(number.to_bits());
                    let register = self.take(at);
                    self.pinned.push(register);
                    self.assembler.vector(asm::LOAD, register, None, constant);
                    register
                });
                let above = self.compare(zero, Operand::Vector(a), asm::LESS, at);
                self.pinned.push(above);
                self.blend(one, a, one, above);
                let below = self.compare(a, Operand::Vector(zero), asm::LESS, at);
                let result = below;
                self.blend(result, one, minus_one, below);
                result
            }
        }
    }

    /// As `crate::bfloat::narrow`: half of the last place that stays, less one unless that place is odd, carries into it.
    fn narrow(&mut self, a: u16, at: usize) -> Ymm {
        let a = self.register(a, Kind::Float, at);
        let [one, half, upper, quiet] =
            [1, 0x7FFF, 0xFFFF_0000, 0x40_0000].map(|bits| self.assembler.constant(bits));
        let result = self.take(at);
        self.pinned.push(result);
        self.assembler.shift(asm::RIGHT, result, a, 16);
        self.assembler.vector(asm::AND, result, Some(result), one);
        self.assembler.vector(asm::ADD_DWORDS, result, Some(result), half);
        self.assembler.vector(asm::ADD_DWORDS, result, Some(result), Operand::Vector(a));
        let nan = self.two(asm::OR, a, quiet, at);
        self.pinned.push(nan);
        let is_nan = self.compare(a, Operand::Vector(a), asm::UNORDERED, at);
        self.blend(result, result, nan, is_nan);
        self.assembler.vector(asm::AND, result, Some(result), upper);
        result
    }

    fn float_binary(&mut self, op: Binary, a: u16, b: u16, at: usize) -> Ymm {
        let a = self.register(a, Kind::Float, at);
        let b = self.operand(b, at);
        match op {
            Binary::Add => self.two(asm::ADD, a, b, at),
            Binary::Sub => self.two(asm::SUB, a, b, at),
            Binary::Mul => self.two(asm::MUL, a, b, at),
            Binary::Div => self.two(asm::DIV, a, b, at),
            Binary::Less => self.compare(a, b, asm::LESS, at),
            Binary::Equal => self.compare(a, b, asm::EQUAL, at),
            _ => {
                // The machine gives the second of two numbers that do not compare: right unless the first is NaN.
                let chosen = self.two(if op == Binary::Max { asm::MAX } else { asm::MIN }, a, b, at);
                self.pinned.push(chosen);
                let is_nan = self.compare(a, Operand::Vector(a), asm::UNORDERED, at);
                self.blend(chosen, chosen, a, is_nan);
                chosen
            }
        }
    }

    /// `a op b` in a fresh register.
    fn two(&mut self, opcode: Opcode, a: Ymm, b: Operand, at: usize) -> Ymm {
        let result = self.take(at);
        self.assembler.vector(opcode, result, Some(a), b);
        result
    }

    /// A mask in a fresh register.
    fn compare(&mut self, a: Ymm, b: Operand, how: u8, at: usize) -> Ymm {
        let result = self.take(at);
        self.assembler.vector_with(asm::COMPARE, result, Some(a), b, how);
        result
    }

    /// `to <- if condition { yes } else { no }`
    fn blend(&mut self, to: Ymm, no: Ymm, yes: Ymm, condition: Ymm) {
        self.assembler.vector_with(asm::BLEND, to, Some(no), Operand::Vector(yes), condition.0 << 4);
    }

    /// Where a value can be read as the last operand of an instruction on floats.
    fn operand(&mut self, value: u16, at: usize) -> Operand {
        if let Some(register) = self.register_of(value) {
            self.pinned.push(register);
            return Operand::Vector(register);
        }
        if let Some(&displacement) = self.spilled.get(&value) {
            return Operand::Memory { base: asm::RSP, displacement };
        }
        let is_invariant = (self.surroundings.is_invariant)(value);
        let is_read_again = self.next_read(value, at).is_some();
        if is_invariant || (self.turn == Turn::Eight && !is_read_again) {
            return self.address(value, Kind::Float);
        }
        Operand::Vector(self.register(value, Kind::Float, at))
    }

    /// Brings a value into a register and keeps it there for this instruction.
    fn register(&mut self, value: u16, kind: Kind, at: usize) -> Ymm {
        if let Some(register) = self.register_of(value) {
            self.pinned.push(register);
            return register;
        }
        let register = self.take(at);
        self.pinned.push(register);
        self.held[register.0 as usize] = Some(value);
        if let Some(&displacement) = self.spilled.get(&value) {
            let slot = Operand::Memory { base: asm::RSP, displacement };
            self.assembler.vector(asm::LOAD, register, None, slot);
            return register;
        }
        let from = self.address(value, kind);
        let whole = self.turn == Turn::Eight || (self.surroundings.is_invariant)(value);
        match (kind, whole) {
            (Kind::Float, true) => self.assembler.vector(asm::LOAD, register, None, from),
            (Kind::Float, false) => self.assembler.low(asm::LOAD_ONE, register, None, from),
            (Kind::Half, true) => self.assembler.vector(asm::WIDEN_WORDS, register, None, from),
            (Kind::Half, false) => {
                self.assembler.load_word(asm::RAX, from);
                self.assembler.across(asm::FROM_GPR, register, asm::RAX);
            }
            (_, true) => self.assembler.vector(asm::WIDEN_BYTES, register, None, from),
            (_, false) => {
                self.assembler.load_byte(asm::RAX, from);
                self.assembler.across(asm::FROM_GPR, register, asm::RAX);
            }
        }
        if kind == Kind::Half {
            self.assembler.shift(asm::LEFT, register, register, 16);
        }
        if kind == Kind::Mask {
            self.assembler.shift(asm::LEFT, register, register, 31);
            self.assembler.shift(asm::ARITHMETIC_RIGHT, register, register, 31);
        }
        register
    }

    /// Writes a value to its memory.
    fn store(&mut self, value: u16, from: Ymm, kind: Kind, at: usize) {
        if kind == Kind::Float {
            let to = self.address(value, kind);
            match self.turn {
                Turn::Eight => self.assembler.vector(asm::STORE, from, None, to),
                Turn::One => self.assembler.low(asm::STORE_ONE, from, None, to),
            }
            return;
        }
        if kind == Kind::Half {
            return self.store_upper_halves(value, from, at);
        }
        // Masks are bytes of 0 or 1 in memory; nothing makes bytes.
        let to = self.address(value, kind);
        if self.turn == Turn::One {
            self.assembler.across(asm::TO_GPR, from, asm::RAX);
            self.assembler.keep_lowest_bit_of_eax();
            self.assembler.store_al(to);
            return;
        }
        let packed = self.take(at);
        self.assembler.vector_with(asm::EXTRACT, from, None, Operand::Vector(packed), 1);
        self.assembler.low(asm::PACK_DWORDS, packed, Some(from), Operand::Vector(packed));
        self.assembler.low(asm::PACK_WORDS, packed, Some(packed), Operand::Vector(packed));
        self.assembler.low(asm::ABS_BYTES, packed, None, Operand::Vector(packed));
        self.assembler.low(asm::STORE_QWORD, packed, None, to);
    }

    fn store_upper_halves(&mut self, value: u16, from: Ymm, at: usize) {
        let halves = self.take(at);
        self.pinned.push(halves);
        self.assembler.shift(asm::RIGHT, halves, from, 16);
        let to = self.address(value, Kind::Half);
        if self.turn == Turn::One {
            self.assembler.across(asm::TO_GPR, halves, asm::RAX);
            return self.assembler.store_ax(to);
        }
        let high = self.take(at);
        self.assembler.vector_with(asm::EXTRACT, halves, None, Operand::Vector(high), 1);
        self.assembler.low(asm::PACK_DWORDS_UNSIGNED, halves, Some(halves), Operand::Vector(high));
        self.assembler.low(asm::STORE, halves, None, to);
    }

    /// The address of a value's elements of this turn. It may need RAX (RDX where elements are done one by one).
    fn address(&mut self, value: u16, kind: Kind) -> Operand {
        let position = self.memory.iter().position(|&other| other == value);
        let base = match position.and_then(|position| POINTERS.get(position)) {
            Some(&register) => register,
            None => {
                let scratch = if self.turn == Turn::Eight { asm::RAX } else { asm::RDX };
                self.assembler.load_pointer(scratch, entry(value));
                scratch
            }
        };
        if (self.surroundings.is_invariant)(value) {
            Operand::Memory { base, displacement: 0 }
        } else {
            Operand::Indexed { base, scale: kind.scale() }
        }
    }

    /// A register for something new: a free one, or that of the value which is needed last.
    fn take(&mut self, at: usize) -> Ymm {
        let all = (0..16u8).map(Ymm).filter(|register| !self.pinned.contains(register));
        let candidates: Vec<Ymm> = all.collect();
        let free = candidates.iter().find(|register| self.held[register.0 as usize].is_none());
        if let Some(&register) = free {
            return register;
        }
        let next = |register: &Ymm| {
            let value = self.held[register.0 as usize];
            value.and_then(|value| self.next_read_from(value, at)).unwrap_or(usize::MAX)
        };
        let register = candidates.into_iter().max_by_key(next).unwrap_or(Ymm(15));
        if let Some(value) = self.held[register.0 as usize].take() {
            self.spill(value, register, at);
        }
        register
    }

    /// Saves a value on the stack, unless it can be read again where it came from.
    fn spill(&mut self, value: u16, register: Ymm, at: usize) {
        let is_made_here = self.code[..=at].iter().any(|instr| instr.result == value);
        let is_needed = self.next_read_from(value, at).is_some();
        if !is_made_here || !is_needed || self.spilled.contains_key(&value) {
            return;
        }
        let displacement = 32 * self.slots;
        self.slots += 1;
        self.spilled.insert(value, displacement);
        let slot = Operand::Memory { base: asm::RSP, displacement };
        self.assembler.vector(asm::STORE, register, None, slot);
    }

    fn register_of(&self, value: u16) -> Option<Ymm> {
        self.held.iter().position(|&held| held == Some(value)).map(|register| Ymm(register as u8))
    }

    fn forget(&mut self, value: u16) {
        if let Some(register) = self.register_of(value) {
            self.held[register.0 as usize] = None;
        }
    }

    /// The next instruction after `at` that reads the value.
    fn next_read(&self, value: u16, at: usize) -> Option<usize> {
        self.next_read_from(value, at + 1)
    }

    /// The next instruction from `at` on that reads the value.
    fn next_read_from(&self, value: u16, at: usize) -> Option<usize> {
        self.reads.get(&value)?.iter().copied().find(|&read| read >= at)
    }
}

/// Where the table of values has the pointer of this one.
fn entry(value: u16) -> Operand {
    Operand::Memory { base: asm::RDI, displacement: 8 * i32::from(value) }
}
