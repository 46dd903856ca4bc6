//! The state of a program: parameters, optimiser slots, statistics, counters, in one relocatable block of memory.

use std::collections::HashMap;
use std::sync::Arc;

use crate::cpu::memory::{ALIGN, Lives, Memory};
use crate::error::{Error, Result};
use crate::tensor::{Buffer, DType, Shape, Tensor};

/// One named tensor of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name, such as `hidden.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
    /// Where it lies in the state, in bytes.
    pub(crate) offset: usize,
}

impl Slot {
    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.shape.elements() * self.dtype.size()
    }
}

/// What a state holds: named slots in order. Programs over one layout share states.
#[derive(Debug, PartialEq, Eq, Default)]
pub struct Layout {
    slots: Vec<Slot>,
    positions: HashMap<String, usize>,
    bytes: usize,
}

impl Layout {
    /// A layout of named tensors; an error if a name comes twice.
    pub fn new(slots: Vec<(String, Shape, DType)>) -> Result<Arc<Layout>> {
        let mut layout = Layout::default();
        for (name, shape, dtype) in slots {
            let slot = Slot { name: name.clone(), shape, dtype, offset: layout.bytes };
            layout.bytes += slot.bytes().next_multiple_of(ALIGN);
            if layout.positions.insert(name, layout.slots.len()).is_some() {
                let message =
                    format!("two tensors of the state are called `{}`; give each its own name", slot.name);
                return Err(Error::State(message));
            }
            layout.slots.push(slot);
        }
        Ok(Arc::new(layout))
    }

    /// All slots in order.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The position of a slot by its name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// The slot as a leaf of a graph.
    #[track_caller]
    pub fn tensor(&self, index: usize) -> Tensor {
        let slot = &self.slots[index];
        Tensor::slot(index, slot.shape.clone(), slot.dtype)
    }

    /// Bytes of a state.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Values for a [`Layout`]. A clone is a fork: it goes its own way from here.
#[derive(Clone)]
pub struct State {
    layout: Arc<Layout>,
    pub(crate) memory: Memory,
}

impl State {
    /// All zeros.
    pub fn zeros(layout: &Arc<Layout>) -> Self {
        State { layout: Arc::clone(layout), memory: Memory::zeroed(layout.bytes, Lives::Long) }
    }

    /// What it holds.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// A copy of the slot at `index`.
    pub fn read(&self, index: usize) -> Buffer {
        let slot = &self.layout.slots[index];
        let mut buffer = Buffer::zeros(slot.shape.clone(), slot.dtype);
        buffer.bytes_mut().copy_from_slice(self.slot_bytes(index));
        buffer
    }

    /// The bytes of the slot at `index`, in the machine's order.
    pub fn slot_bytes(&self, index: usize) -> &[u8] {
        let slot = &self.layout.slots[index];
        self.memory.slice(slot.offset, slot.bytes())
    }

    /// Sets the slot at `index`; shape and type must be the slot's.
    pub fn write(&mut self, index: usize, value: &Buffer) -> Result<()> {
        let slot = &self.layout.slots[index];
        if (value.shape(), value.dtype()) != (&slot.shape, slot.dtype) {
            return Err(Error::State(format!(
                "`{}` is {}{}, it cannot be set to {}{}",
                slot.name,
                slot.dtype,
                slot.shape,
                value.dtype(),
                value.shape()
            )));
        }
        self.memory.slice_mut(slot.offset, slot.bytes()).copy_from_slice(value.bytes());
        Ok(())
    }

    /// A copy of the slot called `name`.
    pub fn get(&self, name: &str) -> Result<Buffer> {
        Ok(self.read(self.find(name)?))
    }

    /// Sets the slot called `name`.
    pub fn set(&mut self, name: &str, value: &Buffer) -> Result<()> {
        self.write(self.find(name)?, value)
    }

    fn find(&self, name: &str) -> Result<usize> {
        self.layout.position(name).ok_or_else(|| {
            let known: Vec<&str> = self.layout.slots.iter().map(|slot| slot.name.as_str()).collect();
            Error::State(format!("the state holds no `{name}`; it holds {}", known.join(", ")))
        })
    }

    /// All bytes; equal states have equal bytes.
    pub fn bytes(&self) -> &[u8] {
        self.memory.slice(0, self.memory.bytes())
    }
}
