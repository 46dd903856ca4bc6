#!/usr/bin/env python3
"""Train one of Barun's networks on MNIST with PyTorch: the same net, the same epochs, side by side.

    python torch_train.py DATA_DIR --model mlp --epochs 10

DATA_DIR holds the four gzipped IDX files, or a folder `mnist` with them. Models: `mlp` is 784-512-256-10 with ReLU,
`cnn` the network of the workload `cnn64`. Pixels are standardised by the training set's mean and deviation. Prints one
JSON document; `seconds` counts the training alone, `total_seconds` the whole program after its imports.
"""

import argparse
import gzip
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from torch_nets import NETS

MODELS = {"mlp": "mlp128", "cnn": "cnn64"}
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def read_idx(path):
    """The array in a gzipped IDX file of bytes: two zeros, a type, the rank, then the sizes, big-endian."""
    content = gzip.decompress(path.read_bytes())
    rank = content[3]
    sizes = np.frombuffer(content, ">u4", rank, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(sizes)


def load(folder):
    """Images [N, 1, 28, 28] as f32, standardised, and labels, of the training and of the test set."""
    folder = folder / "mnist" if (folder / "mnist").is_dir() else folder
    sets = {}
    for name in ("train", "t10k"):
        images = read_idx(folder / f"{name}-images-idx3-ubyte.gz").astype(np.float32)[:, None] / 255
        labels = read_idx(folder / f"{name}-labels-idx1-ubyte.gz").astype(np.int64)
        sets[name] = images, labels
    mean, deviation = sets["train"][0].mean(dtype=np.float64), sets["train"][0].std(dtype=np.float64)
    return {
        name: (torch.from_numpy((images - np.float32(mean)) / np.float32(deviation)), torch.from_numpy(labels))
        for name, (images, labels) in sets.items()
    }


def accuracy(net, images, labels):
    net.eval()
    with torch.inference_mode():
        guesses = torch.cat([net(batch).argmax(1) for batch in images.split(1000)])
    return (guesses == labels).float().mean().item()


def train(net, images, labels, options):
    """Train for the given epochs; the seconds it took."""
    steps = -(-len(images) // options.batch_size) * options.epochs
    optimizer = OPTIMIZERS[options.optimizer](net.parameters(), lr=options.lr, fused=True)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)  # falls to 0 over the run, each step
    start = time.perf_counter()
    for epoch in range(1, options.epochs + 1):
        net.train()
        total = 0.0
        for chosen in torch.randperm(len(images)).split(options.batch_size):
            loss = F.cross_entropy(net(images[chosen]), labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if options.schedule == "cosine":
                cosine.step()
            total += loss.item() * len(chosen)
        seconds = time.perf_counter() - start
        print(f"epoch {epoch}: loss {total / len(images):.4f}, {seconds:.1f} s", file=sys.stderr)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder with the IDX files")
    parser.add_argument("--model", choices=MODELS, default="mlp")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam")
    parser.add_argument("--schedule", choices=("constant", "cosine"), default="constant")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--train-size", type=int, help="train on the first images only (default: on all)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()

    start = time.perf_counter()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    try:
        sets = load(options.data)
    except (OSError, ValueError, IndexError) as error:
        sys.exit(f"error: cannot read MNIST from {options.data}: {error}")
    if options.model == "mlp":
        sets = {name: (images.flatten(1), labels) for name, (images, labels) in sets.items()}
    images, labels = (tensor[: options.train_size] for tensor in sets["train"])
    net = NETS[MODELS[options.model]]()
    seconds = train(net, images, labels, options)
    report = {
        "framework": "torch",
        "version": torch.__version__,
        **{name: value for name, value in vars(options).items() if name not in ("data", "train_size")},
        "train_size": len(images),
        "test_accuracy": round(accuracy(net, *sets["t10k"]), 4),
        "seconds": round(seconds, 3),
        "total_seconds": round(time.perf_counter() - start, 3),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
