"""CIFAR-100 as arrays."""

from dshub.compat.keras.arrays import Arrays, image_arrays
from dshub.errors import ArgumentError


def load_data(label_mode: str = "fine") -> tuple[Arrays, Arrays]:
    """Return `(x_train, y_train), (x_test, y_test)`: uint8 (rows, 32, 32, 3), and int64 (rows, 1).

    Args:
        label_mode: `fine` for 100 classes, or `coarse` for 20 superclasses.

    Raises:
        ArgumentError: `label_mode` has another value.
        DshubError: one of the errors of `dshub.load`.
    """
    if label_mode not in {"fine", "coarse"}:
        raise ArgumentError(name="label_mode", value=label_mode, expected="'fine' or 'coarse'")
    train, test = image_arrays("cifar-100", label=f"{label_mode}_label")
    return _column(train), _column(test)


def _column(arrays: Arrays) -> Arrays:
    x, y = arrays
    return x, y.reshape(-1, 1)
