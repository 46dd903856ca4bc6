//! Pictures that are part of the page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use png::{BitDepth, ColorType, Encoder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A picture as a PNG file. As data, the file is Base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
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

    /// As [`of`](Picture::of), with no side longer than `side`: of a larger picture each pixel is the mean of those that it
    /// stands for.
    pub fn of_at_most(side: usize, shape: [usize; 3], pixels: &[u8]) -> Option<Picture> {
        let [height, width, channels] = shape;
        let times = height.max(width).div_ceil(side.max(1)).max(1);
        if times == 1 || height * width * channels != pixels.len() {
            return Picture::of(shape, pixels);
        }
        let small = [height.div_ceil(times), width.div_ceil(times), channels];
        let mut means = Vec::with_capacity(small.iter().product());
        for y in 0..small[0] {
            for x in 0..small[1] {
                let (rows, columns) =
                    (y * times..((y + 1) * times).min(height), x * times..((x + 1) * times).min(width));
                for channel in 0..channels {
                    let of_row = |row: usize| {
                        columns
                            .clone()
                            .map(move |column| u32::from(pixels[(row * width + column) * channels + channel]))
                    };
                    let sum: u32 = rows.clone().flat_map(of_row).sum();
                    means.push((sum / (rows.len() * columns.len()) as u32) as u8);
                }
            }
        }
        Picture::of(small, &means)
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

fn to_base64<S: Serializer>(png: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&STANDARD.encode(png))
}

fn from_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_picture_is_shrunk_to_means() {
        // Two by five pixels of two colours; the last column stands alone.
        let pixels = [10, 20, 30, 40, 99, 30, 40, 50, 60, 101];
        assert_eq!(Picture::of_at_most(3, [2, 5, 1], &pixels), Picture::of([1, 3, 1], &[25, 45, 100]));
        assert_eq!(Picture::of_at_most(5, [2, 5, 1], &pixels), Picture::of([2, 5, 1], &pixels));
    }

    #[test]
    fn a_picture_is_text_in_data() {
        let picture = Picture::of([1, 2, 1], &[7, 9]).unwrap();
        let text = serde_json::to_string(&picture).unwrap();
        assert!(text.starts_with(r#"{"width":2,"height":1,"png":"iVBORw0KGgo"#), "{text}");
        assert_eq!(serde_json::from_str::<Picture>(&text).unwrap(), picture);
    }

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
