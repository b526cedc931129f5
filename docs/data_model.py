"""Write the tables of docs/data-model.md, by converting a few rows of every kind.

python docs/data_model.py           writes the tables
python docs/data_model.py --check   fails if the page is out of date
"""

import argparse
import datetime as dt
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import dshub
from dshub import Dataset, DshubError
from dshub.catalog.features import (
    BoxFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    ListFeature,
    MaskFeature,
    TextFeature,
    describe,
)
from dshub.export import export

PAGE = Path(__file__).with_name("data-model.md")
BEGIN, END = "<!-- {} begins -->", "<!-- {} ends -->"

DAY, TIME = dt.date(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4, 5)  # noqa: DTZ001  # without a zone
CLASSES = LabelFeature(names=("cat", "dog"))


def depth_file() -> bytes:
    """Return a PNG of 16 bits."""
    sink = io.BytesIO()
    Image.fromarray(np.full((2, 3), 1000, np.uint16)).save(sink, "PNG")
    return sink.getvalue()


DEPTH = depth_file()
FEATURES: dict[str, Feature] = {
    "class": CLASSES,
    "class, optional": LabelFeature(names=CLASSES.names, optional=True),
    "mask (2, 3)": MaskFeature(shape=(2, 3)),
    "16-bit image file": ImageFeature(encoding="png", dtype="uint16", shape=(2, 3, 1)),
}

# two rows of each kind
KINDS: dict[str, list[Any]] = {
    "integer": [1, -2],
    "integer, optional": [1, None],
    "64-bit id": [2**63 + 1, 7],
    "float": [1.5, 2.0],
    "float, optional": [1.5, None],
    "bool": [True, False],
    "bool, optional": [True, None],
    "class": [0, 1],
    "class, optional": [0, None],
    "text": ["a", "pâté"],
    "text, optional": ["a", None],
    "bytes": [b"\0a", b""],
    "date": [DAY, DAY],
    "date, optional": [DAY, None],
    "time": [TIME, TIME],
    "array (2, 3)": [np.ones((2, 3), np.float32)] * 2,
    "box": [[1, 2, 3, 4]] * 2,
    "list of boxes": [[[1, 2, 3, 4]], []],
    "mask (2, 3)": [np.ones((2, 3), np.uint8)] * 2,
    "list of integers": [[1, 2], []],
    "list of text": [["a"], []],
    "list of lists": [[[1], []], []],
    "struct": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
    "list of structs": [[{"a": 1}], []],
}


# without a round trip, because other libraries and files hold bytes
FILES: dict[str, list[Any]] = {"16-bit image file": [DEPTH, DEPTH]}


def dataset(kind: str) -> Dataset:
    """Return a dataset with one column of a kind."""
    features = {"x": FEATURES[kind]} if kind in FEATURES else {}
    if "box" in kind:
        features = {"x": ListFeature(of=BoxFeature()) if "list" in kind else BoxFeature()}
    values: Any = (KINDS | FILES)[kind]
    if isinstance(values[0], np.ndarray):
        values = np.stack(values)
    return Dataset.from_arrays({"x": values}, features=features)


def kind_of(value: Any) -> str:
    """Return the type of a NumPy value, list or Python object."""
    if isinstance(value, np.ma.MaskedArray):
        return f"masked {value.dtype}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape}"
    if isinstance(value, list):
        inner = sorted({kind_of(one) for one in value})
        return f"list of {' or '.join(inner)}" if inner else "list"
    return type(value).__name__


def numpy_kind(ds: Dataset) -> str:
    """Return the type of a column."""
    return kind_of(ds[:]["x"]).replace("numpy.", "")


def torch_kind(ds: Dataset) -> str:
    """Return the type of a column of a batch."""
    import torch

    value = next(iter(ds.batches(2).torch()))["x"]
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return _named(value, torch.Tensor, "tensor")


def _named(value: Any, tensor: type, name: str) -> str:
    if isinstance(value, list):
        inner = sorted({_named(one, tensor, name) for one in value})
        return f"list of {' or '.join(inner)}" if inner else "list"
    return name if isinstance(value, tensor) else type(value).__name__


def tf_kind(ds: Dataset) -> str:
    """Return the type of a column of a batch."""
    spec = ds.batches(2).tf().element_spec["x"]
    ragged = "ragged " if "Ragged" in type(spec).__name__ else ""
    return f"{ragged}{spec.dtype.name}"


def jax_kind(ds: Dataset) -> str:
    """Return the type of a column of a batch."""
    import jax

    with jax.enable_x64(new_val=True):
        value = next(iter(ds.batches(2).to("jax")))["x"]
        return (
            str(value.dtype) if isinstance(value, jax.Array) else _named(value, jax.Array, "array")
        )


def pandas_kind(ds: Dataset) -> str:
    """Return the dtype of a column."""
    return str(ds.to("pandas")["x"].dtype)


def polars_kind(ds: Dataset) -> str:
    """Return the dtype of a column."""
    return str(ds.to("polars")["x"].dtype)


def arrow_kind(ds: Dataset) -> str:
    """Return the type of a column, which Ray and Hugging Face `datasets` keep."""
    return str(ds.arrow()["x"].type).replace("item: ", "")


OUT: dict[str, Callable[[Dataset], str]] = {
    "NumPy": numpy_kind,
    "torch": torch_kind,
    "TensorFlow": tf_kind,
    "JAX": jax_kind,
    "pandas": pandas_kind,
    "polars": polars_kind,
    "Arrow, HF, Ray": arrow_kind,
}


def from_pandas(ds: Dataset, _: Path) -> Dataset:
    """Convert to pandas and back."""
    return Dataset.from_arrow(ds.to("pandas"))


def from_polars(ds: Dataset, _: Path) -> Dataset:
    """Convert to polars and back."""
    return Dataset.from_arrow(ds.to("polars"))


def from_hf(ds: Dataset, _: Path) -> Dataset:
    """Convert to Hugging Face `datasets` and back."""
    return Dataset.from_hf(ds.to("hf"))


def from_rows(ds: Dataset, _: Path) -> Dataset:
    """Read rows of Python values."""
    return Dataset.from_rows(list(ds))


def through(form: str) -> Callable[[Dataset, Path], Dataset]:
    """Return a function that exports to a format, drafts a manifest and loads the dataset."""

    def convert(ds: Dataset, folder: Path) -> Dataset:
        export({"train": ds}, form, folder / form)
        files = [path for path in (folder / form).iterdir() if path.name[0] != "."]
        manifest = folder / form / "x.toml"
        command = ["new", *map(str, files), "--name", "my/x", "--output", str(manifest)]
        run = [sys.executable, "-m", "dshub", *command]
        done = subprocess.run(run, check=False, capture_output=True, text=True)
        if done.returncode:
            raise DshubError(done.stderr)
        return dshub.load(str(manifest), split="train")

    return convert


IN: dict[str, Callable[[Dataset, Path], Dataset]] = {
    "rows": from_rows,
    "Arrow": lambda ds, _: Dataset.from_arrow(ds.arrow()),
    "pandas": from_pandas,
    "polars": from_polars,
    "HF": from_hf,
    "Parquet": through("parquet"),
    "JSON": through("jsonl"),
    "CSV": through("csv"),
}


def attempt(function: Callable[[], str]) -> str:
    """Return the result of a conversion, or `refused` if it raises an error of dshub."""
    try:
        return function().replace("|", "\\|")
    except DshubError:
        return "refused"


def returned(kind: str, name: str, folder: Path) -> str:
    """Return the feature of a column after a round trip, or `same`."""
    ds = dataset(kind)
    back = IN[name](ds, folder)
    if "x" not in back.features:
        return "a column for each field"
    if [plain(row["x"]) for row in back] != [plain(row["x"]) for row in ds]:
        if not isinstance(back.features["x"], TextFeature):
            raise AssertionError(f"{kind} through {name}: {list(ds)} became {list(back)}")
        return describe(back.features["x"])
    same = back.features == ds.features
    return "same" if same else describe(back.features["x"])


def plain(value: Any) -> Any:
    """Convert a row to Python values that can be compared."""
    if isinstance(value, np.datetime64):
        return str(value.astype("M8[us]"))
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float) and np.isnan(value):
        return None
    return list(map(plain, value)) if isinstance(value, list) else value


def table(
    names: Iterator[str] | Mapping[str, Any], cell: Callable[[str, str], str], kinds: Iterable[str]
) -> str:
    """Return a table with a row for each kind and a column for each name."""
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(list(names))}"]
    for kind in kinds:
        cells = [cell(kind, name) for name in names]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tables() -> dict[str, str]:
    """Return both tables by name."""
    out = table(OUT, lambda kind, name: attempt(lambda: OUT[name](dataset(kind))), KINDS | FILES)
    with tempfile.TemporaryDirectory() as folder:
        into = table(
            IN,
            lambda kind, name: attempt(
                lambda: returned(kind, name, Path(tempfile.mkdtemp(dir=folder)))
            ),
            KINDS,
        )
    return {"out": out, "in": into}


def main() -> None:
    """Write or check the tables of the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    old = text = PAGE.read_text(encoding="utf-8")
    for name, content in tables().items():
        begin, end = BEGIN.format(name), END.format(name)
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n\n{content}\n\n{end}{rest.partition(end)[2]}"
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif text != old:
        sys.exit("docs/data-model.md is out of date; run `python docs/data_model.py`")


if __name__ == "__main__":
    main()
