"""Suggest dshub names to users who try names of other libraries.

Users of torchvision, TFDS, Hugging Face or Keras try names from these libraries. The names raise an
error in dshub, and the error message contains the dshub equivalent.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_BATCHES = "use ds.batches(32), with .torch(), .tf() or .to(name) for batches of a framework"
_CHANGED = "ds.batches(32, transform=f) transforms batches"
_COLUMN = 'ds["label"] is a whole column'
_EXPORT = "`dshub export NAME --to FORMAT DEST`, or dshub.export.export, writes files"
_HELD_OUT = "train, held_out = ds.split(0.9, seed=0) splits the rows"
_LENGTH = "len(ds) is the number of rows"
_MANIFEST = "ds.manifest has the title, license, citations and homepage"
_READY = "rows are memory-mapped, and batches are prefetched by default"

DATASET = {
    "as_numpy_iterator": "iterating ds gives rows as NumPy, ds.batches(32) batches",
    "batch": _BATCHES,
    "cardinality": _LENGTH,
    "citation": _MANIFEST,
    "class_to_idx": 'ds.features["label"].int(name) is the number of a class',
    "classes": 'ds.features["label"].names are the classes',
    "column_names": "list(ds.features) are the columns",
    "data": 'ds["image"] is a whole column, ds.numpy() all of them',
    "description": _MANIFEST,
    "element_spec": "ds.features has the type of each column",
    "head": "ds.take(5) are the first rows, and ds[:5] their columns",
    "homepage": _MANIFEST,
    "info": _MANIFEST,
    "iter": _BATCHES,
    "labels": _COLUMN,
    "license": _MANIFEST,
    "num_columns": "len(ds.features) is the number of columns",
    "num_rows": _LENGTH,
    "prefetch": _READY,
    "push_to_hub": "`dshub mirror` publishes datasets",
    "remove_columns": "ds.without([…]) removes columns",
    "repeat": "each iteration of ds.batches(32) is another epoch",
    "save_to_disk": _EXPORT,
    "select_columns": "ds.columns([…]) chooses columns",
    "set_format": _BATCHES,
    "set_transform": _CHANGED,
    "shape": "len(ds) is the number of rows, len(ds.features) the number of columns",
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
    "with_format": _BATCHES,
    "with_transform": _CHANGED,
    "zip": "ds.batches(32, transform=f) can add columns to each batch",
}

LOADER = {
    "as_numpy_iterator": "iterating the loader gives NumPy batches",
    "batch_size": "loader.options.size is the number of rows in a batch",
    "cache": _READY,
    "map": _CHANGED,
    "prefetch": _READY,
    "set_epoch": "loader.epoch counts epochs, and can be set",
    "shuffle": "ds.batches(32, shuffle=True, seed=0) reshuffles all rows each epoch",
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
    "as_numpy": "rows are NumPy arrays, ds.numpy() has whole columns, load_data(name) arrays",
    "as_supervised": "ds.batches(32, supervised=True) gives (x, y)",
    "batch_size": _BATCHES,
    "cache_dir": "DSHUB_CACHE is the folder of the cache",
    "data_dir": "DSHUB_CACHE is the folder of the cache",
    "download": "missing files are downloaded, unless DSHUB_OFFLINE=1",
    "num_proc": "DSHUB_JOBS is the number of connections",
    "revision": 'load("mnist@1.0.0") names a version',
    "root": "DSHUB_CACHE is the folder of the cache",
    "shuffle": "ds.batches(32, shuffle=True, seed=0) reshuffles all rows each epoch",
    "shuffle_files": "ds.batches(32, shuffle=True, seed=0) reshuffles all rows each epoch",
    "streaming": "rows are memory-mapped and loaded only when they are read",
    "target_transform": _CHANGED,
    "train": 'use split="train" or split="test"',
    "transform": _CHANGED,
    "trust_remote_code": "dshub runs no code from datasets",
    "with_info": _MANIFEST,
}

BATCHES = {
    "batch_size": "ds.batches(32): the number of rows comes first",
    "buffer_size": "shuffle=True shuffles all rows",
    "collate_fn": "transform=f is called with each batch",
    "drop_remainder": "drop_last=True drops a smaller last batch",
    "generator": "seed=0 determines the order and the randomness of transforms",
    "num_workers": "threads=2 prefetches with two threads",
    "pin_memory": "ds.batches(32).torch(pin=True) pins memory",
    "sampler": "weights=… samples rows, ds.select(rows) selects them; rank and world shard them",
}

SHUFFLE = {
    "buffer_size": "ds.shuffle shuffles all rows",
    "generator": "seed=0 determines the order",
    "reshuffle_each_iteration": "ds.batches(32, shuffle=True) has a new order each epoch",
}


def missing(instance: object, name: str, words: Mapping[str, str]) -> AttributeError:
    """Return the error for an unknown attribute with an explanation from `words`.

    Call this from `__getattr__`. A name that is not in `words`, or a property that raised an
    error, raises Python's own error.
    """
    if name not in words:
        object.__getattribute__(instance, name)
    return AttributeError(f"{type(instance).__name__!r} object has no {name!r}: {words[name]}")


def foreign(words: Mapping[str, str]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function to explain keyword arguments of other libraries.

    Args:
        words: explanations by argument name. None of the names is a parameter of the function.
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
