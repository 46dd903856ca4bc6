//! One array: a line of Python that describes it, and its bytes.

use std::io::Read;

/// The largest array that is believed.
const MOST_BYTES: u64 = 1 << 36;
const MAGIC: [u8; 6] = *b"\x93NUMPY";
/// No header of an array of numbers is longer.
const MOST_HEADER_BYTES: usize = 1 << 16;

/// What stands before the bytes of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub shape: Vec<usize>,
    kind: Kind,
    swapped: bool,
    fortran: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Unsigned(usize),
    Signed(usize),
    Float(usize),
}

/// An array, rows first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub shape: Vec<usize>,
    pub values: Values,
}

/// The numbers of an array.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Bytes(Vec<u8>),
    Singles(Vec<f32>),
    Doubles(Vec<f64>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Values::Bytes(values) => values.len(),
            Values::Singles(values) => values.len(),
            Values::Doubles(values) => values.len(),
        }
    }

    pub fn get(&self, at: usize) -> f64 {
        match self {
            Values::Bytes(values) => f64::from(values[at]),
            Values::Singles(values) => f64::from(values[at]),
            Values::Doubles(values) => values[at],
        }
    }
}

impl Header {
    /// Reads magic, version and description.
    pub fn read(from: &mut impl Read) -> Result<Header, String> {
        let mut start = [0; 8];
        from.read_exact(&mut start)
            .map_err(|_| "it ends within its header; fetch the file again".to_string())?;
        if start[..6] != MAGIC {
            return Err(
                "it does not begin as a NumPy array does; check that it is the right file".to_string()
            );
        }
        let length = match start[6] {
            1 => usize::from(u16::from_le_bytes(bytes_of(from)?)),
            2 | 3 => u32::from_le_bytes(bytes_of(from)?) as usize,
            version => {
                return Err(format!("version {version} of the format is not known; save it with np.save"));
            }
        };
        if length > MOST_HEADER_BYTES {
            return Err(format!("its header claims {length} bytes; the file is damaged"));
        }
        let mut text = vec![0; length];
        from.read_exact(&mut text)
            .map_err(|_| "it ends within its header; fetch the file again".to_string())?;
        Header::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Result<Header, String> {
        let damaged = |what: &str| format!("its header does not tell its {what}; the file is damaged");
        let after = |key: &str| {
            let place = text.find(&format!("'{key}'"))?;
            text[place + key.len() + 2..].trim_start().strip_prefix(':').map(str::trim_start)
        };
        let descr = after("descr").ok_or_else(|| damaged("type"))?;
        let Some(descr) = descr.strip_prefix('\'').and_then(|descr| descr.split('\'').next()) else {
            return Err("it has fields of several types; save each field as an array of its own".to_string());
        };
        let fortran = after("fortran_order").ok_or_else(|| damaged("order"))?.starts_with("True");
        let shape = after("shape")
            .and_then(|shape| shape.strip_prefix('('))
            .and_then(|shape| shape.split(')').next());
        let sizes =
            shape.ok_or_else(|| damaged("shape"))?.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape: Option<Vec<usize>> = sizes.map(|size| size.parse().ok()).collect();
        let (kind, swapped) = kind_of(descr)?;
        Ok(Header { shape: shape.ok_or_else(|| damaged("shape"))?, kind, swapped, fortran })
    }

    /// How many bytes follow.
    pub fn bytes(&self) -> Result<u64, String> {
        let size = self.kind.size() as u64;
        self.shape
            .iter()
            .try_fold(size, |bytes, &size| bytes.checked_mul(size as u64))
            .filter(|&bytes| bytes <= MOST_BYTES && usize::try_from(bytes).is_ok())
            .ok_or_else(|| format!("an array of shape {:?} is beyond 64 GiB", self.shape))
    }
}

fn bytes_of<const N: usize>(from: &mut impl Read) -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map_err(|_| "it ends within its header; fetch the file again".to_string())?;
    Ok(bytes)
}

fn kind_of(descr: &str) -> Result<(Kind, bool), String> {
    let (order, rest) = match descr.as_bytes().first() {
        Some(b'<' | b'>' | b'=' | b'|') => descr.split_at(1),
        _ => ("|", descr),
    };
    let kind = match rest {
        "b1" | "?" => Kind::Bool,
        "u1" | "u2" | "u4" | "u8" => Kind::Unsigned(usize::from(rest.as_bytes()[1] - b'0')),
        "i1" | "i2" | "i4" | "i8" => Kind::Signed(usize::from(rest.as_bytes()[1] - b'0')),
        "f2" | "f4" | "f8" => Kind::Float(usize::from(rest.as_bytes()[1] - b'0')),
        _ if rest.starts_with('O') => {
            return Err("it holds Python objects, which only Python reads; save it as numbers".to_string());
        }
        _ => return Err(format!("its type '{descr}' is not numbers; convert it with astype(np.float32)")),
    };
    Ok((kind, order == ">"))
}

impl Kind {
    fn size(self) -> usize {
        match self {
            Kind::Bool => 1,
            Kind::Unsigned(size) | Kind::Signed(size) | Kind::Float(size) => size,
        }
    }
}

impl Array {
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Reads what `header` announces, which must be all there is.
    pub fn read(from: &mut impl Read, header: &Header) -> Result<Array, String> {
        let wanted = header.bytes()?;
        let mut bytes = Vec::new();
        from.by_ref()
            .take(wanted)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("it cannot be read ({error}); fetch the file again"))?;
        if (bytes.len() as u64) < wanted {
            return Err(format!(
                "its header announces {wanted} bytes but {} follow; fetch the file again",
                bytes.len()
            ));
        }
        if from.read(&mut [0]).unwrap_or(0) > 0 {
            return Err(format!(
                "it goes on after the {wanted} bytes that its header announces; the file is damaged"
            ));
        }
        let mut values = values(bytes, header.kind, header.swapped);
        if header.fortran && header.shape.len() > 1 {
            values = rows_first(&values, &header.shape);
        }
        Ok(Array { shape: header.shape.clone(), values })
    }

    /// This array's rows, then the other's.
    pub fn and(mut self, other: Array) -> Result<Array, String> {
        if self.shape[1..] != other.shape[1..] || self.shape.is_empty() {
            return Err(format!(
                "the training part has samples of shape {:?} but the test part of {:?}",
                self.shape.get(1..).unwrap_or_default(),
                other.shape.get(1..).unwrap_or_default()
            ));
        }
        match (&mut self.values, other.values) {
            (Values::Bytes(values), Values::Bytes(more)) => values.extend(more),
            (Values::Singles(values), Values::Singles(more)) => values.extend(more),
            (values, more) => {
                let all = |values: &Values| (0..values.len()).map(|at| values.get(at)).collect::<Vec<f64>>();
                *values = Values::Doubles([all(values), all(&more)].concat());
            }
        }
        self.shape[0] += other.shape[0];
        Ok(self)
    }
}

fn values(bytes: Vec<u8>, kind: Kind, swapped: bool) -> Values {
    macro_rules! numbers {
        ($type:ty, $size:literal, $into:expr) => {
            bytes
                .chunks_exact($size)
                .map(|chunk| {
                    let mut bytes = [0; $size];
                    bytes.copy_from_slice(chunk);
                    let number =
                        if swapped { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) };
                    $into(number)
                })
                .collect()
        };
    }
    match kind {
        Kind::Bool | Kind::Unsigned(1) => Values::Bytes(bytes),
        Kind::Float(2) => Values::Singles(numbers!(u16, 2, |bits| half::f16::from_bits(bits).to_f32())),
        Kind::Float(4) => Values::Singles(numbers!(f32, 4, |number| number)),
        Kind::Signed(1) => Values::Singles(bytes.iter().map(|&byte| f32::from(byte as i8)).collect()),
        Kind::Signed(2) => Values::Singles(numbers!(i16, 2, f32::from)),
        Kind::Unsigned(2) => Values::Singles(numbers!(u16, 2, f32::from)),
        Kind::Signed(4) => Values::Doubles(numbers!(i32, 4, f64::from)),
        Kind::Unsigned(4) => Values::Doubles(numbers!(u32, 4, f64::from)),
        Kind::Signed(_) => Values::Doubles(numbers!(i64, 8, |number| number as f64)),
        Kind::Unsigned(_) => Values::Doubles(numbers!(u64, 8, |number| number as f64)),
        Kind::Float(_) => Values::Doubles(numbers!(f64, 8, |number| number)),
    }
}

/// From Fortran's order, first index fastest, to ours, last index fastest.
fn rows_first(values: &Values, shape: &[usize]) -> Values {
    fn reordered<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
        let mut strides = vec![1; shape.len()];
        for axis in 1..shape.len() {
            strides[axis] = strides[axis - 1] * shape[axis - 1];
        }
        let mut index = vec![0; shape.len()];
        let mut place = 0;
        let mut out = Vec::with_capacity(values.len());
        for _ in 0..values.len() {
            out.push(values[place]);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                place += strides[axis];
                if index[axis] < shape[axis] {
                    break;
                }
                place -= strides[axis] * shape[axis];
                index[axis] = 0;
            }
        }
        out
    }
    match values {
        Values::Bytes(values) => Values::Bytes(reordered(values, shape)),
        Values::Singles(values) => Values::Singles(reordered(values, shape)),
        Values::Doubles(values) => Values::Doubles(reordered(values, shape)),
    }
}
