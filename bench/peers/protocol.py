"""The fixed workloads, and the line protocol by which `barun bench --compare` asks a peer for their step times.

A peer is a child process that lives through the whole comparison, so that its rounds and Barun's can alternate within
the same minute. One JSON document a line, requests on standard input, answers on standard output:

    <- {"ready": true, "peer": "torch", "version": "2.15.0", "modes": ["eager", "channels_last", "compile"]}
    -> {"workload": "mlp128", "mode": "eager", "threads": 2, "steps": 100}
    <- {"workload": "mlp128", "mode": "eager", "threads": 2, "steps": 100, "us_per_step": 2855.0, "loss": 0.0123}
    -> quit

The first request for a workload, mode and thread count builds the network and warms it up untimed. A request that
cannot be served is answered by {"error": "..."}, and the peer lives on. `quit` or the end of the input ends it.
Whatever a framework prints goes to standard error.
"""

import json
import math
import os
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Callable

# Input (batch first, images NHWC) and number of classes. The networks are in torch_nets.py.
WORKLOADS = {
    "tab32": ((32, 16), 3),
    "mlp128": ((128, 784), 10),
    "mlpbn128": ((128, 784), 10),
    "lenet64": ((64, 28, 28, 1), 10),
    "cnn64": ((64, 28, 28, 1), 10),
    "resnet18_64": ((64, 32, 32, 3), 10),
}
WARMUP_SECONDS = 1.0
WARMUP_CALLS = 3


@dataclass
class Training:
    """A network in training. `call` runs `steps_per_call` whole steps, waits for them and returns the last loss.

    `prepare` is called, untimed, before a round: another training may have left the framework set otherwise.
    """

    call: Callable[[], float]
    steps_per_call: int = 1
    prepare: Callable[[], None] = lambda: None

    def warm_up(self):
        self.prepare()
        start, calls = time.perf_counter(), 0
        while calls < WARMUP_CALLS or time.perf_counter() - start < WARMUP_SECONDS:
            self.call()
            calls += 1

    def measure(self, steps):
        """The median time of a step in microseconds, how many steps were run, and the last loss."""
        self.prepare()
        calls = math.ceil(steps / self.steps_per_call)
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            loss = self.call()
            times.append(time.perf_counter() - start)
        return {
            "steps": calls * self.steps_per_call,
            "us_per_step": round(statistics.median(times) / self.steps_per_call * 1e6, 2),
            "loss": loss if math.isfinite(loss) else None,
        }


def check(request, modes):
    """The request's workload, mode, threads and steps, or a ValueError that says what is wrong with it."""
    workload, mode = request.get("workload"), request.get("mode")
    if workload not in WORKLOADS:
        raise ValueError(f"unknown workload {workload!r}: one of {', '.join(WORKLOADS)}")
    if mode not in modes:
        raise ValueError(f"unknown mode {mode!r}: one of {', '.join(modes)}")
    for name in ("threads", "steps"):
        value = request.get(name)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number from 1, not {value!r}")
    return workload, mode, request["threads"], request["steps"]


def serve(peer, version, modes, build):
    """Answer requests until `quit`. `build(workload, mode, threads)` returns a `Training`; ValueError if it cannot."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # so that nothing but answers reaches standard output

    def answer(document):
        print(json.dumps(document), file=answers, flush=True)

    answer({"ready": True, "peer": peer, "version": version, "modes": list(modes)})
    trainings = {}
    for line in sys.stdin:
        if not line.strip():
            continue
        if line.strip() == "quit":
            return
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("a request is a JSON object")
            workload, mode, threads, steps = check(request, modes)
            key = (workload, mode, threads)
            if key not in trainings:
                trainings[key] = build(*key)
                trainings[key].warm_up()
            answer({"workload": workload, "mode": mode, "threads": threads, **trainings[key].measure(steps)})
        except Exception as error:  # a framework may raise anything; the comparison goes on without this row
            answer({"error": f"{type(error).__name__}: {error}"})
