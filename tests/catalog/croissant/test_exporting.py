"""Validate and load exported documents with mlcroissant in a subprocess."""

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from PIL import Image

from dshub import Registry
from dshub.catalog.croissant.exporting import to_croissant
from dshub.catalog.croissant.vocabulary import VERSIONS
from dshub.catalog.manifest import Manifest
from dshub.checksums import Digest
from dshub.mirrors.serve.server import serving

# prints the validation issues of each document and, with --load, its rows
SCRIPT = """
import json, sys
import mlcroissant

def plain(value):
    if hasattr(value, "getdata"):
        return [list(pixel) for pixel in value.getdata()]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value

load, *paths = sys.argv[1:]
answers = []
for path in paths:
    try:
        dataset = mlcroissant.Dataset(jsonld=path)
    except mlcroissant.ValidationError as error:
        answers.append({"errors": [str(error)]})
        continue
    issues = dataset.metadata.ctx.issues
    answers.append({"errors": sorted(issues.errors), "warnings": sorted(issues.warnings)})
    for record_set in dataset.metadata.record_sets if load == "--load" else ():
        answers[-1][record_set.uuid] = [
            {key: plain(value) for key, value in record.items()}
            for record in dataset.records(record_set.uuid)
        ]
print(json.dumps(answers))
"""

Validate = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def validate(tmp_path: Path) -> Validate:
    """Return a function that validates documents with mlcroissant."""
    if find_spec("mlcroissant") is None:
        pytest.skip("mlcroissant is not installed")

    def validate_documents(documents: Iterable[Any], *, load: bool = False) -> list[dict[str, Any]]:
        paths = []
        for i, document in enumerate(documents):
            paths.append(tmp_path / f"document-{i}.json")
            paths[-1].write_text(json.dumps(document), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, "--load" if load else "--check", *map(str, paths)],
            env=os.environ | {"CROISSANT_CACHE": str(tmp_path / "croissant")},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    return validate_documents


@pytest.mark.parametrize("version", VERSIONS)
def test_every_dataset_is_valid_croissant(validate: Validate, version: Any) -> None:
    """The only warnings are about properties that manifests do not have."""
    manifests = [Registry().manifest(name) for name in Registry().names()]
    answers = validate(to_croissant(manifest, version=version) for manifest in manifests)
    for manifest, answer in zip(manifests, answers, strict=True):
        assert answer["errors"] == []
        missing = {"datePublished", *(() if manifest.license.spdx else ("license",))}
        prefix = f"[Metadata({manifest.name})]"
        expected = {
            f'{prefix} Property "https://schema.org/{name}" is recommended, but does not exist.'
            for name in missing
        }
        if not manifest.citations:
            property_ = "http://mlcommons.org/croissant/citeAs"
            expected.add(f'{prefix} Property "{property_}" is recommended, but does not exist.')
        assert set(answer["warnings"]) == expected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create the folder that the test server serves."""
    path = tmp_path / "upstream"
    path.mkdir()
    return path


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """Start a server for `folder` and return its URL."""
    with serving(folder) as address:
        yield address


def manifest_of(path: Path, url: str, features: Any, reader: Any, **changes: Any) -> Manifest:
    """Build a manifest of one file on the test server."""
    content = path.read_bytes()
    resource = {
        "urls": [f"{url}/{path.name}"],
        "sha256": Digest.of_bytes(content).hex,
        "size": len(content),
    }
    split = {"rows": 2, "reader": reader, "files": {"rows": "file"}} | changes
    facts = {"schema": 1, "name": "own/set", "version": "1.0.0", "title": "T", "summary": "S"}
    return msgspec.convert(
        facts
        | {"task": "none", "homepage": "https://data.example", "resources": {"file": resource}}
        | {"features": features, "splits": {"train": split}},
        Manifest,
    )


TEXT, INTEGER = {"kind": "text"}, {"kind": "number", "dtype": "int32"}
FLOAT = {"kind": "number", "dtype": "float64"}
CLASSES = {"kind": "label", "names": ["bad", "good"], "first": 1}
ROWS = [
    {"said": 'He said "no", and left', "count": 3, "score": 0.5, "verdict": 2},
    {"said": "déjà vu", "count": -4, "score": 2.25, "verdict": 1},
]
FEATURES = {"said": TEXT, "count": INTEGER, "score": FLOAT, "verdict": CLASSES}


def load_rows(
    validate: Validate, manifest: Manifest, *, version: Any = "1.1"
) -> list[dict[str, Any]]:
    """Load the rows of the split `train` with mlcroissant, without the constant column `split`."""
    (answer,) = validate([to_croissant(manifest, version=version)], load=True)
    assert answer["errors"] == []
    rows = []
    for row in answer["train"]:
        plain = {key.removeprefix("train/"): value for key, value in row.items()}
        assert plain.pop("split", "train") == "train"
        rows.append(plain)
    return rows


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_mlcroissant_loads_a_table(
    validate: Validate, folder: Path, url: str, delimiter: str, version: Any
) -> None:
    path = folder / f"rows.{'csv' if delimiter == ',' else 'tsv'}"
    lines = [delimiter.join(FEATURES)]
    for row in ROWS:
        quoted = [f'"{value}"'.replace('"no"', '""no""') for value in row.values()]
        lines.append(delimiter.join(quoted))
    path.write_text("\n".join(lines), encoding="utf-8")
    reader = {"format": "delimited", "header": True, "delimiter": delimiter}
    manifest = manifest_of(path, url, FEATURES, reader | {"columns": list(FEATURES)})
    assert load_rows(validate, manifest, version=version) == ROWS


def test_mlcroissant_loads_a_compressed_table_with_renamed_columns(
    validate: Validate, folder: Path, url: str
) -> None:
    path = folder / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"Text,N\na,1\nb,2\n"))
    steps = [{"step": "rename", "columns": {"Text": "said", "N": "count"}}]
    reader = {"format": "delimited", "header": True, "columns": ["Text", "N"]}
    features = {"said": TEXT, "count": INTEGER}
    manifest = manifest_of(path, url, features, reader, steps=steps)
    assert load_rows(validate, manifest) == [
        {"said": "a", "count": 1},
        {"said": "b", "count": 2},
    ]


def test_mlcroissant_loads_json_lines(validate: Validate, folder: Path, url: str) -> None:
    lines = folder / "rows.jsonl"
    lines.write_text("\n".join(json.dumps({"Said": row["said"], **row}) for row in ROWS))
    types = {"count": "integer", "score": "number", "verdict": "integer"}
    paths = {name: name for name in FEATURES} | {"said": "Said"}
    reader: dict[str, Any] = {"format": "json", "columns": paths, "types": types}
    assert load_rows(validate, manifest_of(lines, url, FEATURES, reader)) == ROWS


def test_mlcroissant_loads_columns_of_parquet(validate: Validate, folder: Path, url: str) -> None:
    import pyarrow.parquet as pq

    path = folder / "rows.parquet"
    words = [["a", "b"], ["c"]]
    photos = [{"bytes": _png((255, 0, 0))}, {"bytes": _png((0, 0, 255))}]
    pq.write_table(pa.table({"Words": words, "n": [3, -4], "photo": photos}), path)
    features = {"words": {"kind": "list", "of": TEXT}, "count": INTEGER}
    features |= {"image": {"kind": "image", "encoding": "any"}}
    columns = {"words": "Words", "count": "n", "image": "photo.bytes"}
    reader = {"format": "parquet", "columns": columns}
    assert load_rows(validate, manifest_of(path, url, features, reader)) == [
        {"words": ["a", "b"], "count": 3, "image": [[255, 0, 0]]},
        {"words": ["c"], "count": -4, "image": [[0, 0, 255]]},
    ]


def _png(color: tuple[int, int, int]) -> bytes:
    """Return a PNG of one pixel."""
    sink = io.BytesIO()
    Image.new("RGB", (1, 1), color).save(sink, "PNG")
    return sink.getvalue()


def test_mlcroissant_loads_images_in_class_folders(
    validate: Validate, folder: Path, url: str
) -> None:
    colors = {"train/cat/1.png": (255, 0, 0), "train/dog/2.png": (0, 0, 255)}
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for name, color in colors.items():
            archive.writestr(name, _png(color))
        archive.writestr("test/cat/3.png", b"no photo")
    features = {
        "image": {"kind": "image", "encoding": "png"},
        "label": {"kind": "label", "names": ["cat", "dog"]},
    }
    reader = {"format": "folder", "path": "train/{label}/{name}.png"}
    files = {"image": "file:train/*/*.png"}
    manifest = manifest_of(folder / "photos.zip", url, features, reader, files=files)
    rows = sorted(load_rows(validate, manifest), key=lambda row: str(row["label"]))
    assert rows == [
        {"image": [[255, 0, 0]], "label": "cat"},
        {"image": [[0, 0, 255]], "label": "dog"},
    ]


def test_mlcroissant_loads_from_a_mirror(validate: Validate, folder: Path, url: str) -> None:
    path = folder / "rows.csv"
    path.write_text("said\na\nb\n")
    reader = {"format": "delimited", "header": True, "columns": ["said"]}
    manifest = manifest_of(path, "http://127.0.0.1:9", {"said": TEXT}, reader)
    document = to_croissant(manifest, address=lambda resource: f"{url}/{resource.name}")
    (answer,) = validate([document], load=True)
    assert [row["train/said"] for row in answer["train"]] == ["a", "b"]
