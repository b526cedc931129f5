"""Train a small convolutional network with Keras: `python examples/keras_fit.py`.

The environment variable `KERAS_BACKEND` selects the backend. Four epochs take two CPU cores about a
minute with TensorFlow, and reach more than 88 % test accuracy on Fashion-MNIST. To try the script
without downloading data: `DSHUB_SYNTHETIC=2000 python examples/keras_fit.py`.
"""

import argparse

import keras

from dshub import load


def network() -> keras.Model:
    """Build a network of two convolutions and two dense layers for 28x28 grayscale images."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def main() -> None:
    """Train the network and print its test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    epochs = parser.parse_args().epochs
    keras.utils.set_random_seed(0)
    train, test = load("fashion-mnist", split="train"), load("fashion-mnist", split="test")
    batches = train.batches(128, shuffle=True, supervised=True)
    model = network()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(batches))
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(batches.to("keras"), epochs=epochs, shuffle=False, verbose=2)  # the loader shuffles
    test_batches = test.batches(500, supervised=True).to("keras")
    _, accuracy = model.evaluate(test_batches, verbose=0)
    print(f"test accuracy {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
