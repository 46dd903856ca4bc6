//! `barun export`: a trained network for other programs.

use std::path::PathBuf;

use barun_train::export::ImageLayout;
use barun_train::request::{ExportFormat, ExportRequest};
use clap::{Args, ValueEnum};

use crate::common::Common;
use crate::error::Result;
use crate::{Outcome, output};

/// Write a trained network for other programs
///
/// MODEL is a run folder or a .safetensors file of one.
///
///   onnx: the whole way from raw input to answers as a graph, which onnxruntime and many others run. Input: `image`, bytes
///   from 0 to 255, [batch, height, width, channels]; or `features`, f32, the raw columns of a table in the order of the
///   metadata's `columns`. Output: `logits` and `probabilities` in the order of the metadata's `classes`; or `prediction`,
///   in the target's own unit; or `reconstruction`, the numbers of the scaled row. Any batch size.
///   safetensors: weights and statistics without what only training needs; also a model for `barun predict`. A linear
///   layer's weight is [in, out], a convolution's [height, width, in, out].
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "\
Examples:
  barun export runs/mnist-cnn-1 --format onnx
  barun export runs/mnist-cnn-1 --format onnx --layout nchw --out cnn.onnx
  barun export runs/houses-mlp-1 --format safetensors

With --json: model, out, format, bytes.")]
pub struct Export {
    /// A run folder or a model file
    model: PathBuf,

    /// As what
    #[arg(long, value_enum)]
    format: Format,

    /// The axes of an ONNX graph's images
    #[arg(long, value_enum, default_value = "nhwc")]
    layout: Layout,

    /// The file [default: the run's name with the format's ending]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write over an existing file
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Onnx,
    Safetensors,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Layout {
    Nhwc,
    Nchw,
}

impl Export {
    /// Runs the command.
    pub fn run(self) -> Result<Outcome> {
        let layout = match self.layout {
            Layout::Nhwc => ImageLayout::Nhwc,
            Layout::Nchw => ImageLayout::Nchw,
        };
        let format = match self.format {
            Format::Onnx => ExportFormat::Onnx(layout),
            Format::Safetensors => ExportFormat::Safetensors,
        };
        let machine = self.common.machine()?;
        let request = ExportRequest { model: self.model, format, out: self.out, force: self.force, machine };
        let report = barun_train::export(&request)?;
        if self.common.json {
            output::json(&report)?;
        } else {
            output::text(&format!("{} ({} bytes)\n", report.out.display(), report.bytes))?;
        }
        Ok(Outcome::Done)
    }
}
