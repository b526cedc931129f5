"""A small convolutional network in Keras: `python examples/keras_fit.py`.

On any backend of Keras, which `KERAS_BACKEND` names. More than 88 % of the real test rows are right
after four epochs, which take two cores a minute with TensorFlow. Without the data at hand:
`DSHUB_SYNTHETIC=2000 python examples/keras_fit.py`.
"""

import argparse

import keras

from dshub import load


def network() -> keras.Model:
    """Two convolutions and two dense layers, for grayscale images of 28x28 pixels."""
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
    """Train, and print the accuracy on the test rows."""
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
    held = test.batches(500, supervised=True).to("keras")
    _, accuracy = model.evaluate(held, verbose=0)
    print(f"test accuracy {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
