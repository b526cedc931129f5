"""What is wrong with files that were recognised as a layout, before the first is read."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Drop, Keep, Layout, Manifest, Match
from dshub.formats.folder.names import MemberName
from dshub.importing.holding import Holding
from dshub.importing.places import UNREADABLE

SHOWN = 5  # classes or files that are named; of the others it is told how many they are


def assess(manifest: Manifest, holding: Holding) -> list[str]:
    """Every fault that names and sizes tell; none where all seems to be there.

    Where each row is one file, files are counted; and by class, where their names tell it.
    """
    layout = manifest.layouts[holding.layout]
    split = manifest.splits[layout.split]
    found = [*_unusable(holding)]
    if layout.reader.get("format") == "folder" and not _chooses(layout):
        names = [file.name for part in _rows(layout) for file in holding.found.get(part, ())]
        name, feature = _label(layout, manifest)
        if feature is not None:
            counts = Counter(_classes(layout, name, names))
            found += _strange(counts, feature)
            if len(names) != split.rows:  # else no picture is missing, and no class need be
                found += _missing(counts, feature)
            found += _unequal(counts, feature, split.figures.get(f"{name}-counts"))
        if len(names) != split.rows:
            found.append(f"{len(names):,} files instead of {split.rows:,}")
    return found


def _unusable(holding: Holding) -> Iterator[str]:
    files = holding.files.values()
    for told, chosen in (
        ("empty", [file.name for file in files if file.size == 0]),
        ("not to be read", [file.name for file in files if file.size == UNREADABLE]),
    ):
        if chosen:
            yield f"{_count(chosen, 'file')} {told}: {_some(chosen)}"


def _chooses(layout: Layout) -> bool:
    """Whether only some of the files are rows."""
    steps = any(isinstance(step, Keep | Drop | Match) for step in layout.steps)
    return steps or bool(layout.reader.get("skip"))


def _rows(layout: Layout) -> list[str]:
    """The members whose files are the rows."""
    of_steps = {getattr(step, "part", None) for step in layout.steps}
    parts = [part for part in layout.files if part not in of_steps]
    found = (layout.files[part] for part in parts)
    references = [
        item for given in found for item in ([given] if isinstance(given, str) else given)
    ]
    return [reference.partition(":")[2] for reference in references]


def _label(layout: Layout, manifest: Manifest) -> tuple[str, LabelFeature | None]:
    """The class that the files' names tell."""
    fields = {field.name for field in MemberName(layout.reader["path"]).fields}
    for name, feature in manifest.split_features(layout.split).items():
        if isinstance(feature, LabelFeature) and name in fields:
            return name, feature
    return "", None


def _classes(layout: Layout, column: str, names: Sequence[str]) -> Iterator[str]:
    path = MemberName(layout.reader["path"])
    for name in names:
        columns = path.read(name)
        if columns is not None:
            yield str(columns[column])


def _strange(counts: Mapping[str, int], feature: LabelFeature) -> Iterator[str]:
    strange = sorted(counts.keys() - set(feature.codes or feature.names))
    if strange:
        yield f"{_count(strange, 'folder')} of no class: {_some(strange)}"


def _missing(counts: Mapping[str, int], feature: LabelFeature) -> Iterator[str]:
    missing = [title for code, title in _titles(feature) if code not in counts]
    if missing:
        yield f"{_count(missing, 'class')} missing: {_some(missing)}"


def _unequal(
    counts: Mapping[str, int], feature: LabelFeature, expected: int | tuple[int, ...] | None
) -> Iterator[str]:
    if not isinstance(expected, tuple):
        return
    unequal = [
        f"{title} {counts[code]:,} of {wanted:,}"
        for (code, title), wanted in zip(_titles(feature), expected, strict=True)
        if code in counts and counts[code] != wanted
    ]
    if unequal:
        yield f"{_count(unequal, 'class')} of another size: {_some(unequal)}"


def _titles(feature: LabelFeature) -> list[tuple[str, str]]:
    """What upstream writes for each class, and how it is shown."""
    return [
        (code, f"{code} ({name.partition(',')[0]})") if feature.codes else (code, code)
        for code, name in zip(feature.codes or feature.names, feature.names, strict=True)
    ]


def _count(things: Sequence[str], thing: str) -> str:
    plural = f"{thing}es" if thing.endswith("s") else f"{thing}s"
    return f"1 {thing}" if len(things) == 1 else f"{len(things):,} {plural}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
