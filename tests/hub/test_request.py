"""Test names that contain a split."""

import pytest

from dshub.hub.request import name_and_split


@pytest.mark.parametrize(
    ("text", "name", "split"),
    [
        ("mnist", "mnist", None),
        ("cifar-10:train[:10%]", "cifar-10", "train[:10%]"),
        ("cifar-10:", "cifar-10", None),
        ("hf:owner/name", "hf:owner/name", None),
        ("hf:owner/name:test", "hf:owner/name", "test"),
        (r"C:\own\1.0.0.toml", r"C:\own\1.0.0.toml", None),
        ("own/1.0.0.toml:test", "own/1.0.0.toml", "test"),
        ("s3://bucket/data", "s3://bucket/data", None),
    ],
)
def test_name_is_divided_at_the_colon_before_the_split(
    text: str, name: str, split: str | None
) -> None:
    assert name_and_split(text) == (name, split)
