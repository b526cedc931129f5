"""`dshub info`: everything that is known of a dataset."""

from typing import Any, assert_never

import click

from dshub.cli import _screen
from dshub.manifest import (
    AudioFeature,
    Feature,
    ImageFeature,
    LabelFeature,
    Limits,
    ListFeature,
    Manifest,
    NumberFeature,
    TextFeature,
)
from dshub.progress import size


@click.command(short_help="Everything that is known of a dataset.")
@click.argument("name", type=_screen.DatasetName())
@_screen.json_option
def command(name: str, as_json: bool) -> None:
    """Columns, classes, splits, licence, sources and sizes of NAME, and what is in the cache.

    \b
      dshub info fashion-mnist
      dshub info emnist/letters --json
    """
    from dshub.hub import Hub

    hub = Hub()
    manifest = hub.info(name)
    fetcher = hub.fetcher()
    cached = {job.name: fetcher.path(job) is not None for job in hub.jobs([name])}
    versions = [] if name.endswith(".toml") else hub.registry.versions(manifest.name)
    data = {
        "manifest": _plain(manifest),
        "digest": manifest.digest,
        "versions": versions,
        "size": manifest.size,
        "prepared_size": manifest.prepared_size(),
        "cached": cached,
    }
    _screen.answer(as_json, data, lambda: _text(manifest, cached))


def _plain(manifest: Manifest) -> Any:
    import json

    from dshub.manifest import to_json

    return json.loads(to_json(manifest))


def _text(manifest: Manifest, cached: dict[str, bool]) -> str:
    blocks = [
        f"{_screen.bold(manifest.title)}  {_screen.dim(manifest.identifier)}\n{manifest.summary}",
        _facts(manifest, cached),
        _splits(manifest),
        _features(manifest),
        _resources(manifest, cached),
        _usage(manifest),
    ]
    return "\n\n".join(blocks)


def _facts(manifest: Manifest, cached: dict[str, bool]) -> str:
    there = sum(cached.values())
    state = "complete" if there == len(cached) else f"{there} of {len(cached)} files"
    rows = [
        ["task", manifest.task],
        ["homepage", manifest.homepage],
        ["licence", _license(manifest)],
        ["download", size(manifest.size)],
        ["prepared", size(manifest.prepared_size())],
        ["in the cache", state],
    ]
    return _screen.columns([[_screen.dim(key), value] for key, value in rows])


def _license(manifest: Manifest) -> str:
    terms = manifest.license
    parts = [terms.spdx or "not stated", f"redistribution: {terms.redistribution}"]
    parts += [text for text in (terms.source, terms.note) if text]
    return "; ".join(parts)


def _splits(manifest: Manifest) -> str:
    rows = []
    for name, split in manifest.splits.items():
        without = ", ".join(split.without)
        rows.append([f"  {name}", f"{split.rows:,} rows", f"without {without}" if without else ""])
    return _screen.bold("Splits") + "\n" + _screen.columns(rows, right=(1,))


def _features(manifest: Manifest) -> str:
    rows = [[f"  {name}", _feature(item)] for name, item in manifest.features.items()]
    width = _screen.terminal_width()
    longest = max(len(row[0]) for row in rows)
    rows = [[name, _screen.fitted(text, max(width - longest - 2, 20))] for name, text in rows]
    return _screen.bold("Columns") + "\n" + _screen.columns(rows)


def _feature(feature: Feature) -> str:
    match feature:
        case LabelFeature():
            return f"label, {len(feature.names)} classes: {', '.join(feature.names)}"
        case ImageFeature():
            form = feature.dtype if feature.encoding == "raw" else _FORMS[feature.encoding]
            return _words("image", _shape(feature.shape), form)
        case AudioFeature():
            channels = f"{feature.channels} channels" if feature.channels > 1 else ""
            return _words("audio", f"{feature.rate:,} Hz", channels, feature.encoding.upper())
        case NumberFeature():
            return _words("number", _shape(feature.shape), feature.dtype)
        case ListFeature():
            return f"list of {_feature(feature.of)}"
        case TextFeature():
            return "text"
        case _:
            assert_never(feature)


_FORMS = {"jpeg": "JPEG", "png": "PNG", "any": "files of several kinds"}


def _shape(lengths: tuple[int, ...]) -> str:
    return " x ".join(map(str, lengths))


def _words(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _resources(manifest: Manifest, cached: dict[str, bool]) -> str:
    lines = []
    for name, item in manifest.resources.items():
        state = "cached" if cached.get(name) else "not cached"
        lines.append(f"  {name}  {_screen.dim(f'{size(item.size)}, {state}')}")
        lines.append(f"    {_screen.dim(str(item.digest))}")
        lines += [f"    {url}" for url in item.urls]
        lines += [f"    {_screen.dim(text)}" for text in _limits(item.limits)]
    return _screen.bold("Files") + "\n" + "\n".join(lines)


def _limits(limits: Limits) -> list[str]:
    """What a file may unpack to, where its manifest says so."""
    if limits == Limits():
        return []
    told = f"{size(limits.unpacked)}, {limits.members:,} members, {limits.ratio:,} times its size"
    return [f"unpacks to at most {told}"]


def _usage(manifest: Manifest) -> str:
    split = next(iter(manifest.splits))
    code = f'  from dshub import load\n  ds = load("{manifest.name}", split="{split}")'
    return _screen.bold("Use") + "\n" + code
