"""Keyword arguments of other libraries, by the dshub function that accepts them.

A keyword is renamed to one of dshub, implemented here, or ignored because it does not change the
result. Keywords without an equivalent raise an error that suggests what to use instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dshub.datasets.dataset import Dataset
from dshub.datasets.paired import Pairs
from dshub.datasets.splits import Splits
from dshub.errors import ArgumentError
from dshub.hub.familiar.splits import each
from dshub.hub.hub import Hub
from dshub.loading.pairs import paired
from dshub.settings import Settings

Keywords = dict[str, Any]

_SPEED = {"num_proc", "keep_in_memory", "load_from_cache_file", "desc", "writer_batch_size"}
_SPEED |= {"cache_file_name", "cache_file_names", "new_fingerprint", "suffix_template"}
_SPEED |= {"num_parallel_calls", "deterministic", "indices_cache_file_name"}
_LOAD = {
    "trust_remote_code",
    "verification_mode",
    "try_gcs",
    "streaming",
    "read_config",
    "num_proc",
}
_LOAD |= {"keep_in_memory", "download_mode", "save_infos"}

# keywords that cannot change the rows of the result
IGNORED: Mapping[str, set[str]] = {
    "batches": {"pin_memory", "persistent_workers", "prefetch_factor", "timeout", "buffer_size"},
    "data_loader": {"pin_memory", "persistent_workers", "prefetch_factor", "timeout"},
    "filter": _SPEED,
    "load": _LOAD,
    "load_data": {"path"},
    "load_dataset": _LOAD,
    "map": _SPEED | {"name"},
    "select": _SPEED,
    "shard": _SPEED,
    "shuffle": _SPEED | {"buffer_size"},
    "sort": _SPEED | {"kind", "null_placement"},
}

RENAMED: Mapping[str, Mapping[str, str]] = {
    "batches": {
        "batch_size": "size",
        "drop_last_batch": "drop_last",
        "drop_remainder": "drop_last",
        "num_workers": "threads",
    },
    "filter": {"function": "keep", "predicate": "keep"},
    "map": {"map_func": "function"},
    "sample": {"n": "count", "random_state": "seed"},
    "select": {"indices": "rows"},
    "shard": {"num_shards": "count"},
    "skip": {"n": "count"},
    "sort": {"column_names": "column"},
    "take": {"n": "count"},
}

_LOADER = "use torch.utils.data.DataLoader(ds.torch(), …)"
_SEED = "seed=0 determines the order"
_LOGIN = "hf: names use the token that `hf auth login` saves"

# advice for keywords without an equivalent; the values None and False are ignored
LESSONS: Mapping[str, Mapping[str, str]] = {
    "batches": {
        "batch_sampler": "ds.select(rows).batches(32) reads rows in a chosen order",
        "collate_fn": "transform=f gets each batch as a dict of columns, and returns one",
        "generator": "seed=0 determines the order and the randomness of transforms",
        "sampler": "use weights=…, ds.select(rows), or rank=… and world=…",
        "worker_init_fn": "threads need no initialization; seed=0 determines transforms",
    },
    "data_loader": {"collate_fn": _LOADER, "generator": _LOADER, "sampler": _LOADER},
    "filter": {"with_rank": "ds.filter runs in one process"},
    "load": {
        "data_files": 'Dataset.from_csv("data.csv"), from_json and from_parquet read files',
        "decoders": "ds.decode(False) leaves images and audio encoded",
        "force_download": "remove the files first with `dshub cache rm NAME`",
        "token": _LOGIN,
        "use_auth_token": _LOGIN,
    },
    "load_data": {
        "index_from": "assign numbers to words in ds.map(tokenize)",
        "label_mode": 'supervised=("image", "coarse_label") selects the columns of (x, y)',
        "maxlen": "ds.filter(lambda row: len(row[column]) <= 100) drops long rows",
        "num_words": "limit the vocabulary in ds.map(tokenize)",
    },
    "load_dataset": {"data_dir": "use Dataset.from_folder(path)", "token": _LOGIN},
    "map": {
        "drop_last_batch": "ds.take(len(ds) // 32 * 32) leaves out the last rows",
        "with_rank": "use os.getpid() in the function",
    },
    "shuffle": {
        "generator": _SEED,
        "reshuffle_each_iteration": "ds.batches(32, shuffle=True) has a new order in each epoch",
    },
}


def call(table: str, function: Callable[..., Any], args: Sequence[Any], given: Keywords) -> Any:
    """Call a function with keyword arguments of other libraries.

    Raises:
        TypeError: a keyword is unknown, or has no equivalent.
    """
    ignored, renamed = IGNORED.get(table, set()), RENAMED.get(table, {})
    options: Keywords = {}
    for name, value in given.items():
        lesson = LESSONS.get(table, {}).get(name)
        if lesson is not None and value is not None and value is not False:
            raise TypeError(f"{function.__name__}() does not support {name!r}: {lesson}")
        if name not in ignored and lesson is None:
            options[renamed.get(name, name)] = value
    handler = _HANDLERS.get(table)
    return handler(function, args, options) if handler else function(*args, **options)


def _take(options: Keywords, *names: str) -> Keywords:
    """Remove some keywords from the options, and return those that were passed."""
    return {name: options.pop(name) for name in names if name in options}


# load


def _load(function: Callable[..., Any], args: Sequence[Any], options: Keywords) -> Any:
    """Load with the arguments of torchvision, TFDS and Hugging Face."""
    function, args = _with_hub(function, args, options)
    after = _take(
        options, "as_supervised", "with_info", "batch_size", "shuffle_files", "transform",
        "target_transform",
    )  # fmt: skip
    if "train" in options:
        options["split"] = "train" if options.pop("train") else "test"
        after["as_supervised"] = True
    revision = options.pop("revision", None)
    if revision is not None:
        args, options = _with_version(args, options, revision)
    result = function(*args, **options)
    loaded = _each_loaded(result, after)
    if not after.get("with_info"):
        return loaded
    first = result[0] if isinstance(result, list) else result
    return loaded, first.manifest


def _with_hub(
    function: Callable[..., Any], args: Sequence[Any], options: Keywords
) -> tuple[Callable[..., Any], Sequence[Any]]:
    """Return `Hub.load` and its arguments, with a hub for the passed folder or offline mode."""
    folders = list(_take(options, "data_dir", "cache_dir", "root").values())
    changed: Keywords = {"cache": Path(folders[0]).expanduser()} if folders and folders[0] else {}
    if options.pop("download", True) is False:
        changed["offline"] = True
    if not changed:
        return function, args
    if args and isinstance(args[0], Hub):
        hub, *rest = args
        settings = replace(hub.settings, **changed)
        return Hub.load, [
            Hub(settings=settings, registry=hub.registry, progress=hub.progress),
            *rest,
        ]
    return Hub.load, [Hub(settings=replace(Settings.read(), **changed)), *args]


def _with_version(
    args: Sequence[Any], options: Keywords, version: str
) -> tuple[Sequence[Any], Keywords]:
    if "name" in options:
        return args, {**options, "name": f"{options['name']}@{version}"}
    place = 1 if isinstance(args[0], Hub) else 0
    named = f"{args[place]}@{version}"
    return [*args[:place], named, *args[place + 1 :]], options


def _each_loaded(result: Any, after: Keywords) -> Any:
    """Apply options such as `as_supervised` and `batch_size` to each loaded split."""
    used = {name for name, value in after.items() if value is not None and value is not False}
    if not used - {"with_info"}:
        return result
    if isinstance(result, list):
        return [_loaded(split, after) for split in result]
    if isinstance(result, Mapping):
        return {name: _loaded(split, after) for name, split in result.items()}
    return _loaded(result, after)


def _loaded(dataset: Dataset, after: Keywords) -> Any:
    rows: Any = dataset.shuffle() if after.get("shuffle_files") else dataset
    transforms: Keywords = {name: after.get(name) for name in ("transform", "target_transform")}
    as_pairs = after.get("as_supervised") or any(value is not None for value in transforms.values())
    size = after.get("batch_size")
    if size == -1:
        columns = rows.numpy()
        return paired(columns, rows.pair(supervised=True), rows.features) if as_pairs else columns
    if as_pairs:
        rows = Pairs(rows, **transforms)
    return rows if size is None else rows.batches(size)


# map and filter


@dataclass
class Function:
    """Adapter that calls a function with the arguments that `datasets` passes.

    Attributes:
        function: function to call.
        columns: columns to pass as positional arguments; None passes one dict.
        index: column of row numbers to pass as the last positional argument, or empty.
        extra: additional keyword arguments.
        returned: names of the columns in all results so far.
    """

    function: Callable[..., Any]
    columns: Sequence[str] | None
    index: str
    extra: Mapping[str, Any]
    returned: set[str] = field(default_factory=set)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Call the function with a row or a batch."""
        row = dict(values)
        numbers = [row.pop(self.index)] if self.index else []
        inputs = [row] if self.columns is None else [row[name] for name in self.columns]
        result = self.function(*inputs, *numbers, **self.extra)
        if isinstance(result, Mapping):
            self.returned.update(result)
        return result


_INDEX = "row number"


def _with_function(function: Callable[..., Any], args: Sequence[Any], options: Keywords) -> Any:
    """Call `map` or `filter` with the arguments of Hugging Face."""
    owner, *rest = args
    if isinstance(owner, Splits):
        method = function.__name__
        return each(owner, lambda split: getattr(split, method)(*rest, **options))
    name = "keep" if function.__name__ == "filter" else "function"
    wrapped = rest[0] if rest else options.pop(name, None)
    removed = _names(options.pop("remove_columns", None)) or ()
    columns = _names(options.pop("input_columns", None))
    indexed = options.pop("with_indices", False)
    if function.__name__ == "filter":
        _take(options, "batched", "batch_size")  # `filter` detects batched functions
    adapted = Function(
        wrapped, columns, _INDEX if indexed else "", options.pop("fn_kwargs", None) or {}
    )
    if columns is not None:
        options["columns"] = [*columns, *([_INDEX] if indexed else [])]
    rows = owner.add_index(_INDEX) if indexed else owner
    rows.columns(removed)  # raises an error for unknown names
    result = function(rows, adapted if callable(wrapped) else wrapped, *rest[1:], **options)
    dropped = {*removed} - adapted.returned | ({_INDEX} if indexed else set())
    return result.without(dropped) if dropped else result


def _names(names: str | Sequence[str] | None) -> list[str] | None:
    return [names] if isinstance(names, str) else None if names is None else list(names)


# rows


def _shard(function: Callable[..., Any], args: Sequence[Any], options: Keywords) -> Any:
    """Return consecutive rows for `contiguous=True`."""
    if not options.pop("contiguous", False):
        return function(*args, **options)
    dataset, (count, index) = args[0], (options["count"], options["index"])
    size, remainder = divmod(len(dataset), count)
    start = size * index + min(index, remainder)
    return dataset.skip(start).take(size + (index < remainder))


def _sample(function: Callable[..., Any], args: Sequence[Any], options: Keywords) -> Any:
    """Convert `frac`, a fraction of the rows, to a number of rows, as in pandas."""
    share = options.pop("frac", None)
    if share is not None:
        options["count"] = round(len(args[0]) * share)
    return function(*args, **options)


def _sort(function: Callable[..., Any], args: Sequence[Any], options: Keywords) -> Any:
    """Accept a list of one column, and reject several columns."""
    column = options.get("column")
    if isinstance(column, list) and len(column) == 1:
        options["column"] = column[0]
    elif isinstance(column, list):
        expected = "one column; to sort by several columns, sort by the last column first"
        raise ArgumentError(name="column", value=column, expected=expected)
    return function(*args, **options)


_HANDLERS: Mapping[str, Callable[[Callable[..., Any], Sequence[Any], Keywords], Any]] = {
    "filter": _with_function,
    "load": _load,
    "map": _with_function,
    "sample": _sample,
    "shard": _shard,
    "sort": _sort,
}
