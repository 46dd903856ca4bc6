"""The fixed workloads, and the line protocol by which `barun bench` asks a peer for its times and its memory.

A peer is a child process that lives through the whole comparison, so that its rounds and Barun's can alternate within
the same minute. One JSON document a line, requests on standard input, answers on standard output:

    <- {"ready": true, "peer": "torch", "version": "2.15.0", "modes": ["eager", "channels_last", "compile"]}
    -> {"workload": "mlp128", "mode": "eager", "threads": 2, "steps": 100}
    <- {"workload": "mlp128", "mode": "eager", "threads": 2, "steps": 100, "us_per_step": 2855.0, "loss": 0.0123}
    -> {"measure": "latency", "workload": "mlp128", "mode": "eager", "threads": 2, "steps": 1000}
    <- {"workload": "mlp128", "mode": "eager", "threads": 2, "steps": 1000, "us_median": 55.1, "us_p99": 71.3}
    -> quit

Without `measure` it is the time of training steps. The first request for a quantity, workload, mode and thread count builds the network and warms it up untimed. A request that
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

# Input (batch first, images NHWC, sequences by their elements) and number of classes. The networks are in torch_nets.py.
WORKLOADS = {
    "tab32": ((32, 16), 3),
    "mlp128": ((128, 784), 10),
    "mlpbn128": ((128, 784), 10),
    "lenet64": ((64, 28, 28, 1), 10),
    "cnn64": ((64, 28, 28, 1), 10),
    "resnet18_64": ((64, 32, 32, 3), 10),
    "lstm64": ((64, 28, 28), 10),
    "transformer64": ((64, 28, 28), 10),
}
FLEET_MODELS = 32  # of a fleet that trains together
WARMUP_SECONDS = 1.0
WARMUP_CALLS = 3


def warm_up(call):
    """Calls that are not counted: the first ones compile, and touch memory for the first time."""
    start, calls = time.perf_counter(), 0
    while calls < WARMUP_CALLS or time.perf_counter() - start < WARMUP_SECONDS:
        call()
        calls += 1


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
        warm_up(self.call)

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


@dataclass
class Prediction:
    """A network that predicts one row. `call` predicts it and has the result in memory when it returns."""

    call: Callable[[], object]
    prepare: Callable[[], None] = lambda: None

    def warm_up(self):
        self.prepare()
        warm_up(self.call)

    def measure(self, calls):
        """The median and the 99th percentile of the time of a call, in microseconds."""
        self.prepare()
        times = []
        for _ in range(calls):
            start = time.perf_counter_ns()
            self.call()
            times.append((time.perf_counter_ns() - start) / 1e3)
        times.sort()
        rank = max(math.ceil(0.99 * calls), 1)
        return {"steps": calls, "us_median": round(statistics.median(times), 3), "us_p99": round(times[rank - 1], 3)}


@dataclass
class Footprint:
    """The memory of a training that `build` makes: one that is built and run only while it is measured."""

    build: Callable[[], Training]

    def warm_up(self):
        pass

    def measure(self, steps):
        """Bytes of the greatest resident memory while a network is built and trained, less those before."""
        before = resident("VmRSS")
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak starts again from here (man 5 proc)
        training = self.build()
        training.prepare()
        for _ in range(steps):
            training.call()
        return {"steps": steps, "bytes": resident("VmHWM") - before}


def resident(field):
    """A line of this process's status, in bytes."""
    with open("/proc/self/status") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == field:
                return 1024 * int(value.split()[0])
    raise ValueError(f"/proc/self/status has no {field}")


def check(request, measures):
    """The request's quantity, workload, mode, threads and steps, or a ValueError that says what is wrong with it."""
    measure, workload, mode = request.get("measure", "steps"), request.get("workload"), request.get("mode")
    if measure not in measures:
        raise ValueError(f"cannot measure {measure!r}: one of {', '.join(measures)}")
    modes = measures[measure][0]
    if workload not in WORKLOADS:
        raise ValueError(f"unknown workload {workload!r}: one of {', '.join(WORKLOADS)}")
    if mode not in modes:
        raise ValueError(f"unknown mode {mode!r}: one of {', '.join(modes)}")
    for name in ("threads", "steps"):
        value = request.get(name)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number from 1, not {value!r}")
    return (measure, workload, mode, request["threads"]), request["steps"]


def serve(peer, version, measures):
    """Answer requests until `quit`.

    `measures` has the modes and the function `build(workload, mode, threads)` of each quantity. It returns what has
    `warm_up()` and `measure(steps)`, and raises ValueError if it cannot.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # so that nothing but answers reaches standard output

    def answer(document):
        print(json.dumps(document), file=answers, flush=True)

    step_modes, _ = measures.get("steps", ((), None))
    answer({"ready": True, "peer": peer, "version": version, "modes": list(step_modes)})
    built = {}
    for line in sys.stdin:
        if not line.strip():
            continue
        if line.strip() == "quit":
            return
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("a request is a JSON object")
            key, steps = check(request, measures)
            measure, workload, mode, threads = key
            if key not in built:
                built[key] = measures[measure][1](workload, mode, threads)
                built[key].warm_up()
            answer({"workload": workload, "mode": mode, "threads": threads, **built[key].measure(steps)})
        except Exception as error:  # a framework may raise anything; the comparison goes on without this row
            answer({"error": f"{type(error).__name__}: {error}"})
