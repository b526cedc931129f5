"""Fixtures of `dshub new`, which prints the inferred columns."""

from tests.publishing.authoring.conftest import data, new

__all__ = ["data", "new"]
