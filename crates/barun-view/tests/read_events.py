"""Reads the event files of a run with TensorBoard's own reader and says what is in them.

    python read_events.py RUN

Fails where TensorBoard does not find what a run of barun writes: the figures of both parts at the steps of `log.jsonl`,
the recipe as text, histograms of the weights, the hyper-parameters. Needs the package tensorboard.
"""

import json
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util


def read(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def main(run):
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for part in ["train", "valid"]:
        events = read(run / "tensorboard" / part)
        print(part, events.Tags()["scalars"])
        for name in log[-1][part]:
            told = [(event.step, event.value) for event in events.Scalars(name)]
            logged = [(epoch["step"], epoch[part][name]) for epoch in log]
            assert [step for step, _ in told] == [step for step, _ in logged], (name, told, logged)
            assert all(abs(a - b) <= 1e-6 * max(1, abs(b)) for (_, a), (_, b) in zip(told, logged)), name
    events = read(run / "tensorboard")
    tags = events.Tags()
    print("run", {kind: found for kind, found in tags.items() if found})
    assert tags["histograms"], "no histograms of weights"
    weights = events.Histograms(tags["histograms"][0])[-1].histogram_value
    print("weights", tags["histograms"][0], "numbers", weights.num, "from", weights.min, "to", weights.max)
    assert abs(sum(weights.bucket) - weights.num) < 0.5
    text = tensor_util.make_ndarray(events.Tensors("recipe")[0].tensor_proto).item().decode()
    assert (run / "recipe.toml").read_text().split("[train]")[0] in text
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    set_to = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    print("hyper-parameters", len(set_to), "batch_size", set_to["train.batch_size"].number_value)
    assert set_to["train.batch_size"].number_value > 0
    print("ok")


main(Path(sys.argv[1]))
