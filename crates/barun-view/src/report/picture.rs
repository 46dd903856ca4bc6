//! Pictures that are part of the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Encoder};

/// A picture as a PNG file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    png: Vec<u8>,
}

impl Picture {
    /// Of bytes `[height, width, channels]`, 0 to 255: one channel is grey, three are colours, four have a transparency
    /// as well; of two, which have no usual meaning, or more than four, the first is shown as grey. None where the size
    /// does not fit the bytes or is 0.
    ///
    /// ```
    /// use barun_view::report::Picture;
    /// assert!(Picture::of([2, 2, 1], &[0, 255, 128, 64]).is_some());
    /// assert!(Picture::of([2, 2, 3], &[0, 255, 128, 64]).is_none());
    /// ```
    pub fn of([height, width, channels]: [usize; 3], pixels: &[u8]) -> Option<Picture> {
        if height.checked_mul(width)?.checked_mul(channels)? != pixels.len() || pixels.is_empty() {
            return None;
        }
        let (color, pixels) = match channels {
            1 => (ColorType::Grayscale, pixels.to_vec()),
            3 => (ColorType::Rgb, pixels.to_vec()),
            4 => (ColorType::Rgba, pixels.to_vec()),
            _ => (ColorType::Grayscale, pixels.iter().step_by(channels).copied().collect()),
        };
        let mut png = Vec::new();
        let mut encoder = Encoder::new(&mut png, u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        encoder.set_color(color);
        encoder.set_depth(BitDepth::Eight);
        encoder.write_header().ok()?.write_image_data(&pixels).ok()?;
        Some(Picture { width, height, png })
    }

    /// The file.
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// The file as an address that holds it.
    pub(super) fn data_address(&self) -> String {
        format!("data:image/png;base64,{}", STANDARD.encode(&self.png))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_reads_back_as_it_was() {
        let pixels: Vec<u8> = (0..24).map(|byte| byte * 10).collect();
        let picture = Picture::of([2, 4, 3], &pixels).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture.png())).read_info().unwrap();
        let mut read = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut read).unwrap();
        assert_eq!((info.width, info.height, &read[..24]), (4, 2, &pixels[..]));
        assert!(picture.data_address().starts_with("data:image/png;base64,iVBORw0KGgo"));
    }

    #[test]
    fn odd_channels_show_the_first() {
        assert_eq!(Picture::of([1, 2, 2], &[7, 0, 9, 0]), Picture::of([1, 2, 1], &[7, 9]));
        assert_eq!(Picture::of([0, 2, 1], &[]), None);
    }
}
