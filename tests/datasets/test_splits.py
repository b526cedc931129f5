"""Test opening splits by name, and parts of several splits as one dataset."""

import pickle
from typing import Any

import numpy as np
import pytest

from dshub import Dataset
from dshub.datasets.split_expressions import parse_split
from dshub.datasets.splits import Splits, concatenate
from dshub.errors import UnknownNameError
from dshub.tables.table import Table

OWN = {"train": 4, "test": 2}


def open_split(split: str) -> Dataset:
    return Dataset.from_arrays({"n": np.arange(OWN[split])})


def test_splits_open_on_first_access() -> None:
    opened: list[str] = []

    def opening(split: str) -> Dataset:
        opened.append(split)
        return open_split(split)

    splits = Splits("own", OWN, opening)
    assert (list(splits), len(splits), "train" in splits, opened) == (
        ["train", "test"],
        2,
        True,
        [],
    )
    assert splits["test"] is splits["test"]
    assert opened == ["test"]
    assert repr(splits) == "<Splits own: train: 4 rows, test: 2 rows>"
    assert len(pickle.loads(pickle.dumps(Splits("own", OWN, open_split)))["train"]) == 4


def test_unknown_split_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="split of own named 'trian'") as caught:
        Splits("own", OWN, open_split)["trian"]
    assert caught.value.known == ("train", "test")


@pytest.mark.parametrize(
    ("name", "hint"), [("train", r'splits\["train"\]'), ("batches", r'splits\["train"\]\.batches')]
)
def test_attribute_error_suggests_a_split(name: str, hint: str) -> None:
    with pytest.raises(AttributeError, match=hint):
        getattr(Splits("own", OWN, open_split), name)


@pytest.mark.parametrize("expression", ["train+test", "test[1:3]+train[:2]", "train[:1]+train"])
def test_parts_of_splits_are_concatenated(prepared: Any, expression: str) -> None:
    parts = parse_split(expression)
    folders = {part.split: prepared.folders[part.split] for part in parts}
    manifest = Table(prepared.folders["train"]).record.manifest
    rows = [
        row["text"]
        for part in parts
        for row in np.take(prepared.rows[part.split], part.rows(len(prepared.rows[part.split])))
    ]
    assert concatenate(manifest, parts, folders)["text"] == rows


def test_keys_complete_to_names_of_splits() -> None:
    assert Splits("own", OWN, open_split)._ipython_key_completions_() == ["train", "test"]
