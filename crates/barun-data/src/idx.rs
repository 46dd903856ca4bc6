//! IDX, the file format of MNIST: a magic number, the sizes, the bytes.
//!
//! ```text
//! 00 00 08 rank | rank x u32 big-endian: sizes | product(sizes) bytes
//! ```
//!
//! Only unsigned bytes (type 0x08) are read; images have rank 3 (magic 2051) and labels rank 1 (magic 2049). A file may
//! be gzipped, which is decided by its first bytes and not by its name. Nothing is allocated on the header's word
//! alone: memory grows only as bytes arrive. [DATA-09]

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::input;

const UNSIGNED_BYTE: u8 = 0x08;
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The largest payload that is believed: far above every data set that comes as IDX.
const MOST_BYTES: u64 = 1 << 32;

/// The contents of one IDX file of unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// Sizes, slowest first: `[n, height, width]` for images, `[n]` for labels.
    pub dims: Vec<usize>,
    /// `product(dims)` bytes, row-major.
    pub data: Vec<u8>,
}

/// Reads an IDX file, plain or gzipped, that must have `rank` dimensions.
///
/// # Errors
/// Unreadable or damaged files; wrong magic, element type or rank; sizes of zero or beyond 4 GiB; too few or too many
/// bytes. Each names the path and the byte offset.
pub fn read(path: &Path, rank: usize) -> Result<Idx> {
    let file = input::open(path).map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(|source| Error::Read { path: path.to_path_buf(), source })?;
    if start.starts_with(&GZIP) {
        let mut unzipped = MultiGzDecoder::new(file);
        parse(&mut unzipped, path, rank, true)
    } else {
        parse(&mut file, path, rank, false)
    }
}

fn parse(from: &mut impl Read, path: &Path, rank: usize, gzipped: bool) -> Result<Idx> {
    let mut input = Counted { from, path, gzipped, offset: 0 };
    let magic = input.take(4, 4)?;
    if magic[..2] != [0, 0] {
        return Err(Error::IdxMagic { path: path.to_path_buf(), found: [magic[0], magic[1]] });
    }
    if magic[2] != UNSIGNED_BYTE {
        return Err(Error::IdxType { path: path.to_path_buf(), found: magic[2] });
    }
    let found = usize::from(magic[3]);
    if found != rank {
        return Err(Error::IdxRank { path: path.to_path_buf(), expected: rank, found });
    }
    let header = 4 + 4 * rank as u64;
    let sizes = input.take(4 * rank as u64, header)?;
    let dims: Vec<u32> =
        sizes.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
    let bytes = payload(&dims).map_err(|problem| Error::IdxSize {
        path: path.to_path_buf(),
        dims: dims.clone(),
        problem,
    })?;
    let data = input.take(bytes, header + bytes)?;
    if !input.at_end()? {
        return Err(Error::IdxTrailing { path: path.to_path_buf(), expected: header + bytes });
    }
    Ok(Idx { dims: dims.iter().map(|&size| size as usize).collect(), data })
}

fn payload(dims: &[u32]) -> std::result::Result<u64, &'static str> {
    if dims.contains(&0) {
        return Err("empty");
    }
    dims.iter()
        .try_fold(1u64, |product, &size| product.checked_mul(u64::from(size)))
        .filter(|&bytes| bytes <= MOST_BYTES && usize::try_from(bytes).is_ok())
        .ok_or("beyond 4 GiB")
}

/// A reader that knows its byte offset (after unzipping) and turns failures into our errors.
struct Counted<'a, R> {
    from: &'a mut R,
    path: &'a Path,
    gzipped: bool,
    offset: u64,
}

impl<R: Read> Counted<'_, R> {
    /// The next `count` bytes; `announced` is the offset the file must reach to be whole so far.
    fn take(&mut self, count: u64, announced: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let outcome = self.from.take(count).read_to_end(&mut bytes);
        self.offset += bytes.len() as u64;
        outcome.map_err(|source| self.failure(source))?;
        if (bytes.len() as u64) < count {
            return Err(Error::IdxTruncated {
                path: self.path.to_path_buf(),
                expected: announced,
                found: self.offset,
            });
        }
        Ok(bytes)
    }

    /// Whether nothing is left; reading to the end also checks gzip's checksum.
    fn at_end(&mut self) -> Result<bool> {
        let mut byte = [0];
        loop {
            match self.from.read(&mut byte) {
                Ok(count) => return Ok(count == 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failure(source)),
            }
        }
    }

    fn failure(&self, source: io::Error) -> Error {
        let path = self.path.to_path_buf();
        match self.gzipped {
            true => Error::Gzip { path, offset: self.offset, source },
            false => Error::Read { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        bytes.extend(dims.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read_bytes(bytes: &[u8], rank: usize) -> Result<Idx> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        read(file.path(), rank)
    }

    #[test]
    fn data_09_plain_and_gzipped_files_read_alike_whatever_their_name() {
        let bytes = idx(&[2, 2, 3], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
        let plain = read_bytes(&bytes, 3).unwrap();
        assert_eq!(plain.dims, [2, 2, 3]);
        assert_eq!(plain.data[11], 255);
        assert_eq!(read_bytes(&gz(&bytes), 3).unwrap(), plain);
    }

    #[test]
    fn data_09_each_damage_has_its_own_error() {
        let good = idx(&[2, 3], &[1, 2, 3, 4, 5, 6]);
        let problem = |bytes: &[u8]| read_bytes(bytes, 2).unwrap_err();

        assert!(matches!(problem(b"PNG...."), Error::IdxMagic { found: [b'P', b'N'], .. }));
        assert!(matches!(problem(&[0, 0, 0x0d, 2]), Error::IdxType { found: 0x0d, .. }));
        assert!(matches!(read_bytes(&good, 3).unwrap_err(), Error::IdxRank { expected: 3, found: 2, .. }));
        assert!(matches!(problem(&[]), Error::IdxTruncated { expected: 4, found: 0, .. }));
        assert!(matches!(problem(&good[..9]), Error::IdxTruncated { expected: 12, found: 9, .. }));
        assert!(matches!(problem(&good[..17]), Error::IdxTruncated { expected: 18, found: 17, .. }));
        assert!(matches!(
            problem(&[good.clone(), vec![0]].concat()),
            Error::IdxTrailing { expected: 18, .. }
        ));
        assert!(matches!(problem(&idx(&[0, 3], &[])), Error::IdxSize { problem: "empty", .. }));
        assert!(matches!(problem(&gz(&good)[..25]), Error::Gzip { .. }));
    }

    #[test]
    fn data_09_an_absurd_size_neither_overflows_nor_allocates() {
        let most = u32::MAX;
        let overflowing = read_bytes(&idx(&[most, most, most], &[1]), 3).unwrap_err();
        assert!(matches!(overflowing, Error::IdxSize { problem: "beyond 4 GiB", .. }));
        let lying = read_bytes(&idx(&[most / 784, 28, 28], &[1]), 3).unwrap_err();
        assert!(matches!(lying, Error::IdxTruncated { found: 17, .. }));
    }

    #[test]
    fn data_09_a_damaged_checksum_is_noticed() {
        let mut bytes = gz(&idx(&[4], &[1, 2, 3, 4]));
        let checksum = bytes.len() - 8;
        bytes[checksum] ^= 1;
        assert!(matches!(read_bytes(&bytes, 1).unwrap_err(), Error::Gzip { .. }));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_give_a_result_and_never_a_panic(bytes in proptest::collection::vec(0u8..12, 0..64)) {
            let _ = parse(&mut bytes.as_slice(), Path::new("any"), 1, false);
            let _ = parse(&mut bytes.as_slice(), Path::new("any"), 3, false);
        }
    }
}
