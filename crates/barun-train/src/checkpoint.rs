//! A model file: named tensors and what prediction needs beside them, as safetensors.
//!
//! Any framework reads the tensors. What is Barun's own (format version, recipe, columns, class names, preprocessing) is
//! one JSON object of texts under the metadata key `barun`. The same content gives the same bytes: nothing in it
//! depends on the time or on a hash order.
//!
//! One of the texts is a checksum over all the others and over name, type, shape and numbers of every tensor, so a file in
//! which a byte has changed is refused and not taken for weights.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::Path;

use barun_engine::{self as engine, Buffer, State};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize_to_file};

use crate::error::{Error, Result};
use crate::files::{io_error, read, write_atomically_with};

/// The version of what the metadata means; a reader refuses a larger one.
pub const FORMAT_VERSION: u32 = 2;
/// From this version on a file must have its checksum.
const FIRST_WITH_CHECKSUM: u32 = 2;

const METADATA: &str = "barun";
const VERSION: &str = "format_version";
const CHECKSUM: &str = "checksum";

/// The type of a tensor's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// 32-bit floating point.
    F32,
    /// The upper half of it.
    BF16,
    /// 64-bit floating point.
    F64,
    /// 64-bit whole numbers.
    I64,
    /// Bytes.
    U8,
}

impl DType {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            DType::BF16 => 2,
            DType::F32 => 4,
            DType::F64 | DType::I64 => 8,
            DType::U8 => 1,
        }
    }

    /// Of a tensor in memory; truth values are bytes.
    fn of(dtype: engine::DType) -> DType {
        match dtype {
            engine::DType::F32 => DType::F32,
            engine::DType::BF16 => DType::BF16,
            engine::DType::F64 => DType::F64,
            engine::DType::I64 => DType::I64,
            engine::DType::U8 | engine::DType::Bool => DType::U8,
        }
    }

    fn in_memory(self) -> engine::DType {
        match self {
            DType::F32 => engine::DType::F32,
            DType::BF16 => engine::DType::BF16,
            DType::F64 => engine::DType::F64,
            DType::I64 => engine::DType::I64,
            DType::U8 => engine::DType::U8,
        }
    }

    fn to_file(self) -> Dtype {
        match self {
            DType::F32 => Dtype::F32,
            DType::BF16 => Dtype::BF16,
            DType::F64 => Dtype::F64,
            DType::I64 => Dtype::I64,
            DType::U8 => Dtype::U8,
        }
    }

    fn from_file(dtype: Dtype) -> Option<DType> {
        [DType::F32, DType::BF16, DType::F64, DType::I64, DType::U8]
            .into_iter()
            .find(|known| known.to_file() == dtype)
    }
}

/// A tensor as it lies in a file: its numbers little-endian, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor<'a> {
    /// The path of the parameter or state, `hidden.0.weight`.
    pub name: String,
    /// The type of its numbers.
    pub dtype: DType,
    /// Its shape; `[]` for one number.
    pub shape: Vec<usize>,
    /// Its numbers, where they lie in memory.
    pub bytes: Cow<'a, [u8]>,
}

impl NamedTensor<'_> {
    /// The numbers in memory. The shape of a file that was read fits its bytes.
    pub fn buffer(&self) -> Buffer {
        let mut buffer = Buffer::zeros(self.shape.clone(), self.dtype.in_memory());
        buffer.bytes_mut()[..self.bytes.len()].copy_from_slice(&self.bytes);
        buffer
    }
}

/// A model, or the whole state of a run, as it lies in a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint<'a> {
    /// The tensors, sorted by name.
    pub tensors: Vec<NamedTensor<'a>>,
    /// Texts by name: the recipe, columns, class names, preprocessing.
    pub metadata: BTreeMap<String, String>,
}

impl Checkpoint<'_> {
    /// Writes the file, tensor after tensor from where they lie; a crash leaves the old one.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut views = Vec::with_capacity(self.tensors.len());
        let mut names = BTreeSet::new();
        for tensor in &self.tensors {
            if !names.insert(&tensor.name) {
                return Err(bad(
                    path,
                    format!("two tensors are called `{}`; give each its own name", tensor.name),
                ));
            }
            let view = TensorView::new(tensor.dtype.to_file(), tensor.shape.clone(), &tensor.bytes).map_err(
                |_| {
                    let NamedTensor { name, dtype, shape, bytes } = tensor;
                    bad(
                        path,
                        format!(
                            "tensor `{name}` has {} bytes, which is not {dtype:?} {shape:?}",
                            bytes.len()
                        ),
                    )
                },
            )?;
            views.push((tensor.name.as_str(), view));
        }
        let mut texts: BTreeMap<&str, &str> =
            self.metadata.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let version = FORMAT_VERSION.to_string();
        texts.insert(VERSION, &version);
        let checksum = checksum(&self.tensors, &texts);
        texts.insert(CHECKSUM, &checksum);
        let texts = serde_json::to_string(&texts).map_err(|error| bad(path, error.to_string()))?;
        // The library keeps metadata in a hash map, whose order changes; with one key there is no order.
        let metadata = HashMap::from([(METADATA.to_string(), texts)]);
        write_atomically_with(path, |beside| {
            let failed = |error| io_error("write", path, error);
            // The library's file would be for its owner alone, whatever the user's other files are.
            let permissions =
                File::create(beside).and_then(|file| file.metadata()).map_err(failed)?.permissions();
            serialize_to_file(views, Some(metadata), beside).map_err(|error| match error {
                SafeTensorError::IoError(error) => failed(error),
                error => bad(path, error.to_string()),
            })?;
            fs::set_permissions(beside, permissions).map_err(failed)
        })
    }

    /// Reads the file and checks that it is whole.
    pub fn read(path: &Path) -> Result<Checkpoint<'static>> {
        Checkpoint::from_bytes(&read(path)?, path)
    }

    /// Reads a file's bytes. `path` is for error messages.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Checkpoint<'static>> {
        let damaged = |error: safetensors::SafeTensorError| {
            let what = "it is not a model file, or it is damaged or cut off";
            bad(path, format!("{what} ({error}); use another checkpoint of the run, or train again"))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let (version, mut metadata) = read_texts(header.metadata().as_ref(), path)?;
        let mut tensors = Vec::with_capacity(file.len());
        for (name, view) in file.tensors() {
            let dtype = DType::from_file(view.dtype()).ok_or_else(|| {
                bad(
                    path,
                    format!("tensor `{name}` is {:?}; known are F32, BF16, F64, I64 and U8", view.dtype()),
                )
            })?;
            tensors.push(NamedTensor {
                name,
                dtype,
                shape: view.shape().to_vec(),
                bytes: Cow::Owned(view.data().to_vec()),
            });
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        match metadata.remove(CHECKSUM) {
            None if version < FIRST_WITH_CHECKSUM => {}
            written => {
                let texts = metadata.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
                if written != Some(checksum(&tensors, &texts)) {
                    let what = "its checksum is wrong: a byte of it has changed since it was written";
                    return Err(bad(
                        path,
                        format!("{what}; use another checkpoint of the run, or train again"),
                    ));
                }
            }
        }
        metadata.remove(VERSION);
        Ok(Checkpoint { tensors, metadata })
    }

    /// The tensor called `name`, if its type and shape are as expected. `path` is for error messages.
    pub fn tensor(&self, name: &str, dtype: DType, shape: &[usize], path: &Path) -> Result<&NamedTensor<'_>> {
        let tensor = self.tensors.iter().find(|tensor| tensor.name == name).ok_or_else(|| {
            bad(path, format!("tensor `{name}` is missing; the file belongs to another model or version"))
        })?;
        if (tensor.dtype, &tensor.shape[..]) == (dtype, shape) {
            return Ok(tensor);
        }
        let found = format!("{:?} {:?}", tensor.dtype, tensor.shape);
        let message = format!("tensor `{name}` is {found}; the recipe's model needs {dtype:?} {shape:?}");
        Err(bad(path, message))
    }

    /// The text called `name`. `path` is for error messages.
    pub fn text(&self, name: &str, path: &Path) -> Result<&str> {
        self.metadata.get(name).map(String::as_str).ok_or_else(|| {
            bad(path, format!("its metadata has no `{name}`; it was not written as a whole by `barun train`"))
        })
    }
}

/// The tensors of a state: weights, statistics, what the optimiser remembers, seed and step.
pub fn tensors_of(state: &State) -> Vec<NamedTensor<'_>> {
    let slots = state.layout().slots().iter().enumerate();
    let tensors = slots.map(|(index, slot)| NamedTensor {
        name: slot.name.clone(),
        dtype: DType::of(slot.dtype),
        shape: slot.shape.to_vec(),
        bytes: Cow::Borrowed(state.slot_bytes(index)),
    });
    tensors.collect()
}

/// Writes the file's tensors into a state of the same model. `path` is for error messages.
///
/// # Errors
/// When a tensor of the state is missing in the file, or has another type or shape there; then the state is as before.
pub fn write_into(state: &mut State, file: &Checkpoint<'_>, path: &Path) -> Result<()> {
    fill(state, file, path, ("", |_| true))
}

/// The tensors of a state that lies in a file beside another, under its number.
pub(crate) fn tensors_beside(state: &State, number: usize) -> impl Iterator<Item = NamedTensor<'_>> {
    let beside = beside(number);
    tensors_of(state)
        .into_iter()
        .map(move |tensor| NamedTensor { name: format!("{beside}{}", tensor.name), ..tensor })
}

/// As [`write_into`], of the state that lies in the file beside the first, under its number.
pub(crate) fn write_beside_into(
    state: &mut State,
    number: usize,
    file: &Checkpoint<'_>,
    path: &Path,
) -> Result<()> {
    fill(state, file, path, (&beside(number), |_| true))
}

fn beside(number: usize) -> String {
    format!("earlier/{number}/")
}

/// As [`write_into`], but only the tensors called `names`: a model needs nothing else to be asked.
pub(crate) fn write_weights_into(
    state: &mut State,
    names: &BTreeSet<String>,
    file: &Checkpoint<'_>,
    path: &Path,
) -> Result<()> {
    fill(state, file, path, ("", |name| names.contains(name)))
}

fn fill(
    state: &mut State,
    file: &Checkpoint<'_>,
    path: &Path,
    (prefix, is_wanted): (&str, impl Fn(&str) -> bool),
) -> Result<()> {
    let mut filled = state.clone();
    for (index, slot) in state.layout().slots().iter().enumerate().filter(|(_, slot)| is_wanted(&slot.name)) {
        let name = format!("{prefix}{}", slot.name);
        let tensor = file.tensor(&name, DType::of(slot.dtype), &slot.shape, path)?;
        filled.write(index, &tensor.buffer())?;
    }
    *state = filled;
    Ok(())
}

/// CRC-32 of every text and every tensor, in the order of their names.
fn checksum(tensors: &[NamedTensor<'_>], texts: &BTreeMap<&str, &str>) -> String {
    let mut hasher = crc32fast::Hasher::new();
    // Each piece after its length, so that no two contents have the same pieces.
    let mut take = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for (name, text) in texts {
        take(name.as_bytes());
        take(text.as_bytes());
    }
    let mut by_name: Vec<&NamedTensor<'_>> = tensors.iter().collect();
    by_name.sort_by(|a, b| a.name.cmp(&b.name));
    for tensor in by_name {
        take(tensor.name.as_bytes());
        take(format!("{:?} {:?}", tensor.dtype, tensor.shape).as_bytes());
        take(&tensor.bytes);
    }
    format!("crc32 {:08x}", hasher.finalize())
}

/// The version of the file's format, and its texts.
fn read_texts(
    metadata: Option<&HashMap<String, String>>,
    path: &Path,
) -> Result<(u32, BTreeMap<String, String>)> {
    let texts = metadata.and_then(|metadata| metadata.get(METADATA)).ok_or_else(|| {
        bad(
            path,
            "it was not written by barun: its metadata has no `barun`; give a model of `barun train`".into(),
        )
    })?;
    let texts: BTreeMap<String, String> = serde_json::from_str(texts)
        .map_err(|error| bad(path, format!("its metadata is damaged: {error}")))?;
    let version = texts.get(VERSION).map(String::as_str).unwrap_or_default();
    match version.parse::<u32>() {
        Ok(version) if (1..=FORMAT_VERSION).contains(&version) => Ok((version, texts)),
        Ok(version) if version > FORMAT_VERSION => Err(bad(
            path,
            format!(
                "its format is version {version}, this barun reads up to {FORMAT_VERSION}; use a newer barun"
            ),
        )),
        _ => Err(bad(path, format!("its format version is {version:?}, which is no version"))),
    }
}

fn bad(path: &Path, message: String) -> Error {
    Error::BadCheckpoint { path: path.to_path_buf(), message }
}

#[cfg(test)]
mod tests {
    use safetensors::serialize;

    use super::*;

    fn path() -> &'static Path {
        Path::new("m.safetensors")
    }

    fn tensor(name: &str, dtype: DType, shape: &[usize], bytes: &'static [u8]) -> NamedTensor<'static> {
        NamedTensor { name: name.into(), dtype, shape: shape.to_vec(), bytes: Cow::Borrowed(bytes) }
    }

    /// The bytes of the file.
    fn to_bytes(checkpoint: &Checkpoint<'_>) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        checkpoint.write(&path).unwrap();
        std::fs::read(path).unwrap()
    }

    fn example() -> Checkpoint<'static> {
        Checkpoint {
            tensors: vec![
                tensor("hidden.0.bias", DType::F32, &[2], &[0, 0, 128, 63, 0, 0, 0, 64]),
                tensor("image", DType::U8, &[1, 3], &[1, 2, 3]),
                tensor("step", DType::I64, &[], &[7, 0, 0, 0, 0, 0, 0, 0]),
                tensor("z.empty", DType::F64, &[0, 4], &[]),
            ],
            metadata: [("recipe", "[data]\nsource = \"digits\"\n"), ("classes", "[\"영\",\"일\"]")]
                .map(|(name, text)| (name.to_string(), text.to_string()))
                .into(),
        }
    }

    fn message(result: Result<Checkpoint<'_>>) -> String {
        result.expect_err("the file is refused").to_string()
    }

    #[test]
    fn a_checkpoint_reads_back_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("best.safetensors");
        example().write(&path).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), example());
    }

    #[test]
    fn the_same_content_gives_the_same_bytes_in_any_order() {
        let bytes = to_bytes(&example());
        let mut reversed = example();
        reversed.tensors.reverse();
        for _ in 0..20 {
            assert_eq!(to_bytes(&reversed), bytes);
        }
    }

    #[test]
    fn a_file_cut_off_anywhere_is_refused() {
        let bytes = to_bytes(&example());
        for end in 0..bytes.len() {
            let message = message(Checkpoint::from_bytes(&bytes[..end], path()));
            assert!(
                message.starts_with("m.safetensors: it is not a model file, or it is damaged or cut off ("),
                "{message}"
            );
        }
    }

    #[test]
    fn a_file_in_which_any_byte_has_changed_is_refused() {
        let bytes = to_bytes(&example());
        for at in 0..bytes.len() {
            for flip in [0x01, 0x20, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                let read = Checkpoint::from_bytes(&changed, path());
                assert!(read.is_err() || read.unwrap() == example(), "byte {at} changed by {flip:#x}");
            }
        }
        let mut weight = bytes.clone();
        *weight.last_mut().unwrap() ^= 1;
        assert_eq!(
            message(Checkpoint::from_bytes(&weight, path())),
            "m.safetensors: its checksum is wrong: a byte of it has changed since it was written; \
             use another checkpoint of the run, or train again"
        );
    }

    #[test]
    fn a_file_of_the_first_version_needs_no_checksum_and_one_of_the_second_does() {
        let of_version = |version: &str| {
            let texts = format!("{{\"format_version\":\"{version}\",\"recipe\":\"r\"}}");
            let metadata = HashMap::from([(METADATA.to_string(), texts)]);
            serialize(Vec::<(&str, TensorView<'_>)>::new(), Some(metadata)).unwrap()
        };
        let first = of_version("1");
        assert_eq!(Checkpoint::from_bytes(&first, path()).unwrap().text("recipe", path()).unwrap(), "r");
        assert!(message(Checkpoint::from_bytes(&of_version("2"), path())).contains("checksum is wrong"));
    }

    #[test]
    fn a_file_of_another_program_or_a_newer_version_is_refused() {
        let foreign = serialize(Vec::<(&str, TensorView<'_>)>::new(), None).unwrap();
        assert_eq!(
            message(Checkpoint::from_bytes(&foreign, path())),
            "m.safetensors: it was not written by barun: its metadata has no `barun`; give a model of `barun train`"
        );
        let versioned = |version: &str| {
            let texts = format!("{{\"format_version\":\"{version}\"}}");
            let metadata = HashMap::from([(METADATA.to_string(), texts)]);
            serialize(Vec::<(&str, TensorView<'_>)>::new(), Some(metadata)).unwrap()
        };
        assert_eq!(
            message(Checkpoint::from_bytes(&versioned("3"), path())),
            "m.safetensors: its format is version 3, this barun reads up to 2; use a newer barun"
        );
        assert_eq!(
            message(Checkpoint::from_bytes(&versioned("one"), path())),
            "m.safetensors: its format version is \"one\", which is no version"
        );
    }

    #[test]
    fn a_missing_or_misshapen_tensor_is_named() {
        let checkpoint = example();
        let refusal = |name, dtype, shape: &[usize]| {
            checkpoint.tensor(name, dtype, shape, path()).unwrap_err().to_string()
        };
        assert_eq!(
            refusal("hidden.1.bias", DType::F32, &[2]),
            "m.safetensors: tensor `hidden.1.bias` is missing; the file belongs to another model or version"
        );
        assert_eq!(
            refusal("hidden.0.bias", DType::F32, &[3]),
            "m.safetensors: tensor `hidden.0.bias` is F32 [2]; the recipe's model needs F32 [3]"
        );
        assert_eq!(checkpoint.tensor("step", DType::I64, &[], path()).unwrap().bytes[0], 7);
        assert_eq!(
            checkpoint.text("schema", path()).unwrap_err().to_string(),
            "m.safetensors: its metadata has no `schema`; it was not written as a whole by `barun train`"
        );
    }

    #[test]
    fn bytes_that_do_not_fill_the_shape_and_doubled_names_are_refused_on_writing() {
        let refusal =
            |tensors| Checkpoint { tensors, ..Default::default() }.write(path()).unwrap_err().to_string();
        assert_eq!(
            refusal(vec![tensor("w", DType::F32, &[2], &[0; 7])]),
            "m.safetensors: tensor `w` has 7 bytes, which is not F32 [2]"
        );
        assert_eq!(
            refusal(vec![tensor("w", DType::U8, &[1], &[0]), tensor("w", DType::U8, &[1], &[0])]),
            "m.safetensors: two tensors are called `w`; give each its own name"
        );
    }
}
