"""Compare dshub with other packages' readers on the data files that those packages ship."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dshub import Dataset, Hub, Settings
from dshub.checksums import Digest
from dshub.progress import Silent


def folder(package: str, below: str) -> Path:
    """Return a folder inside an installed package, or skip the test without the package."""
    pytest.importorskip(package)
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / below


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(settings=Settings.read(cache=tmp_path / "cache"), progress=Silent())


def loaded(hub: Hub, tmp_path: Path, file: Path, features: str, split: str) -> Dataset:
    """Import a file into a local manifest with one split, and load the split."""
    manifest = tmp_path / "local.toml"
    digest = Digest.of_file(file).hex
    manifest.write_text(
        f"""
schema = 1
name = "local/set"
version = "1.0.0"
title = "Local"
summary = "A data file of a package."
task = "none"
homepage = "https://data.example"

[resources.file]
filename = "{file.name}"
sha256 = "{digest}"
size = {file.stat().st_size}

{features}

[splits.train]
{split}
""",
        "utf-8",
    )
    hub.import_files(str(manifest), [file])
    return hub.load(str(manifest), "train")


def test_iris_of_scikit_learn_matches_its_loader(hub: Hub, tmp_path: Path) -> None:
    columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "label"]
    numbers = "\n".join(
        f'[features.{name}]\nkind = "number"\ndtype = "float64"' for name in columns[:4]
    )
    label = '[features.label]\nkind = "label"\nnames = ["setosa", "versicolor", "virginica"]'
    split = f'rows = 150\nreader = {{ format = "delimited", skip = 1, columns = {columns} }}\n'
    split += 'files = { rows = "file" }'
    file = folder("sklearn", "datasets/data") / "iris.csv"
    dataset = loaded(hub, tmp_path, file, f"{numbers}\n{label}", split.replace("'", '"'))
    theirs = import_module("sklearn.datasets").load_iris()
    ours = np.stack([np.asarray(dataset[name]) for name in columns[:4]], axis=1)
    np.testing.assert_array_equal(ours, theirs.data)
    np.testing.assert_array_equal(np.asarray(dataset["label"]), theirs.target)
    assert list(theirs.target_names) == list(dataset.features["label"].names)


def test_digits_of_scikit_learn_match_their_loader(hub: Hub, tmp_path: Path) -> None:
    columns = [f"p{i}" for i in range(64)] + ["label"]
    features = "\n".join(f'[features.{c}]\nkind = "number"\ndtype = "uint8"' for c in columns)
    split = f'rows = 1797\nreader = {{ format = "delimited", columns = {columns} }}\n'
    split += 'files = { rows = "file" }'
    file = folder("sklearn", "datasets/data") / "digits.csv.gz"
    dataset = loaded(hub, tmp_path, file, features, split.replace("'", '"'))
    theirs = import_module("sklearn.datasets").load_digits()
    ours = np.stack([np.asarray(dataset[name]) for name in columns[:64]], axis=1)
    np.testing.assert_array_equal(ours, theirs.data)
    np.testing.assert_array_equal(np.asarray(dataset["label"]), theirs.target)


def test_photos_of_scikit_learn_match_pillow() -> None:
    data_folder = folder("sklearn", "datasets/images")
    dataset = Dataset.from_folder(data_folder)
    names = sorted(path.name for path in data_folder.glob("*.jpg"))
    assert len(dataset) == len(names) == 2
    for row, name in zip(dataset, names, strict=True):
        np.testing.assert_array_equal(row["image"], np.asarray(Image.open(data_folder / name)))


@pytest.mark.parametrize("version", ["6.1_SOL2", "6.5.1_GLNX86", "7.1_GLNX86", "7.4_GLNX86"])
@pytest.mark.parametrize("name", ["testdouble", "test3dmatrix", "testmatrix"])
def test_matlab_files_of_scipy_match_loadmat(
    hub: Hub, tmp_path: Path, name: str, version: str
) -> None:
    file = folder("scipy", "io/matlab/tests/data") / f"{name}_{version}.mat"
    theirs: Any = import_module("scipy.io").loadmat(file)[name]
    expected = theirs.reshape(-1) if name == "testdouble" else theirs
    feature = '[features.x]\nkind = "number"\ndtype = "float64"\n'
    feature += f"shape = {list(expected.shape[1:])}"
    split = f'rows = {len(expected)}\nfiles = {{ set = "file" }}\n'
    split += f'reader = {{ format = "mat", columns = {{ x = "{name}" }} }}'
    dataset = loaded(hub, tmp_path, file, feature, split)
    np.testing.assert_array_equal(np.asarray(dataset["x"]), expected)


def test_npz_file_of_scipy_matches_numpy(hub: Hub, tmp_path: Path) -> None:
    file = folder("scipy", "stats") / "_sobol_direction_numbers.npz"
    with np.load(file) as arrays:
        theirs = {name: arrays[name] for name in arrays.files}
    features = "\n".join(
        f'[features.{name}]\nkind = "number"\ndtype = "{values.dtype}"\n'
        f"shape = {list(values.shape[1:])}"
        for name, values in theirs.items()
    )
    columns = ", ".join(f'{name} = "{name}"' for name in theirs)
    split = f'rows = {len(theirs["poly"])}\nfiles = {{ set = "file" }}\n'
    split += f'reader = {{ format = "npz", columns = {{ {columns} }} }}'
    ours = loaded(hub, tmp_path, file, features, split)
    for name, values in theirs.items():
        np.testing.assert_array_equal(np.asarray(ours[name]), values)


ODD = ("early-eof", "incomplete", "extra", "rf64")  # broken on purpose, or not WAV


@pytest.mark.filterwarnings("ignore:Chunk")
@pytest.mark.filterwarnings("ignore:Reached EOF")
def test_audio_files_of_scipy_match_wavfile(tmp_path: Path) -> None:
    """dshub converts samples of every integer width to int16."""
    data_folder = folder("scipy", "io/tests/data")
    wavfile: Any = import_module("scipy.io.wavfile")
    count = 0
    for path in sorted(data_folder.glob("test-*-le-*.wav")):
        if (
            "early-eof" in path.name
            or "incomplete" in path.name
            or "extra" in path.name
            or "rf64" in path.name
        ):
            continue
        try:
            rate, theirs = wavfile.read(path)
        except ValueError:  # SciPy does not support this encoding
            continue
        if theirs.dtype not in (np.uint8, np.int16, np.int32):
            continue
        own = tmp_path / path.stem / "all"
        own.mkdir(parents=True)
        (own / path.name).write_bytes(path.read_bytes())
        dataset = Dataset.from_folder(own.parent)
        shift = {1: -8, 2: 0, 4: 16}[theirs.dtype.itemsize]
        wide = theirs.astype(np.int64) - (128 if theirs.dtype == np.uint8 else 0)
        expected = wide << 8 if shift < 0 else wide >> shift
        feature: Any = dataset.features["audio"]
        assert feature.rate == rate
        np.testing.assert_array_equal(dataset[0]["audio"], expected.astype(np.int16))
        count += 1
    assert count


def test_parquet_file_of_pyarrow_matches_its_reader(hub: Hub, tmp_path: Path) -> None:
    file = folder("pyarrow", "tests/data/parquet") / "v0.7.1.parquet"
    theirs = import_module("pyarrow.parquet").read_table(file)
    kinds = {"double": "float64", "int64": "int64"}
    types = {field.name: str(field.type) for field in theirs.schema}
    numbers = [name for name, kind in types.items() if kind in kinds and name.isalpha()]
    features = "\n".join(
        f'[features.{name}]\nkind = "number"\ndtype = "{kinds[types[name]]}"' for name in numbers
    )
    columns = ", ".join(f'{name} = "{name}"' for name in numbers)
    split = f'rows = {theirs.num_rows}\nfiles = {{ rows = "file" }}\n'
    split += f'reader = {{ format = "parquet", columns = {{ {columns} }} }}'
    dataset = loaded(hub, tmp_path, file, features, split)
    assert numbers
    for name in numbers:
        np.testing.assert_array_equal(np.asarray(dataset[name]), theirs.column(name).to_numpy())
