#!/usr/bin/env python3
"""Exported models give what barun gives: every model, every kind of target, batches of other sizes.

Needs numpy, onnx, onnxruntime and safetensors. Run from the repository's root:

    cargo build --release -p barun-cli
    python crates/barun-onnx/tests/compare_with_onnxruntime.py target/release/barun
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from safetensors import safe_open

TOLERANCE = 1e-5
# Of a network that barun asks in bf16; its graph computes in f32.
TOLERANCE_BF16 = 1e-2
FEW = ["--set", "data.split={ train = 0.02, valid = 0.01, test = 0.01 }", "--set", "train.batch_size=16"]

LAYERS = """[data]
source = "digits"
[model]
layers = [
    { type = "conv", channels = 6, groups = 1, stride = 2, dilation = 2 }, "leaky_relu",
    { type = "residual", layers = [{ type = "conv", channels = 6, padding = 1, groups = 2 }, "batchnorm"] }, "relu",
    { type = "avgpool", size = 2 }, "sigmoid", { type = "maxpool", size = 2, stride = 1 }, "tanh",
    { type = "residual", layers = [{ type = "conv", channels = 8 , stride = 2, padding = 1 }] },
    "globalavgpool", { type = "dropout", rate = 0.1 }, { type = "linear", units = "classes", bias = false },
]
"""

MODELS = {
    "mlp": ["digits"],
    "mlp with batch norm and dropout": ["digits", "--set", "model={ batch_norm = true, dropout = 0.3, hidden = [32] }"],
    "mlp, inputs from 0 to 1": ["digits", "--set", "data.normalize=none", "--set", "model.hidden=[16]"],
    "lenet": ["digits", "--model", "lenet"],
    "cnn": ["digits", "--set", "model={ name = \"cnn\", channels = [8, 8], hidden = [16] }"],
    "cnn with batch norm": ["digits", "--set", "model={ name = \"cnn\", channels = [8], hidden = [16], batch_norm = true }"],
    "resnet18": ["digits", "--set", "model={ name = \"resnet18\", width = 8 }"],
    "notes_cnn": ["digits", "--model", "notes_cnn"],
    "resnet9": ["digits", "--model", "resnet9"],
    "vgg11": ["digits", "--model", "vgg11"],
    "mobilenet": ["digits", "--model", "mobilenet"],
    "rnn": ["digits", "--model", "rnn"],
    "lstm": ["digits", "--model", "lstm"],
    "transformer": ["digits", "--model", "transformer"],
    "autoencoder": ["digits", "--model", "autoencoder", "--set", "data.task=reconstruction"],
    "layers": ["layers.toml"],
    "bf16": ["digits", "--model", "lenet", "--precision", "bf16"],
    "table, classes": ["flowers.csv"],
    "table, two classes by one output": ["two.csv", "--set", "train.loss=bce_with_logits"],
    "table, a number": ["houses.csv"],
    "table, lstm": ["houses.csv", "--model", "lstm"],
    "table, transformer": ["flowers.csv", "--model", "transformer"],
    "table, mlp with batch norm": ["houses.csv", "--model", "mlp", "--set", "model.batch_norm=true"],
}


def write_data(folder):
    random = np.random.default_rng(7)
    (folder / "layers.toml").write_text(LAYERS)
    images = random.integers(0, 256, size=(13, 28, 28), dtype=np.uint8)
    (folder / "images.idx").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.tobytes())
    rows = random.normal(size=(120, 3)) * [1, 100, 1e-3] + [2000, 0, 5]
    rows = rows.astype(np.float32)
    kind = np.where(rows[:, 0] > 2000.3, "c", np.where(rows[:, 1] > 0, "b", "a"))
    price = 3e5 + 2e4 * (rows[:, 0] - 2000) + 500 * rows[:, 1]
    def table(name, target):
        lines = ["year,area,rate,y"] + [",".join(map(repr, map(float, row))) + f",{y}" for row, y in zip(rows, target)]
        (folder / name).write_text("\n".join(lines) + "\n")
    table("flowers.csv", kind)
    table("two.csv", np.where(kind == "a", "no", "yes"))
    table("houses.csv", price)
    return images, rows


def main():
    barun = str(pathlib.Path(sys.argv[1]).resolve())
    worst = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        images, rows = write_data(folder)

        def run(*arguments):
            return subprocess.run([barun, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout

        for number, (name, arguments) in enumerate(MODELS.items()):
            out = f"run-{number}"
            few = FEW if not arguments[0].endswith(".csv") else ["--set", "train.batch_size=16"]
            run("train", *arguments, *few, "--epochs", "1", "--out", out)
            is_table = arguments[0].endswith(".csv")
            source = arguments[0] if is_table else "images.idx"
            told = json.loads(run("predict", out, source, "--json"))
            answers = told["predictions"]
            layouts = ["nhwc"] if is_table else ["nhwc", "nchw"]
            for layout in layouts:
                file = f"{out}-{layout}.onnx"
                run("export", out, "--format", "onnx", "--layout", layout, "--out", file)
                model = onnx.load(folder / file)
                onnx.checker.check_model(model, full_check=True)
                session = onnxruntime.InferenceSession(str(folder / file))
                (given,) = session.get_inputs()
                if is_table:
                    fed = rows
                else:
                    fed = images[:, None] if layout == "nchw" else images[..., None]
                difference = 0.0
                for batch in (1, 5, len(fed)):
                    results = dict(zip([o.name for o in session.get_outputs()], session.run(None, {given.name: fed[:batch]})))
                    if "probabilities" in results:
                        expected = np.array([answer["probabilities"] for answer in answers[:batch]])
                        difference = max(difference, np.abs(results["probabilities"] - expected).max())
                        labels = json.loads({e.key: e.value for e in model.metadata_props}["classes"])
                        assert labels == told["classes"]
                    elif "reconstruction" in results:
                        expected = np.array([answer["reconstruction"] for answer in answers[:batch]])
                        difference = max(difference, np.abs(results["reconstruction"] - expected).max())
                    else:
                        expected = np.array([answer["prediction"] for answer in answers[:batch]])
                        found = results["prediction"][:, 0]
                        difference = max(difference, (np.abs(found - expected) / np.abs(expected)).max())
                tolerance = TOLERANCE_BF16 if name == "bf16" else TOLERANCE
                worst = max(worst, difference) if name != "bf16" else worst
                nodes = len(model.graph.node)
                print(f"{name:34} {layout}  {nodes:3} nodes  largest difference {difference:.1e}")
                assert difference <= tolerance, name
            run("export", out, "--format", "safetensors", "--out", f"{out}.safetensors")
            with safe_open(folder / f"{out}.safetensors", "np") as file:
                keys = list(file.keys())
                assert keys and not any(key.startswith(("optimizer/", "run/")) for key in keys), keys
                assert all(np.isfinite(file.get_tensor(key)).all() for key in keys)
            assert json.loads(run("predict", f"{out}.safetensors", source, "--json"))["predictions"] == answers
    print(f"{len(MODELS)} models, largest difference in f32 {worst:.1e}, allowed {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
