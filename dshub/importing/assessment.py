"""Find faults in a recognized layout before reading its files."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Drop, Keep, Manifest, Match, Resource, laid_out
from dshub.formats.folder.names import MemberName
from dshub.importing.holding import Holding
from dshub.importing.places import UNREADABLE

SHOWN = 5  # number of classes or files to name; the others are only counted


def assess(manifest: Manifest, holding: Holding) -> list[str]:
    """List the faults in the names and sizes of files; empty if the layout looks complete.

    If each row is one file, files are counted, also per class if their names contain the class.
    """
    files = holding.files.values()
    faults = [
        *_fault("file", "empty", [file.name for file in files if file.size == 0]),
        *_fault("file", "unreadable", [file.name for file in files if file.size == UNREADABLE]),
    ]
    name = manifest.layouts[holding.layout].split
    manifest = laid_out(manifest, holding.layout, Resource())
    split = manifest.splits[name]
    some = any(isinstance(step, Keep | Drop | Match) for step in split.steps)
    if split.reader.get("format") != "folder" or split.reader.get("skip") or some:
        return faults
    references = chain.from_iterable(map(split.references, split.reader_parts))
    members = [reference.partition(":")[2] for reference in references]
    names = [file.name for member in members for file in holding.matches.get(member, ())]
    path = MemberName(split.reader["path"])
    for column, feature in manifest.split_features(name).items():
        if isinstance(feature, LabelFeature) and column in {field.name for field in path.fields}:
            columns = filter(None, map(path.read, names))
            counts = Counter(str(values[column]) for values in columns)
            figures = split.figures.get(f"{column}-counts")
            # if the number of files is right, a class can be empty
            faults += _class_faults(counts, feature, figures, complete=len(names) == split.rows)
            break
    if len(names) != split.rows:
        faults.append(f"{len(names):,} files instead of {split.rows:,}")
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
    yield from _fault("folder", "without a class", sorted(counts.keys() - titles.keys()))
    if not complete:
        missing = [title for code, title in titles.items() if code not in counts]
        yield from _fault("class", "missing", missing)
    if isinstance(figures, tuple):
        unequal = [
            f"{title} {counts[code]:,} of {expected:,}"
            for (code, title), expected in zip(titles.items(), figures, strict=True)
            if code in counts and counts[code] != expected
        ]
        yield from _fault("class", "of the wrong size", unequal)


def _fault(thing: str, what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        plural = "" if len(names) == 1 else "es" if thing.endswith("s") else "s"
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        yield f"{len(names):,} {thing}{plural} {what}: {', '.join(names[:SHOWN])}{more}"
