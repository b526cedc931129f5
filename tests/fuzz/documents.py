"""Fuzz documents: manifests, Croissant, mirror indexes, lockfiles, settings, loader states."""

import ast
import hashlib
import json
import shutil
import tomllib
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dshub import Registry
from dshub.cache.store import Store
from dshub.catalog.citations import cff
from dshub.catalog.croissant.exporting import to_croissant
from dshub.catalog.croissant.importing import from_croissant, read_croissant
from dshub.catalog.croissant.vocabulary import context
from dshub.catalog.croissant.writing import to_toml
from dshub.catalog.faults import Fault
from dshub.catalog.manifest import Manifest, denied, laid_out
from dshub.catalog.parsing import from_json, parse, to_json
from dshub.catalog.search import Summary, classes, version_key
from dshub.datasets.split_expressions import parse_split
from dshub.errors import ManifestError
from dshub.hub import lockfile
from dshub.loading.loader import Loader
from dshub.mirrors.index import Index, entry_of
from dshub.mirrors.reading import Mirrors
from dshub.mirrors.signing import Signer, check_signature
from dshub.mirrors.source import MirrorSource
from dshub.settings import Settings
from dshub.tables.recipe import recipe
from dshub.testing.adapters import example

from . import mutations
from .target import Target, scratch, text_of, tried, written

NAMES = ("tiny-shakespeare", "iris", "usps", "conll2003")


@cache
def registry() -> Registry:
    """Return the built-in registry."""
    return Registry()


def manifest(data: bytes) -> None:
    """Parse a manifest and derive everything that needs no dataset files."""
    text = text_of(data)
    try:
        parsed = parse(text, source="input")
    except ManifestError as error:
        lines = [fault.line for fault in error.faults if isinstance(fault, Fault)]
        assert all(line is None or 0 < line <= 1 + text.count("\n") for line in lines)
        raise
    used(parsed)


def used(parsed: Manifest) -> None:
    """Use a manifest as listings, citations and recipes do."""
    again = from_json(to_json(parsed))
    assert again.digest == parsed.digest
    assert Summary.of(parsed)
    assert version_key(parsed.version)
    classes(parsed)
    with tried:
        cff(parsed)  # raises if the manifest has no citation
    denied(parsed.license, ["nc", "unknown"])
    for layout in parsed.layouts:
        with tried:
            laid_out(parsed, layout)
    for split in parsed.splits:
        with tried:
            recipe(parsed, split)
    with tried:
        from_croissant(json.loads(json.dumps(to_croissant(parsed))), source="input")


def _manifests() -> dict[str, bytes]:
    return {f"{name}.toml": registry().text(name) for name in NAMES}


def croissant(data: bytes) -> None:
    """Convert a Croissant document to a manifest; parse the manifest if nothing is missing."""
    data = data.replace(b'"@context":{}', b'"@context":' + mutations.json_bytes(context("1.1")), 1)
    imported = read_croissant(written(data))
    text = to_toml(imported)
    assert all(map(str, (*imported.notes, *imported.missing)))
    with tried:
        parse(text, source="input")


def _croissants() -> dict[str, bytes]:
    """Return documents exported by dshub, with and without its own terms."""
    documents = {}
    for name in ("tiny-shakespeare", "imagenet-o", "superglue/axb"):
        document = to_croissant(registry().manifest(name))
        # `croissant` restores the context, which would be most of the seed
        document["@context"] = {}
        file = f"{name.replace('/', '-')}.json"
        documents[file] = mutations.json_bytes(document)
        others = {key: value for key, value in document.items() if not key.startswith("dshub:")}
        documents[f"others-{file}"] = mutations.json_bytes(others)
    return documents


@cache
def key_pair() -> tuple[Path, Path]:
    """Write a fixed private key and its public key."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return written(private, "private.pem"), written(public, "public.pem")


def index(data: bytes) -> None:
    """Read an index, then list and read manifests from a mirror that serves it."""
    parsed = Index.read(data, source="input")
    assert Index.of(parsed.datasets).encode()
    with tried:
        check_signature(parsed, [key_pair()[1]], source="input")
    settings = Settings.read(
        environment={}, folder=scratch("."), cache=scratch("cache"), mirrors=[str(_mirror(data))]
    )
    mirrors = Mirrors(settings, Store(settings.cache))
    listed = Registry(sources=[MirrorSource(mirrors)], built_in=False)
    listed.listing()
    listed.listing(["digits"])
    for name in listed.names():
        with tried:
            listed.versions(name)
        with tried:
            used(listed.manifest(name))


def _mirror(data: bytes) -> Path:
    folder = scratch("mirror")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "index.json").write_bytes(data)
    for name in NAMES[:2]:
        text = registry().text(name)
        digest = hashlib.sha256(text).hexdigest()
        blob = folder / "blobs-v1" / digest[:2] / digest
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(text)
    return folder


def _index(names: tuple[str, ...]) -> Index:
    entries = [entry_of(registry().manifest(name), registry().text(name), {}) for name in names]
    return Index.of(entries)


def _indexes() -> dict[str, bytes]:
    table = '{"key":"0123456789abcdef","files":{"table.json":{"digest":"sha256:%s","size":9}}}'
    content = json.loads(_index(NAMES[:1]).encode())
    content["datasets"][0]["tables"] = {"train": json.loads(table % ("0" * 64))}
    return {
        "two.json": _index(NAMES[:2]).encode(),
        "signed.json": Signer(key_pair()[0]).sign(_index(NAMES[:1])).encode(),
        "table.json": index_bytes(content),
        "empty.json": Index.of([]).encode(),
    }


def index_bytes(content: Any) -> bytes:
    """Encode an index with a correct checksum; encode any other JSON value unchanged."""
    if not isinstance(content, dict) or "datasets" not in content:
        return json.dumps(content).encode()
    head = {key: value for key, value in content.items() if key != "datasets"}
    body = json.dumps(content["datasets"]).encode()
    head["sha256"] = hashlib.sha256(body).hexdigest()
    return json.dumps(head).encode()[:-1] + b',"datasets":' + body + b"}\n"


def lock(data: bytes) -> None:
    """Read and rewrite a lockfile, and compare it with the registry."""
    # `lockfile.read` caches by path, so each input needs its own name
    path = written(data, f"{hashlib.sha256(data).hexdigest()[:20]}.lock")
    try:
        parsed = lockfile.read(path)
    finally:
        path.unlink()
    lockfile.names_in(parsed, path)
    assert msgspec.convert(tomllib.loads(parsed.text()), lockfile.Lockfile) == parsed
    for item in parsed.dataset:
        with tried:
            parsed.manifest(item.name, registry(), path)


def _locks() -> dict[str, bytes]:
    entries = []
    for name in NAMES[:2]:
        whole = registry().manifest(name)
        splits = {
            split: lockfile.LockedSplit(rows=facts.rows, fingerprint="0" * 64)
            for split, facts in whole.splits.items()
        }
        files = {
            key: lockfile.LockedFile(name=item.name, digest=str(item.digest), size=item.size)
            for key, item in whole.resources.items()
        }
        entries.append(
            lockfile.Locked(
                name=name, version=whole.version, digest=whole.digest, files=files, splits=splits
            )
        )
    path = msgspec.structs.replace(entries[0], path="data/own.toml")
    return {
        "two.lock": lockfile.Lockfile(dataset=tuple(entries)).text().encode(),
        "path.lock": lockfile.Lockfile(dataset=(path,)).text().encode(),
    }


def settings(data: bytes) -> None:
    """Read an input as `pyproject.toml`, then as the value of each environment variable."""
    text = text_of(data)
    written(data, "pyproject.toml")
    with tried:
        Settings.read(environment={}, folder=scratch("."), cache=scratch("cache"))
    for name in _VARIABLES:
        with tried:
            Settings.read(environment={name: text}, folder=scratch("nowhere"))


_VARIABLES = [
    f"DSHUB_{name}"
    for name in (
        *("CACHE", "SITE_CACHES", "REGISTRY", "MIRROR", "MIRROR_KEYS", "PREFER", "OFFLINE"),
        *("SYNTHETIC", "JOBS", "TIMEOUT", "PROGRESS", "DATASETS", "LOCK", "ACCEPT_TERMS", "LOG"),
    )
]


def _settings() -> dict[str, bytes]:
    content: Mapping[str, Any] = {
        "cache": "cache",
        "mirrors": ["http://mirror.example/data", "folder"],
        "mirror_keys": ["key.pem"],
        "offline": True,
        "jobs": 4,
        "timeout": 1.5,
        "datasets": ["mnist", "own.toml"],
        "lock": "off",
    }
    project = mutations.toml({"tool": {"dshub": content}})
    return {
        "pyproject.toml": project,
        "list.txt": b"mnist, 'a b' \"c d\",emnist/letters",
        "paths.txt": b"/a:'/b c':~/d",
    }


def split(data: bytes) -> None:
    """Parse a split expression and check that every part stays within its split."""
    for part in parse_split(text_of(data)):
        for count in (0, 1, 7, 2**40):
            rows = part.rows(count)
            assert 0 <= rows.start <= rows.stop <= max(count, rows.start)
            assert rows.step == 1


def state(data: bytes) -> None:
    """Load a Python literal as the state of a loader, and continue from accepted states."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            value = ast.literal_eval(text_of(data))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return
    for loader in _loaders():
        with tried:
            loader.load_state_dict(value)
            next(iter(loader), None)
            assert loader.state_dict()


@cache
def _loaders() -> tuple[Loader, ...]:
    dataset = example()
    return dataset.batches(4), dataset.shuffle(seed=3).batches(4, bucket=None)


def _states() -> dict[str, bytes]:
    states = [loader.state_dict() for loader in _loaders()]
    return {f"state-{i}.txt": repr(content).encode() for i, content in enumerate(states)}


def _repr_bytes(value: Any) -> bytes:
    return repr(value).encode()


_toml = mutations.document(lambda data: tomllib.loads(data.decode()), mutations.toml)
TARGETS = (
    Target(
        "manifest",
        manifest,
        _manifests,
        _toml,
        (b"[[", b"]]", b"'''", b'"""', b"inf", b"nan", b"1979-05-27", b"resources.", b"[steps]"),
    ),
    Target("croissant", croissant, _croissants, mutations.json_document()),
    Target("index", index, _indexes, mutations.document(json.loads, index_bytes)),
    Target("lock", lock, _locks, _toml, (b"<<<<<<< ", b"[[dataset]]")),
    Target("settings", settings, _settings, _toml, (b"~", b"'", b'"', b"[tool.dshub]"), 0.5),
    Target(
        "split",
        split,
        lambda: {"slices": b"train[:10]+test[25%:-1] + val"},
        tokens=(b"[", b":", b"]", b"%", b"+", b"-", b"9" * 30),
        share=0.3,
    ),
    Target(
        "state",
        state,
        _states,
        mutations.document(lambda data: ast.literal_eval(data.decode()), _repr_bytes),
        (b"True", b"1.0", b"None", b"0xffff"),
        share=0.5,
    ),
)
