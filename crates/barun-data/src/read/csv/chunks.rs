//! A text file in chunks of whole records.
//!
//! A record ends at a line end that does not stand between quotes. Whether it does depends on everything before it, so
//! the chunks are found in one go by one thread - which jumps from quote to quote and is as fast as memory where there
//! are few - and may then be parsed by any.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::input;
use crate::table::TextEncoding;

/// What a chunk holds, give or take a record.
const CHUNK_BYTES: usize = 4 << 20;
/// A record longer than this is not one: a quote was left open.
const MOST_RECORD_BYTES: usize = 64 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const UTF8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Whole records of a file, the line ends between them included.
#[derive(Debug)]
pub(super) struct Chunk {
    pub text: Vec<u8>,
    /// Where it begins in the file, unzipped.
    pub first_byte: u64,
}

/// Gives the chunks of a file one after the other.
pub(super) struct Chunks {
    path: PathBuf,
    from: Box<dyn Read>,
    encoding: TextEncoding,
    delimiter: u8,
    chunk_bytes: usize,
    /// What follows the last chunk and has been read already.
    rest: Vec<u8>,
    first_byte: u64,
    lines: u64,
    at_end: bool,
}

impl Chunks {
    /// Opens a file, plain or gzipped. The delimiter says where a quote may open; it is set once it is known.
    pub fn open(path: &Path, encoding: TextEncoding) -> Result<Chunks> {
        let failed = |source| Error::Read { path: path.to_path_buf(), source };
        if path.is_dir() {
            return Err(Error::IsFolder { path: path.to_path_buf() });
        }
        let file = input::open(path).map_err(failed)?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let is_gzip = file.fill_buf().map_err(failed)?.starts_with(&GZIP);
        let from: Box<dyn Read> = if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut chunks = Chunks {
            path: path.to_path_buf(),
            from,
            encoding,
            delimiter: b',',
            chunk_bytes: CHUNK_BYTES,
            rest: Vec::new(),
            first_byte: 0,
            lines: 1,
            at_end: false,
        };
        chunks.skip_mark()?;
        Ok(chunks)
    }

    /// The first bytes of the file that make whole lines, to look at; they stay.
    pub fn peek(&mut self, bytes: usize) -> Result<&[u8]> {
        while self.rest.len() < bytes && !self.at_end {
            self.read_on(bytes)?;
        }
        let shown = &self.rest[..self.rest.len().min(bytes)];
        match shown.iter().rposition(|&byte| byte == b'\n') {
            Some(end) if shown.len() < self.rest.len() || !self.at_end => Ok(&shown[..=end]),
            _ => Ok(shown),
        }
    }

    /// What stands between the fields.
    pub fn set_delimiter(&mut self, delimiter: u8) {
        self.delimiter = delimiter;
    }

    /// The next chunk; nothing at the end of the file.
    pub fn next(&mut self) -> Result<Option<Chunk>> {
        let mut wanted = self.chunk_bytes;
        loop {
            while self.rest.len() < wanted && !self.at_end {
                self.read_on(wanted)?;
            }
            if self.at_end && self.rest.len() <= wanted {
                let text = std::mem::take(&mut self.rest);
                return Ok(self.chunk(text));
            }
            if let Some(end) = last_record_end(&self.rest, self.delimiter) {
                let rest = self.rest.split_off(end);
                let text = std::mem::replace(&mut self.rest, rest);
                return Ok(self.chunk(text));
            }
            if self.rest.len() > MOST_RECORD_BYTES {
                return Err(Error::EndlessRecord {
                    path: self.path.clone(),
                    line: self.lines,
                    mebibytes: MOST_RECORD_BYTES >> 20,
                });
            }
            wanted = 2 * self.rest.len().max(1);
        }
    }

    fn chunk(&mut self, text: Vec<u8>) -> Option<Chunk> {
        if text.is_empty() {
            return None;
        }
        let first_byte = self.first_byte;
        self.first_byte += text.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', &text).count() as u64;
        Some(Chunk { text, first_byte })
    }

    fn skip_mark(&mut self) -> Result<()> {
        self.read_on(4)?;
        for (mark, name) in [([0xff, 0xfe], "UTF-16"), ([0xfe, 0xff], "UTF-16")] {
            if self.rest.starts_with(&mark) && self.encoding == TextEncoding::Utf8 {
                return Err(Error::OtherEncoding { path: self.path.clone(), found: name });
            }
        }
        if self.rest.starts_with(&UTF8_MARK) {
            self.rest.drain(..UTF8_MARK.len());
            self.first_byte += UTF8_MARK.len() as u64;
        }
        Ok(())
    }

    fn read_on(&mut self, wanted: usize) -> Result<()> {
        let start = self.rest.len();
        let more = wanted.saturating_sub(start).max(1) as u64;
        self.rest.reserve(wanted.min(2 * CHUNK_BYTES).saturating_sub(start));
        let count = self.from.by_ref().take(more).read_to_end(&mut self.rest).map_err(|source| {
            let path = self.path.clone();
            match source.kind() {
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::UnexpectedEof => {
                    Error::Gzip { path, offset: self.first_byte + self.rest.len() as u64, source }
                }
                _ => Error::Read { path, source },
            }
        })?;
        self.at_end = (count as u64) < more;
        if self.encoding == TextEncoding::Latin1 {
            let text: String = self.rest.drain(start..).map(char::from).collect();
            self.rest.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    #[cfg(test)]
    fn of_bytes(text: &[u8], chunk_bytes: usize) -> Chunks {
        Chunks {
            path: "t.csv".into(),
            from: Box::new(std::io::Cursor::new(text.to_vec())),
            encoding: TextEncoding::Utf8,
            delimiter: b',',
            chunk_bytes,
            rest: Vec::new(),
            first_byte: 0,
            lines: 1,
            at_end: false,
        }
    }
}

/// Where the last whole record of `text` ends, which begins with a record. As the parser has it: a quote opens at the
/// start of a field only, two quotes within a quoted field are one of its characters, and after the closing quote the
/// field goes on to the next delimiter.
fn last_record_end(text: &[u8], delimiter: u8) -> Option<usize> {
    let mut end = None;
    let mut at = 0;
    loop {
        let quote = memchr::memchr(b'"', &text[at..]).map_or(text.len(), |found| at + found);
        if let Some(line_end) = memchr::memrchr2(b'\n', b'\r', &text[at..quote]) {
            end = Some(at + line_end + 1);
        }
        if quote == text.len() {
            return end;
        }
        let opens = quote == 0 || matches!(text[quote - 1], b'\n' | b'\r') || text[quote - 1] == delimiter;
        at = match opens {
            true => match closing_quote(text, quote + 1) {
                Some(closing) => closing + 1,
                None => return end,
            },
            false => quote + 1,
        };
    }
}

fn closing_quote(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let quote = from + memchr::memchr(b'"', &text[from..])?;
        match text.get(quote + 1) {
            Some(b'"') => from = quote + 2,
            Some(_) => return Some(quote),
            // What follows decides whether it closes.
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(text: &str, chunk_bytes: usize) -> Vec<String> {
        let mut chunks = Chunks::of_bytes(text.as_bytes(), chunk_bytes);
        std::iter::from_fn(|| chunks.next().unwrap())
            .map(|chunk| String::from_utf8(chunk.text).unwrap())
            .collect()
    }

    fn records(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
        reader.byte_records().map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
    }

    #[test]
    fn chunks_hold_whole_records() {
        assert_eq!(chunks("a,b\nc,d\ne,f\n", 5), ["a,b\n", "c,d\n", "e,f\n"]);
        assert_eq!(chunks("a,\"x\ny\"\nc,d\n", 9), ["a,\"x\ny\"\n", "c,d\n"]);
        assert_eq!(chunks("a,\"x\"\"\ny\"\nc,d", 12), ["a,\"x\"\"\ny\"\n", "c,d"]);
        assert_eq!(chunks("5\" pipe,1\n6\" pipe,2\n", 11), ["5\" pipe,1\n", "6\" pipe,2\n"]);
        assert_eq!(chunks("", 4), Vec::<String>::new());
        assert_eq!(chunks("a\rb\r", 2), ["a\r", "b\r"]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_size_of_the_chunks_the_records_are_the_same(
            text in "[a,\"\n\r]{0,60}", chunk_bytes in 1usize..20,
        ) {
            let mut chunks = Chunks::of_bytes(text.as_bytes(), chunk_bytes);
            let mut found = Vec::new();
            let mut bytes = 0;
            while let Some(chunk) = chunks.next().unwrap() {
                assert_eq!(chunk.first_byte, bytes);
                bytes += chunk.text.len() as u64;
                found.extend(records(&chunk.text));
            }
            assert_eq!(found, records(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_ends_in_an_error_and_not_in_all_memory() {
        let text = [b"a,b\n\"".to_vec(), vec![b'x'; MOST_RECORD_BYTES + (1 << 20) * 70]].concat();
        let mut chunks = Chunks::of_bytes(&text, 1 << 20);
        let first = chunks.next().unwrap().unwrap();
        assert_eq!(first.text, b"a,b\n");
        assert!(matches!(chunks.next(), Err(Error::EndlessRecord { line: 2, .. })));
    }
}
