"""Train the classic Keras CNN on MNIST or Fashion-MNIST, on any Keras backend.

    python examples/keras_mnist.py
    python examples/keras_mnist.py fashion-mnist
    KERAS_BACKEND=torch python examples/keras_mnist.py fashion-mnist
    KERAS_BACKEND=jax python examples/keras_mnist.py fashion-mnist

Five epochs take one to two minutes on two CPU cores and end with a test accuracy of about 99 % on
MNIST and 91 % on Fashion-MNIST.
"""

import argparse

import keras
from keras import layers

from dshub import load


def main() -> None:
    """Train the network and print its test accuracy."""
    parser = argparse.ArgumentParser(description="Train the classic Keras CNN.")
    parser.add_argument("dataset", nargs="?", default="mnist", help="mnist or fashion-mnist")
    train, test = load(parser.parse_args().dataset, split=["train", "test"])
    print(train)
    print(f"Keras {keras.__version__} on {keras.backend.backend()}")

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    batches = train.batches(64, shuffle=True, seed=0, supervised=True).to("keras")
    model.fit(batches, epochs=5, shuffle=False, verbose=2)  # the loader shuffles
    _, accuracy = model.evaluate(test.batches(500, supervised=True).to("keras"), verbose=0)
    print(f"result: test accuracy {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
