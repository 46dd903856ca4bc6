//! Where the cells of a table lie: in memory, or in a file of their own where there are too many.
//!
//! A row is `width` numbers of 32 bits next to each other. On disk they lie the same way, little-endian, in an unnamed
//! temporary file that vanishes with its last user; rows are read where they are wanted and not kept, so that the memory
//! taken does not depend on the number of rows.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

/// Rows wanted that lie no further apart than this are read in one piece, with what lies between them.
const GAP_BYTES: u64 = 4096;
/// What one piece holds at most.
const PIECE_BYTES: u64 = 1 << 20;

/// The rows of a table.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    /// Row after row.
    Memory { cells: Arc<Vec<f32>>, width: usize },
    /// Row after row, in a file.
    Disk { scratch: Arc<Scratch>, rows: usize, width: usize },
}

/// An unnamed file, and the folder that gave it room.
#[derive(Debug)]
pub(crate) struct Scratch {
    file: File,
    folder: PathBuf,
}

impl Scratch {
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl PartialEq for Store {
    /// Stores in memory are equal by content, those on disk by being the same.
    fn eq(&self, other: &Store) -> bool {
        match (self, other) {
            (Store::Memory { cells, width }, Store::Memory { cells: others, width: other }) => {
                cells == others && width == other
            }
            (Store::Disk { scratch, .. }, Store::Disk { scratch: other, .. }) => Arc::ptr_eq(scratch, other),
            _ => false,
        }
    }
}

impl Store {
    pub fn in_memory(cells: Vec<f32>, width: usize) -> Store {
        Store::Memory { cells: Arc::new(cells), width }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Store::Memory { cells, width } => cells.len().checked_div(*width).unwrap_or(0),
            Store::Disk { rows, .. } => *rows,
        }
    }

    /// The number of cells in a row.
    pub fn width(&self) -> usize {
        match self {
            Store::Memory { width, .. } | Store::Disk { width, .. } => *width,
        }
    }

    /// Hands each of the rows `indices` to `see`, in their order.
    ///
    /// # Errors
    /// An index out of range, a file that cannot be read, and what `see` gives.
    pub fn each(&self, indices: &[usize], mut see: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let (len, width) = (self.len(), self.width());
        if let Some(&index) = indices.iter().find(|&&index| index >= len) {
            return Err(Error::OutOfRange { index, len });
        }
        match self {
            Store::Memory { cells, .. } => {
                indices.iter().try_for_each(|&index| see(&cells[index * width..][..width]))
            }
            Store::Disk { scratch, .. } => {
                let mut piece = Piece::default();
                for (at, &index) in indices.iter().enumerate() {
                    if !piece.rows.contains(&index) {
                        piece.read(scratch, run_from(&indices[at..], width), width)?;
                    }
                    see(&piece.cells[(index - piece.rows.start) * width..][..width])?;
                }
                Ok(())
            }
        }
    }
}

/// The rows to read at once for the first of `indices`: on to the last that follows closely.
fn run_from(indices: &[usize], width: usize) -> Range<usize> {
    let row_bytes = 4 * width.max(1) as u64;
    let (gap, most) = ((GAP_BYTES / row_bytes) as usize, (PIECE_BYTES / row_bytes).max(1) as usize);
    let first = indices[0];
    let mut last = first;
    for &index in &indices[1..] {
        if index < last || index - last > gap + 1 || index - first >= most {
            break;
        }
        last = index;
    }
    first..last + 1
}

/// Rows that have been read from a file.
#[derive(Default)]
struct Piece {
    rows: Range<usize>,
    bytes: Vec<u8>,
    cells: Vec<f32>,
}

impl Piece {
    fn read(&mut self, scratch: &Scratch, rows: Range<usize>, width: usize) -> Result<()> {
        self.bytes.resize(4 * width * rows.len(), 0);
        read_at(&scratch.file, &mut self.bytes, 4 * (rows.start * width) as u64)
            .map_err(|source| Error::Scratch { doing: "read", folder: scratch.folder.clone(), source })?;
        self.cells.clear();
        self.cells.extend(self.bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
        self.rows = rows;
        Ok(())
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

/// How many bytes of cells may lie in memory, and in which folder they lie where that is not enough.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Room {
    pub most_bytes: usize,
    pub folder: PathBuf,
}

/// Takes rows one block after the other, in memory as long as there is room.
pub(crate) struct StoreWriter {
    room: Room,
    width: usize,
    rows: usize,
    cells: Vec<f32>,
    disk: Option<BufWriter<File>>,
}

impl StoreWriter {
    pub fn new(width: usize, room: Room) -> StoreWriter {
        StoreWriter { room, width, rows: 0, cells: Vec::new(), disk: None }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds whole rows.
    pub fn append(&mut self, cells: &[f32]) -> Result<()> {
        self.rows += cells.len().checked_div(self.width).unwrap_or(0);
        if self.disk.is_none() && 4 * (self.cells.len() + cells.len()) <= self.room.most_bytes {
            self.cells.extend_from_slice(cells);
            return Ok(());
        }
        self.spill(cells).map_err(|source| self.failed(source))
    }

    fn spill(&mut self, cells: &[f32]) -> std::io::Result<()> {
        if self.disk.is_none() {
            let file = tempfile::tempfile_in(&self.room.folder)?;
            let mut disk = BufWriter::with_capacity(1 << 20, file);
            write_cells(&mut disk, &std::mem::take(&mut self.cells))?;
            self.disk = Some(disk);
        }
        match &mut self.disk {
            Some(disk) => write_cells(disk, cells),
            None => Ok(()),
        }
    }

    pub fn finish(self) -> Result<Store> {
        let (rows, width, folder) = (self.rows, self.width, self.room.folder);
        match self.disk {
            None => Ok(Store::in_memory(self.cells, width)),
            Some(disk) => match disk.into_inner() {
                Ok(file) => Ok(Store::Disk { scratch: Arc::new(Scratch { file, folder }), rows, width }),
                Err(error) => Err(Error::Scratch { doing: "write", folder, source: error.into_error() }),
            },
        }
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::Scratch { doing: "write", folder: self.room.folder.clone(), source }
    }
}

fn write_cells(to: &mut impl Write, cells: &[f32]) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(4 * cells.len().min(1 << 16));
    for cells in cells.chunks(1 << 16) {
        bytes.clear();
        bytes.extend(cells.iter().flat_map(|cell| cell.to_le_bytes()));
        to.write_all(&bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores() -> [Store; 2] {
        let cells: Vec<f32> = (0..3000).map(|cell| cell as f32).collect();
        [usize::MAX, 40].map(|most_bytes| {
            let mut writer = StoreWriter::new(3, Room { most_bytes, folder: std::env::temp_dir() });
            cells.chunks(300).for_each(|block| writer.append(block).unwrap());
            assert_eq!(writer.rows(), 1000);
            writer.finish().unwrap()
        })
    }

    #[test]
    fn rows_in_memory_and_on_disk_read_alike_in_any_order() {
        let [memory, disk] = stores();
        assert!(matches!((&memory, &disk), (Store::Memory { .. }, Store::Disk { .. })));
        for indices in [vec![0, 1, 2, 999], vec![700, 3, 3, 998, 4], (0..1000).rev().collect(), vec![]] {
            for store in [&memory, &disk] {
                let mut seen = Vec::new();
                store
                    .each(&indices, |row| {
                        seen.push((row[0] as usize / 3, row.len()));
                        Ok(())
                    })
                    .unwrap();
                let expected: Vec<(usize, usize)> = indices.iter().map(|&index| (index, 3)).collect();
                assert_eq!(seen, expected);
            }
        }
    }

    #[test]
    fn a_row_out_of_range_is_an_error() {
        for store in stores() {
            assert!(matches!(
                store.each(&[5, 1000], |_| Ok(())),
                Err(Error::OutOfRange { index: 1000, len: 1000 })
            ));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = PathBuf::from("/no/such/folder");
        let mut writer = StoreWriter::new(1, Room { most_bytes: 0, folder });
        let message = writer.append(&[1.0]).unwrap_err().to_string();
        assert!(message.contains("/no/such/folder"), "{message}");
    }

    #[test]
    fn rows_that_lie_close_together_are_read_in_one_piece() {
        assert_eq!(run_from(&[5, 6, 9, 5000], 1), 5..10);
        assert_eq!(run_from(&[5, 4], 1), 5..6);
        assert_eq!(run_from(&(0..10_000_000).collect::<Vec<_>>(), 1), 0..262_144);
        assert_eq!(run_from(&[3, 4], 1_000_000), 3..4);
    }
}
