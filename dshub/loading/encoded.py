"""Gather the columns of a batch that hold image files."""

import functools
from typing import Any, cast

import numpy as np

from dshub.catalog.features import ImageFeature
from dshub.errors import ReadError
from dshub.loading.decoding.pixels import DEFAULT, decode_image
from dshub.loading.memory import Pool
from dshub.loading.options import BatchOptions, FileRows, Rows, image_files
from dshub.loading.transforms.fused_files import FilePass, FusedFiles
from dshub.loading.transforms.transform import Context, Images, Layout
from dshub.loading.workers import Workers


class EncodedImages:
    """Columns of image files, which threads decode in parallel.

    Args:
        rows: rows to read.
        options: options of the batches.

    Attributes:
        names: columns of image files.
        fused: transforms that are applied while files are decoded.
        fixed: columns whose images get one size.
    """

    def __init__(self, rows: Rows, options: BatchOptions) -> None:
        self._rows = cast("FileRows", rows)
        self.names = tuple(image_files(rows))
        self._features = {name: cast("ImageFeature", rows.features[name]) for name in self.names}
        self.fused = FusedFiles()
        only = len(self.names) == len(rows.image_columns)
        if self.names and only:
            fused = FusedFiles.beginning(options.transforms)
            sizes = [fused.size(feature) for feature in self._features.values()]
            self.fused = fused if None not in sizes else FusedFiles()
        self.fixed = tuple(name for name in self.names if self.fused.size(self._features[name]))
        self._decoding = options.decoding(rows) if self.names else DEFAULT
        self._workers = Workers(options.workers(rows))

    def gather(
        self, name: str, rows: np.ndarray, context: Context, layout: Layout, pool: Pool
    ) -> Images:
        """Decode the images of a column, and apply the fused transforms.

        Args:
            name: name of the column.
            rows: row numbers, int64.
            context: context of the batch.
            layout: layout of images of one size; other images always have channels last.
            pool: memory for images of one size.

        Raises:
            ReadError: a file cannot be decoded, or is missing from images of one size.
            SchemaError: an image does not fit the feature.
        """
        feature, files = self._features[name], self._rows.contents(name, rows)
        if name not in self.fixed:
            return self._list(name, rows, files)
        height, width = self.fused.size(feature) or (0, 0)
        channels = feature.shape[2] if feature.shape else 3
        shape = (channels, height, width) if layout == "chw" else (height, width, channels)
        out = pool.empty((len(rows), *shape), self.fused.dtype)
        work = FilePass(self.fused, context, feature, self._decoding, out, layout)

        def fill(i: int) -> None:
            if files[i] is None:
                reason = "it is missing, and images of one size cannot be"
                hint = f"drop such rows with ds.drop_missing({name!r})"
                raise ReadError(file=self._where(name, rows, i), reason=reason, hint=hint)
            work.fill(i, files[i], functools.partial(self._where, name, rows, i))

        self._workers.run(fill, len(rows))
        return out

    def _list(self, name: str, rows: np.ndarray, files: Any) -> list[np.ndarray]:
        """Decode images that can differ in size; a missing file is None."""
        feature = self._features[name]
        images: list[Any] = [None] * len(rows)

        def fill(i: int) -> None:
            where = functools.partial(self._where, name, rows, i)
            if (data := files[i]) is not None:
                images[i] = decode_image(data, feature, self._decoding, where)

        self._workers.run(fill, len(rows))
        return images

    def _where(self, name: str, rows: np.ndarray, index: int) -> str:
        return f"{self._rows.where(int(rows[index]))}, column {name}"
