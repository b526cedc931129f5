"""MNIST as arrays."""

from dshub.compat.keras.arrays import Arrays, image_arrays


def load_data(path: str = "mnist.npz") -> tuple[Arrays, Arrays]:
    """Return `(x_train, y_train), (x_test, y_test)`: uint8 (rows, 28, 28), and uint8 (rows,).

    Args:
        path: file of Keras, which is used if it exists; relative to `~/.keras/datasets`.

    Raises:
        DshubError: one of the errors of `dshub.load`.
    """
    return image_arrays("mnist", path=path)
