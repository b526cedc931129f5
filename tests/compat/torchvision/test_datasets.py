from typing import Any

import pytest

import dshub.compat.torchvision as compat
from dshub.compat.torchvision import datasets


def test_classes_are_those_of_torchvision(torchvision: Any) -> None:
    theirs = torchvision.datasets.__all__
    assert [name for name in datasets.__all__ if name not in theirs] == []
    assert all(getattr(compat, name) is getattr(datasets, name) for name in datasets.__all__)


@pytest.mark.parametrize("name", ["VOCDetection", "transforms"])
def test_missing_names_are_explained(name: str) -> None:
    with pytest.raises(ImportError, match="from torchvision"):
        exec(f"from dshub.compat.torchvision import {name}")
    with pytest.raises(AttributeError):
        compat.quite_unknown  # noqa: B018
