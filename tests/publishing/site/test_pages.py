"""Compare pages with manifests and raw bytes."""

import base64
import hashlib
import io
import json
import re
import wave
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from dshub.cache.paths import blob_path
from dshub.cache.store import Store
from dshub.catalog.citations import bibtex
from dshub.catalog.features import LabelFeature, ListFeature, TextFeature
from dshub.catalog.manifest import License, Manifest, Split
from dshub.catalog.registry import Registry
from dshub.datasets.dataset import Dataset
from dshub.download.fetcher import Fetcher
from dshub.download.sources import Job
from dshub.importing.files import import_files
from dshub.publishing.site.build import Built, build
from dshub.synthetic.synthesize import synthesize
from dshub.tables.recipe import find
from tests.independent.pages import Element, Page, read
from tests.manifests import make_manifest, make_resource
from tests.preparing import prepare_splits

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }} \u202e'


def build_one(manifest: Manifest, store: Store, target: Path) -> Built:
    return build(Registry(manifests=[manifest], built_in=False), store, target)


def prepare(manifest: Manifest, upstream: Path, store: Store) -> None:
    """Import the files of a dataset and prepare its tables."""
    jobs = [Job(manifest.name, key, item) for key, item in manifest.resources.items()]
    import_files(store, jobs, [upstream])
    prepare_splits(manifest, [*manifest.splits], Fetcher(store, offline=True))


def synthetic_rows(name: str, store: Store) -> Dataset:
    """Return the first split of a built-in dataset with synthetic rows."""
    manifest = synthesize(Registry().manifest(name), store, rows=24)
    folder = find(manifest, next(iter(manifest.splits)), store)
    assert folder is not None
    return Dataset.from_tables([folder])


def write_lines(folder: Path, *texts: str) -> Manifest:
    """Write a text file, and return the manifest of its dataset."""
    content = "".join(f"{text}\n" for text in texts).encode()
    (folder / "lines.txt").write_bytes(content)
    return make_manifest(
        {"all": make_resource(content, filename="lines.txt")},
        name="lines",
        features={"text": TextFeature()},
        splits={"train": Split(rows=len(texts), reader={"format": "lines"}, files={"text": "all"})},
    )


def dataset_pages(site: Path) -> dict[str, Path]:
    """Return the page of each dataset by name."""
    below = site / "site"
    return {
        page.parent.relative_to(below).as_posix(): page
        for page in sorted(below.rglob("index.html"))
    }


def cards_of(first: Page) -> list[Element]:
    """Return the dataset cards of the front page."""
    return [item for item in first.all("li") if "data-rows" in item.attributes]


def name_of(first: Page, card: Element) -> str:
    """Return the dataset name on a card."""
    (shown,) = first.below(card, "p", class_="name")
    return str(shown.line).removesuffix("synthetic").strip()


def decode(element: Element) -> bytes:
    """Decode the bytes of a data URL."""
    return base64.b64decode(element.attributes["src"].partition("base64,")[2])


def test_every_dataset_has_a_linked_page(site: Path) -> None:
    first = read(site / "index.html")
    hrefs = [item.attributes["href"] for item in first.all("a") if item.within("h2")]
    assert {site / href for href in hrefs} == {*dataset_pages(site).values()}
    for page in dataset_pages(site).values():
        back = [item.attributes["href"] for item in read(page).all("a", class_="brand")]
        assert [(page.parent / href).resolve() for href in back] == [
            (site / "index.html").resolve()
        ]


def test_card_has_the_attributes_for_filters(site: Path) -> None:
    first = read(site / "index.html")
    cards = {name_of(first, card): card for card in cards_of(first)}
    assert cards.keys() == dataset_pages(site).keys()
    for name, card in cards.items():
        manifest = Registry().manifest(name)
        assert card.attributes["data-task"] == manifest.task
        assert card.attributes["data-license"] == (manifest.license.spdx or "not stated")
        assert card.attributes.get("data-size") == (str(manifest.size) if manifest.size else None)
        rows = sum(split.rows for split in manifest.splits.values())
        assert card.attributes["data-rows"] == str(rows)


def test_page_shows_the_complete_manifest(site: Path) -> None:
    for name, path in dataset_pages(site).items():
        manifest, page = Registry().manifest(name), read(path)
        text = page.texts("main")[0]
        assert page.texts("h1") == [" ".join(manifest.title.split())]
        assert manifest.summary in text
        for split, facts in manifest.splits.items():
            row = next(item for item in page.texts("tr") if item.startswith(f"{split} "))
            assert f"{facts.rows:,}" in row
        assert set(manifest.features) <= {*page.texts("code")}
        for resource in manifest.resources.values():
            assert resource.digest.hex in page.texts("code")
            assert {*resource.urls} <= {item.attributes["href"] for item in page.all("a")}
        assert page.all("code", id="bibtex")[0].text == "\n\n".join(map(bibtex, manifest.citations))
        if manifest.license.source:
            assert manifest.license.source in text
        for feature in manifest.features.values():
            if isinstance(feature, LabelFeature):
                assert all(" ".join(item.split()) in text for item in feature.names)


def test_pages_load_no_external_files(site: Path) -> None:
    for path in [site / "index.html", *dataset_pages(site).values()]:
        page = read(path)
        loaded = [
            item.attributes.get("src") or item.attributes.get("href", "")
            for item in page.elements
            if item.tag in {"img", "script", "audio", "iframe", "source", "link", "object", "embed"}
        ]
        files = [address for address in loaded if address and not address.startswith("data:")]
        assert all((path.parent / address).is_file() for address in files)
        assert not files or path.name == "index.html"


def test_controls_and_images_have_accessible_names(site: Path) -> None:
    for path in [site / "index.html", *dataset_pages(site).values()]:
        page = read(path)
        assert all("alt" in item.attributes for item in page.all("img"))
        assert all(item.attributes.get("aria-label") or item.text for item in page.all("button"))
        labelled = {item.attributes.get("for") for item in page.all("label")}
        fields = [*page.all("select"), *page.all("input", type="search")]
        assert all(item.attributes["id"] in labelled for item in fields)
        assert page.all("html")[0].attributes["lang"] == "en"
        assert len(page.all("main")) == len(page.all("h1")) == 1
        ids = [item.attributes["id"] for item in page.elements if "id" in item.attributes]
        assert len(ids) == len(set(ids))


def test_synthetic_rows_are_labeled(site: Path) -> None:
    """Samples of unprepared datasets are marked as synthetic on the card and the page."""
    for name, path in dataset_pages(site).items():
        assert any("Synthetic rows" in text for text in read(path).texts("p", class_="notice")), (
            name
        )
    first = read(site / "index.html")
    for card in cards_of(first):
        # A card without rows shows column names instead.
        of_rows = not first.below(card, "div", class_="thumb fields")
        assert len(first.below(card, "span", class_="synthetic")) == of_rows


def test_prepared_dataset_shows_real_images(
    tiny: Manifest, upstream: Path, store: Store, target: Path
) -> None:
    prepare(tiny, upstream, store)
    build_one(tiny, store, target)
    page = read(target / "site" / "tiny" / "index.html")
    images = [np.asarray(Image.open(io.BytesIO(decode(item)))) for item in page.all("img")]
    expected = np.frombuffer((upstream / "images.idx").read_bytes()[16:], np.uint8)
    assert np.array_equal(np.stack(images).ravel(), expected)
    captions = [item.text for item in page.all("p") if item.within("ul", class_="gallery")]
    assert captions == ["cat", "dog", "cat"]
    assert "synthetic" not in page.all("main")[0].text


def test_prepared_dataset_has_a_histogram_of_classes(
    tiny: Manifest, upstream: Path, store: Store, target: Path
) -> None:
    """The histogram shows row counts as numbers and bars."""
    prepare(tiny, upstream, store)
    build_one(tiny, store, target)
    page = read(target / "site" / "tiny" / "index.html")
    rows = [item for item in page.all("tr") if item.within("table", class_="bars")]
    assert [" ".join(row.text.split()) for row in rows] == ["Class Bar Rows", "cat 2", "dog 1"]
    widths = [float(item.attributes["width"]) for item in page.all("rect") if item.within("tr")]
    assert widths == [100, 50]


def test_counts_in_the_manifest_are_shown_without_a_table(site: Path) -> None:
    """Counts come from the manifest, never from synthetic rows."""
    page = read(site / "site" / "fashion-mnist" / "index.html")
    rows = [text for text in page.texts("tr") if text.startswith("Trouser")]
    assert rows == ["Trouser 7,000 6,000 1,000"]
    page = read(site / "site" / "mnist" / "index.html")
    assert not page.all("table", class_="bars")


def test_a_thousand_classes_are_folded(site: Path) -> None:
    page = read(site / "site" / "imagenet-1k" / "index.html")
    listed = [item for item in page.all("li") if item.within("ol", class_="chips")]
    assert len(listed) == 1000
    assert all(item.within("details") for item in listed)


def test_many_classes_are_shown_as_a_column_chart(
    tiny: Manifest, store: Store, target: Path
) -> None:
    counts = tuple(range(1, 101))
    label = LabelFeature(names=tuple(f"class {number}" for number in range(100)))
    split = msgspec.structs.replace(tiny.splits["train"], figures={"label-counts": counts})
    features = {**tiny.features, "label": label}
    build_one(
        msgspec.structs.replace(tiny, features=features, splits={"train": split}), store, target
    )
    page = read(target / "site" / "tiny" / "index.html")
    (drawn,) = page.all("svg", class_="columns")
    words = "100 classes in train: from 1 rows (class 0) to 100 (class 99)."
    assert drawn.attributes["aria-label"] == words
    (path,) = page.below(drawn, "path")
    heights = [
        100 - float(top) for top in re.findall(r"M\d+ 100V([0-9.]+)h1", path.attributes["d"])
    ]
    assert heights == [*counts]
    rows = [text for text in page.texts("tr") if text.startswith("class ")]
    assert rows == [f"class {number} {number + 1}" for number in range(100)]


def test_audio_can_be_played(site: Path, shared_store: Store) -> None:
    """The player contains a WAV file with the samples of the row."""
    page = read(site / "site" / "speech-commands" / "v0.02" / "index.html")
    expected = synthetic_rows("speech-commands/v0.02", shared_store)[0]["audio"]
    with wave.open(io.BytesIO(decode(page.all("audio")[0]))) as file:
        assert (file.getframerate(), file.getnchannels()) == (16000, 1)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert np.array_equal(samples, expected)


def test_lists_of_text_and_labels_are_shown_by_name(site: Path, shared_store: Store) -> None:
    page = read(site / "site" / "conll2003" / "index.html")
    dataset = synthetic_rows("conll2003", shared_store)
    feature = dataset.features["ner_tags"]
    assert isinstance(feature, ListFeature)
    assert isinstance(feature.of, LabelFeature)
    cells = [item for item in page.all("ul", class_="chips") if item.within("tr")]
    assert cells[0].text.split() == dataset[0]["tokens"]
    assert cells[3].text.split() == [feature.of.names[tag] for tag in dataset[0]["ner_tags"]]


def test_long_text_is_folded(store: Store, target: Path, tmp_path: Path) -> None:
    """The start is visible, and the complete text appears when unfolded."""
    long = "A rather long sentence. " * 30
    prepare(write_lines(tmp_path, "short", long), tmp_path, store)
    build_one(write_lines(tmp_path, "short", long), store, target)
    page = read(target / "site" / "lines" / "index.html")
    folded = [item for item in page.all("p") if item.within("details", class_="long")]
    assert [item.text for item in folded] == [long]


def test_manifest_text_is_escaped(
    tiny: Manifest, upstream: Path, store: Store, target: Path
) -> None:
    label = LabelFeature(names=(HOSTILE, "dog"), codes=(HOSTILE, "b"))
    bad = msgspec.structs.replace(
        tiny,
        title=HOSTILE,
        summary=HOSTILE,
        task=HOSTILE,
        tags=(HOSTILE,),
        homepage="javascript:alert(3)",
        license=License(spdx=HOSTILE, source="javascript:alert(4)", note=HOSTILE),
        features={**tiny.features, "label": label},
        resources={
            name: msgspec.structs.replace(
                item, filename=HOSTILE, urls=("javascript:alert(5)",), instructions=HOSTILE
            )
            for name, item in tiny.resources.items()
        },
        citations=tuple(
            msgspec.structs.replace(item, title=HOSTILE, venue=HOSTILE) for item in tiny.citations
        ),
    )
    build_one(bad, store, target)
    clean_target = target.with_name("clean")
    build_one(msgspec.structs.replace(tiny, version="1.2.4"), store, clean_target)
    for name in ("index.html", "site/tiny/index.html"):
        page, clean = read(target / name), read(clean_target / name)
        assert len(page.all("script")) == len(clean.all("script")) == 1
        assert len(page.all("img")) == len(clean.all("img"))
        assert not [a for item in page.elements for a in item.attributes if a.startswith("on")]
        followed = [item.attributes.get("href", "") for item in page.all("a")]
        assert not [href for href in followed if "script" in href and "spdx.org" not in href]
        assert "49" not in page.texts("h1")[0]
    assert read(target / "site/tiny/index.html").texts("h1") == [" ".join(HOSTILE.split())]
    words = (target / "site" / "_words.js").read_text(encoding="utf-8")
    assert words.isascii()


def test_text_of_rows_is_escaped(store: Store, target: Path, tmp_path: Path) -> None:
    prepare(write_lines(tmp_path, HOSTILE, "other"), tmp_path, store)
    build_one(write_lines(tmp_path, HOSTILE, "other"), store, target)
    page = read(target / "site" / "lines" / "index.html")
    assert not page.all("img")
    assert len(page.all("script")) == 1
    assert " ".join(HOSTILE.split()) in page.texts("td", class_="text")


def test_content_security_policy_allows_only_own_script(site: Path) -> None:
    for path in dataset_pages(site).values():
        page = read(path)
        (meta,) = page.all("meta", http_equiv="Content-Security-Policy")
        policy = dict(part.strip().split(" ", 1) for part in meta.attributes["content"].split(";"))
        for name in ("script", "style"):
            digest = hashlib.sha256(page.all(name)[0].text.encode()).digest()
            assert policy[f"{name}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
        assert policy["default-src"] == "'none'"
        assert not [item for item in page.elements if "style" in item.attributes]


@pytest.mark.parametrize(
    ("spdx", "is_listed"),
    [("CC-BY-NC-4.0", True), ("MIT AND CC0-1.0", False), ("LicenseRef-Theirs", False)],
)
def test_license_is_shown(
    tiny: Manifest, store: Store, target: Path, spdx: str, is_listed: bool
) -> None:
    license_ = msgspec.structs.replace(tiny.license, spdx=spdx)
    build_one(msgspec.structs.replace(tiny, license=license_), store, target)
    page = read(target / "site" / "tiny" / "index.html")
    text = page.all("section", id="license")[0].line
    assert spdx in text
    links = [item.attributes.get("href") for item in page.all("a")]
    assert (f"https://spdx.org/licenses/{spdx}.html" in links) == is_listed
    assert "can be shared" in text
    assert "Source: https://data.example/license" in text
    assert "Ask before printing." in text


def test_files_of_a_mirror_are_linked(
    tiny: Manifest, upstream: Path, store: Store, target: Path
) -> None:
    """Only pages in a mirror link files and show the DSHUB_MIRROR setting."""
    build_one(tiny, store, target)
    assert "DSHUB_MIRROR" not in read(target / "index.html").all("main")[0].text
    blob = target / blob_path(tiny.resources["images"].digest)
    blob.parent.mkdir(parents=True)
    blob.write_bytes((upstream / "images.idx").read_bytes())
    build_one(tiny, store, target)
    page = target / "site" / "tiny" / "index.html"
    (link,) = [item for item in read(page).all("a") if "download" in item.attributes]
    assert link.attributes["download"] == "images.idx"
    assert (page.parent / link.attributes["href"]).resolve() == blob
    assert "DSHUB_MIRROR" in read(target / "index.html").all("main")[0].text


def test_class_words_point_to_datasets(site: Path) -> None:
    """The search index maps each class name to the cards of its datasets."""
    text = (site / "site" / "_words.js").read_text(encoding="utf-8")
    words = json.loads(text.removeprefix("window.dshubWords=").removesuffix(";\n"))
    first = read(site / "index.html")
    cards = cards_of(first)
    assert [name_of(first, cards[place]) for place in words["trouser"]] == ["fashion-mnist"]
    assert [name_of(first, cards[place]) for place in words["hammerheadhammerheadshark"]] == [
        "imagenet-1k"
    ]
