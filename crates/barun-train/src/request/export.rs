//! `barun export`.

use std::path::{Path, PathBuf};

use super::{ExportFormat, ExportRequest};
use crate::error::{Error, Result};
#[cfg(feature = "onnx")]
use crate::files::write_atomically;
use crate::predictor::ModelFile;
use crate::report::ExportReport;
use crate::run;

/// Writes a trained network for other programs.
///
/// # Errors
/// When the file exists, or the network has no counterpart in the format.
pub fn export(request: &ExportRequest) -> Result<ExportReport> {
    let model = run::model_file(&request.model)?;
    let out = match &request.out {
        Some(out) => out.clone(),
        None => default_name(&request.model, request.format),
    };
    if !request.force && out.exists() {
        return Err(Error::FileExists { path: out });
    }
    let file = ModelFile::open_in_full(&model, &request.machine.device()?)?;
    match request.format {
        #[cfg(feature = "onnx")]
        ExportFormat::Onnx(layout) => {
            let recipe = &file.recipe;
            let doc = format!("{} trained on {} by barun", recipe.model.name(), recipe.data.source);
            write_atomically(&out, &file.predictor.to_onnx(layout, &doc)?)?;
        }
        ExportFormat::Safetensors => file.weights().write(&out)?,
    }
    let bytes = std::fs::metadata(&out).map_or(0, |file| file.len() as usize);
    Ok(ExportReport { model, out, format: request.format.ending().to_string(), bytes })
}

/// `digits-mlp-1.onnx` for `runs/digits-mlp-1`, `last.onnx` for `last.safetensors`.
fn default_name(model: &Path, format: ExportFormat) -> PathBuf {
    let name = match model.is_file() {
        true => model.file_stem(),
        // Not `file_stem`: a folder's name has no ending.
        false => model.file_name(),
    };
    // `.` and `..` have no name of their own.
    let absolute = std::path::absolute(model).unwrap_or_default();
    let name = name.or_else(|| absolute.file_name()).unwrap_or("model".as_ref());
    PathBuf::from(format!("{}.{}", name.to_string_lossy(), format.ending()))
}
