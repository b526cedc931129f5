"""Fixtures of `dshub new`, which shows what is inferred."""

from tests.publishing.authoring.conftest import data, new

__all__ = ["data", "new"]
