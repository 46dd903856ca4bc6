#!/usr/bin/env python3
"""ONNX Runtime as a peer: the latency of the fixed workloads' networks, served by the protocol of protocol.py.

PyTorch writes the networks of torch_nets.py as ONNX (which needs the package onnx). Mode:

    session    a session with its default optimisations, NumPy arrays in and out
"""

import io
import warnings

import onnxruntime
import torch

from protocol import Prediction, serve
from torch_nets import NETS, single


def build(workload, mode, threads):
    x = single(workload)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(as_onnx(workload, x), options, providers=["CPUExecutionProvider"])
    feeds = {"x": x.numpy()}
    return Prediction(lambda: session.run(None, feeds))


def as_onnx(workload, x):
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing is deprecated; the other one needs a further package and gives the same network.
        warnings.simplefilter("ignore")
        torch.onnx.export(NETS[workload]().eval(), (x,), file, dynamo=False, input_names=["x"], output_names=["y"])
    return file.getvalue()


if __name__ == "__main__":
    serve("onnxruntime", onnxruntime.__version__, {"latency": (("session",), build)})
