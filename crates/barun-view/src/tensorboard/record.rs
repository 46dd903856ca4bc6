//! The frames of an event file: TFRecord.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the length of the data, little end first |
//! | 4 | masked CRC-32C of these 8 bytes |
//! | length | the data |
//! | 4 | masked CRC-32C of the data |
//!
//! From TensorFlow's documentation, "TFRecord and tf.train.Example". The mask is there because a checksum of data that
//! contains checksums of itself is weak.

use std::io::{self, Write};

use crc::{CRC_32_ISCSI, Crc};

const CASTAGNOLI: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
const MASK: u32 = 0xa282_ead8;

/// Adds a record.
pub(super) fn write(out: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = (data.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(data)?;
    out.write_all(&masked(data).to_le_bytes())
}

fn masked(data: &[u8]) -> u32 {
    CASTAGNOLI.checksum(data).rotate_right(15).wrapping_add(MASK)
}

/// The data of all whole records whose checksums are right.
#[cfg(test)]
pub(super) fn read(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(12) {
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        assert_eq!(head[8..], masked(&head[..8]).to_le_bytes());
        let Some((data, rest)) = rest.split_at_checked(length) else { break };
        assert_eq!(rest[..4], masked(data).to_le_bytes());
        records.push(data.to_vec());
        bytes = &rest[4..];
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_castagnoli() {
        // RFC 3720, B.4: 32 bytes of zeros, and of ones.
        assert_eq!(CASTAGNOLI.checksum(&[0; 32]), 0x8a91_36aa);
        assert_eq!(CASTAGNOLI.checksum(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(CASTAGNOLI.checksum(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn records_read_back_and_a_torn_one_is_left_out() {
        let mut bytes = Vec::new();
        write(&mut bytes, b"one").unwrap();
        write(&mut bytes, b"").unwrap();
        write(&mut bytes, b"three").unwrap();
        assert_eq!(read(&bytes), [&b"one"[..], b"", b"three"]);
        assert_eq!(read(&bytes[..bytes.len() - 6]).len(), 2);
    }
}
