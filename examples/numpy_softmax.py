"""Train a softmax classifier with plain NumPy: `python examples/numpy_softmax.py`.

To try it without downloading data: `DSHUB_SYNTHETIC=2000 python examples/numpy_softmax.py`.
"""

import numpy as np

from dshub import load


def inputs(images: np.ndarray) -> np.ndarray:
    """Flatten images to float32 from 0 to 1, and append a constant 1 to each row."""
    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    return np.concatenate([flat, np.ones((len(flat), 1), np.float32)], axis=1)


def main() -> None:
    """Train for three epochs and print the test accuracy after each."""
    train, test = load("fashion-mnist", split="train"), load("fashion-mnist", split="test")
    weights = np.zeros((28 * 28 + 1, 10), np.float32)
    batches = train.batches(128, shuffle=True, seed=0)
    for epoch in range(3):
        for batch in batches:
            x, y = inputs(batch["image"]), batch["label"]
            scores = x @ weights
            probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
            probabilities /= probabilities.sum(axis=1, keepdims=True)
            probabilities[np.arange(len(y)), y] -= 1
            weights -= 0.1 / len(y) * (x.T @ probabilities)
        guesses = (inputs(test[:]["image"]) @ weights).argmax(axis=1)
        accuracy = (guesses == test["label"]).mean()
        print(f"epoch {epoch + 1}: test accuracy {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
