//! Pages that can be decoded without trusting what they promise.
//!
//! A page whose values are places in a dictionary comes after the page that has it; a damaged file may leave that out, which the crate
//! takes for impossible.
//!
//! Of texts there is more to look at. The crate's decoder of plain texts, each of which begins with its length, takes for granted that there is a length for every
//! value a page promises, and asserts it. A damaged file may promise more. So every page is looked at on its way to the
//! decoder: the lengths must lead to its end exactly, and behind that comes one that no page can keep, at which the decoder
//! itself says that bytes are missing.

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};

/// A length that no page can keep.
const BEYOND: [u8; 4] = [0xFF; 4];

/// The pages of a column.
pub struct CheckedPages {
    pages: Box<dyn PageReader>,
    /// Whether the values are texts.
    has_texts: bool,
    /// Whether values may be missing: then a page begins with which ones are.
    is_nullable: bool,
    /// Whether the dictionary has been read.
    has_dictionary: bool,
}

impl CheckedPages {
    /// The pages of a column of texts, or of others, without lists.
    pub fn new(pages: Box<dyn PageReader>, has_texts: bool, is_nullable: bool) -> CheckedPages {
        CheckedPages { pages, has_texts, is_nullable, has_dictionary: false }
    }

    fn checked(&mut self, page: Page) -> Result<Page> {
        let is_of_dictionary = page.is_data_page()
            && matches!(page.encoding(), Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY);
        if is_of_dictionary && !self.has_dictionary {
            return Err(ParquetError::General("a page refers to a dictionary that is not there".to_string()));
        }
        self.has_dictionary |= page.is_dictionary_page();
        if self.has_texts { self.with_end(page) } else { Ok(page) }
    }

    /// A page of texts, whose end the decoder will notice.
    fn with_end(&self, page: Page) -> Result<Page> {
        Ok(match page {
            Page::DataPage {
                buf,
                num_values,
                encoding,
                def_level_encoding,
                rep_level_encoding,
                statistics,
            } => {
                let levels = match self.is_nullable {
                    true => level_bytes(&buf, num_values, def_level_encoding)?,
                    false => 0,
                };
                let buf = checked(buf, levels, encoding)?;
                Page::DataPage {
                    buf,
                    num_values,
                    encoding,
                    def_level_encoding,
                    rep_level_encoding,
                    statistics,
                }
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                num_nulls,
                num_rows,
                def_levels_byte_len,
                rep_levels_byte_len,
                is_compressed,
                statistics,
            } => {
                let levels = def_levels_byte_len as usize + rep_levels_byte_len as usize;
                if levels > buf.len() {
                    return Err(cut_short());
                }
                let buf = checked(buf, levels, encoding)?;
                Page::DataPageV2 {
                    buf,
                    num_values,
                    encoding,
                    num_nulls,
                    num_rows,
                    def_levels_byte_len,
                    rep_levels_byte_len,
                    is_compressed,
                    statistics,
                }
            }
            Page::DictionaryPage { buf, num_values, encoding, is_sorted } => {
                let buf = ended(&buf, 0)?.into();
                Page::DictionaryPage { buf, num_values, encoding, is_sorted }
            }
        })
    }
}

/// How many bytes before the values say which of them are there.
fn level_bytes(page: &[u8], values: u32, encoding: Encoding) -> Result<usize> {
    let bytes = match encoding {
        Encoding::RLE => length_at(page, 0).and_then(|length| length.checked_add(BEYOND.len())),
        // One bit for each.
        _ => Some((values as usize).div_ceil(8)),
    };
    bytes.filter(|bytes| *bytes <= page.len()).ok_or_else(cut_short)
}

/// The page whose values begin at `start`; texts as they are get an end, other encodings have lengths elsewhere.
fn checked<B: AsRef<[u8]> + From<Vec<u8>>>(page: B, start: usize, encoding: Encoding) -> Result<B> {
    if encoding == Encoding::PLAIN { Ok(ended(page.as_ref(), start)?.into()) } else { Ok(page) }
}

/// The page with a length at its end that it cannot keep, if the lengths from `start` on lead to its end.
fn ended(page: &[u8], start: usize) -> Result<Vec<u8>> {
    let mut at = start;
    while at < page.len() {
        let next = length_at(page, at).and_then(|length| (at + BEYOND.len()).checked_add(length));
        at = next.filter(|next| *next <= page.len()).ok_or_else(cut_short)?;
    }
    Ok([page, &BEYOND].concat())
}

fn length_at(page: &[u8], at: usize) -> Option<usize> {
    let bytes = page.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

fn cut_short() -> ParquetError {
    ParquetError::EOF("a page of texts ends within one".to_string())
}

impl Iterator for CheckedPages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.map(|page| self.checked(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_lead_to_the_end_of_the_page() {
        let page = |texts: &[&str]| -> Vec<u8> {
            let one = |text: &&str| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
            texts.iter().flat_map(one).collect()
        };
        let whole = page(&["red", "", "green"]);
        assert_eq!(ended(&whole, 0).unwrap(), [&whole[..], &BEYOND].concat());
        assert_eq!(ended(&[&[9, 9][..], &whole].concat(), 2).unwrap().len(), whole.len() + 6);
        assert_eq!(ended(&[], 0).unwrap(), BEYOND);
        for length in (1..whole.len()).filter(|length| ![7, 11].contains(length)) {
            assert!(ended(&whole[..length], 0).is_err(), "{length}");
        }
        assert!(ended(&BEYOND, 0).is_err());
    }

    /// Pages that were written down.
    struct Written(Vec<Page>);

    impl Iterator for Written {
        type Item = Result<Page>;

        fn next(&mut self) -> Option<Self::Item> {
            self.get_next_page().transpose()
        }
    }

    impl PageReader for Written {
        fn get_next_page(&mut self) -> Result<Option<Page>> {
            Ok((!self.0.is_empty()).then(|| self.0.remove(0)))
        }

        fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
            Ok(None)
        }

        fn skip_next_page(&mut self) -> Result<()> {
            self.get_next_page().map(drop)
        }
    }

    #[test]
    fn a_page_that_refers_to_a_dictionary_comes_after_it() {
        let dictionary = || Page::DictionaryPage {
            buf: vec![0; 8].into(),
            num_values: 1,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let places = || Page::DataPage {
            buf: vec![1, 0].into(),
            num_values: 1,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let read = |pages: Vec<Page>| {
            CheckedPages::new(Box::new(Written(pages)), false, false).collect::<Result<Vec<Page>>>()
        };
        assert_eq!(read(vec![dictionary(), places()]).unwrap().len(), 2);
        let error = read(vec![places(), dictionary()]).unwrap_err().to_string();
        assert!(error.contains("a dictionary that is not there"), "{error}");
    }

    #[test]
    fn levels_lie_within_the_page() {
        assert_eq!(level_bytes(&[2, 0, 0, 0, 5, 5, 1], 9, Encoding::RLE).unwrap(), 6);
        assert!(level_bytes(&[9, 0, 0, 0, 5, 5, 1], 9, Encoding::RLE).is_err());
        assert!(level_bytes(&[9, 0], 9, Encoding::RLE).is_err());
        assert_eq!(level_bytes(&[0; 2], 9, Encoding::PLAIN).unwrap(), 2);
        assert!(level_bytes(&[0; 1], 9, Encoding::PLAIN).is_err());
    }
}
