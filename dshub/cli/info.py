"""Command `dshub info`: show a dataset's license, sizes, splits, columns and files."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dshub.cache.paths import TABLE_FILE
from dshub.catalog.features import Feature, LabelFeature, describe
from dshub.catalog.manifest import Limits, Manifest
from dshub.catalog.parsing import to_json
from dshub.catalog.paths import is_manifest_path
from dshub.cli import _screen
from dshub.cli._answer import Answer, answering
from dshub.cli.list import listing
from dshub.datasets.split_expressions import find_parts
from dshub.display import flat
from dshub.download.sources import jobs
from dshub.hub.hub import Hub
from dshub.hub.request import name_and_split
from dshub.importing.records import imports
from dshub.progress import size
from dshub.tables.recipe import find
from dshub.tables.record import SUMS, Provenance, TableRecord


@click.command()
@click.argument("name", metavar="NAME[:SPLIT]", type=_screen.DatasetName())
@click.option("--files", is_flag=True, help="Also show files, checksums, URLs and other layouts.")
@answering
def command(name: str, files: bool) -> Answer:
    """Show a dataset's license, sizes, splits, columns and files.

    \b
      dshub info fashion-mnist
      dshub info fashion-mnist --files
      dshub info 'fashion-mnist:train[:10%]'
      dshub info emnist/letters --json
      dshub info glue                              the datasets of a family
    """
    hub = Hub()
    name, split = name_and_split(name)
    name = hub.registry.resolve(name)
    if not hub.registry.has(name) and (members := hub.registry.members(name)):
        return _family(hub, members)
    manifest = hub.info(name)
    counts = {key: item.rows for key, item in manifest.splits.items()}
    if split is not None:
        parts = find_parts(manifest.name, split, counts)
        counts = {split: sum(len(part.rows(counts[part.split])) for part in parts)}
    fetcher = hub.fetcher()
    cached = {job.name: fetcher.store.file(job.resource) is not None for job in jobs(manifest)}
    imported = _imported(hub, manifest)
    versions = [] if is_manifest_path(name) else hub.registry.versions(manifest.name)
    data = {
        "manifest": json.loads(to_json(manifest)),
        "digest": manifest.digest,
        "versions": versions,
        "size": manifest.size,
        "prepared_size": manifest.prepared_size(),
        "cached": cached,
        "imported": imported,
        "rows": counts,
    }
    note = f"`dshub info {name} --files` shows files, checksums and URLs"
    shown = name if is_manifest_path(name) else manifest.name
    text = _text(manifest, counts, cached, imported, name=shown, files=files)
    return Answer(data, text, [] if files else [note])


def _family(hub: Hub, members: Sequence[str]) -> Answer:
    """Return an answer with a line for each dataset of a family."""
    answer = listing([line for line in hub.registry.listing() if line.name in members])
    note = f"choose a dataset of this family, as in `dshub info {members[0]}`"
    return Answer(answer.data, answer.text, [note])


def _imported(hub: Hub, manifest: Manifest) -> list[dict[str, Any]]:
    """Return the splits imported in another layout as JSON objects."""
    return [
        {
            "layout": record.layout,
            "split": record.split,
            "title": manifest.layouts[record.layout].title,
            "path": record.path or None,
            "files": record.files,
            "size": record.size,
            "sums": _sums(find(manifest, record.split, hub.store)),
        }
        for record in imports(hub.store, manifest)
    ]


def _sums(table: Path | None) -> str | None:
    """Return the path of the checksum list of an imported table, or None."""
    if table is None:
        return None
    origin = TableRecord.read(table / TABLE_FILE).provenance
    return str(table / SUMS) if isinstance(origin, Provenance) else None


def _text(
    manifest: Manifest,
    counts: Mapping[str, int],
    cached: Mapping[str, bool],
    imported: list[dict[str, Any]],
    *,
    name: str,
    files: bool,
) -> str:
    """Format a dataset with the numbers of rows of all splits, or of a split expression."""
    blocks = [
        f"{_screen.bold(manifest.title)}  {_screen.dim(manifest.identifier)}\n"
        + flat(manifest.summary),
        _facts(manifest, cached, names=files),
        splits_text((name, rows, _missing(manifest, name)) for name, rows in counts.items()),
        columns_text(manifest.features),
        _resources(manifest, cached) if files else "",
        _instructions(manifest),
        _layouts(manifest, imported) if files or imported or _instructions(manifest) else "",
        _usage(name, manifest),
    ]
    return "\n\n".join(filter(None, blocks))


def _layouts(manifest: Manifest, imported: list[dict[str, Any]]) -> str:
    """Format the other layouts that `dshub import` recognizes, and their imports."""
    if not manifest.layouts:
        return ""
    lines = []
    for name, layout in manifest.layouts.items():
        lines.append(f"  {layout.split}: {flat(layout.title)}  {_screen.dim(name)}")
        for item in (item for item in imported if item["layout"] == name):
            source = flat(item["path"] or "files with checksums")
            files = f"{item['files']:,} files, {size(item['size'])}"
            lines.append(f"    imported from {source}, {files}")
            if item["sums"]:
                lines.append(f"    checksums: {item['sums']}")
    return _screen.bold("Other layouts for `dshub import`") + "\n" + "\n".join(lines)


def _missing(manifest: Manifest, name: str) -> Sequence[str]:
    return manifest.splits[name].without if name in manifest.splits else ()


def _facts(manifest: Manifest, cached: Mapping[str, bool], *, names: bool) -> str:
    """Format the facts as a table, with long values on several lines."""
    count = sum(cached.values())
    state = "all" if count == len(cached) else f"{count} of {len(cached)}"
    facts = [
        ["task", manifest.task],
        *([["other names", ", ".join(manifest.aliases)]] if names and manifest.aliases else []),
        *([["homepage", manifest.homepage]] if manifest.homepage else []),
        ["license", _license(manifest)],
        *([["terms", manifest.license.terms]] if manifest.license.terms else []),
        ["download", f"{size(manifest.size)}, {state} files in the cache"],
        ["prepared", size(manifest.prepared_size())],
    ]
    rows = []
    for key, value in facts:
        first, *more = _screen.wrapped(value, _screen.terminal_width() - 10)
        rows += [[_screen.dim(key), first], *(["", line] for line in more)]
    return _screen.columns(rows)


def _license(manifest: Manifest) -> str:
    terms = manifest.license
    parts = [terms.spdx or "not stated", f"redistribution: {terms.redistribution}"]
    parts += [text for text in (terms.source, terms.note) if text]
    return "; ".join(parts)


def splits_text(splits: Iterable[tuple[str, int, Sequence[str]]]) -> str:
    """Format the name, number of rows and missing columns of each split."""
    rows = [
        [f"  {name}", f"{count:,} rows", f"without {', '.join(without)}" if without else ""]
        for name, count, without in splits
    ]
    return _screen.bold("Splits") + "\n" + _screen.columns(rows, right=(1,))


def columns_text(features: Mapping[str, Feature]) -> str:
    """Format the name and feature of each column."""
    rows = [[f"  {name}", _feature(item)] for name, item in features.items()]
    width = _screen.terminal_width()
    longest = max(len(row[0]) for row in rows)
    rows = [[name, _screen.fitted(text, max(width - longest - 2, 20))] for name, text in rows]
    return _screen.bold("Columns") + "\n" + _screen.columns(rows)


def _feature(feature: Feature) -> str:
    """Describe a feature briefly, with its class names."""
    label = getattr(feature, "of", feature)
    if not isinstance(label, LabelFeature):
        return describe(feature)
    separator = "; " if any("," in name for name in label.names) else ", "
    return f"{describe(feature)}: {separator.join(label.names)}"


def _resources(manifest: Manifest, cached: Mapping[str, bool]) -> str:
    lines = []
    for name, item in manifest.resources.items():
        state = "cached" if cached.get(name) else "not cached"
        lines.append(f"  {name}  {_screen.dim(f'{size(item.size)}, {state}')}")
        lines.append(f"    {_screen.dim(str(item.digest))}")
        lines += [f"    {url}" for url in item.urls]
        if item.limits != Limits():
            lines.append(f"    {_screen.dim(_limits(item.limits))}")
    return _screen.bold("Files") + "\n" + "\n".join(lines)


def _instructions(manifest: Manifest) -> str:
    """Format the steps to obtain files that must be downloaded manually."""
    steps = [item.instructions for item in manifest.resources.values() if item.instructions]
    if not steps:
        return ""
    texts = [_screen.lines(text, indent="  ") for text in dict.fromkeys(steps)]
    return _screen.bold("Download by hand") + "\n" + "\n".join(texts)


def _limits(limits: Limits) -> str:
    """Describe the limits for unpacking a file."""
    facts = f"{size(limits.unpacked)}, {limits.members:,} members, {limits.ratio:,} times its size"
    return f"unpacks to at most {facts}"


def _usage(name: str, manifest: Manifest) -> str:
    split = next(iter(manifest.splits))
    code = f'  from dshub import load\n  ds = load({json.dumps(name)}, split="{split}")'
    return _screen.bold("Use") + "\n" + code
