"""Test resolving names and keywords of other libraries."""

from typing import Any

import pytest

from dshub.catalog.spellings import FamiliarClass, familiar, spelled


class Example:
    """A class with the names of `LabelFeature`, and a property that fails."""

    names = ("cat", "dog")

    @property
    def broken(self) -> int:
        raise AttributeError("the cause")

    def __getattr__(self, name: str) -> Any:
        return familiar(self, name, "labels.LabelNames", lambda: {"old": "use new"})


def test_familiar_name_is_found() -> None:
    assert Example().num_classes == 2


def test_name_with_a_lesson_is_explained() -> None:
    with pytest.raises(AttributeError, match="'Example' object has no 'old': use new"):
        _ = Example().old


def test_other_names_raise_python_errors() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'unknown'"):
        _ = Example().unknown
    with pytest.raises(AttributeError, match=r"^the cause$"):
        _ = Example().broken


def test_class_has_familiar_constructors_only() -> None:
    class Plain(metaclass=FamiliarClass):
        """A class that defines no constructors."""

    plain: Any = Plain
    assert plain.load_from_disk is not None
    with pytest.raises(AttributeError, match="type object 'Plain' has no attribute 'num_rows'"):
        _ = plain.num_rows


def test_familiar_keyword_is_renamed_and_unknown_one_is_rejected() -> None:
    @spelled("take")
    def take(count: int) -> int:
        return 2 * count

    call: Any = take
    assert (call(3), call(count=3), call(n=3)) == (6, 6, 6)
    with pytest.raises(TypeError, match="unexpected keyword argument 'number'"):
        call(number=3)
