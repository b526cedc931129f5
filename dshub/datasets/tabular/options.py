"""Arguments of functions that read tables in files.

This module imports no reader, because every import of `Dataset` includes it.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from dshub.catalog.features import Feature
from dshub.catalog.manifest import AnyPair
from dshub.errors import ArgumentError

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""A file, a folder, a pattern such as `data/*.csv`, or several of them."""


@dataclass(frozen=True)
class TableOptions:
    """Arguments of functions that read tables in files.

    Attributes:
        path: file, folder, pattern such as `data/*.csv`, or several of them.
        features: features of columns; the others are inferred.
        supervised: pair of columns that become `(x, y)`.
        arrays: columns that become arrays, such as `{"pixels": "p0..p783:28x28"}`.
    """

    path: Paths
    _: KW_ONLY
    features: Mapping[str, Feature] | None = None
    supervised: AnyPair | None = None
    arrays: Mapping[str, str] | None = None


@dataclass(frozen=True)
class CsvOptions(TableOptions):
    """Arguments of `Dataset.from_csv`.

    Attributes:
        header: whether the first line has the names of the columns; None to detect it.
        delimiter: text between fields; None to detect it.
        encoding: encoding of the files; None to detect it.
        decimal: `,` for numbers such as `1.234,5`.
    """

    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] = "."

    def __post_init__(self) -> None:
        if not isinstance(self.header, bool | None):
            raise ArgumentError(name="header", value=self.header, expected="True, False or None")
        if self.decimal not in {".", ","}:
            raise ArgumentError(name="decimal", value=self.decimal, expected="'.' or ','")
