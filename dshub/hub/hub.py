"""`Hub`: load, download and manage datasets with one registry and one cache.

Methods import NumPy and Arrow lazily, so that listing and downloading datasets stay fast.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from dshub._validate import whole
from dshub.catalog.paths import data_folder
from dshub.catalog.registry import Registry
from dshub.catalog.spellings import spelled
from dshub.datasets.split_expressions import find_parts, find_split
from dshub.errors import ArgumentError, DshubError, Vanished
from dshub.hub.registry import make_registry
from dshub.hub.request import Choice, Request, positional
from dshub.progress import Progress, choose
from dshub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dshub.cache.store import Store
    from dshub.catalog.manifest import AnyPair, Manifest
    from dshub.datasets.dataset import Dataset
    from dshub.datasets.splits import Splits
    from dshub.download.fetcher import Fetched, Fetcher
    from dshub.hub.cache import Cache
    from dshub.hub.plan import Plan
    from dshub.hub.run import Outcome
    from dshub.hub.verification import Finding
    from dshub.importing.datasets import ImportReport
    from dshub.importing.files import Keep

    Arrays = tuple[Any, Any]

Columns = Sequence[str]
Part = str | list[str] | tuple[str, ...] | None  # a member of a family, or a split


class Hub:
    """A registry of datasets, and the cache that stores them.

    Args:
        settings: settings, read from the environment by default.
        registry: available datasets, by default the built-in ones and those in the settings.
        progress: receiver of progress, by default the one that `settings.progress` selects.
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
        """The contents of the cache, to inspect and to remove."""
        from dshub.hub.cache import Cache

        return Cache(self.store, self.registry.at_hand(), progress=self.progress)

    def fetcher(
        self, *, source: str | None = None, store: "Store | None" = None, limit: int | None = None
    ) -> "Fetcher":
        """Return a fetcher with the settings of the hub.

        Args:
            source: mirror or folder to use instead of all other sources.
            store: cache for the files, by default the cache of the hub.
            limit: bytes per second for all connections together.
        """
        from dshub.download.fetcher import Fetcher

        return Fetcher.from_settings(
            store or self.store, self.settings, limit=limit, only=source, progress=self.progress
        )

    def build_tables(self, manifest: "Manifest", *, layer: Path) -> dict[str, Path]:
        """Prepare every split of a manifest, and return the folder of each table by split.

        Args:
            manifest: the dataset.
            layer: additional read-only cache with files and tables.

        Raises:
            DshubError: one of the errors of `run`.
        """
        settings = replace(self.settings, site_caches=(*self.settings.site_caches, layer))
        hub = Hub(settings=settings, registry=self.registry, progress=self.progress)
        outcome = hub.run(hub.plan(Request.of(manifest), files=False))
        return {split: folder for (_, split), folder in outcome.tables.items()}

    def names(self) -> list[str]:
        """Return the sorted names of all datasets in the registry."""
        return self.registry.names()

    def resolve(
        self,
        names: str | Iterable[str],
        *,
        splits: Sequence[str] | None = None,
        as_published: bool = False,
    ) -> Request:
        """Look up the manifests of datasets by name.

        Args:
            names: datasets, `name@version`, families, or paths of manifests.
            splits: splits of each dataset, all by default.
            as_published: ignore `dshub.lock` and the setting for synthetic data.

        Raises:
            UnknownNameError: a dataset, version or split does not exist.
            ManifestError: a manifest is faulty.
            LockError: a dataset differs from its entry in `dshub.lock`.
        """
        names = [names] if isinstance(names, str) else list(names)
        find = self.registry.manifest if as_published else self._manifest
        return Request(
            tuple(Choice.of(find(name), splits, name) for name in self.registry.expand(names))
        )

    def info(self, name: str) -> "Manifest":
        """Return the manifest of a dataset, or of its synthetic data if enabled in the settings.

        Raises:
            UnknownNameError: the dataset or version does not exist.
            ManifestError: the manifest is faulty.
            LockError: the dataset differs from its entry in `dshub.lock`.
        """
        return self._manifest(name)

    def _manifest(self, name: str, synthetic: int | None = None) -> "Manifest":
        """Return the manifest of a dataset, or of its synthetic data if `synthetic` is positive."""
        rows = self.settings.synthetic if synthetic is None else synthetic
        manifest = self._locked(name, self.registry)
        if not rows or manifest.synthetic:
            return manifest
        from dshub.synthetic.synthesize import synthesize

        return synthesize(manifest, self.store, rows=rows)

    def _locked(self, name: str, registry: Registry) -> "Manifest":
        """Return the manifest of a dataset, in the version of `dshub.lock`, if any."""
        name, lock = registry.resolve(name), self.settings.lock
        if lock is not None and lock.exists():
            from dshub.hub.lockfile import read

            return read(lock).manifest(name, registry, lock)
        return registry.manifest(name)

    def plan(self, request: Request, *, files: bool = True, tables: bool = True) -> "Plan":
        """Plan the downloads and tables of a request, without network access.

        Args:
            request: datasets and splits from `resolve`.
            files: download every upstream file, even if the table of a split is ready.
            tables: prepare tables, so that `load` is instant afterwards.

        Raises:
            UnknownNameError, ManifestError: a reader is unknown or rejects its options.
        """
        from dshub.hub.plan import make_plan

        accept = self.settings.accept_terms
        return make_plan(request, self.fetcher(), files=files, tables=tables, accept=accept)

    def run(self, plan: "Plan", *, source: str | None = None) -> "Outcome":
        """Download the files of a plan and build its tables.

        Args:
            plan: result of `plan`.
            source: mirror, or folder with files, to use instead of all other sources.

        Raises:
            ArgumentError: `source` is a folder that does not exist.
            TermsError: the terms of a dataset must be accepted first.
            FetchError: files could not be downloaded; the others are cached. Subclasses are
                `OfflineError` and `ManualStepError`. `exit_code` is 5 if a source sent wrong bytes.
            StoreError: the cache cannot be written, or the disk is full.
            ReadError, UnsafeArchiveError, SchemaError: files do not match the manifest.
        """
        from dshub.download.sources import check_source
        from dshub.hub.run import run_plan

        if source is not None:
            check_source("source", source)
        registry = self.registry if source is None else None
        fetcher = self.fetcher(source=source)
        return run_plan(plan, fetcher, registry=registry, accept=self.settings.accept_terms)

    def fetch(
        self, *names: str, prepare: bool = True, source: str | None = None
    ) -> "list[Fetched]":
        """Download and verify every file of datasets or families, and prepare their tables.

        Args:
            *names: datasets, `name@version`, or families.
            prepare: prepare tables, so that `load` is instant afterwards.
            source: mirror, or folder with files, to use instead of all other sources.

        Returns:
            The path and source of each file.

        Raises:
            UnknownNameError: a name is unknown; nothing was downloaded.
            LockError: a dataset differs from its entry in `dshub.lock`.
            DshubError: one of the errors of `run`.
        """
        plan = self.plan(self.resolve(names), tables=prepare)
        return list(self.run(plan, source=source).fetched)

    def prepare(self, *names: str, splits: Sequence[str] | None = None) -> list[Path]:
        """Prepare the tables of datasets or families, and return the folder of each table.

        Args:
            *names: datasets, `name@version`, or families.
            splits: splits of each dataset, all by default.

        Raises:
            DshubError: one of the errors of `fetch`.
        """
        plan = self.plan(self.resolve(names, splits=splits), files=False)
        return list(self.run(plan).tables.values())

    def import_files(
        self, name: str, paths: Sequence[Path], *, keep: "Keep" = "auto"
    ) -> "list[ImportReport]":
        """Import a dataset or family from local files and folders without changing them.

        Upstream files are recognized by checksum, and other layouts by their folder structure; see
        `dshub.importing.datasets.import_dataset`.

        Args:
            name: dataset or family.
            paths: files to import, and folders to search.
            keep: `copy`, `link`, `reference`, or `auto` for the smallest of these that is safe.

        Returns:
            A report of the imported and missing files of each dataset.
        """
        from dshub.importing.datasets import import_dataset

        return [
            import_dataset(item, self.store, paths, keep=keep, progress=self.progress)
            for item in self.resolve(name).manifests
        ]

    def verify(self, name: str, *, decode: Sequence[str] = ()) -> "Iterator[Finding]":
        """Verify the cached files and tables of a dataset; see `dshub.hub.verification`.

        Args:
            name: dataset.
            decode: splits whose prepared image and audio files are decoded, too, on all cores.
        """
        from dshub.hub.media import verify_media

        manifest, progress = self.info(name), self.progress
        return verify_media(manifest, self.store, decode=decode, progress=progress)

    @overload
    def load(
        self,
        name: str,
        *,
        split: None = None,
        columns: Columns | None = None,
        synthetic: int | None = None,
    ) -> "Splits": ...
    @overload
    def load(
        self,
        name: str,
        *parts: str,
        split: str = ...,
        columns: Columns | None = None,
        synthetic: int | None = None,
    ) -> "Dataset": ...
    @overload
    def load(
        self,
        name: str,
        *parts: str | None,
        split: str | None = ...,
        columns: Columns | None = None,
        synthetic: int | None = None,
    ) -> "Dataset | Splits": ...
    @overload
    def load(
        self,
        name: str,
        *parts: Part,
        split: list[str] | tuple[str, ...],
        columns: Columns | None = None,
        synthetic: int | None = None,
    ) -> "list[Dataset]": ...
    @overload
    def load(
        self,
        name: str,
        *parts: Part,
        split: Part = ...,
        columns: Columns | None = None,
        synthetic: int | None = None,
    ) -> Any: ...
    @spelled("load")
    def load(
        self,
        name: str,
        *parts: Part,
        split: Part = None,
        columns: Columns | None = None,
        synthetic: int | None = None,
    ) -> "Dataset | Splits | list[Dataset]":
        """Load a split of a dataset, after downloading and preparing it if necessary.

        A prepared split is opened as a memory map, in milliseconds and without network access.

        Args:
            name: `mnist`, `mnist@1.0.0`, `mnist:test`, or the path of a manifest or of a folder
                with one manifest. The path of a folder of image or audio files, such as `photos/`
                or `./photos`, is read like `Dataset.from_folder`. Case, `-`, `_` and spaces do not
                matter, and names of other libraries work (`ylecun/mnist`). `hf:owner/name` or
                `hf:owner/name/config` loads a dataset of the Hugging Face hub, which the package
                `datasets` downloads and prepares in its own cache.
            *parts: a member of a family, as in `load("glue", "sst2")`, and the split.
            split: `train`, `train[:10%]`, `train[:1000]`, `train+test`; None returns all splits
                as a read-only mapping, which opens each split on first use. A list returns a list
                of datasets.
            columns: columns to load; all by default.
            synthetic: number of synthetic rows per split to load instead of the real data. The rows
                are generated from the manifest without a download. 0 loads the real data even if
                the settings request synthetic data.

        Raises:
            UnknownNameError, SplitError: a dataset, split or column does not exist; nothing was
                downloaded.
            ArgumentError: `name` is not a string, or `synthetic` is not a number of rows.
            DshubError: one of the errors of `fetch`, if files or tables are missing.
        """
        if not isinstance(name, str):
            raise ArgumentError(name="name", value=name, expected="a string such as 'mnist'")
        chosen = [part for part in (*parts, split) if part is not None]
        if chosen and isinstance(chosen[-1], list | tuple):
            *members, several = chosen
            return [
                self.load(name, *members, part, columns=columns, synthetic=synthetic)
                for part in several
            ]
        if synthetic is not None:
            whole("synthetic", synthetic, least=0)
        rows = self.settings.synthetic if synthetic is None else synthetic
        columns = [columns] if isinstance(columns, str) else columns
        name, expression = positional(self.registry, name, parts, split)
        elsewhere = self._load_elsewhere(name, expression, columns, synthetic=bool(rows))
        if elsewhere is not None:
            return elsewhere
        ready = None if rows else self._find_ready(name, expression)
        manifest = ready or self._manifest(name, rows)
        for column in columns or ():
            if column not in manifest.features:
                from dshub.datasets.selection import unknown_column

                raise unknown_column(column, manifest.features, manifest)
        if expression is not None:
            return self._open(manifest, expression, columns)
        from dshub.datasets.splits import Splits

        counts = {name: item.rows for name, item in manifest.splits.items()}
        opener = partial(self._open, manifest, columns=columns)
        return Splits(manifest.identifier, counts, opener, manifest)

    def _find_ready(self, name: str, split: str | None) -> "Manifest | None":
        """Return the manifest if its splits are prepared, without a request to a mirror."""
        registry = self.registry.at_hand()
        if registry is self.registry:
            return None
        try:
            manifest = self._locked(name, registry)
            splits = [*manifest.splits]
            if split:
                parts = find_parts(manifest.name, split, splits)
                splits = [part.split for part in parts]
        except DshubError:  # the full lookup raises the error again
            return None
        return manifest if self._find_tables(manifest, splits) else None

    def _load_elsewhere(
        self, name: str, split: str | None, columns: Columns | None, *, synthetic: bool
    ) -> "Dataset | Splits | None":
        """Load a dataset of the Hugging Face hub, or a folder; None for other names."""
        root = data_folder(name)
        if root is not None and not synthetic:
            from dshub.datasets.local_folders import open_folder

            return open_folder(root, split, columns)
        if not name.startswith("hf:"):
            return None
        if synthetic:
            raise DshubError(
                f"{name} has no manifest to generate synthetic data from",
                hint="pass synthetic=0 to load the real data",
            )
        from dshub.datasets.hub_names import open_name

        return open_name(name, split, columns, offline=self.settings.offline)

    def _open(self, manifest: "Manifest", expression: str, columns: Columns | None) -> "Dataset":
        """Open a split expression, after preparing missing tables."""
        from dshub.datasets.dataset import Dataset
        from dshub.datasets.splits import concatenate

        parts = find_parts(manifest.name, expression, manifest.splits)

        def open_tables(folders: "Mapping[str, Path]") -> Dataset:
            with self.store.using(folders.values()):
                for folder in folders.values():
                    self.store.touch(folder)
                if len(parts) > 1:
                    return concatenate(manifest, parts, folders)
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
        """Return the table folder of each split, or None if a table is missing."""
        from dshub.tables.recipe import find

        folders: dict[str, Path] = {}
        for split in splits:
            folder = find(manifest, split, self.store)
            if folder is None:
                return None
            folders[split] = folder
        return folders

    @spelled("load_data")
    def load_data(
        self,
        name: str,
        *,
        test: str = "test",
        supervised: "AnyPair | None" = None,
        synthetic: int | None = None,
    ) -> "tuple[Arrays, Arrays]":
        """Load `(x_train, y_train), (x_test, y_test)` as Keras does.

        The arrays are writable copies in memory. Gray images are (rows, height, width). Several
        input columns become one array (rows, columns) of numbers, or a dict of arrays. MNIST,
        Fashion-MNIST and CIFAR have the shapes and dtypes of `keras.datasets`.

        Args:
            name: name of the dataset.
            test: split of the test data, such as `validation` if the labels of `test` are hidden.
            supervised: columns of `(x, y)`; by default those in the manifest.
            synthetic: number of synthetic rows per split; see `load`.

        Raises:
            UnknownNameError: the dataset has no split `train` or `test`.
            ArgumentError: the dataset does not define `(x, y)`, or rows differ in shape.
        """
        from dshub.hub.arrays import arrays

        splits = self.load(name, synthetic=synthetic)
        if splits.manifest is not None:  # Hugging Face datasets have no manifest to prepare
            test = find_split(splits.manifest.name, test, splits.manifest.splits)
            self.run(self.plan(Request.of(splits.manifest, ["train", test]), files=False))
        train, held_out = (
            arrays(self.load(name, split, synthetic=synthetic), name, split, supervised)
            for split in ("train", test)
        )
        return train, held_out
