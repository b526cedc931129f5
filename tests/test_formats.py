import numpy as np
import pytest

from dshub import formats
from dshub.errors import ManifestError, UnknownNameError


def test_arrays_become_nested_lists() -> None:
    """The array does not have to be contiguous."""
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(0, 2, 1)
    column = formats.nested(array)
    assert str(column.type).count("fixed_size_list") == 2
    assert column.to_pylist() == array.tolist()


def test_unknown_format_is_rejected() -> None:
    with pytest.raises(UnknownNameError, match="jsno") as caught:
        formats.create({"format": "jsno"})
    assert "json" in caught.value.hint


def test_unknown_option_is_rejected() -> None:
    with pytest.raises(ManifestError) as caught:
        formats.create({"format": "cifar", "label": ["coarse"]})
    assert "format 'cifar'" in str(caught.value)
    assert "label" in str(caught.value)
