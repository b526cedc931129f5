"""Train a small neural network in plain NumPy, with backpropagation written out.

    python examples/numpy_backprop.py

Compares each gradient with a numerical one, then trains for five epochs on Fashion-MNIST: about
ten seconds on two CPU cores, and a test accuracy of about 87 %.
"""

from itertools import pairwise

import numpy as np

from dshub import load

Layers = list[tuple[np.ndarray, np.ndarray]]


def layers(*sizes: int, seed: int = 0) -> Layers:
    """Return random weights and zero biases of the layers between the given sizes."""
    rng = np.random.default_rng(seed)
    return [(rng.normal(0, np.sqrt(2 / n), (n, m)), np.zeros(m)) for n, m in pairwise(sizes)]


def forward(net: Layers, x: np.ndarray) -> list[np.ndarray]:
    """Return the input of each layer and the scores: ReLU between layers, none at the end."""
    values = [x]
    for i, (weights, bias) in enumerate(net):
        x = x @ weights + bias
        if i < len(net) - 1:
            x = np.maximum(x, 0)
        values.append(x)
    return values


def loss(scores: np.ndarray, y: np.ndarray) -> float:
    """Return the mean cross-entropy of softmax(scores)."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_sums = np.log(np.exp(shifted).sum(axis=1))
    return float((log_sums - shifted[np.arange(len(y)), y]).mean())


def backward(net: Layers, values: list[np.ndarray], y: np.ndarray) -> Layers:
    """Return the gradient of the loss for the weights and bias of each layer."""
    scores = values[-1]
    slope = np.exp(scores - scores.max(axis=1, keepdims=True))
    slope /= slope.sum(axis=1, keepdims=True)
    slope[np.arange(len(y)), y] -= 1  # softmax and cross-entropy together
    slope /= len(y)
    gradients: Layers = []
    for (weights, _), x in zip(reversed(net), reversed(values[:-1]), strict=True):
        gradients.insert(0, (x.T @ slope, slope.sum(axis=0)))
        slope = slope @ weights.T * (x > 0)  # through the ReLU before this layer
    return gradients


def check(net: Layers, x: np.ndarray, y: np.ndarray, step: float = 1e-5) -> float:
    """Return the largest relative difference to central differences, for 20 numbers per array."""
    rng, worst = np.random.default_rng(1), 0.0
    for layer, slopes in zip(net, backward(net, forward(net, x), y), strict=True):
        for array, gradient in zip(layer, slopes, strict=True):
            for i in rng.choice(array.size, min(20, array.size), replace=False):
                kept = array.flat[i]
                array.flat[i] = kept + step
                above = loss(forward(net, x)[-1], y)
                array.flat[i] = kept - step
                below = loss(forward(net, x)[-1], y)
                array.flat[i] = kept
                numerical, own = (above - below) / (2 * step), gradient.flat[i]
                worst = max(worst, abs(numerical - own) / max(abs(numerical) + abs(own), 1e-6))
    return float(worst)


def pixels(images: np.ndarray) -> np.ndarray:
    """Flatten images to values from 0 to 1."""
    return images.reshape(len(images), -1) / 255


def main() -> None:
    """Check the gradients, train, and print the test accuracy after each epoch."""
    train, test = load("fashion-mnist", split=["train", "test"])
    print(train)
    net = layers(784, 128, 64, 10)
    sample = train[:32]
    difference = check(net, pixels(sample["image"]), sample["label"])
    print(f"gradients differ by at most {difference:.1e} from numerical ones")
    assert difference < 1e-4
    batches = train.batches(64, shuffle=True, seed=0, supervised=True)
    accuracy = 0.0
    for epoch in range(5):
        rate = 0.1 * 0.6**epoch
        for x, y in batches:
            gradients = backward(net, forward(net, pixels(x)), y)
            for (weights, bias), (weights_slope, bias_slope) in zip(net, gradients, strict=True):
                weights -= rate * weights_slope  # noqa: PLW2901  # in place
                bias -= rate * bias_slope  # noqa: PLW2901
        right = forward(net, pixels(test[:]["image"]))[-1].argmax(axis=1) == test["label"]
        accuracy = 100 * right.mean()
        print(f"epoch {epoch + 1}: test accuracy {accuracy:.1f} %")
    print(f"result: test accuracy {accuracy:.1f} %")


if __name__ == "__main__":
    main()
