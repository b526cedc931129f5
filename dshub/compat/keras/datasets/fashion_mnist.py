"""Fashion-MNIST as arrays."""

from dshub.compat.keras.arrays import Arrays, image_arrays


def load_data() -> tuple[Arrays, Arrays]:
    """Return `(x_train, y_train), (x_test, y_test)`: uint8 (rows, 28, 28), and uint8 (rows,).

    Raises:
        DshubError: one of the errors of `dshub.load`.
    """
    return image_arrays("fashion-mnist")
