#!/usr/bin/env python3
"""PyTorch as a peer on the fixed workloads, served by the protocol of protocol.py.

A step is forward, mean cross-entropy, backward and Adam(1e-3), on one fixed random batch. Modes:

    eager                 PyTorch as it comes, with its fused Adam
    channels_last         the same with images and kernels in channels-last memory
    compile               torch.compile over the network (needs a C++ compiler)
    bf16, bf16_channels_last   forward and loss under bf16 autocast

Latency is that of eager's network in inference mode; memory is that of eager's training.
"""

import torch
import torch.nn.functional as F

from protocol import WORKLOADS, Footprint, Prediction, Training, serve
from torch_nets import NETS, single

MODES = ("eager", "channels_last", "compile", "bf16", "bf16_channels_last")


def build(workload, mode, threads):
    torch.manual_seed(0)
    shape, classes = WORKLOADS[workload]
    net, x = NETS[workload]().train(), torch.randn(shape)
    y = torch.randint(0, classes, shape[:1])
    if len(shape) == 4:
        x = x.permute(0, 3, 1, 2).contiguous()
    if mode.endswith("channels_last"):
        if len(shape) != 4:
            raise ValueError(f"{mode} is for images, and {workload} has none")
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    forward = torch.compile(net) if mode == "compile" else net

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mode.startswith("bf16")):
            loss = F.cross_entropy(forward(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Training(step, prepare=lambda: torch.set_num_threads(threads))


def build_prediction(workload, mode, threads):
    net, x = NETS[workload]().eval(), single(workload)

    def predict():
        with torch.inference_mode():
            return net(x)

    return Prediction(predict, prepare=lambda: torch.set_num_threads(threads))


def build_footprint(workload, mode, threads):
    return Footprint(lambda: build(workload, mode, threads))


if __name__ == "__main__":
    measures = {
        "steps": (MODES, build),
        "latency": (("eager",), build_prediction),
        "memory": (("eager",), build_footprint),
    }
    serve("torch", torch.__version__, measures)
