"""`Hub`: settings, a registry and a store, and everything that can be asked of them.

What is heavy is imported by the method that needs it, so that listing and fetching load neither
NumPy nor Arrow.
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
    from collections.abc import Callable, Mapping

    import numpy as np

    from dshub.cache.store import Store
    from dshub.catalog.manifest import Manifest
    from dshub.datasets.dataset import Dataset
    from dshub.datasets.splits import Splits
    from dshub.download.fetcher import Fetched, Fetcher
    from dshub.hub.plan import Plan
    from dshub.hub.run import Outcome
    from dshub.hub.upkeep.cache import Cache
    from dshub.hub.verification import Finding
    from dshub.importing.datasets import ImportReport
    from dshub.importing.files import Keep

    Arrays = tuple[np.ndarray, np.ndarray]


_LOAD = "`load` the dataset, choose columns and use `batches`"


class Hub:
    """One place to get datasets from and keep them in.

    Args:
        settings: read from the environment where not given.
        registry: the datasets that can be named; the built-in ones and those of
            `settings.registry` where not given.
        progress: what is told how far long work has come; drawn as `settings.progress` says
            where not given.
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
        """What the store keeps: whose it is, and removing it; see `dshub.hub.upkeep`."""
        from dshub.hub.upkeep.cache import Cache

        return Cache(self.store, self.registry.at_hand(), progress=self.progress)

    def fetcher(
        self,
        *,
        source: str | None = None,
        store: "Store | None" = None,
        limit: int | None = None,
    ) -> "Fetcher":
        """A fetcher with the hub's settings.

        Args:
            source: replaces every other source.
            store: where files go; the hub's where None.
            limit: bytes a second of everything together, at most.
        """
        from dshub.download.fetcher import Fetcher

        return Fetcher(
            store or self.store,
            limit=limit,
            mirrors=self.settings.mirrors,
            only=source,
            offline=self.settings.offline,
            jobs=self.settings.jobs,
            timeout=self.settings.timeout,
            progress=self.progress,
        )

    def build_tables(self, manifest: "Manifest", *, layer: Path) -> dict[str, Path]:
        """Prepare every split of a manifest; returns the folder of each table.

        Args:
            manifest: the dataset.
            layer: another read-only cache to look for files and tables in.

        Raises:
            DshubError: see `run`.
        """
        settings = replace(self.settings, site_caches=(*self.settings.site_caches, layer))
        hub = Hub(settings=settings, registry=self.registry, progress=self.progress)
        outcome = hub.run(hub.plan(Request.of(manifest), files=False))
        return {split: folder for (_, split), folder in outcome.tables.items()}

    def names(self) -> list[str]:
        """Every dataset that can be named, sorted."""
        return self.registry.names()

    def resolve(
        self,
        names: str | Iterable[str],
        *,
        splits: Sequence[str] | None = None,
        as_published: bool = False,
    ) -> Request:
        """The manifests that names mean; nothing below this looks a name up again.

        Args:
            names: datasets, `name@version`, families, or paths of manifests.
            splits: of each dataset these alone; all where None.
            as_published: what the registry has, whatever `dshub.lock` pins and whether settings
                ask for stand-ins.

        Raises:
            UnknownNameError: there is no such dataset, version or split.
            ManifestError: a manifest has faults.
            LockError: `dshub.lock` pins something else.
        """
        names = [names] if isinstance(names, str) else list(names)
        find = self.registry.manifest if as_published else self._manifest
        return Request(
            tuple(Choice.of(find(name), splits, name) for name in self.registry.expand(names))
        )

    def info(self, name: str) -> "Manifest":
        """The manifest of a dataset, or of its stand-in where settings ask for those.

        Raises:
            UnknownNameError: there is no such dataset or version.
            ManifestError: its manifest has faults.
        """
        return self._manifest(name)

    def _manifest(self, name: str, synthetic: int | None = None) -> "Manifest":
        """The manifest of a name, or of its stand-in; 0 rows of that mean the data."""
        rows = self.settings.synthetic if synthetic is None else synthetic
        manifest = self._pinned(name)
        if not rows or manifest.synthetic:
            return manifest
        from dshub.synthetic.stand_in import stand_in

        return stand_in(manifest, self.store, rows=rows)

    def _pinned(self, name: str, registry: Registry | None = None) -> "Manifest":
        """The manifest of a name, in the version that `dshub.lock` pins, where there is one."""
        registry, lock = registry or self.registry, self.settings.lock
        if lock is not None and lock.exists():
            from dshub.hub.lockfile import read

            return read(lock).manifest(name, registry, lock)
        return registry.manifest(name)

    def plan(self, request: Request, *, files: bool = True, tables: bool = True) -> "Plan":
        """What `run` would do for a request; touches no network. See `dshub.hub.plan.Plan`.

        Args:
            request: of `resolve`.
            files: have every upstream file, also of splits whose tables are ready.
            tables: make the tables, so that `load` is instant afterwards.

        Raises:
            UnknownNameError, ManifestError: a reader is unknown or refuses its options.
        """
        from dshub.hub.plan import make_plan

        accept = self.settings.accept_terms
        return make_plan(request, self.fetcher(), files=files, tables=tables, accept=accept)

    def run(self, plan: "Plan", *, source: str | None = None) -> "Outcome":
        """Fetch and prepare what a plan says.

        Args:
            plan: of `plan`.
            source: a mirror, or a folder with files under their upstream names, that replaces
                every other source.

        Raises:
            TermsError: a dataset has terms that have to be accepted first.
            FetchError: some files have no working source (`OfflineError`, `ManualStepError` and
                exit code 5 for wrong bytes are kinds of it); the others are kept.
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
        """Get every file of some datasets or families, verified, and prepare their tables.

        Args:
            *names: datasets, `name@version`, or families.
            prepare: make the tables too, so that `load` is instant afterwards.
            source: as in `run`.

        Returns:
            Every file, and where it came from.

        Raises:
            UnknownNameError: a name is unknown; nothing was fetched.
            LockError: `dshub.lock` pins something else.
            and what `run` raises.
        """
        plan = self.plan(self.resolve(names), tables=prepare)
        return list(self.run(plan, source=source).fetched)

    def prepare(self, *names: str, splits: Sequence[str] | None = None) -> list[Path]:
        """Make the tables of some datasets or families; returns the folder of each split.

        Args:
            *names: datasets, `name@version`, or families.
            splits: of each dataset these alone; all where None.

        Raises:
            what `fetch` raises.
        """
        plan = self.plan(self.resolve(names, splits=splits), files=False)
        return list(self.run(plan).tables.values())

    def import_files(
        self, name: str, paths: Sequence[Path], *, keep: "Keep" = "auto"
    ) -> "list[ImportReport]":
        """Take a dataset or family from folders and files that are here already.

        Files are recognised by their checksums, other layouts by their structure; see
        `dshub.importing.datasets.import_dataset`. Yours are only read.

        Args:
            name: dataset or family.
            paths: files, and folders to look through.
            keep: `copy`, `link` or `reference`, or `auto` for what is safe and takes least space.

        Returns:
            What was found of each dataset, and what is missing.
        """
        from dshub.importing.datasets import import_dataset

        return [
            import_dataset(item, self.store, paths, keep=keep, progress=self.progress)
            for item in self.resolve(name).manifests
        ]

    def verify(self, name: str) -> "Iterator[Finding]":
        """Read every byte kept of a dataset again; see `dshub.hub.verification`."""
        from dshub.hub.verification import verify

        return verify(self.info(name), self.store)

    @overload
    def load(
        self,
        name: str,
        split: str,
        *,
        columns: Sequence[str] | None = None,
        synthetic: int | None = None,
    ) -> "Dataset": ...
    @overload
    def load(
        self,
        name: str,
        split: None = None,
        *,
        columns: Sequence[str] | None = None,
        synthetic: int | None = None,
    ) -> "Splits": ...
    @phrasebook.foreign(phrasebook.LOAD)
    def load(
        self,
        name: str,
        split: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        synthetic: int | None = None,
    ) -> "Dataset | Splits":
        """A split of a dataset, ready to use; fetched and prepared first where it is not yet.

        A prepared split opens in milliseconds, through the memory map, with no connection made.

        Args:
            name: `mnist`, `mnist@1.0.0`, or the path of a manifest file; or `hf:owner/name` or
                `hf:owner/name/config` for one of Hugging Face's hub, which is fetched and
                prepared by the package `datasets` in its own cache.
            split: `train`, `train[:10%]`, `train[:1000]`, `train+test`; None gives all splits
                as a read-only mapping, each opened when it is looked up.
            columns: only these.
            synthetic: rows per split of a stand-in to load instead, made from the manifest
                alone: for tests, and for work without the data. 0 asks for the data whatever
                the settings say.

        Raises:
            UnknownNameError, SplitError: no such dataset, split or column; nothing was fetched.
            ArgumentError: `synthetic` is no number of rows.
            and what `fetch` raises, where something is missing.
        """
        if not isinstance(name, str):
            raise ArgumentError(name="name", value=name, expected="a text such as 'mnist'")
        if synthetic is not None:
            whole("synthetic", synthetic, least=0)
        rows = self.settings.synthetic if synthetic is None else synthetic
        if name.startswith("hf:"):
            return self._load_from_hub(name, split, columns, synthetic=rows)
        manifest = self._meant(name, split, rows or 0)
        columns = [columns] if isinstance(columns, str) else columns
        for column in columns or ():
            if column not in manifest.features:
                from dshub.datasets.selection import unknown_column

                raise unknown_column(column, manifest.features, manifest)
        if split is None:
            from dshub.datasets.splits import Splits

            counts = {name: item.rows for name, item in manifest.splits.items()}
            opened = partial(self._open, manifest, columns=columns)
            return Splits(manifest.identifier, counts, opened, manifest)
        return self._open(manifest, split, columns)

    def _meant(self, name: str, split: str | None, synthetic: int) -> "Manifest":
        """The manifest to load; says so where `split` is the member of a family, `load(a, b)`."""
        try:
            ready = None if synthetic else self._ready(name, split)
            return ready or self._manifest(name, synthetic)
        except UnknownNameError as error:
            member = f"{name}/{split}"
            if error.name == name and member in self.names():
                raise UnknownNameError(kind=error.kind, name=name, close=[member]) from None
            raise

    def _load_from_hub(
        self,
        name: str,
        split: str | None,
        columns: Sequence[str] | None,
        *,
        synthetic: int | None,
    ) -> "Dataset | Splits":
        if synthetic:
            raise DshubError(
                f"no stand-in can be made for {name}",
                hint="stand-ins are made from manifests; synthetic=0 asks for the data",
            )
        from dshub.datasets.hub_names import HubSplits
        from dshub.datasets.splits import Splits

        splits = HubSplits(name, offline=self.settings.offline)

        def opened(expression: str) -> "Dataset":
            found = splits.open(expression)
            return found if columns is None else found.columns(columns)

        return Splits(name, splits.rows, opened) if split is None else opened(split)

    def _ready(self, name: str, split: str | None) -> "Manifest | None":
        """The manifest of a mirror's dataset whose tables are here: then no mirror is asked."""
        registry = self.registry.at_hand()
        if registry is self.registry:
            return None
        from dshub.tables.recipe import find

        try:
            manifest = self._pinned(name, registry)
            parts = [part.split for part in parse_split(split)] if split else manifest.splits
        except DshubError:  # said below, in full
            return None
        there = [part in manifest.splits and find(manifest, part, self.store) for part in parts]
        return manifest if all(there) else None

    def _open(
        self, manifest: "Manifest", expression: str, columns: Sequence[str] | None
    ) -> "Dataset":
        from dshub.datasets.dataset import Dataset
        from dshub.datasets.splits import together

        parts = parse_split(expression)
        for part in parts:
            if part.split not in manifest.splits:
                raise unknown_split(manifest.name, part.split, manifest.splits)
        splits = list(dict.fromkeys(part.split for part in parts))

        def opened(folders: "Mapping[str, Path]") -> Dataset:
            if len(parts) > 1:
                return together(manifest, parts, folders)
            whole = Dataset.from_tables(list(folders.values()))
            rows = parts[0].rows(len(whole))
            return whole.skip(rows.start).take(len(rows))

        dataset = self._with_tables(manifest, splits, opened)
        return dataset if columns is None else dataset.columns(columns)

    def _with_tables(
        self,
        manifest: "Manifest",
        splits: Sequence[str],
        use: "Callable[[Mapping[str, Path]], Dataset]",
    ) -> "Dataset":
        """Open the tables of some splits, which are fetched and prepared where they are missing."""
        from dshub.tables.recipe import find

        ready = {split: find(manifest, split, self.store) for split in splits}
        folders = {split: folder for split, folder in ready.items() if folder is not None}
        if len(folders) == len(ready):
            with suppress(Vanished), self.store.using(folders.values()):
                for folder in folders.values():
                    self.store.touch(folder)
                return use(folders)
        outcome = self.run(self.plan(Request.of(manifest, splits), files=False))
        folders = {split: outcome.tables[manifest.identifier, split] for split in splits}
        with self.store.using(folders.values()):
            return use(folders)

    def load_data(self, name: str, *, synthetic: int | None = None) -> "tuple[Arrays, Arrays]":
        """`(x_train, y_train), (x_test, y_test)`, the convention of Keras.

        The columns are the manifest's `supervised` pair; the arrays are in memory and may be
        written to.

        Raises:
            UnknownNameError: the dataset has no split `train` or `test`.
            ArgumentError: its manifest names no supervised pair, or rows differ in shape.
        """
        import numpy as np

        splits = self.load(name, synthetic=synthetic)
        if splits.manifest is not None:  # what comes from Hugging Face has none, and is there
            for split in ("train", "test"):
                if split not in splits:
                    raise unknown_split(splits.manifest.name, split, splits)
            self.run(self.plan(Request.of(splits.manifest, ["train", "test"]), files=False))

        def arrays(split: str) -> "Arrays":
            found = self.load(name, split, synthetic=synthetic)
            if found.supervised is None:
                expected = "a dataset that says which columns (x, y) means"
                raise ArgumentError(name="name", value=name, expected=expected, hint=_LOAD)
            try:
                x, y = (np.array(found[column]) for column in found.supervised)
            except ValueError as error:  # rows of several shapes
                expected = f"a dataset of rows of one shape ({error})"
                raise ArgumentError(
                    name="name", value=name, expected=expected, hint=_LOAD
                ) from None
            return x, y

        return arrays("train"), arrays("test")
