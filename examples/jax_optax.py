"""Train a small neural network on Fashion-MNIST with JAX and Optax, and draw its loss.

    python examples/jax_optax.py

Five epochs take about ten seconds on two CPU cores and end with a test accuracy of about 89 %.
Saves the curve of the loss as `jax_optax.png`.
"""

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib as mpl
import optax
from matplotlib import pyplot as plt

from dshub import load
from dshub.loading.transforms import Normalize

EPOCHS = 5
Parameters = list[dict[str, jax.Array]]


def initialize(key: jax.Array, *sizes: int) -> Parameters:
    """Return random weights and zero biases of the layers between the given sizes."""
    start = jax.nn.initializers.he_normal()
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        {"weights": start(keys[i], sizes[i : i + 2]), "bias": jnp.zeros(sizes[i + 1])}
        for i in range(len(keys))
    ]


def scores(parameters: Parameters, images: jax.Array) -> jax.Array:
    """Return a score for each class: ReLU between layers, none at the end."""
    x = images.reshape(len(images), -1)
    *hidden, last = parameters
    for layer in hidden:
        x = jax.nn.relu(x @ layer["weights"] + layer["bias"])
    return x @ last["weights"] + last["bias"]


def loss(parameters: Parameters, x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the mean cross-entropy of a batch."""
    return optax.softmax_cross_entropy_with_integer_labels(scores(parameters, x), y).mean()


def draw(losses: list[float], path: Path) -> None:
    """Save the loss of each step, and its mean over the last 50 steps."""
    means = [sum(losses[max(0, i - 49) : i + 1]) / min(i + 1, 50) for i in range(len(losses))]
    mpl.use("agg")
    figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    axes.plot(losses, color="#b9d4ec", linewidth=0.6, label="each step")
    axes.plot(means, color="#0b5fad", label="mean of 50 steps")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train the network, draw its loss, and print its test accuracy."""
    train, test = load("fashion-mnist", split=["train", "test"])
    print(train)
    normalize = Normalize(mean=(0.286,), std=(0.353,))
    batches = train.batches(128, shuffle=True, seed=0, transform=normalize, supervised=True)
    parameters = initialize(jax.random.key(0), 784, 256, 128, 10)
    rate = optax.cosine_decay_schedule(1e-3, EPOCHS * len(batches))
    optimizer = optax.adamw(rate)
    state = optimizer.init(parameters)

    def update(parameters: Parameters, state: Any, x: jax.Array, y: jax.Array) -> Any:
        value, gradients = jax.value_and_grad(loss)(parameters, x, y)
        updates, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    step, losses = jax.jit(update), []
    for x, y in batches.to("jax").repeat(EPOCHS):
        parameters, state, value = step(parameters, state, x, y)
        losses.append(value)
    folder = Path(os.environ.get("DSHUB_EXAMPLES_OUTPUT", "."))
    draw([float(value) for value in losses], folder / "jax_optax.png")

    right = jax.jit(lambda parameters, x, y: (scores(parameters, x).argmax(axis=1) == y).sum())
    test_batches = test.batches(1000, transform=normalize, supervised=True).to("jax")
    accuracy = sum(int(right(parameters, x, y)) for x, y in test_batches) / len(test)
    print(f"result: test accuracy {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
