"""A small network in Keras, fed by tf.data: `python examples/keras_fit.py`.

Without the data at hand: `DSHUB_SYNTHETIC=2000 python examples/keras_fit.py`.
"""

import keras

from dshub import load


def main() -> None:
    """Train for two epochs and print the accuracy on the test rows."""
    keras.utils.set_random_seed(0)
    train, test = load("fashion-mnist", split="train"), load("fashion-mnist", split="test")
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    batches = train.batches(128, shuffle=True, supervised=True).tf()
    model.fit(batches, epochs=2, shuffle=False, verbose=2)  # the loader has shuffled
    _, accuracy = model.evaluate(test.batches(1000, supervised=True).tf(), verbose=0)
    print(f"test accuracy {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
