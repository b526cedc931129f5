"""Fixtures for comparisons with other libraries."""

import os
import sys
import warnings
from types import ModuleType
from typing import Any

import pytest

ROWS = 40


@pytest.fixture
def synthetic(monkeypatch: pytest.MonkeyPatch) -> int:
    """Load synthetic rows, and return the number of rows per split."""
    monkeypatch.setenv("DSHUB_SYNTHETIC", str(ROWS))
    return ROWS


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return torchvision, from the folder in DSHUB_TEST_TORCHVISION if it is set.

    A torchvision wheel fits only one build of torch. Datasets and transforms do not need the
    compiled operators, so an empty module replaces the one that registers them.
    """
    pytest.importorskip("torch")
    if folder := os.environ.get("DSHUB_TEST_TORCHVISION"):
        monkeypatch.syspath_prepend(folder)
    registrations = "torchvision._meta_registrations"
    if registrations not in sys.modules:
        monkeypatch.setitem(sys.modules, registrations, ModuleType(registrations))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing warns about missing operators
        pytest.importorskip("torchvision.datasets")
        pytest.importorskip("torchvision.transforms.v2")
        return pytest.importorskip("torchvision")
