"""Build a site: a first page to search datasets, and a page for each dataset."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.citations import bibtex
from dshub.catalog.features import AudioFeature, Feature, ImageFeature, LabelFeature, TextFeature
from dshub.catalog.manifest import Manifest, Resource, Split
from dshub.catalog.registry import Registry
from dshub.errors import DshubError
from dshub.progress import Progress, Silent, Task
from dshub.publishing.site.cells import strip, waveform, words
from dshub.publishing.site.pages import BELOW, CARD, PAGE, Publisher, render
from dshub.publishing.site.samples import Shown, show, stated_counts
from dshub.publishing.site.snippets import snippets

FEW = 40  # classes with a bar each; more are columns of one chart, and a folded table
CARD_SIDE = 64  # pixels of an image on a card
MODALITIES = ("image", "text", "audio", "table")
WORDS = BELOW / "_words.js"  # no name of a dataset begins with `_`


@dataclass(frozen=True)
class Built:
    """A site that was built.

    Attributes:
        first: the first page.
        written: files that changed, relative to the target.
        kept: the number of files that did not change.
        removed: pages of datasets that are no longer listed.
        notes: splits without rows, and why; one line each.
    """

    first: Path
    written: tuple[PurePosixPath, ...]
    kept: int
    removed: tuple[PurePosixPath, ...]
    notes: tuple[str, ...]


class Card(NamedTuple):
    """A dataset on the first page.

    Attributes:
        page: the address of its page.
        modality: one of `MODALITIES`.
        look: `images`, `waveform`, `words` or `fields`.
        content: the address of an image, a path of SVG, or words.
        width: of an image, in pixels.
    """

    manifest: Manifest
    page: PurePosixPath
    modality: str
    look: str
    content: str
    width: int
    synthetic: bool


def build(
    registry: Registry,
    store: Store,
    target: Path,
    *,
    names: Sequence[str] = (),
    title: str = "Datasets",
    progress: Progress | None = None,
) -> Built:
    """Write the site of a registry into a folder, or update it.

    Rows come from tables in the store, or are synthetic and labeled so. Nothing is downloaded. The
    same inputs give the same bytes. Only changes are written, each file by rename, the first page
    last. If the target is a mirror, its files are linked.

    Args:
        registry: the datasets, each in its newest version.
        store: the cache, which also keeps synthetic rows.
        target: the folder; the site owns `index.html` and `catalogue/` in it.
        names: datasets and families to show; empty for all.
        title: of the first page.
        progress: shows the pages written so far.

    Raises:
        UnknownNameError: a name is unknown.
        StoreError: the target or the store cannot be written, or has another `index.html`.
        MissingExtraError: Jinja2 is not installed.
    """
    chosen = map(registry.manifest, registry.expand(names)) if names else registry.manifests()
    manifests = list(chosen)
    publisher, notes, cards = Publisher(target), list[str](), list[Card]()
    publisher.check()
    with Task(progress or Silent(), "writing pages", len(manifests), unit="pages") as task:
        for manifest in manifests:
            shown, page = _shown(manifest, store, notes), page_of(manifest)
            publisher.publish(page, _page(manifest, shown, target, title))
            cards.append(_card(manifest, shown, page))
            if shown and shown[0].images:
                publisher.publish(page.with_name(CARD), strip(shown[0].images, side=CARD_SIDE))
            task.advance(1)
    publisher.publish(WORDS, _class_words(manifests))
    publisher.publish(PurePosixPath(PAGE), _first_page(cards, target, title))
    removed = publisher.sweep()
    written = tuple(publisher.written)
    return Built(target / PAGE, written, publisher.kept, tuple(removed), tuple(notes))


def page_of(manifest: Manifest) -> PurePosixPath:
    """The path of a dataset's page in the target."""
    return BELOW / manifest.name / PAGE


def _shown(manifest: Manifest, store: Store, notes: list[str]) -> list[Shown]:
    """Rows of each split; splits without readable rows are left out, with a note."""
    shown = []
    for number, split in enumerate(manifest.splits):
        try:
            shown.append(show(manifest, split, store, is_first=number == 0))
        except DshubError as error:
            notes.append(f"{manifest.name}, split {split}: no rows are shown: {error}")
            logging.getLogger("dshub").debug("no sample of %s", manifest.name, exc_info=True)
    return shown


def _page(manifest: Manifest, shown: Sequence[Shown], target: Path, title: str) -> bytes:
    """The page of a dataset."""
    root = "../" * (len(BELOW.parts) + manifest.name.count("/") + 1)
    return render(
        "dataset.html",
        site_title=title,
        root=root,
        manifest=manifest,
        has_text=any(isinstance(_inner(item), TextFeature) for item in manifest.features.values()),
        snippets=snippets(manifest),
        samples=shown,
        histograms=list(_histograms(manifest, shown)),
        few=FEW,
        references=_references,
        mirror_path=partial(_mirror_path, target),
        citation="\n\n".join(map(bibtex, manifest.citations)),
    )


def _references(split: Split) -> list[str]:
    """The files of a split, each once."""
    return list(dict.fromkeys(item for part in split.files for item in split.references(part)))


def _mirror_path(target: Path, resource: Resource) -> str:
    """The path of a file in the target, if that is a mirror with the file; else empty."""
    path = blob_path(resource.digest)
    return str(path) if (target / path).is_file() else ""


def _inner(feature: Feature) -> Feature:
    return getattr(feature, "of", feature)


def _histograms(
    manifest: Manifest, shown: Sequence[Shown]
) -> Iterator[tuple[str, list[str], list[dict[str, Any]]]]:
    """The rows of each class: the column, the splits with known counts, and a bar per class.

    The code of a class can be its name.
    """
    for name, feature in manifest.features.items():
        label = _inner(feature)
        if not isinstance(label, LabelFeature):
            continue
        counts = {split: stated_counts(manifest, split, name) for split in manifest.splits}
        counts |= {item.sample.split: item.counts[name] for item in shown if name in item.counts}
        counts = {split: numbers for split, numbers in counts.items() if numbers}
        rows = list(zip(*counts.values(), strict=True)) or [()] * len(label.names)
        codes = label.codes or label.names
        bars = [
            {"name": title, "code": code, "counts": row, "total": sum(row)}
            for title, code, row in zip(label.names, codes, rows, strict=True)
        ]
        yield name, list(counts), bars


def _card(manifest: Manifest, shown: Sequence[Shown], page: PurePosixPath) -> Card:
    first, modality = shown[0] if shown else None, _modality(manifest)
    look, content = "fields", " · ".join(manifest.features)
    if first and first.images:
        look, content = "images", str(page.with_name(CARD))
    elif first and first.audio is not None:
        look, content = "waveform", waveform(first.audio, points=48)
    elif first and first.rows and modality == "text":
        _, row = first.rows[0]
        texts = (words(row[name], item, " ") for name, item in first.features.items())
        look, content = "words", max((" ".join(text.split()) for text in texts), key=len)
    width = CARD_SIDE * len(first.images) if first else 0
    synthetic = first is not None and first.sample.synthetic and look != "fields"
    return Card(manifest, page, modality, look, content, width, synthetic)


def _modality(manifest: Manifest) -> str:
    kinds = {type(_inner(item)) for item in manifest.features.values()}
    if ImageFeature in kinds or AudioFeature in kinds:
        return "image" if ImageFeature in kinds else "audio"
    is_text = TextFeature in kinds and not manifest.task.startswith("tabular")
    return "text" if is_text else "table"


def _first_page(cards: Sequence[Card], target: Path, title: str) -> bytes:
    resources = [item for card in cards for item in card.manifest.resources.values()]
    modalities = {card.modality for card in cards}
    return render(
        "index.html",
        site_title=title,
        root="",
        cards=cards,
        card_side=CARD_SIDE,
        modalities=[name for name in MODALITIES if name in modalities],
        words=str(WORDS),
        is_mirror=any(_mirror_path(target, item) for item in resources),
    )


def _class_words(manifests: Sequence[Manifest]) -> bytes:
    """The words of class names with the places of datasets that have them, as a script.

    Pages opened from a folder can load scripts, but not JSON.
    """
    places: dict[str, list[int]] = {}
    for place, manifest in enumerate(manifests):
        labels = (_inner(feature) for feature in manifest.features.values())
        names = [name for label in labels for name in getattr(label, "names", ())]
        for word in {word for name in names for word in re.findall(r"\w+", name.lower())}:
            places.setdefault(word, []).append(place)
    index = json.dumps(dict(sorted(places.items())), separators=(",", ":"))
    return f"window.dshubWords={index};\n".encode()
