//! The few x86-64 instructions that tile code is made of, as bytes.
//!
//! Vector instructions are written in the three-byte VEX form, memory operands always with a SIB byte, so that one
//! shape serves all registers. Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.

/// A vector register, `ymm0` to `ymm15`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ymm(pub u8);

/// A general register by its number in encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpr(pub u8);

pub const RAX: Gpr = Gpr(0);
pub const RCX: Gpr = Gpr(1);
pub const RDX: Gpr = Gpr(2);
pub const RSP: Gpr = Gpr(4);
pub const RSI: Gpr = Gpr(6);
pub const RDI: Gpr = Gpr(7);

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// In a vector register.
    Vector(Ymm),
    /// At `base + displacement`.
    Memory {
        /// The address.
        base: Gpr,
        /// Added to it.
        displacement: i32,
    },
    /// At `base + rcx * scale`, where the scale is 1, 2, 4 or 8.
    Indexed {
        /// The address.
        base: Gpr,
        /// Bytes of an element.
        scale: u8,
    },
    /// 32 bytes of constants behind the code.
    Constant(usize),
}

/// An instruction's opcode with the map and prefix it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Opcode {
    map: u8,
    prefix: u8,
    byte: u8,
}

const fn opcode(map: u8, prefix: u8, byte: u8) -> Opcode {
    Opcode { map, prefix, byte }
}

const NONE: u8 = 0;
const X66: u8 = 1;
const XF3: u8 = 2;

pub const LOAD: Opcode = opcode(1, NONE, 0x10);
pub const STORE: Opcode = opcode(1, NONE, 0x11);
pub const LOAD_ONE: Opcode = opcode(1, XF3, 0x10);
pub const STORE_ONE: Opcode = opcode(1, XF3, 0x11);
pub const SQRT: Opcode = opcode(1, NONE, 0x51);
pub const AND: Opcode = opcode(1, NONE, 0x54);
pub const OR: Opcode = opcode(1, NONE, 0x56);
pub const XOR: Opcode = opcode(1, NONE, 0x57);
pub const ADD: Opcode = opcode(1, NONE, 0x58);
pub const MUL: Opcode = opcode(1, NONE, 0x59);
pub const SUB: Opcode = opcode(1, NONE, 0x5c);
pub const MIN: Opcode = opcode(1, NONE, 0x5d);
pub const DIV: Opcode = opcode(1, NONE, 0x5e);
pub const MAX: Opcode = opcode(1, NONE, 0x5f);
pub const COMPARE: Opcode = opcode(1, NONE, 0xc2);
pub const INT_TO_FLOAT: Opcode = opcode(1, NONE, 0x5b);
pub const SHIFT: Opcode = opcode(1, X66, 0x72);
pub const PACK_DWORDS: Opcode = opcode(1, X66, 0x6b);
pub const PACK_WORDS: Opcode = opcode(1, X66, 0x63);
pub const STORE_QWORD: Opcode = opcode(1, X66, 0xd6);
pub const FROM_GPR: Opcode = opcode(1, X66, 0x6e);
pub const TO_GPR: Opcode = opcode(1, X66, 0x7e);
pub const ADD_DWORDS: Opcode = opcode(1, X66, 0xfe);
pub const WIDEN_BYTES: Opcode = opcode(2, X66, 0x31);
pub const WIDEN_WORDS: Opcode = opcode(2, X66, 0x33);
pub const PACK_DWORDS_UNSIGNED: Opcode = opcode(2, X66, 0x2b);
pub const ABS_BYTES: Opcode = opcode(2, X66, 0x1c);
pub const ROUND: Opcode = opcode(3, X66, 0x08);
pub const EXTRACT: Opcode = opcode(3, X66, 0x39);
pub const BLEND: Opcode = opcode(3, X66, 0x4a);

/// How [`COMPARE`] compares.
pub const EQUAL: u8 = 0;
pub const LESS: u8 = 0x11;
pub const UNORDERED: u8 = 3;
pub const NOT_EQUAL: u8 = 4;
/// What the reg field of [`SHIFT`] says.
pub const RIGHT: u8 = 2;
pub const ARITHMETIC_RIGHT: u8 = 4;
pub const LEFT: u8 = 6;
/// [`ROUND`] downwards, silently.
pub const DOWN: u8 = 9;

/// Conditions of jumps on unsigned numbers.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    Below = 0x82,
    NotBelow = 0x83,
}

/// A place in the code to jump to.
#[derive(Clone, Copy, Debug)]
pub struct Label(usize);

/// Machine code in the making.
#[derive(Default)]
pub struct Assembler {
    bytes: Vec<u8>,
    labels: Vec<Option<usize>>,
    /// Where a jump's distance is to be written, and to which label it jumps.
    jumps: Vec<(usize, Label)>,
    /// Where the distance to a constant is to be written, where its instruction ends, and which constant it is.
    uses: Vec<(usize, usize, usize)>,
    constants: Vec<u32>,
}

impl Assembler {
    /// The code, followed by its constants.
    pub fn finish(mut self) -> Vec<u8> {
        for &(at, label) in &self.jumps {
            let target = self.labels[label.0].unwrap_or(at + 4);
            let distance = target as i64 - (at as i64 + 4);
            self.bytes[at..at + 4].copy_from_slice(&(distance as i32).to_le_bytes());
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(32), 0xcc);
        for &(at, end, constant) in &self.uses {
            let distance = (self.bytes.len() + constant * 32) as i64 - end as i64;
            self.bytes[at..at + 4].copy_from_slice(&(distance as i32).to_le_bytes());
        }
        for constant in &self.constants {
            (0..8).for_each(|_| self.bytes.extend_from_slice(&constant.to_le_bytes()));
        }
        self.bytes
    }

    /// Eight times these 32 bits, behind the code.
    pub fn constant(&mut self, bits: u32) -> Operand {
        let known = self.constants.iter().position(|&constant| constant == bits);
        Operand::Constant(known.unwrap_or_else(|| {
            self.constants.push(bits);
            self.constants.len() - 1
        }))
    }

    /// A vector instruction `reg <- vvvv op operand` on 256 bits; 0 for `vvvv` where the instruction has two operands.
    pub fn vector(&mut self, opcode: Opcode, reg: Ymm, vvvv: Option<Ymm>, operand: Operand) {
        self.vex(opcode, reg.0, vvvv.map(|ymm| ymm.0), operand, true, None);
    }

    /// As [`Assembler::vector`], with a byte of its own at the end.
    pub fn vector_with(&mut self, opcode: Opcode, reg: Ymm, vvvv: Option<Ymm>, operand: Operand, byte: u8) {
        self.vex(opcode, reg.0, vvvv.map(|ymm| ymm.0), operand, true, Some(byte));
    }

    /// An instruction on the low 128 bits.
    pub fn low(&mut self, opcode: Opcode, reg: Ymm, vvvv: Option<Ymm>, operand: Operand) {
        self.vex(opcode, reg.0, vvvv.map(|ymm| ymm.0), operand, false, None);
    }

    /// `to <- from` shifted by `bits`; `how` is [`LEFT`], [`RIGHT`] or [`ARITHMETIC_RIGHT`].
    pub fn shift(&mut self, how: u8, to: Ymm, from: Ymm, bits: u8) {
        self.vex(SHIFT, how, Some(to.0), Operand::Vector(from), true, Some(bits));
    }

    /// Between the low 32 bits of a vector register and of a general one, by [`FROM_GPR`] or [`TO_GPR`].
    pub fn across(&mut self, opcode: Opcode, vector: Ymm, general: Gpr) {
        self.vex(opcode, vector.0, None, Operand::Vector(Ymm(general.0)), false, None);
    }

    fn vex(
        &mut self,
        opcode: Opcode,
        reg: u8,
        vvvv: Option<u8>,
        operand: Operand,
        wide: bool,
        byte: Option<u8>,
    ) {
        let (index_bit, base) = match operand {
            Operand::Vector(Ymm(number)) => (0, number),
            Operand::Memory { base, .. } | Operand::Indexed { base, .. } => (0, base.0),
            Operand::Constant(_) => (0, 0),
        };
        let high = |number: u8| (number >> 3) & 1;
        self.bytes.push(0xc4);
        self.bytes.push((!high(reg) & 1) << 7 | (!index_bit & 1) << 6 | (!high(base) & 1) << 5 | opcode.map);
        self.bytes.push((!vvvv.unwrap_or(0) & 15) << 3 | u8::from(wide) << 2 | opcode.prefix);
        self.bytes.push(opcode.byte);
        self.operand(reg, operand, usize::from(byte.is_some()));
        self.bytes.extend(byte);
    }

    /// The bytes that say where the operand is; `behind` are those of the instruction that follow.
    fn operand(&mut self, reg: u8, operand: Operand, behind: usize) {
        const NO_INDEX: u8 = 4;
        let reg = (reg & 7) << 3;
        match operand {
            Operand::Vector(Ymm(number)) => self.bytes.push(0b1100_0000 | reg | (number & 7)),
            Operand::Memory { base, displacement } => {
                self.bytes.extend([0b1000_0100 | reg, NO_INDEX << 3 | (base.0 & 7)]);
                self.bytes.extend(displacement.to_le_bytes());
            }
            Operand::Indexed { base, scale } => {
                let scale = scale.trailing_zeros() as u8;
                self.bytes.extend([0b0100_0100 | reg, scale << 6 | RCX.0 << 3 | (base.0 & 7), 0]);
            }
            Operand::Constant(constant) => {
                self.bytes.push(0b0000_0101 | reg);
                let at = self.bytes.len();
                self.uses.push((at, at + 4 + behind, constant));
                self.bytes.extend([0; 4]);
            }
        }
    }

    /// An instruction on general registers, 64 bits if `wide`.
    fn general(&mut self, wide: bool, code: &[u8], reg: Gpr, operand: Operand) {
        let base = match operand {
            Operand::Memory { base, .. } | Operand::Indexed { base, .. } => base.0,
            Operand::Vector(_) | Operand::Constant(_) => 0,
        };
        self.bytes.push(0x40 | u8::from(wide) << 3 | (reg.0 >> 3) << 2 | base >> 3);
        self.bytes.extend(code);
        self.operand(reg.0, operand, 0);
    }

    /// `to <- [from]`, 64 bits.
    pub fn load_pointer(&mut self, to: Gpr, from: Operand) {
        self.general(true, &[0x8b], to, from);
    }

    /// `to <- [from]`, a byte, the rest zero.
    pub fn load_byte(&mut self, to: Gpr, from: Operand) {
        self.general(false, &[0x0f, 0xb6], to, from);
    }

    /// `to <- [from]`, two bytes, the rest zero.
    pub fn load_word(&mut self, to: Gpr, from: Operand) {
        self.general(false, &[0x0f, 0xb7], to, from);
    }

    /// `[to] <- ax`.
    pub fn store_ax(&mut self, to: Operand) {
        self.bytes.push(0x66);
        self.general(false, &[0x89], RAX, to);
    }

    /// `[to] <- al`.
    pub fn store_al(&mut self, to: Operand) {
        self.general(false, &[0x88], RAX, to);
    }

    /// `eax <- eax & 1`.
    pub fn keep_lowest_bit_of_eax(&mut self) {
        self.bytes.extend([0x83, 0xe0, 0x01]);
    }

    /// Onto the stack.
    pub fn push(&mut self, register: Gpr) {
        self.bytes.extend([0x40 | register.0 >> 3, 0x50 | (register.0 & 7)]);
    }

    /// Off the stack.
    pub fn pop(&mut self, register: Gpr) {
        self.bytes.extend([0x40 | register.0 >> 3, 0x58 | (register.0 & 7)]);
    }

    /// `rsp <- rsp - bytes`; with a negative number back.
    pub fn take_stack(&mut self, bytes: i32) {
        self.bytes.extend([0x48, 0x81, 0xec]);
        self.bytes.extend(bytes.to_le_bytes());
    }

    /// `rcx <- 0`.
    pub fn clear_index(&mut self) {
        self.bytes.extend([0x31, 0xc9]);
    }

    /// `rcx <- rcx + by`.
    pub fn advance_index(&mut self, by: i8) {
        self.bytes.extend([0x48, 0x83, 0xc1, by as u8]);
    }

    /// `rdx <- rsi` without its lowest three bits.
    pub fn whole_eights_of_rsi_to_rdx(&mut self) {
        self.bytes.extend([0x48, 0x89, 0xf2, 0x48, 0x83, 0xe2, 0xf8]);
    }

    /// Compares `rcx` with `limit`, which is RSI or RDX.
    pub fn compare_index(&mut self, limit: Gpr) {
        self.bytes.extend([0x48, 0x39, 0b1100_0000 | limit.0 << 3 | RCX.0]);
    }

    /// A label for later.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Sets a label here.
    pub fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.bytes.len());
    }

    /// Jumps if the last comparison says so.
    pub fn jump(&mut self, condition: Condition, label: Label) {
        self.bytes.extend([0x0f, condition as u8]);
        self.jumps.push((self.bytes.len(), label));
        self.bytes.extend([0; 4]);
    }

    /// Leaves the vector unit as callers expect it, and returns.
    pub fn clean_up_and_return(&mut self) {
        self.bytes.extend([0xc5, 0xf8, 0x77, 0xc3]);
    }
}
