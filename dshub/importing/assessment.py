"""Find faults of a recognized layout before its first file is read."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Drop, Keep, Layout, Manifest, Match
from dshub.formats.folder.names import MemberName
from dshub.importing.holding import Holding
from dshub.importing.places import UNREADABLE

SHOWN = 5  # classes or files to name; the others are counted


def assess(manifest: Manifest, holding: Holding) -> list[str]:
    """List every fault that shows in names and sizes; empty if the layout looks complete.

    If each row is one file, files are counted; also by class, if their names tell it.
    """
    layout, files = manifest.layouts[holding.layout], holding.files.values()
    faults = [
        *_fault("file", "empty", [file.name for file in files if file.size == 0]),
        *_fault("file", "unreadable", [file.name for file in files if file.size == UNREADABLE]),
    ]
    if layout.reader.get("format") != "folder" or _chooses(layout):
        return faults
    rows = manifest.splits[layout.split].rows
    names = [file.name for part in _rows(layout) for file in holding.found.get(part, ())]
    column, feature = _label(layout, manifest)
    if feature is not None:
        path = MemberName(layout.reader["path"])
        columns = (path.read(name) for name in names)
        counts = Counter(str(found[column]) for found in columns if found is not None)
        figures = manifest.splits[layout.split].figures.get(f"{column}-counts")
        # with the right number of files, a class without any may be right
        faults += _class_faults(counts, feature, figures, complete=len(names) == rows)
    if len(names) != rows:
        faults.append(f"{len(names):,} files instead of {rows:,}")
    return faults


def _class_faults(
    counts: Mapping[str, int],
    feature: LabelFeature,
    figures: int | tuple[int, ...] | None,
    *,
    complete: bool,
) -> Iterator[str]:
    titles = {
        code: f"{code} ({name.partition(',')[0]})" if feature.codes else code
        for code, name in zip(feature.codes or feature.names, feature.names, strict=True)
    }
    yield from _fault("folder", "of no class", sorted(counts.keys() - titles.keys()))
    if not complete:
        missing = [title for code, title in titles.items() if code not in counts]
        yield from _fault("class", "missing", missing)
    if isinstance(figures, tuple):
        unequal = [
            f"{title} {counts[code]:,} of {expected:,}"
            for (code, title), expected in zip(titles.items(), figures, strict=True)
            if code in counts and counts[code] != expected
        ]
        yield from _fault("class", "of another size", unequal)


def _chooses(layout: Layout) -> bool:
    """Tell whether only some of the files are rows."""
    steps = any(isinstance(step, Keep | Drop | Match) for step in layout.steps)
    return steps or bool(layout.reader.get("skip"))


def _rows(layout: Layout) -> list[str]:
    """List the members whose files are the rows."""
    of_steps = {getattr(step, "part", None) for step in layout.steps}
    parts = [files for part, files in layout.files.items() if part not in of_steps]
    references = [
        item for files in parts for item in ([files] if isinstance(files, str) else files)
    ]
    return [reference.partition(":")[2] for reference in references]


def _label(layout: Layout, manifest: Manifest) -> tuple[str, LabelFeature | None]:
    """Find the label that the files' names contain."""
    fields = {field.name for field in MemberName(layout.reader["path"]).fields}
    for name, feature in manifest.split_features(layout.split).items():
        if isinstance(feature, LabelFeature) and name in fields:
            return name, feature
    return "", None


def _fault(thing: str, what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        plural = "" if len(names) == 1 else "es" if thing.endswith("s") else "s"
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        yield f"{len(names):,} {thing}{plural} {what}: {', '.join(names[:SHOWN])}{more}"
