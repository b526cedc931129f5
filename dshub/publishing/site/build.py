"""The catalogue: a first page to search, and a page for each dataset."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.citations import bibtex
from dshub.catalog.features import LabelFeature
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.catalog.registry import Registry
from dshub.errors import DshubError
from dshub.progress import Progress, Silent, Task
from dshub.publishing.site import cards, views
from dshub.publishing.site.cards import Shown, show
from dshub.publishing.site.pages import BELOW, CARD, GENERATOR, PAGE, Pages, Publisher
from dshub.publishing.site.samples import told_counts
from dshub.publishing.site.snippets import snippets
from dshub.publishing.site.views import terms

FEW = 40  # classes that are listed with a bar each; more are drawn as columns, and folded
WORDS = BELOW / "_words.js"  # no dataset's name begins so


@dataclass(frozen=True)
class Built:
    """What writing a catalogue did.

    Attributes:
        first: the first page.
        written: files that changed, relative to the target.
        kept: how many were there with the same bytes.
        removed: pages of datasets that are not listed any more.
        notes: what could not be shown, and why; one line each.
    """

    first: Path
    written: tuple[PurePosixPath, ...]
    kept: int
    removed: tuple[PurePosixPath, ...]
    notes: tuple[str, ...]


def build(
    registry: Registry,
    store: Store,
    target: Path,
    *,
    names: Sequence[str] = (),
    title: str = "Datasets",
    progress: Progress | None = None,
) -> Built:
    """Write the catalogue of a registry into a folder, or bring it up to date.

    Rows that are shown come from tables in the store, or else from stand-ins, which are made in
    it and labelled. No connection is made. The same inputs give the same bytes; only what changed
    is written, each file by rename, the first page last. Files of a mirror in the target are
    linked.

    Args:
        registry: the datasets to list: the newest version of each.
        store: where tables are looked for, and stand-ins made.
        target: the folder; `index.html` and `catalogue/` in it are the catalogue's.
        names: only these datasets and families; all where empty.
        title: of the first page.
        progress: what is told how far the work has come.

    Raises:
        UnknownNameError: a name is unknown.
        StoreError: the target or the store cannot be written, or holds another `index.html`.
        MissingExtraError: Jinja2 is not installed.
    """
    chosen = _manifests(registry, names)
    publisher, pages, notes = Publisher(target, GENERATOR), Pages(title), list[str]()
    publisher.check()
    listed, wanted = [], [PurePosixPath(PAGE)]
    with Task(progress or Silent(), "writing pages", len(chosen), unit="pages") as task:
        for manifest in chosen:
            shown = _shown(manifest, store, notes)
            page = page_of(manifest)
            publisher.publish(page, _page(pages, manifest, shown, target))
            card, picture = cards.card(manifest, shown, str(page))
            if picture is not None:
                publisher.publish(page.with_name(CARD), picture)
                wanted.append(page.with_name(CARD))
            listed.append(card)
            wanted.append(page)
            task.advance(1)
    publisher.publish(WORDS, _words(chosen))
    publisher.publish(PurePosixPath(PAGE), _first(pages, listed, chosen, target))
    removed = publisher.sweep(wanted)
    return Built(
        target / PAGE, tuple(publisher.written), publisher.kept, tuple(removed), tuple(notes)
    )


def page_of(manifest: Manifest) -> PurePosixPath:
    """Where a dataset's page lies in the target."""
    return BELOW / manifest.name / PAGE


def _manifests(registry: Registry, names: Sequence[str]) -> list[Manifest]:
    if not names:
        return list(registry.manifests())
    return [registry.manifest(name) for name in registry.expand(names)]


def _shown(manifest: Manifest, store: Store, notes: list[str]) -> list[Shown]:
    """What is shown of each split; a split whose rows cannot be had is left out, with a note."""
    found = []
    for number, split in enumerate(manifest.splits):
        try:
            found.append(show(manifest, split, store, is_first=number == 0))
        except DshubError as error:
            notes.append(f"{manifest.name}, split {split}: no rows are shown: {error}")
            logging.getLogger("dshub").debug("no sample of %s", manifest.name, exc_info=True)
    return found


def _page(pages: Pages, manifest: Manifest, shown: Sequence[Shown], target: Path) -> bytes:
    """The page of one dataset."""
    root = "../" * (len(BELOW.parts) + manifest.name.count("/") + 1)
    return pages.page(
        "dataset.html",
        root=root,
        manifest=manifest,
        rows=views.rows(manifest),
        prepared=manifest.prepared_size(),
        text=any("str" in column.dtype for column in views.columns(manifest)),
        terms=terms(manifest.license),
        snippets=snippets(manifest),
        samples=shown,
        synthetic=any(item.synthetic for item in shown),
        stand_in=manifest.synthetic,
        histograms=list(_histograms(manifest, shown)),
        few=FEW,
        columns=views.columns(manifest),
        files=list(_files(manifest, target, root)),
        files_of=_files_of,
        citation="\n\n".join(map(bibtex, manifest.citations)),
    )


def _histograms(manifest: Manifest, shown: Sequence[Shown]) -> Iterator[views.Histogram]:
    """The classes of each column that has some, with the counts that are known of them."""
    for name, feature in manifest.features.items():
        inner = getattr(feature, "of", feature)
        if isinstance(inner, LabelFeature):
            counted: dict[str, Sequence[int]] = {
                split: told_counts(manifest, split, name) for split in manifest.splits
            }
            counted |= {item.split: item.counts[name] for item in shown if name in item.counts}
            yield views.histogram(name, inner, {k: v for k, v in counted.items() if v})


def _files(manifest: Manifest, target: Path, root: str) -> Iterator[dict[str, Any]]:
    """The files upstream, and their addresses on the mirror that the target may be."""
    for key, resource in manifest.resources.items():
        yield {"key": key, "resource": resource, "here": _here(resource, target, root)}


def _here(resource: Resource, target: Path, root: str) -> str:
    path = blob_path(resource.digest)
    return f"{root}{path}" if (target / path).is_file() else ""


def _files_of(split: Split) -> list[str]:
    """What a split is read from, each reference once."""
    found = [reference for part in split.files for reference in split.references(part)]
    return list(dict.fromkeys(found))


def _first(
    pages: Pages, listed: Sequence[cards.Card], chosen: Sequence[Manifest], target: Path
) -> bytes:
    """The first page."""
    there = {card.mode for card in listed}
    mirrored = any(
        (target / blob_path(resource.digest)).is_file()
        for manifest in chosen
        for resource in manifest.resources.values()
    )
    return pages.page(
        "index.html",
        root="",
        beside=True,
        cards=listed,
        modes=[mode for mode in views.MODALITIES if mode in there],
        tasks=sorted({card.task for card in listed}),
        licences=sorted({card.licence for card in listed}, key=str.casefold),
        words=str(WORDS),
        mirror=mirrored,
    )


def _words(chosen: Sequence[Manifest]) -> bytes:
    """The words of class names, each with the places of the datasets that have it, as a script.

    A script and not JSON, because a page in a folder may load the one and not the other.
    """
    places: dict[str, list[int]] = {}
    for place, manifest in enumerate(chosen):
        names = [name for column in views.columns(manifest) for name in column.classes]
        words = {word for name in names for word in re.findall(r"\w+", name.lower())}
        for word in words:
            places.setdefault(word, []).append(place)
    told = json.dumps(dict(sorted(places.items())), separators=(",", ":"))
    return f"window.dshubWords={told};\n".encode()
