"""Write docs/familiar.md from the names in `dshub.hub.familiar`.

python docs/familiar.py           writes the page
python docs/familiar.py --check   fails if the page is out of date
"""

import argparse
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import dshub
from dshub.hub.familiar import datasets, functions, keywords, labels, loaders, splits

PAGE = Path(__file__).with_name("familiar.md")

HEAD = """\
# Familiar names

Names of torchvision, TFDS, Hugging Face datasets, Keras and pandas work in dshub where their
meaning is clear. You can paste a line from another library and change it later:

```python
from dshub import load

train, info = load("mnist", split="train", as_supervised=True, with_info=True)
image, label = train[0]
info.features["label"].num_classes       # 10
```

The tables below list these names with their equivalents in dshub. Type checkers accept the names,
but `dir`, completion and the API reference show only the equivalents. If a name has no equivalent,
the error suggests what to use instead.

`python docs/familiar.py` generates this page from the code.
"""

CLASSES = {
    "Datasets": ("ds", datasets.DatasetNames),
    "All splits": ("splits", splits.SplitsNames),
    "Loaders": ("loader", loaders.LoaderNames),
    "Labels": ('ds.features["label"]', labels.LabelNames),
    "Manifests": ("manifest", labels.ManifestNames),
    "Splits of manifests": ('manifest.splits["train"]', labels.SplitNames),
}

LOAD = """\
## Arguments of `load`

| argument | meaning |
|---|---|
| `as_supervised=True` | rows are `(x, y)`; the result is `Pairs`, which works like a dataset |
| `train=True`, `train=False` | `split="train"`, `split="test"`, with rows `(x, y)` |
| `transform=f`, `target_transform=g` | rows are `(f(x), g(y))`; images are `PIL.Image` objects |
| `with_info=True` | returns `(ds, manifest)` |
| `split=["train", "test"]` | returns a list of datasets |
| `batch_size=32`, `batch_size=-1` | `ds.batches(32)`, `ds.numpy()` |
| `shuffle_files=True` | `ds.shuffle()` |
| `revision="1.0.0"` | `load("mnist@1.0.0")` |
| `root`, `data_dir`, `cache_dir` | the cache folder, like `DSHUB_CACHE` |
| `download=False` | `DSHUB_OFFLINE=1` |

## Arguments of `map` and `filter`

| argument | meaning |
|---|---|
| `input_columns=["text"]` | the function gets these columns as positional arguments |
| `with_indices=True` | the function gets the row number as its last positional argument |
| `fn_kwargs={…}` | keyword arguments of the function |
| `remove_columns=["text"]` | removes these columns, unless the function returns them |
"""

METHODS = {
    "batches": "ds.batches",
    "data_loader": "DataLoader",
    "filter": "ds.filter",
    "load": "load",
    "load_data": "load_data",
    "load_dataset": "load_dataset",
    "map": "ds.map",
    "sample": "ds.sample",
    "select": "ds.select",
    "shard": "ds.shard",
    "shuffle": "ds.shuffle",
    "skip": "ds.skip",
    "sort": "ds.sort",
    "take": "ds.take",
}


def equivalent(item: object) -> str:
    """Return the equivalent in the docstring of a familiar name."""
    match = re.fullmatch(r"Same as (.+)\.", inspect.getdoc(item) or "")
    if match is None:
        raise ValueError(f"{item}: the docstring must be 'Same as `…`.'")
    return match[1].replace("|", "\\|")


def rows_of_class(owner: str, names: type) -> Iterator[str]:
    """Yield a table row for each name in a class."""
    for name, item in vars(names).items():
        if not name.startswith("_"):
            target = "Dataset" if isinstance(item, staticmethod) else owner
            sign = "" if isinstance(item, property) else "(…)"
            yield f"| `{target}.{name}{sign}` | {equivalent(item)} |"


def rows_of_words(words: Mapping[str, Mapping[str, str]], sign: str) -> Iterator[str]:
    """Yield a table row for each keyword of each function."""
    for table, names in words.items():
        for name, text in names.items():
            yield f"| `{METHODS[table]}({name}=…)` | {sign}{text}{sign} |"


def ignored_words() -> dict[tuple[str, ...], list[str]]:
    """Return the ignored keywords, grouped by the functions that accept them."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for word in sorted(set().union(*keywords.IGNORED.values())):
        names = tuple(name for name, words in keywords.IGNORED.items() if word in words)
        groups.setdefault(names, []).append(f"`{word}`")
    return groups


def table(title: str, rows: Iterator[str], first: str = "name", second: str = "same as") -> str:
    """Return a section with a table."""
    return "\n".join([f"## {title}", "", f"| {first} | {second} |", "|---|---|", *rows, ""])


def page() -> str:
    """Return the text of the page."""
    familiar = (getattr(functions, name) for name in sorted(dshub._FAMILIAR))  # noqa: SLF001
    ignored = (
        f"| {', '.join(f'`{METHODS[name]}`' for name in names)} | {', '.join(words)} |"
        for names, words in ignored_words().items()
    )
    lessons = (
        f"| `{owner}.{name}` | {text} |"
        for owner, names in CLASSES.values()
        for name, text in vars(names).get("_lessons", {}).items()
        if owner != "splits"
    )
    return "\n".join(
        [
            HEAD,
            *(table(title, rows_of_class(*names)) for title, names in CLASSES.items()),
            table(
                "Functions",
                (f"| `dshub.{item.__name__}(…)` | {equivalent(item)} |" for item in familiar),
            ),
            LOAD,
            table("Other spellings of arguments", rows_of_words(keywords.RENAMED, "`")),
            table(
                "Ignored arguments", ignored, "function", "arguments that do not change the result"
            ),
            table("Names without an equivalent", lessons, second="instead"),
            table(
                "Arguments without an equivalent",
                rows_of_words(keywords.LESSONS, ""),
                "argument",
                "instead",
            ),
        ]
    )


def main() -> None:
    """Write the page, or check that it is up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="only check; fail if it is out of date"
    )
    text = page()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE} is out of date: run `python docs/familiar.py`")


if __name__ == "__main__":
    main()
