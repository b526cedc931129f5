"""Fuzz the reader of each format."""

import io
import pickle
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io

from dshub import formats
from dshub.catalog.features import Feature, LabelFeature, ListFeature, NumberFeature, TextFeature
from dshub.formats.recordio import MAGIC
from dshub.formats.tfrecord.records import crc32c, framed
from dshub.tables.conforming import conform
from dshub.testing.readers import MemoryFile, MemoryOutput

from . import mutations
from .mutations import Mutate, bytewise
from .target import Target, tried

Options = Mapping[str, Any]

SQUAD: Options = {
    "format": "json",
    "lines": False,
    "rows": "data[].qas[]",
    "columns": {"title": "data[].title", "id": "data[].qas[].id", "at": "data[].qas[].at[]"},
    "types": {"at": "integer"},
}
RECORD: Options = {
    "format": "json",
    "columns": {"text": "text", "names": "names[]", "x": "x", "ok": "ok"},
    "types": {"x": "number", "ok": "boolean"},
    "spans": {"names": "text"},
    "distinct": ["names"],
}
CSV: Options = {"format": "delimited", "columns": ["a", "b", "c"]}
CONFORMED: Mapping[str, Feature] = {
    "a": NumberFeature(dtype="int64"),
    "b": NumberFeature(dtype="float32"),
    "c": LabelFeature(names=("cat", "dog")),
}
LISTS: Mapping[str, Feature] = {
    "tokens": ListFeature(of=TextFeature()),
    "tags": ListFeature(of=LabelFeature(names=("O", "B", "I"))),
}
PNG = b"\x89PNG\r\n\x1a\n"


def reading(
    *options: Options,
    parts: Sequence[str] = ("rows",),
    member: str = "",
    features: Mapping[str, Feature] | None = None,
) -> Callable[[bytes], None]:
    """Build a target that reads each input with several readers.

    Args:
        options: options of each reader.
        parts: names under which every reader gets the input.
        member: name of the archive member that the input pretends to be.
        features: features to conform the rows to, as preparing a table does.
    """
    readers = [formats.create(item) for item in options]

    def run(data: bytes) -> None:
        files = {part: [MemoryFile("input", data, member)] for part in parts}
        for reader in readers:
            with tried:
                for batch in reader.read(files):
                    batch.validate(full=True)
                    if features is not None:
                        conform(batch, features, where="input", first_row=0)

    return run


def written(options: Options, columns: dict[str, Any], *, part: str = "rows") -> bytes:
    """Encode columns with a reader's own writer."""
    output, reader = MemoryOutput(), formats.create(options)
    rows = pa.RecordBatch.from_pydict(columns)
    reader.write(reader.complete(rows, 0), {part: output})
    return output.files[""]


def pixels(*shape: int) -> pa.Array:
    """Build rows of consecutive bytes as nested fixed-size lists."""
    column = pa.array(np.arange(np.prod(shape)).astype(np.uint8))
    for length in reversed(shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, length)
    return column


def _idx() -> dict[str, bytes]:
    columns = {"image": pixels(2, 3, 4)}
    numbers = {"image": pa.array([1.5, -2.5, 0.0])}
    return {
        "pixels.idx": written({"format": "idx"}, columns, part="image"),
        "numbers.idx": written({"format": "idx"}, numbers, part="image"),
    }


def _cifar() -> dict[str, bytes]:
    columns = {"image": pixels(1, 32, 32, 3), "label": pa.array([7], pa.uint8())}
    return {"one.bin": written({"format": "cifar"}, columns)}


def _cifar_python() -> dict[str, bytes]:
    columns = {"image": pixels(1, 32, 32, 3), "label": pa.array([7])}
    plain = {"data": np.zeros((2, 6), np.uint8), "labels": [1, 2], "filenames": ["a", "b"]}
    return {
        "one": written({"format": "cifar_python"}, columns),
        **{f"plain-{i}": pickle.dumps(plain, protocol=i) for i in (0, 2, 4)},
        "python-2": pickle.dumps({b"data": plain["data"], b"labels": [1]}, protocol=2),
    }


def _conll() -> dict[str, bytes]:
    options = {"format": "conll", "columns": ["tokens", "tags"], "document": "-DOCSTART-"}
    columns = {"tokens": [["New", "Köln"], ["x"]], "tags": [["O", "B"], ["I"]]}
    return {"two.txt": b"-DOCSTART- O\n\n" + written(options, columns)}


def _csv() -> dict[str, bytes]:
    columns = {"a": ["1", "2"], "b": ["0.5", "1e3"], "c": ["cat", "dog"]}
    odd = {"a": ['"', ""], "b": ["x,\ny", " "], "c": ["é", "a\tb"]}
    return {
        "numbers.csv": written(CSV, columns),
        "quotes.csv": written(CSV, odd),
        "header.tsv": written(
            {**CSV, "delimiter": "\t", "quoting": False, "header": True}, columns
        ),
    }


def _json() -> dict[str, bytes]:
    columns: dict[str, Any] = {"title": ["t", "t"], "id": ["1", "2"], "at": [[1, 2], []]}
    record = {"text": ["Ann and Bo"], "names": [["Ann", "Bo"]], "x": [0.5], "ok": [True]}
    return {"nested.json": written(SQUAD, columns), "lines.jsonl": written(RECORD, record)}


def _libsvm() -> dict[str, bytes]:
    columns = {"label": [1, -2], "values": pa.FixedSizeListArray.from_arrays([0.5, 0, 1, -1.0], 2)}
    return {"two": written({"format": "libsvm", "shape": [2]}, columns)}


def _lines() -> dict[str, bytes]:
    return {"three.txt": written({"format": "lines"}, {"rows": ["one", "", "zwölf"]})}


def _folder() -> dict[str, bytes]:
    return {"image.jpg": PNG, "text.txt": "zwölf\r\n".encode()}


def _mat() -> dict[str, bytes]:
    options = {"format": "mat", "columns": {"x": "X", "y": "y", "s": "a.s"}}
    columns = {"x": pixels(2, 2, 2), "y": pa.array([1.0, 2.0]), "s": ["é", "two"]}
    sink = io.BytesIO()
    content = {"X": np.zeros((2, 2), np.uint8), "a": {"s": np.array(["a", "bc"], object)}}
    scipy.io.savemat(sink, content | {"y": np.array([[1, 2]])}, do_compression=True)
    packed = b"MATLAB 5.0 MAT-file".ljust(116) + sink.getvalue()[116:]  # replaces the creation time
    return {"ours.mat": written(options, columns), "packed.mat": packed}


def _npz() -> dict[str, bytes]:
    options = {"format": "npz", "columns": {"x": "x", "y": "y"}}
    columns = {"x": pixels(2, 2, 2), "y": pa.array([1.0, 2.0])}
    plain, compressed = io.BytesIO(), io.BytesIO()
    np.save(plain, np.arange(6, dtype=">i2").reshape(2, 3))
    np.savez_compressed(compressed, x=np.zeros((2, 2)), y=np.array([True, False]))
    return {
        "ours.npz": written(options, columns),
        "packed.npz": compressed.getvalue(),
        "one.npy": plain.getvalue(),
    }


def _npz_arrays(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the first array of an npz inside its compression."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(sink, "w") as new:
        for number, info in enumerate(old.infolist()):
            content = old.read(info)
            new.writestr(info.filename, content if number else change(content))
    return sink.getvalue()


def _npz_mutate(data: bytes, random: Any, change: Callable[[bytes], bytes]) -> bytes:
    if not data.startswith(b"PK") or random.random() < 0.3:
        return mutations.zip_sums(change(data))
    try:
        return _npz_arrays(data, change)
    except Exception:  # noqa: BLE001  # zipfile raises many types on damaged input
        return change(data)


def _table() -> pa.Table:
    images = [{"bytes": PNG, "path": "a.png"}, None]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    return pa.table(
        {
            "image": pa.array(images, kind),
            "label": pa.array([1, 2], pa.int8()),
            "text": pa.array(["a", "zwölf"]).dictionary_encode(),
            "words": [["a"], []],
        }
    )


def _parquet() -> dict[str, bytes]:
    seeds = {"ours.parquet": written({"format": "parquet"}, {"a": [1, 2], "t": ["x", "é"]})}
    for compression in ("none", "snappy", "zstd"):
        sink = io.BytesIO()
        pq.write_table(_table(), sink, compression=compression)
        seeds[f"{compression}.parquet"] = sink.getvalue()
    return seeds


def _arrow() -> dict[str, bytes]:
    seeds = {"ours.arrow": written({"format": "arrow"}, {"a": [1, 2], "t": ["x", "é"]})}
    for name, writer in {"stream": pa.ipc.new_stream, "file": pa.ipc.new_file}.items():
        sink = io.BytesIO()
        with writer(sink, _table().schema) as file:
            file.write_table(_table())
        seeds[f"{name}.arrow"] = sink.getvalue()
    return seeds


def _npy(values: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.save(sink, values)
    return sink.getvalue()


def _webdataset() -> dict[str, bytes]:
    """Build the files of a sample, all read from each input."""
    return {
        "number.cls": b"7\n",
        "object.json": '{"a": [1, null], "b": {"c": "é", "d": 0.5}}'.encode(),
        "array.npy": _npy(np.arange(6, dtype=">i2").reshape(2, 3)),
        "text.txt": "zwölf\r\n".encode(),
    }


def _samples(data: bytes) -> None:
    """Read the input as each file of a sample."""
    columns = {"n": "cls", "t": "txt", "j": "json", "a": "json:a", "x": "npy", "i": "jpg"}
    for name, ending in columns.items():
        reader = formats.create({"format": "webdataset", "columns": {name: ending}})
        file = MemoryFile("input", data, f"a/1.{ending.partition(':')[0]}")
        with tried:
            for batch in reader.read({"rows": [file]}):
                batch.validate(full=True)


def _tfrecord() -> dict[str, bytes]:
    numbers = {"i": [1, -2], "f": pa.array([0.5, 1], pa.float32()), "t": ["x", "é"]}
    lists = {"i": [[1, 300], []], "t": [["é", ""], []], "f": pixels(2, 2)}
    return {
        "one.tfrecord": written(EXAMPLE, numbers),
        "lists.tfrecord": written({**EXAMPLE, "lists": ["i", "t"], "shape": {"f": [2]}}, lists),
    }


def _tfrecord_sums(data: bytes, random: Any, change: Callable[[bytes], bytes]) -> bytes:
    """Change the data of a record, and correct its checksums."""
    if random.random() < 0.3:
        return change(data)
    return framed(change(data[12:-4]), crc32c())


def _recordio() -> dict[str, bytes]:
    columns = {"image": [MAGIC * 2 + b"abc", b""], "label": [1, 2]}
    lists = {"image": ["é", "x"], "label": pa.array([[0.5], [1, 2]], pa.list_(pa.float32()))}
    options = {"format": "recordio", "label": "list", "text": True}
    return {
        "classes.rec": written({"format": "recordio"}, columns, part="image"),
        "lists.rec": written(options, lists, part="image"),
    }


def _stl10(data: bytes) -> None:
    """Read the input as labels of three generated images."""
    reader = formats.create({"format": "stl10"})
    image = MemoryFile("image", bytes(96 * 96 * 3 * 3))
    for files in ({"image": [image], "label": [MemoryFile("input", data)]},):
        for batch in reader.read(files):
            batch.validate(full=True)


def _target(
    name: str,
    run: Callable[[bytes], None],
    seeds: Callable[[], dict[str, bytes]],
    mutate: Mutate = bytewise,
    *tokens: bytes,
    share: float = 1.0,
) -> Target:
    return Target(f"reader-{name}", run, seeds, mutate, tokens, share)


EXAMPLE: Options = {
    "format": "tfrecord",
    "columns": {"i": "i", "f": "f", "t": "t"},
    "types": {"t": "text"},
}
FIELDS: Options = {"columns": {"image": "image.bytes", "label": "label"}}
TARGETS = (
    _target("idx", reading({"format": "idx"}, parts=("image",)), _idx, share=0.5),
    _target(
        "cifar",
        reading({"format": "cifar"}, {"format": "cifar", "labels": ["a", "b"]}),
        _cifar,
        share=0.3,
    ),
    _target(
        "cifar-python",
        reading(
            {"format": "cifar_python"},
            {"format": "cifar_python", "columns": {"label": "labels", "file": "filenames"}},
        ),
        _cifar_python,
    ),
    _target(
        "conll",
        reading(
            {"format": "conll", "columns": ["tokens", "tags"], "document": "-DOCSTART-"},
            {"format": "conll", "columns": ["tokens", "tags"], "separator": "\t"},
            features=LISTS,
        ),
        _conll,
        bytewise,
        b"-DOCSTART-",
        share=0.5,
    ),
    _target(
        "delimited",
        reading(
            CSV,
            {**CSV, "delimiter": "\t", "quoting": False, "long": "last", "short": "fill"},
            {**CSV, "delimiter": ", ", "skip": 1, "encoding": "latin-1"},
            {**CSV, "delimiter": "\t", "quoting": False, "header": True},
            features=CONFORMED,
        ),
        _csv,
        bytewise,
        *(b"1e309", b"nan", b"0x1", b"1_000", b"\xef\xbb\xbf", b'""', b"\r\n"),
    ),
    _target(
        "folder",
        reading(
            {"format": "folder", "path": "{label}/{name}.jpg"},
            {"format": "folder", "path": "{label}/{id:03d}.jpg"},
            {"format": "folder", "path": "{label}/{name}.jpg", "text": True},
            member="a/001.jpg",
        ),
        _folder,
        share=0.3,
    ),
    _target("json", reading(SQUAD, RECORD), _json, mutations.json_document(), b"\\ud800", b"1e999"),
    _target(
        "libsvm",
        reading(
            {"format": "libsvm", "shape": [2]},
            {"format": "libsvm", "shape": [2, 2], "sparse": True, "scale": "uint8"},
        ),
        _libsvm,
        bytewise,
        *(b"nan", b"1:inf", b"1:1e999", b"1_0"),
    ),
    _target(
        "lines",
        reading(
            {"format": "lines"},
            {"format": "lines", "row": "file"},
            {"format": "lines", "blank": "drop", "encoding": "latin-1"},
        ),
        _lines,
        share=0.3,
    ),
    _target(
        "mat",
        reading(
            {"format": "mat", "columns": {"x": "X", "y": "y", "s": "a.s"}},
            {"format": "mat", "columns": {"x": "X"}, "row_axis": {"x": 1}},
            {"format": "mat", "columns": {"x": ["X", "y"]}, "variable": "of"},
        ),
        _mat,
    ),
    _target(
        "npz",
        reading(
            {"format": "npz", "columns": {"x": "x", "y": "y"}},
            {"format": "npz"},
            {"format": "npz", "row_axis": {"rows": 1}},
        ),
        _npz,
        _npz_mutate,
    ),
    _target("parquet", reading({"format": "parquet"}, {"format": "parquet", **FIELDS}), _parquet),
    _target("arrow", reading({"format": "arrow"}, {"format": "arrow", **FIELDS}), _arrow),
    _target("webdataset", _samples, _webdataset, bytewise, b"NaN", b"1e999", b"\\ud800"),
    _target(
        "tfrecord",
        reading(
            EXAMPLE,
            {**EXAMPLE, "types": {"t": "float64"}, "lists": ["i", "t"], "shape": {"f": [2]}},
            {**EXAMPLE, "types": {}, "lists": ["t"]},
        ),
        _tfrecord,
        _tfrecord_sums,
    ),
    _target(
        "recordio",
        reading(
            {"format": "recordio"},
            {"format": "recordio", "label": "number", "text": True},
            {"format": "recordio", "label": "list"},
            parts=("image",),
        ),
        _recordio,
        bytewise,
        MAGIC,
    ),
    _target("stl10", _stl10, lambda: {"three": b"\1\2\3"}, share=0.3),
)
