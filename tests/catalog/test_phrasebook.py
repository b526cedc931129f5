"""Test suggestions for names from other libraries."""

import pytest

from dshub.catalog.phrasebook import foreign, missing

WORDS = {"batch": "use batches"}


class Example:
    """A class with a property that fails."""

    @property
    def broken(self) -> int:
        raise AttributeError("the cause")

    def __getattr__(self, name: str) -> object:
        raise missing(self, name, WORDS)


def test_known_name_is_explained() -> None:
    with pytest.raises(AttributeError, match="'Example' object has no 'batch': use batches"):
        _ = Example().batch


def test_other_names_raise_python_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'unknown'"):
        _ = Example().unknown
    with pytest.raises(AttributeError, match=r"^the cause$"):
        _ = Example().broken


def test_argument_of_another_library_is_explained() -> None:
    @foreign(WORDS)
    def double(value: int, **options: int) -> int:
        return 2 * value + sum(options.values())

    assert double(3, extra=1) == 7
    with pytest.raises(TypeError, match=r"double\(\) takes no 'batch': use batches"):
        double(3, batch=1)
