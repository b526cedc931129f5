"""`Hub`: settings, a registry and a store, and everything that can be asked of them.

What is heavy is imported by the method that needs it, so that listing and fetching load neither
NumPy nor Arrow.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, overload

from dshub import phrasebook
from dshub.arguments import whole
from dshub.errors import ArgumentError, DshubError, TermsError, UnknownNameError
from dshub.hub.vanishing import persistent
from dshub.manifest import Manifest
from dshub.progress import Progress, choose
from dshub.registry import Registry
from dshub.settings import Settings

if TYPE_CHECKING:
    import numpy as np

    from dshub.dataset import Dataset, Splits
    from dshub.fetcher import Fetched, Fetcher, Imported, Job, Keep, Plan
    from dshub.housekeeping import Cache
    from dshub.layouts import ImportReport
    from dshub.store import Store
    from dshub.verification import Finding

    Arrays = tuple[np.ndarray, np.ndarray]


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
        self.registry = registry or self._known()

    def __repr__(self) -> str:
        return f"<Hub: cache {self.settings.cache}, {self.registry!r}>"

    def _known(self) -> Registry:
        """The datasets of folders, and of mirrors where settings name some."""
        if not self.settings.mirrors:
            return Registry(self.settings.registry)
        from dshub.index import MirrorRegistry, Mirrors

        mirrors = Mirrors(self.settings, self.store, progress=self.progress)
        return MirrorRegistry(self.settings.registry, mirrors=mirrors, prefer=self.settings.prefer)

    @cached_property
    def store(self) -> "Store":
        """The cache and its read-only layers."""
        from dshub.store import Store

        return Store(self.settings.cache, self.settings.site_caches)

    @cached_property
    def cache(self) -> "Cache":
        """What the store keeps: whose it is, and removing it; see `dshub.housekeeping`."""
        from dshub.housekeeping import Cache

        return Cache(self.store, self.registry.at_hand(), progress=self.progress)

    def fetcher(self, *, source: str | None = None) -> "Fetcher":
        """A fetcher with the hub's settings; `source` replaces every other source."""
        from dshub.fetcher import Fetcher

        return Fetcher(
            self.store,
            mirrors=self.settings.mirrors,
            only=source,
            offline=self.settings.offline,
            jobs=self.settings.jobs,
            timeout=self.settings.timeout,
            progress=self.progress,
        )

    def names(self) -> list[str]:
        """Every dataset that can be named, sorted."""
        return self.registry.names()

    def info(self, name: str) -> Manifest:
        """The manifest of a dataset, or of its stand-in where settings ask for those.

        Raises:
            UnknownNameError: there is no such dataset or version.
            ManifestError: its manifest has faults.
        """
        return self._manifest(name, self.settings.synthetic)

    def _manifest(self, name: str, synthetic: int | None) -> Manifest:
        manifest = self._pinned(name)
        if synthetic is None or manifest.synthetic:
            return manifest
        from dshub.synthetic import stand_in

        return stand_in(manifest, self.store, rows=synthetic)

    def _pinned(self, name: str, registry: Registry | None = None) -> Manifest:
        """The manifest of a name, in the version that `dshub.lock` pins, where there is one."""
        registry, lock = registry or self.registry, self.settings.lock
        if lock is not None and lock.exists():
            from dshub.lockfile import read

            return read(lock).manifest(name, registry, lock)
        return registry.manifest(name)

    def unaccepted(
        self, manifests: Iterable[Manifest], splits: Sequence[str] | None = None
    ) -> list[Manifest]:
        """Those datasets, with files to be fetched, whose terms nobody has accepted.

        A file that only a person can obtain is fetched from a mirror or not at all: without one,
        its terms are between that person and upstream.

        Args:
            manifests: of the datasets.
            splits: whose files are meant; all where None.
        """
        from dshub.fetcher import jobs, sources
        from dshub.terms import are_accepted

        def fetched(manifest: Manifest) -> bool:
            missing = self.fetcher().plan(jobs(manifest, splits)).missing
            return any(sources(job, self.settings.mirrors) for job in missing)

        return [
            manifest
            for manifest in manifests
            if not are_accepted(manifest, self.store, self.settings.accept_terms)
            and fetched(manifest)
        ]

    def jobs(self, names: Sequence[str]) -> "list[Job]":
        """The files of some datasets and families, each manifest's in its own order."""
        from dshub.fetcher import jobs

        return [job for name in self.registry.expand(names) for job in jobs(self.info(name))]

    def plan(self, names: Sequence[str]) -> "Plan":
        """What fetching some datasets would do; touches no network."""
        return self.fetcher().plan(self._needed(names))

    def _needed(self, names: Sequence[str]) -> "list[Job]":
        """The files of some datasets, without those of splits that were imported otherwise."""
        from dshub.fetcher import jobs

        manifests = map(self.info, self.registry.expand(names))
        return [job for item in manifests for job in jobs(item, self._upstream(item))]

    def _upstream(self, manifest: Manifest) -> tuple[str, ...]:
        """The splits that are made of upstream's files."""
        from dshub.layouts import imports

        if not manifest.layouts or not imports(self.store, manifest):
            return tuple(manifest.splits)
        from dshub.preparation import origin

        return tuple(
            split for split in manifest.splits if origin(manifest, split, self.store).record is None
        )

    def fetch(
        self, *names: str, prepare: bool = True, source: str | None = None, besides: int = 0
    ) -> "list[Fetched]":
        """Get every file of some datasets or families, verified, and prepare their tables.

        Args:
            *names: datasets, `name@version`, or families.
            prepare: make the tables too, so that `load` is instant afterwards.
            besides: bytes that will be written to the cache afterwards: there has to be space
                for the files, the tables and these before the first byte is fetched.
            source: a mirror, or a folder with files under their upstream names, that replaces
                every other source.

        Returns:
            Every file, and where it came from.

        Raises:
            UnknownNameError: a name is unknown; nothing was fetched.
            LockError: `dshub.lock` pins something else.
            TermsError: a dataset has terms that have to be accepted first.
            FetchError: some files have no working source (`OfflineError`, `ManualStepError` and
                exit code 5 for wrong bytes are kinds of it); the others are kept.
            StoreError: the cache cannot be written, or is full.
            ReadError, SchemaError: prepared rows do not fit the manifest.
        """
        _refuse(self.unaccepted(map(self.info, self.registry.expand(names))))
        wanted = self._needed(names)
        besides += self.unprepared_size(names) if prepare else 0
        fetcher = self.fetcher(source=source)
        if source is None and fetcher.plan(wanted).missing:
            for name in self.registry.expand(names):
                self.registry.confirm(self.info(name))
        taken = {}
        if source is not None and Path(source).is_dir():
            taken = {item.job: str(item.source) for item in self._take(wanted, [Path(source)])}
        fetched = [
            replace(item, source=taken.get(item.job, item.source))
            for item in persistent(partial(fetcher.fetch, wanted, besides=besides))
        ]
        if prepare:
            self.prepare(*names)
        return fetched

    def unprepared_size(self, names: Sequence[str]) -> int:
        """Bytes that making the tables of some datasets takes that are not made yet."""
        from dshub.preparation import find, unpacked_size

        tables = unpacked = 0
        for manifest in map(self.info, self.registry.expand(names)):
            missing = [name for name in manifest.splits if not find(manifest, name, self.store)]
            tables += manifest.prepared_size(tuple(missing))
            unpacked = max(unpacked, unpacked_size(manifest, missing))  # one dataset after another
        return tables + unpacked

    def import_files(
        self, name: str, paths: Sequence[Path], *, keep: "Keep" = "auto"
    ) -> "list[ImportReport]":
        """Take a dataset or family from folders and files that are here already.

        Files are recognised by their checksums, other layouts by their structure; see
        `dshub.layouts.import_dataset`. Yours are only read.

        Args:
            name: dataset or family.
            paths: files, and folders to look through.
            keep: `copy`, `link` or `reference`, or `auto` for what is safe and takes least space.

        Returns:
            What was found of each dataset, and what is missing.
        """
        from dshub.layouts import import_dataset

        return [
            import_dataset(self.info(item), self.store, paths, keep=keep, progress=self.progress)
            for item in self.registry.expand([name])
        ]

    def _take(self, jobs: "Sequence[Job]", paths: Sequence[Path]) -> "list[Imported]":
        from dshub.fetcher import import_files

        missing = [job for job in jobs if self.fetcher().path(job) is None]
        return import_files(self.store, missing, paths, progress=self.progress)

    def prepare(self, *names: str, splits: Sequence[str] | None = None) -> list[Path]:
        """Make the tables of some datasets or families; returns the folder of each split.

        Args:
            *names: datasets, `name@version`, or families.
            splits: of each dataset these alone; all where None.
        """
        manifests = map(self.info, self.registry.expand(names))
        wanted = [(item, item.splits if splits is None else splits) for item in manifests]
        return [folder for item, chosen in wanted for folder in self._tables(item, [*chosen])]

    def verify(self, name: str) -> "Iterator[Finding]":
        """Read every byte kept of a dataset again; see `dshub.verification`."""
        from dshub.verification import verify

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
        wanted = self.settings.synthetic if synthetic is None else synthetic
        if name.startswith("hf:"):
            return self._load_from_hub(name, split, columns, synthetic=wanted or None)
        manifest = self._meant(name, split, wanted or None)
        columns = [columns] if isinstance(columns, str) else columns
        for column in columns or ():
            if column not in manifest.features:
                from dshub.dataset import unknown_column

                raise unknown_column(column, manifest.features, manifest)
        if split is None:
            from dshub.dataset import Splits

            rows = {name: item.rows for name, item in manifest.splits.items()}
            opened = partial(self._open, manifest, columns=columns)
            return Splits(manifest.identifier, rows, opened, manifest)
        return self._open(manifest, split, columns)

    def _meant(self, name: str, split: str | None, synthetic: int | None) -> Manifest:
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
        from dshub.dataset import Splits
        from dshub.dataset.hub_names import HubSplits

        splits = HubSplits(name, offline=self.settings.offline)

        def opened(expression: str) -> "Dataset":
            found = splits.open(expression)
            return found if columns is None else found.columns(columns)

        return Splits(name, splits.rows, opened) if split is None else opened(split)

    def _ready(self, name: str, split: str | None) -> Manifest | None:
        """The manifest of a mirror's dataset whose tables are here: then no mirror is asked."""
        registry = self.registry.at_hand()
        if registry is self.registry:
            return None
        from dshub.dataset import parse_split
        from dshub.preparation import find

        try:
            manifest = self._pinned(name, registry)
            parts = [part.split for part in parse_split(split)] if split else manifest.splits
        except DshubError:  # said below, in full
            return None
        there = [part in manifest.splits and find(manifest, part, self.store) for part in parts]
        return manifest if all(there) else None

    def _open(
        self, manifest: Manifest, expression: str, columns: Sequence[str] | None
    ) -> "Dataset":
        from dshub.dataset import Dataset, parse_split, together, unknown_split

        parts = parse_split(expression)
        for part in parts:
            if part.split not in manifest.splits:
                raise unknown_split(manifest.name, part.split, manifest.splits)
        wanted = list(dict.fromkeys(part.split for part in parts))

        def opened() -> Dataset:
            folders = dict(zip(wanted, self._tables(manifest, wanted), strict=True))
            if len(parts) > 1:
                return together(manifest, parts, folders)
            whole = Dataset.from_tables(list(folders.values()))
            rows = parts[0].rows(len(whole))
            return whole.skip(rows.start).take(len(rows))

        found = persistent(opened)
        return found if columns is None else found.columns(columns)

    def _tables(self, manifest: Manifest, splits: Sequence[str]) -> list[Path]:
        from dshub.preparation import find, prepare_splits

        if manifest.license.terms and not all(find(manifest, name, self.store) for name in splits):
            _refuse(self.unaccepted([manifest], splits))
        for split in splits:
            self._look_for_table(manifest, split)
        fetcher, progress = self.fetcher(), self.progress
        return persistent(lambda: prepare_splits(manifest, splits, fetcher, progress=progress))

    def _look_for_table(self, manifest: Manifest, split: str) -> None:
        """Take the table of a split from a mirror, where it is not here and one has it."""
        from dshub.preparation import find, recipe

        if find(manifest, split, self.store) is None:
            self.registry.confirm(manifest)
            made = recipe(manifest, split)
            self.registry.take_table(manifest, split, made.key, made.content)

    def load_data(self, name: str, *, synthetic: int | None = None) -> "tuple[Arrays, Arrays]":
        """`(x_train, y_train), (x_test, y_test)`, the convention of Keras.

        The columns are the manifest's `supervised` pair; the arrays are in memory and may be
        written to.

        Raises:
            UnknownNameError: the dataset has no split `train` or `test`.
            ValueError: its manifest names no supervised pair.
        """
        import numpy as np

        from dshub.dataset import unknown_split

        splits = self.load(name, synthetic=synthetic)
        if splits.manifest is not None:  # what comes from Hugging Face has none, and is there
            for split in ("train", "test"):
                if split not in splits:
                    raise unknown_split(splits.manifest.name, split, splits)
            self._tables(splits.manifest, ["train", "test"])

        def arrays(split: str) -> "Arrays":
            found = self.load(name, split, synthetic=synthetic)
            if found.supervised is None:
                raise ValueError(f"{name} does not say which columns (x, y) means")
            try:
                x, y = (np.array(found[column]) for column in found.supervised)
            except ValueError as error:  # rows of several shapes
                raise ValueError(f"{name}: {error}; use `load` and `batches`") from None
            return x, y

        return arrays("train"), arrays("test")


def _refuse(manifests: Sequence[Manifest]) -> None:
    """Raise the error for terms that nobody has accepted, if there are any."""
    if manifests:
        raise TermsError(terms={item.name: item.license.terms or "" for item in manifests})
