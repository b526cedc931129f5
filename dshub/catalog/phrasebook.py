"""What other libraries call things, and how dshub says the same.

Who comes from torchvision, TFDS, Hugging Face or Keras types what was right there. Such a name is
an error here, as every other that does not exist, and the error says what to write instead.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_BATCHES = "ds.batches(32) gives batches, and .torch(), .tf(), .to(name) those of a framework"
_CHANGED = "ds.batches(32, transform=f) changes batches as they are made"
_COLUMN = 'ds["label"] is a whole column'
_EXPORT = "`dshub export NAME --to FORMAT DEST`, or dshub.export._running.export, writes files"
_HELD_OUT = "train, held_out = ds.split(0.9, seed=0) divides the rows"
_LENGTH = "len(ds) is the number of rows"
_MANIFEST = "ds.manifest says where the rows come from: title, license, citations, homepage"
_READY = "rows are memory mapped, and batches made ahead of their use, without asking"
_TOGETHER = 'load(name, "train+test") and Dataset.mix([a, b]) put rows together'

DATASET = {
    "as_numpy_iterator": "iterating ds gives rows as NumPy, ds.batches(32) batches",
    "batch": _BATCHES,
    "cache": _READY,
    "cardinality": _LENGTH,
    "citation": _MANIFEST,
    "class_to_idx": 'ds.features["label"].int(name) is the number of a class',
    "classes": 'ds.features["label"].names are the classes',
    "column_names": "list(ds.features) are the columns",
    "concatenate": _TOGETHER,
    "data": 'ds["image"] is a whole column, ds.numpy() all of them',
    "description": _MANIFEST,
    "element_spec": "ds.features says what each column holds",
    "head": "ds.take(5) are the first rows, and ds[:5] their columns",
    "homepage": _MANIFEST,
    "info": _MANIFEST,
    "iter": _BATCHES,
    "labels": _COLUMN,
    "license": _MANIFEST,
    "map": _CHANGED,
    "num_columns": "len(ds.features) is the number of columns",
    "num_rows": _LENGTH,
    "prefetch": _READY,
    "push_to_hub": "`dshub mirror` writes what others can fetch",
    "remove_columns": "ds.without([…]) leaves columns out",
    "rename_column": "a transform of ds.batches may give columns other names",
    "repeat": "each iteration of ds.batches(32) is another epoch",
    "sample": "ds.shuffle(seed=0).take(5) are some rows",
    "save_to_disk": _EXPORT,
    "select_columns": "ds.columns([…]) chooses columns",
    "set_format": _BATCHES,
    "set_transform": _CHANGED,
    "shape": "len(ds) is the number of rows, len(ds.features) that of columns",
    "sort": 'ds.select(np.argsort(ds["label"])) sorts',
    "targets": _COLUMN,
    "to_csv": _EXPORT,
    "to_dict": "ds.numpy() gives whole columns",
    "to_json": _EXPORT,
    "to_list": "list(ds) gives every row",
    "to_pandas": 'ds.to("pandas")',
    "to_parquet": _EXPORT,
    "to_polars": 'ds.to("polars")',
    "to_tf_dataset": "ds.batches(32).tf(), or ds.tf() of rows",
    "train_test_split": _HELD_OUT,
    "unique": 'np.unique(ds["label"]) are the values of a column',
    "with_format": _BATCHES,
    "with_transform": _CHANGED,
    "zip": "ds.batches(32, transform=f) may add columns to each batch",
}

LOADER = {
    "as_numpy_iterator": "iterating the loader gives NumPy batches",
    "batch_size": "loader.options.size is the number of rows in a batch",
    "cache": _READY,
    "dataset": "loader.rows are the rows that batches are made of",
    "map": _CHANGED,
    "prefetch": _READY,
    "repeat": "each iteration is another epoch",
    "set_epoch": "loader.epoch counts by itself, and may be set",
    "shuffle": "ds.batches(32, shuffle=True, seed=0) shuffles all rows anew each epoch",
    "take": "ds.take(1000).batches(32), or itertools.islice(loader, 10)",
    "unbatch": "iterating the dataset gives rows",
}

LABEL = {
    "decode_example": "feature.str(number) is the name of a class",
    "encode_example": "feature.int(name) is the number of a class",
    "int2str": "feature.str(number) is the name of a class",
    "num_classes": "len(feature.names) is the number of classes",
    "str2int": "feature.int(name) is the number of a class",
}

LOAD = {
    "as_numpy": "rows are NumPy, ds.numpy() gives whole columns, load_data(name) arrays",
    "as_supervised": "ds.batches(32, supervised=True) gives (x, y)",
    "batch_size": _BATCHES,
    "cache_dir": "DSHUB_CACHE says where everything is kept",
    "data_dir": "DSHUB_CACHE says where everything is kept",
    "download": "what is missing is fetched, and DSHUB_OFFLINE=1 forbids it",
    "num_proc": "DSHUB_JOBS is the number of connections",
    "revision": 'load("mnist@1.0.0") names a version',
    "root": "DSHUB_CACHE says where everything is kept",
    "shuffle": "ds.batches(32, shuffle=True, seed=0) shuffles all rows anew each epoch",
    "shuffle_files": "ds.batches(32, shuffle=True, seed=0) shuffles all rows anew each epoch",
    "streaming": "rows are memory mapped: none is in memory before it is read",
    "target_transform": _CHANGED,
    "train": 'split="train" and split="test" say which rows',
    "transform": _CHANGED,
    "trust_remote_code": "a dataset is data, of which nothing is run",
    "with_info": _MANIFEST,
}

BATCHES = {
    "batch_size": "ds.batches(32): the number of rows comes first",
    "buffer_size": "shuffle=True shuffles all rows, whatever their number",
    "collate_fn": "transform=f is called with each batch",
    "drop_remainder": "drop_last=True leaves out a last batch with fewer rows",
    "generator": "seed=0 decides the order, and what transforms draw",
    "num_workers": "threads=2 make batches ahead of their use",
    "pin_memory": "ds.batches(32).torch(pin=True) pins",
    "sampler": "weights=… draws rows, ds.select(rows) chooses them; rank and world divide them",
}

SHUFFLE = {
    "buffer_size": "all rows are shuffled, whatever their number",
    "generator": "seed=0 decides the order",
    "reshuffle_each_iteration": "ds.batches(32, shuffle=True) has a new order each epoch",
}


def missing(found: object, name: str, words: Mapping[str, str]) -> AttributeError:
    """The error for an attribute that `found` lacks; says what is written here, if `words` do.

    For `__getattr__`. A name that is not among the words, or a property that failed, raises the
    error that Python itself has for it.
    """
    if name not in words:
        object.__getattribute__(found, name)
    return AttributeError(f"{type(found).__name__!r} object has no {name!r}: {words[name]}")


def foreign(words: Mapping[str, str]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator: an argument that is another library's is an error that says ours.

    Args:
        words: by the other's name. None of them is a parameter of the function.
    """

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            for name in kwargs:
                if name in words:
                    raise TypeError(f"{function.__name__}() takes no {name!r}: {words[name]}")
            return function(*args, **kwargs)

        return checked

    return decorated
