#!/usr/bin/env python3
"""JAX as a peer on the fixed workloads, served by the protocol of protocol.py.

A step is forward, mean cross-entropy, backward and Adam(1e-3), on one fixed random batch, compiled as a whole with its
state donated, so that XLA updates it in place. Modes:

    jit     one step a call
    scan    50 steps in one compiled loop; for networks without convolutions, where it is JAX's best

A fleet is many models side by side by `vmap`, each with its own weights and batch, 50 steps in one compiled loop.
"""

import math
import os
from importlib.metadata import version

from protocol import FLEET_MODELS, WORKLOADS, Training, serve

MODES = ("jit", "scan")
SCAN_STEPS = 50


def limit_threads(threads):
    """XLA takes as many threads as the process may use processors, once, when JAX is imported."""
    if not hasattr(os, "sched_setaffinity"):
        return  # JAX takes all processors
    available = sorted(os.sched_getaffinity(0))
    if threads < len(available):
        os.sched_setaffinity(0, available[:threads])


def load_networks():
    """Import JAX and return its modules with the table of networks: name -> (initial parameters, forward).

    `forward(params, statistics, x, key) -> (logits, new statistics)`; the statistics are those of batch norm.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax import lax

    rng = np.random.default_rng(0)

    def weights(*shape):
        """He's initial weights [..., in, out] and a zero bias."""
        fan_in = math.prod(shape[:-1])
        drawn = rng.normal(scale=math.sqrt(2 / fan_in), size=shape).astype(np.float32)
        return {"w": jnp.array(drawn), "b": jnp.zeros(shape[-1])}

    def linear(layer, x):
        return x @ layer["w"] + layer["b"]

    def filtered(w, x, stride, padding):
        axes = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, w, (stride, stride), padding, dimension_numbers=axes)

    def convolution(layer, x, padding="VALID"):
        return filtered(layer["w"], x, 1, padding) + layer["b"]

    def pool(x, initial, combine):
        return lax.reduce_window(x, initial, combine, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def average_pool(x):
        return pool(x, 0.0, lax.add) / 4

    def dropout(x, rate, key):
        return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)

    def batch_norm(layer, running, x, momentum=0.1, eps=1e-5):
        """By the last axis: of features, or of an image's channels."""
        others, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
        mean, variance = x.mean(others), x.var(others)
        unbiased = variance * count / (count - 1)
        new = {"mean": mean, "var": unbiased}
        running = {name: (1 - momentum) * running[name] + momentum * new[name] for name in running}
        return (x - mean) * lax.rsqrt(variance + eps) * layer["gamma"] + layer["beta"], running

    def mlp(params, statistics, x, key):
        for layer in params[:-1]:
            x = jax.nn.relu(linear(layer, x))
        return linear(params[-1], x), statistics

    def mlp_with_norm(params, statistics, x, key):
        new_statistics = []
        keys = jax.random.split(key, len(statistics))
        for layer, norm, running, layer_key in zip(params["layers"], params["norms"], statistics, keys):
            x, running = batch_norm(norm, running, linear(layer, x))
            x = dropout(jax.nn.relu(x), 0.3, layer_key)
            new_statistics.append(running)
        return linear(params["layers"][-1], x), new_statistics

    def lenet(params, statistics, x, key):
        x = average_pool(jnp.tanh(convolution(params[0], x, "SAME")))
        x = average_pool(jnp.tanh(convolution(params[1], x))).reshape(len(x), -1)
        for layer in params[2:-1]:
            x = jnp.tanh(linear(layer, x))
        return linear(params[-1], x), statistics

    def cnn(params, statistics, x, key):
        for layer in params[:2]:
            x = jax.nn.relu(convolution(layer, x))
        features_key, hidden_key = jax.random.split(key)
        x = dropout(pool(x, -jnp.inf, lax.max), 0.25, features_key).reshape(len(x), -1)
        x = dropout(jax.nn.relu(linear(params[2], x)), 0.5, hidden_key)
        return linear(params[3], x), statistics

    def convolution_and_norm(name, params, statistics, new, x, stride):
        w = params[name]["w"]
        same = [(size // 2, size // 2) for size in w.shape[:2]]
        x, new[name] = batch_norm(params[name], statistics[name], filtered(w, x, stride, same))
        return x

    def resnet18(params, statistics, x, key):
        new = {}
        layer = lambda name, x, stride=1: convolution_and_norm(name, params, statistics, new, x, stride)
        x = jax.nn.relu(layer("stem", x))
        for block, _, _, stride in blocks():
            residual = layer(f"{block}.second", jax.nn.relu(layer(f"{block}.first", x, stride)))
            shortcut = layer(f"{block}.shortcut", x, stride) if f"{block}.shortcut" in params else x
            x = jax.nn.relu(residual + shortcut)
        return linear(params["head"], x.mean((1, 2))), new

    def resnet18_state():
        params, statistics = {}, {}

        def add(name, *shape):
            params[name] = {"w": weights(*shape)["w"], **norm(shape[-1])}
            statistics[name] = running(shape[-1])

        add("stem", 3, 3, 3, 64)
        for block, inputs, outputs, stride in blocks():
            add(f"{block}.first", 3, 3, inputs, outputs)
            add(f"{block}.second", 3, 3, outputs, outputs)
            if stride != 1 or inputs != outputs:
                add(f"{block}.shortcut", 1, 1, inputs, outputs)
        return {**params, "head": weights(512, 10)}, statistics

    def blocks():
        """Name, inputs, outputs and stride of the CIFAR ResNet-18's basic blocks."""
        inputs = 64
        for stage, outputs in enumerate((64, 128, 256, 512)):
            for block in range(2):
                yield f"{stage}.{block}", inputs, outputs, 2 if stage > 0 and block == 0 else 1
                inputs = outputs

    def norm(features):
        return {"gamma": jnp.ones(features), "beta": jnp.zeros(features)}

    def running(features):
        return {"mean": jnp.zeros(features), "var": jnp.ones(features)}

    layers_784 = [(784, 512), (512, 256), (256, 10)]
    networks = {  # name: (forward, parameters, statistics), built when asked for
        "tab32": lambda: (mlp, [weights(16, 64), weights(64, 64), weights(64, 3)], []),
        "mlp128": lambda: (mlp, [weights(*shape) for shape in layers_784], []),
        "mlpbn128": lambda: (
            mlp_with_norm,
            {"layers": [weights(*shape) for shape in layers_784], "norms": [norm(512), norm(256)]},
            [running(512), running(256)],
        ),
        "lenet64": lambda: (
            lenet,
            [weights(5, 5, 1, 6), weights(5, 5, 6, 16), weights(400, 120), weights(120, 84), weights(84, 10)],
            [],
        ),
        "cnn64": lambda: (
            cnn,
            [weights(3, 3, 1, 32), weights(3, 3, 32, 64), weights(9216, 128), weights(128, 10)],
            [],
        ),
        "resnet18_64": lambda: (resnet18, *resnet18_state()),
    }
    return jax, jnp, rng, networks


class Builder:
    """Builds trainings; imports JAX at the first, once the number of threads is known."""

    def __init__(self):
        self.threads = None

    def load(self, threads):
        """JAX and the networks, with these threads from now on."""
        if self.threads is None:
            limit_threads(threads)
            self.threads, self.loaded = threads, load_networks()
        if threads != self.threads:
            raise ValueError(f"JAX was started with {self.threads} threads: start another process for {threads}")
        return self.loaded

    def training(self, workload, mode, threads):
        if mode == "scan" and len(WORKLOADS[workload][0]) == 4:
            raise ValueError("scan is for networks without convolutions")
        jax, jnp, rng, networks = self.load(threads)
        if workload not in networks:
            raise ValueError(f"{workload} has no twin in JAX here")
        forward, params, statistics = networks[workload]()
        step, batch = step_of(jax, jnp, forward), random_batch(jnp, rng, workload)
        state = first_state(jax, jnp, params, statistics)
        if mode == "scan":
            return Training(stepper(jax, many_steps_of(jax, step), state, batch), SCAN_STEPS)
        return Training(stepper(jax, step, state, batch))

    def fleet(self, workload, mode, threads):
        jax, jnp, rng, networks = self.load(threads)
        networks = [networks[workload]() for _ in range(FLEET_MODELS)]
        states = [first_state(jax, jnp, params, statistics) for _, params, statistics in networks]
        batches = [random_batch(jnp, rng, workload) for _ in networks]
        stacked = lambda trees: jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
        steps = many_steps_of(jax, jax.vmap(step_of(jax, jnp, networks[0][0])))
        return Training(stepper(jax, steps, stacked(states), stacked(batches)), SCAN_STEPS * FLEET_MODELS)


def random_batch(jnp, rng, workload):
    shape, classes = WORKLOADS[workload]
    return jnp.array(rng.normal(size=shape).astype("float32")), jnp.array(rng.integers(0, classes, shape[0]))


def first_state(jax, jnp, params, statistics):
    zeros = lambda: jax.tree.map(jnp.zeros_like, params)
    return {"params": params, "mean": zeros(), "square": zeros(), "statistics": statistics, "step": jnp.int32(0)}


def step_of(jax, jnp, forward):
    """`step(state, batch) -> (new state, loss)`"""

    def loss_of(params, statistics, key, batch):
        x, y = batch
        logits, statistics = forward(params, statistics, x, key)
        log_probability = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)
        return -log_probability.mean(), statistics

    def step(state, batch):
        key = jax.random.fold_in(jax.random.key(0, impl="rbg"), state["step"])
        gradient_of = jax.value_and_grad(loss_of, has_aux=True)
        (loss, statistics), gradient = gradient_of(state["params"], state["statistics"], key, batch)
        return {**adam(jax, jnp, state, gradient), "statistics": statistics}, loss

    return step


def many_steps_of(jax, step):
    """SCAN_STEPS steps on one batch, with the last loss."""

    def many_steps(state, batch):
        state, losses = jax.lax.scan(lambda state, _: step(state, batch), state, None, length=SCAN_STEPS)
        return state, losses[-1]

    return many_steps


def stepper(jax, step, state, batch):
    """A function that goes on by `step`, compiled with the batch as a constant, and returns the loss (of models, their mean)."""
    compiled = jax.jit(lambda state: step(state, batch), donate_argnums=0)

    def call():
        nonlocal state
        state, loss = compiled(state)
        jax.block_until_ready(state)
        return float(loss.mean())

    return call


def adam(jax, jnp, state, gradient, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """The state after one step of Adam (without batch norm's statistics)."""
    step = state["step"] + 1
    mean = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state["mean"], gradient)
    square = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, state["square"], gradient)
    mean_scale, square_scale = 1 / (1 - beta1**step), 1 / (1 - beta2**step)
    update = lambda p, m, v: p - lr * (m * mean_scale) / (jnp.sqrt(v * square_scale) + eps)
    return {"params": jax.tree.map(update, state["params"], mean, square), "mean": mean, "square": square, "step": step}


if __name__ == "__main__":
    builder = Builder()
    serve("jax", version("jax"), {"steps": (MODES, builder.training), "fleet": (("vmap_scan",), builder.fleet)})
