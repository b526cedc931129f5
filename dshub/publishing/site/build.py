"""Build a site with a search page and a page for each dataset."""

import json
import logging
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
from dshub.catalog.names import plain
from dshub.catalog.registry import Registry
from dshub.catalog.search import Summary, searchable
from dshub.datasets.rendering.cells import strip, waveform, words
from dshub.errors import DshubError
from dshub.progress import Progress, Silent, Task
from dshub.publishing.site.pages import CARD, PAGE, SITE_FOLDER, Publisher, render
from dshub.publishing.site.samples import Shown, show, stated_counts
from dshub.publishing.site.snippets import snippets

MAX_BARS = 40  # classes; a label with more gets one chart and a folded table
CARD_SIDE = 64  # pixels per side of an image on a card
MODALITIES = ("image", "text", "audio", "table")
WORDS = SITE_FOLDER / "_words.js"  # cannot collide, because dataset names never start with `_`


@dataclass(frozen=True)
class Built:
    """Result of a build.

    Attributes:
        first: path of the first page.
        written: new and changed files, relative to the target.
        kept: number of unchanged files.
        removed: removed files of datasets that are no longer listed, relative to the target.
        notes: a line for each split without sample rows, with the reason.
    """

    first: Path
    written: tuple[PurePosixPath, ...]
    kept: int
    removed: tuple[PurePosixPath, ...]
    notes: tuple[str, ...]


class Card(NamedTuple):
    """Card of a dataset on the first page.

    Attributes:
        manifest: manifest of the dataset.
        page: path of the dataset's page.
        modality: one of `MODALITIES`.
        look: kind of preview: `images`, `waveform`, `words` or `fields`.
        content: path of an image, an SVG path, or text.
        width: width of the image in pixels.
        synthetic: True if the preview shows synthetic rows.
        text: text to search without classes; see `dshub.catalog.search.searchable`.
    """

    manifest: Manifest
    page: PurePosixPath
    modality: str
    look: str
    content: str
    width: int
    synthetic: bool
    text: str


def build(
    registry: Registry,
    store: Store,
    target: Path,
    *,
    names: Sequence[str] = (),
    title: str = "Datasets",
    progress: Progress | None = None,
) -> Built:
    """Build or update the site of a registry.

    Sample rows come from tables in the store. Otherwise they are synthetic and labeled as such.
    Nothing is downloaded. Builds are reproducible and write only changed files, and the first page
    is written last. If the target is a mirror, pages link to its files.

    Args:
        registry: source of the datasets, each in its newest version.
        store: cache to read tables from, and to write synthetic rows to.
        target: output folder; only `index.html` and `site/` in it are written.
        names: datasets and families to include; empty for all.
        title: title of the first page.
        progress: progress display.

    Raises:
        UnknownNameError: a name is unknown.
        StoreError: the target or the store cannot be written, or dshub did not write the existing
            `index.html`.
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
    """Return the path of a dataset's page, relative to the target."""
    return SITE_FOLDER / manifest.name / PAGE


def _shown(manifest: Manifest, store: Store, notes: list[str]) -> list[Shown]:
    """Return sample rows of each split; skip splits without readable rows and add a note."""
    shown = []
    for number, split in enumerate(manifest.splits):
        try:
            shown.append(show(manifest, split, store, is_first=number == 0))
        except DshubError as error:
            notes.append(f"{manifest.name}, split {split}: no sample rows: {error}")
            logging.getLogger("dshub").debug("no sample of %s", manifest.name, exc_info=True)
    return shown


def _page(manifest: Manifest, shown: Sequence[Shown], target: Path, title: str) -> bytes:
    """Render the page of a dataset."""
    root = "../" * (len(SITE_FOLDER.parts) + manifest.name.count("/") + 1)
    return render(
        "dataset.html",
        site_title=title,
        root=root,
        manifest=manifest,
        has_text=any(isinstance(_inner(item), TextFeature) for item in manifest.features.values()),
        snippets=snippets(manifest),
        samples=shown,
        histograms=list(_histograms(manifest, shown)),
        max_bars=MAX_BARS,
        references=_references,
        mirror_path=partial(_mirror_path, target),
        citation="\n\n".join(map(bibtex, manifest.citations)),
    )


def _references(split: Split) -> list[str]:
    """Return the file references of a split, without duplicates."""
    return list(dict.fromkeys(item for part in split.files for item in split.references(part)))


def _mirror_path(target: Path, resource: Resource) -> str:
    """Return the path of a file in a target that is a mirror; empty for other targets."""
    path = blob_path(resource.digest)
    return str(path) if (target / path).is_file() else ""


def _inner(feature: Feature) -> Feature:
    return getattr(feature, "of", feature)


def _histograms(
    manifest: Manifest, shown: Sequence[Shown]
) -> Iterator[tuple[str, list[str], list[dict[str, Any]]]]:
    """Yield each label column, the splits with known class counts, and a bar for each class.

    The code of a class defaults to the class name.
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
    text = searchable(Summary.of(manifest), ())
    return Card(manifest, page, modality, look, content, width, synthetic, text)


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
    """Return a script that maps each class name, in `plain` spelling, to the positions of datasets.

    The index is a script, because a page opened from a folder cannot load JSON.
    """
    positions: dict[str, list[int]] = {}
    for position, manifest in enumerate(manifests):
        labels = (_inner(feature) for feature in manifest.features.values())
        names = {plain(name) for label in labels for name in getattr(label, "names", ())}
        for name in names - {""}:
            positions.setdefault(name, []).append(position)
    index = json.dumps(dict(sorted(positions.items())), separators=(",", ":"))
    return f"window.dshubWords={index};\n".encode()
