"""Export columns of every kind, and read them back with `dshub new`."""

import shutil
from pathlib import Path

import pytest

from dshub import Dataset, DshubError
from dshub.catalog.features import LabelFeature, describe
from dshub.export import export
from tests.export.kinds import KINDS, NAMES, REFUSED, dataset, plain, rows
from tests.publishing.authoring.conftest import New

# features that a format cannot tell from others
NULLS = {
    "NaN": "number, float64, optional",
    "list of NaN": "list of number, float64, optional",
    "list of bytes": "list of text",  # base64
}
CHANGED = {
    "jsonl": NULLS,
    "webdataset": {**NULLS, "list of NaN": "list of number, float64"},
    "tfrecord": {"pixels of two channels": "number, 4 x 5 x 2, uint8"},
}
NOTES = {  # for the table of the docs
    "number, float64, optional": "null",
    "list of number, float64, optional": "null",
    "list of number, float64": "yes",
    "list of text": "base64",
    "number, 4 x 5 x 2, uint8": "numbers",
}
ENCODED = {"jsonl", "webdataset", "tfrecord", "recordio", "imagefolder"}  # pixels become PNG


PAGE = Path(__file__).parents[3] / "docs" / "export.md"


def table() -> str:
    """Return the table of kinds and formats in the docs, with equal rows merged."""
    rows_of: dict[tuple[str, ...], list[str]] = {}
    for kind in KINDS:
        cells = [
            "no" if kind in refused else "as PNG" if kind == "pixels" and to in ENCODED else "yes"
            for to, refused in REFUSED.items()
        ]
        changes = [CHANGED.get(to, {}).get(kind, "") for to in REFUSED]
        shown = zip(cells, changes, strict=True)
        rows_of.setdefault(tuple(NOTES.get(new, new) or cell for cell, new in shown), []).append(
            kind
        )
    head = ["", *(f"`{to}`" for to in REFUSED)]
    lines = [head, ["---"] * len(head)]
    lines += [["; ".join(kinds), *cells] for cells, kinds in rows_of.items()]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


def test_docs_have_the_table_of_kinds_and_formats() -> None:
    assert f"<!-- kinds begin -->\n\n{table()}\n\n<!-- kinds end -->" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("to", REFUSED)
def test_new_gives_back_what_export_wrote(to: str, new: New, data: Path) -> None:
    """A kind that a format cannot hold is refused with its column, and nothing is published."""
    refused = set()
    for number, kind in enumerate(KINDS):
        ds = dataset(kind)
        folder = data / str(number)
        try:
            export({"train": ds}, to, folder)
        except DshubError as error:
            refused.add(kind if "column" in str(error) else f"{kind}, without its column")
            assert not list(folder.glob("[!.]*")), kind
            continue
        result = new(folder, "--name", f"me/kind-{number}")
        expected = CHANGED.get(to, {}).get(kind, describe(ds.features["x"]))
        if kind == "pixels" and to in ENCODED:
            expected = "image, 4 x 5 x 3, PNG"
        assert describe(result.manifest.features["x"]) == expected, kind
        if expected != "list of text":
            assert rows(result["train"]) == rows(ds), kind
    assert refused == REFUSED[to]


@pytest.mark.parametrize("to", ["parquet", "csv", "jsonl", "webdataset", "tfrecord", "npz"])
def test_class_names_survive_every_format(to: str, new: New, data: Path) -> None:
    export({"train": dataset("class")}, to, data)
    result = new(data)
    feature = result.manifest.features["x"]
    assert isinstance(feature, LabelFeature)
    assert feature.names == NAMES
    assert result.manifest.splits["train"].figures == {"x-counts": (1, 1, 0)}


def test_class_folders_keep_names_and_numbers_of_classes(new: New, data: Path) -> None:
    """Folder names cannot hold every class name, and their order is another."""
    label = LabelFeature(names=("T-shirt/top", "Ankle boot", "T-shirt:top", "none"))
    ds = dataset("image", y=([2, 1], label))
    export({"train": ds, "test": ds}, "imagefolder", data)
    result = new(data)
    feature = result.manifest.features["y"]
    assert isinstance(feature, LabelFeature)
    assert feature.names == label.names
    by_label = sorted((row["y"], plain(row["x"])) for row in ds)
    for split in ("train", "test"):
        assert sorted((row["y"], plain(row["x"])) for row in result[split]) == by_label


def test_several_splits_and_shards_are_read_back(new: New, data: Path) -> None:
    ds = Dataset.from_arrays({"x": list(range(100)), "text": [f"t{i}" for i in range(100)]})
    export({"train": ds, "test": ds.take(7)}, "webdataset", data, shard_size=500)
    assert len(list(data.glob("train*.tar"))) > 1
    result = new(data)
    assert list(result.splits) == ["train", "test"]
    assert [row["x"] for row in result["train"]] == list(range(100))
    assert len(result["test"]) == 7


def test_files_of_one_split_are_read_back(new: New, data: Path) -> None:
    ds = dataset("class")
    export({"train": ds, "test": ds}, "csv", data)
    result = new(*data.glob("train*.csv"))
    assert list(result.splits) == ["train"]
    assert result.manifest.features == ds.features


def test_changed_files_are_looked_at_again(new: New, data: Path) -> None:
    export({"train": dataset("class")}, "csv", data)
    (path,) = data.glob("*.csv")
    path.write_text("x,y\n1,2\n3,4\n")
    assert list(new(data).manifest.features) == ["x", "y"]


def test_files_beside_an_export_are_not_lost(new: New, data: Path) -> None:
    export({"train": dataset("integer")}, "csv", data)
    shutil.copy(next(data.glob("*.csv")), data / "test.csv")
    assert list(new(data).splits) == ["train", "test"]
