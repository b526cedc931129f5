"""`Hub`: settings, a registry and a cache, and everything to do with them.

Methods import heavy modules themselves, so that listing and downloading load neither NumPy nor
Arrow.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, overload

from dshub._validate import whole
from dshub.catalog import phrasebook
from dshub.catalog.registry import Registry
from dshub.datasets.split_expressions import parse_split, unknown_split
from dshub.errors import ArgumentError, DshubError, UnknownNameError, Vanished
from dshub.hub.registry import make_registry
from dshub.hub.request import Choice, Request
from dshub.progress import Progress, choose
from dshub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from dshub.cache.store import Store
    from dshub.catalog.manifest import Manifest
    from dshub.datasets.dataset import Dataset
    from dshub.datasets.splits import Splits
    from dshub.download.fetcher import Fetched, Fetcher
    from dshub.hub.cache import Cache
    from dshub.hub.plan import Plan
    from dshub.hub.run import Outcome
    from dshub.hub.verification import Finding
    from dshub.importing.datasets import ImportReport
    from dshub.importing.files import Keep

    Arrays = tuple[np.ndarray, np.ndarray]

Columns = Sequence[str]

_LOAD = "`load` the dataset, choose columns and use `batches`"


class Hub:
    """A place to get datasets from and keep them in.

    Args:
        settings: by default read from the environment.
        registry: the known datasets; by default the built-in ones and those of the settings.
        progress: takes the progress of long work; by default drawn as `settings.progress` says.
    """

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        registry: Registry | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.settings = settings or Settings.read()
        self.progress = progress or choose(self.settings.progress)
        self.registry = registry or make_registry(self.settings, self.progress)

    def __repr__(self) -> str:
        return f"<Hub: cache {self.settings.cache}, {self.registry!r}>"

    @cached_property
    def store(self) -> "Store":
        """The cache and its read-only layers."""
        from dshub.cache.store import Store

        return Store(self.settings.cache, self.settings.site_caches)

    @cached_property
    def cache(self) -> "Cache":
        """Inspects the cache, and removes things from it."""
        from dshub.hub.cache import Cache

        return Cache(self.store, self.registry.at_hand(), progress=self.progress)

    def fetcher(
        self, *, source: str | None = None, store: "Store | None" = None, limit: int | None = None
    ) -> "Fetcher":
        """Make a fetcher with the hub's settings.

        Args:
            source: replaces all other sources.
            store: where files go; by default the hub's cache.
            limit: bytes per second, over all connections.
        """
        from dshub.download.fetcher import Fetcher

        return Fetcher.from_settings(
            store or self.store, self.settings, limit=limit, only=source, progress=self.progress
        )

    def build_tables(self, manifest: "Manifest", *, layer: Path) -> dict[str, Path]:
        """Prepare every split of a manifest; returns the folder of each table.

        Args:
            manifest: the dataset.
            layer: another read-only cache to look in for files and tables.

        Raises:
            DshubError: see `run`.
        """
        settings = replace(self.settings, site_caches=(*self.settings.site_caches, layer))
        hub = Hub(settings=settings, registry=self.registry, progress=self.progress)
        outcome = hub.run(hub.plan(Request.of(manifest), files=False))
        return {split: folder for (_, split), folder in outcome.tables.items()}

    def names(self) -> list[str]:
        """Return all known datasets, sorted."""
        return self.registry.names()

    def resolve(
        self,
        names: str | Iterable[str],
        *,
        splits: Sequence[str] | None = None,
        as_published: bool = False,
    ) -> Request:
        """Look up the manifests of some names; nothing below this looks up a name again.

        Args:
            names: datasets, `name@version`, families, or paths of manifests.
            splits: only these of each dataset.
            as_published: ignore `dshub.lock` and the setting for synthetic data.

        Raises:
            UnknownNameError: there is no such dataset, version or split.
            ManifestError: a manifest has faults.
            LockError: a dataset differs from what `dshub.lock` pins.
        """
        names = [names] if isinstance(names, str) else list(names)
        find = self.registry.manifest if as_published else self._manifest
        return Request(
            tuple(Choice.of(find(name), splits, name) for name in self.registry.expand(names))
        )

    def info(self, name: str) -> "Manifest":
        """Return the manifest of a dataset, or of its synthetic data if the settings ask for it.

        Raises:
            UnknownNameError: there is no such dataset or version.
            ManifestError: its manifest has faults.
        """
        return self._manifest(name)

    def _manifest(self, name: str, synthetic: int | None = None) -> "Manifest":
        """Return the manifest of a name; with `synthetic` rows, of synthetic data."""
        rows = self.settings.synthetic if synthetic is None else synthetic
        manifest = self._pinned(name, self.registry)
        if not rows or manifest.synthetic:
            return manifest
        from dshub.synthetic.synthesize import synthesize

        return synthesize(manifest, self.store, rows=rows)

    def _pinned(self, name: str, registry: Registry) -> "Manifest":
        """Return the manifest of a name, in the version that `dshub.lock` pins if any."""
        lock = self.settings.lock
        if lock is not None and lock.exists():
            from dshub.hub.lockfile import read

            return read(lock).manifest(name, registry, lock)
        return registry.manifest(name)

    def plan(self, request: Request, *, files: bool = True, tables: bool = True) -> "Plan":
        """Plan what `run` will do for a request, without touching the network.

        Args:
            request: from `resolve`.
            files: download every upstream file, even of splits whose tables are ready.
            tables: make tables, so that `load` is instant afterwards.

        Raises:
            UnknownNameError, ManifestError: a reader is unknown or rejects its options.
        """
        from dshub.hub.plan import make_plan

        accept = self.settings.accept_terms
        return make_plan(request, self.fetcher(), files=files, tables=tables, accept=accept)

    def run(self, plan: "Plan", *, source: str | None = None) -> "Outcome":
        """Download and prepare everything in a plan.

        Args:
            plan: from `plan`.
            source: a mirror, or a folder with files under their upstream names, that replaces
                all other sources.

        Raises:
            TermsError: the terms of a dataset must be accepted first.
            FetchError: some files have no working source; the others are cached. `OfflineError`
                and `ManualStepError` are subclasses; the exit code is 5 for wrong bytes.
            StoreError: the cache cannot be written, or is full.
            ReadError, UnsafeArchiveError, SchemaError: rows do not fit the manifest.
        """
        from dshub.hub.run import run_plan

        registry = self.registry if source is None else None
        fetcher = self.fetcher(source=source)
        return run_plan(plan, fetcher, registry=registry, accept=self.settings.accept_terms)

    def fetch(
        self, *names: str, prepare: bool = True, source: str | None = None
    ) -> "list[Fetched]":
        """Download and verify every file of some datasets or families, and prepare their tables.

        Args:
            *names: datasets, `name@version`, or families.
            prepare: make tables, so that `load` is instant afterwards.
            source: see `run`.

        Returns:
            Every file, and where it came from.

        Raises:
            UnknownNameError: a name is unknown; nothing was downloaded.
            LockError: a dataset differs from what `dshub.lock` pins.
            and the errors of `run`.
        """
        plan = self.plan(self.resolve(names), tables=prepare)
        return list(self.run(plan, source=source).fetched)

    def prepare(self, *names: str, splits: Sequence[str] | None = None) -> list[Path]:
        """Make the tables of some datasets or families; returns the folder of each split.

        Args:
            *names: datasets, `name@version`, or families.
            splits: only these of each dataset.

        Raises:
            the errors of `fetch`.
        """
        plan = self.plan(self.resolve(names, splits=splits), files=False)
        return list(self.run(plan).tables.values())

    def import_files(
        self, name: str, paths: Sequence[Path], *, keep: "Keep" = "auto"
    ) -> "list[ImportReport]":
        """Import a dataset or family from local folders and files, which are only read.

        Files are recognized by checksum, other layouts by structure; see
        `dshub.importing.datasets.import_dataset`.

        Args:
            name: dataset or family.
            paths: files, and folders to search.
            keep: `copy`, `link`, `reference`, or `auto` for the safe one that takes least space.

        Returns:
            What was found of each dataset, and what is missing.
        """
        from dshub.importing.datasets import import_dataset

        return [
            import_dataset(item, self.store, paths, keep=keep, progress=self.progress)
            for item in self.resolve(name).manifests
        ]

    def verify(self, name: str) -> "Iterator[Finding]":
        """Read every cached byte of a dataset again; see `dshub.hub.verification`."""
        from dshub.hub.verification import verify

        return verify(self.info(name), self.store)

    @overload
    def load(
        self, name: str, split: str, *, columns: Columns | None = None, synthetic: int | None = None
    ) -> "Dataset": ...
    @overload
    def load(
        self,
        name: str,
        split: None = None,
        *,
        columns: Columns | None = None,
        synthetic: int | None = None,
    ) -> "Splits": ...
    @phrasebook.foreign(phrasebook.LOAD)
    def load(
        self,
        name: str,
        split: str | None = None,
        *,
        columns: Columns | None = None,
        synthetic: int | None = None,
    ) -> "Dataset | Splits":
        """Load a split of a dataset; downloads and prepares it first if necessary.

        A prepared split opens in milliseconds, as a memory map, without any connection.

        Args:
            name: `mnist`, `mnist@1.0.0`, or the path of a manifest; or `hf:owner/name` or
                `hf:owner/name/config` for a dataset of the Hugging Face hub, which the package
                `datasets` downloads and prepares in its own cache.
            split: `train`, `train[:10%]`, `train[:1000]`, `train+test`; None returns all splits
                as a read-only mapping, each opened on first use.
            columns: only these.
            synthetic: rows per split of synthetic data to load instead, made from the manifest
                alone, for tests and for work without the data. 0 loads the real data, overriding
                the settings.

        Raises:
            UnknownNameError, SplitError: no such dataset, split or column; nothing was downloaded.
            ArgumentError: `synthetic` is not a number of rows.
            and the errors of `fetch`, if something is missing.
        """
        if not isinstance(name, str):
            raise ArgumentError(name="name", value=name, expected="a text such as 'mnist'")
        if synthetic is not None:
            whole("synthetic", synthetic, least=0)
        rows = self.settings.synthetic if synthetic is None else synthetic
        columns = [columns] if isinstance(columns, str) else columns
        if name.startswith("hf:"):
            return self._load_from_hub(name, split, columns, synthetic=rows)
        manifest = self._find_manifest(name, split, rows or 0)
        for column in columns or ():
            if column not in manifest.features:
                from dshub.datasets.selection import unknown_column

                raise unknown_column(column, manifest.features, manifest)
        if split is not None:
            return self._open(manifest, split, columns)
        from dshub.datasets.splits import Splits

        counts = {name: item.rows for name, item in manifest.splits.items()}
        opener = partial(self._open, manifest, columns=columns)
        return Splits(manifest.identifier, counts, opener, manifest)

    def _find_manifest(self, name: str, split: str | None, synthetic: int) -> "Manifest":
        """Return the manifest to load; explains `load(family, member)`."""
        try:
            ready = None if synthetic else self._find_ready(name, split)
            return ready or self._manifest(name, synthetic)
        except UnknownNameError as error:
            member = f"{name}/{split}"
            if error.name == name and member in self.names():
                raise UnknownNameError(kind=error.kind, name=name, close=[member]) from None
            raise

    def _find_ready(self, name: str, split: str | None) -> "Manifest | None":
        """Return the manifest of prepared splits without asking a mirror, if there is one."""
        registry = self.registry.at_hand()
        if registry is self.registry:
            return None
        try:
            manifest = self._pinned(name, registry)
            parts = [part.split for part in parse_split(split)] if split else [*manifest.splits]
        except DshubError:  # raised again by the full lookup
            return None
        known = all(part in manifest.splits for part in parts)
        return manifest if known and self._find_tables(manifest, parts) else None

    def _load_from_hub(
        self, name: str, split: str | None, columns: Columns | None, *, synthetic: int | None
    ) -> "Dataset | Splits":
        if synthetic:
            raise DshubError(
                f"there is no synthetic data for {name}",
                hint="synthetic data is made from manifests; synthetic=0 loads the data",
            )
        from dshub.datasets.hub_names import HubSplits
        from dshub.datasets.splits import Splits

        splits = HubSplits(name, offline=self.settings.offline)

        def opener(expression: str) -> "Dataset":
            dataset = splits.open(expression)
            return dataset if columns is None else dataset.columns(columns)

        return Splits(name, splits.rows, opener) if split is None else opener(split)

    def _open(self, manifest: "Manifest", expression: str, columns: Columns | None) -> "Dataset":
        """Open a split expression; downloads and prepares missing tables."""
        from dshub.datasets.dataset import Dataset
        from dshub.datasets.splits import together

        parts = parse_split(expression)
        for part in parts:
            if part.split not in manifest.splits:
                raise unknown_split(manifest.name, part.split, manifest.splits)

        def open_tables(folders: "Mapping[str, Path]") -> Dataset:
            with self.store.using(folders.values()):
                for folder in folders.values():
                    self.store.touch(folder)
                if len(parts) > 1:
                    return together(manifest, parts, folders)
                dataset = Dataset.from_tables(list(folders.values()), manifest)
                rows = parts[0].rows(len(dataset))
                return dataset.skip(rows.start).take(len(rows))

        splits = list(dict.fromkeys(part.split for part in parts))
        dataset, folders = None, self._find_tables(manifest, splits)
        if folders is not None:
            with suppress(Vanished):
                dataset = open_tables(folders)
        if dataset is None:
            outcome = self.run(self.plan(Request.of(manifest, splits), files=False))
            dataset = open_tables(
                {name: outcome.tables[manifest.identifier, name] for name in splits}
            )
        return dataset if columns is None else dataset.columns(columns)

    def _find_tables(self, manifest: "Manifest", splits: Sequence[str]) -> "dict[str, Path] | None":
        """Return the folder of each split's table, or None if one is missing."""
        from dshub.tables.recipe import find

        folders: dict[str, Path] = {}
        for split in splits:
            folder = find(manifest, split, self.store)
            if folder is None:
                return None
            folders[split] = folder
        return folders

    def load_data(self, name: str, *, synthetic: int | None = None) -> "tuple[Arrays, Arrays]":
        """Load `(x_train, y_train), (x_test, y_test)`, as Keras does.

        The columns are the manifest's `supervised` pair; the arrays are writable copies in memory.

        Raises:
            UnknownNameError: the dataset has no split `train` or `test`.
            ArgumentError: its manifest names no supervised pair, or rows differ in shape.
        """
        import numpy as np

        splits = self.load(name, synthetic=synthetic)
        if splits.manifest is not None:  # Hugging Face datasets have none, and need no run
            for split in ("train", "test"):
                if split not in splits:
                    raise unknown_split(splits.manifest.name, split, splits)
            self.run(self.plan(Request.of(splits.manifest, ["train", "test"]), files=False))

        def arrays(split: str) -> "Arrays":
            dataset = self.load(name, split, synthetic=synthetic)
            if dataset.supervised is None:
                expected = "a dataset whose manifest names the columns (x, y)"
                raise ArgumentError(name="name", value=name, expected=expected, hint=_LOAD)
            try:
                x, y = (np.array(dataset[column]) for column in dataset.supervised)
            except ValueError as error:  # rows of several shapes
                expected = f"a dataset with rows of one shape ({error})"
                raise ArgumentError(
                    name="name", value=name, expected=expected, hint=_LOAD
                ) from None
            return x, y

        return arrays("train"), arrays("test")
