"""Gather the columns of a batch that hold image files."""

import functools
from typing import Any, cast

import numpy as np

from dshub.catalog.features import ImageFeature, MaskFeature
from dshub.errors import ReadError
from dshub.loading.decoding.pixels import DEFAULT, decode_image
from dshub.loading.memory import Pool
from dshub.loading.options import BatchOptions, FileRows, Rows, image_files
from dshub.loading.read_ahead import ReadAhead
from dshub.loading.tolerance import Failures, collecting
from dshub.loading.transforms.fused_files import FilePass, FusedFiles, ImagePass
from dshub.loading.transforms.fused_masks import MaskPass
from dshub.loading.transforms.transform import Context, Images, Layout
from dshub.loading.workers import Workers

_Feature = ImageFeature | MaskFeature


def _is_plain(feature: _Feature) -> bool:
    """Return True for images that the fast decoders and the fused transforms can read."""
    return isinstance(feature, ImageFeature) and feature.dtype == "uint8"


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
        self._features = {name: cast("_Feature", rows.features[name]) for name in self.names}
        self.fused = FusedFiles()
        images = [name for name, item in self._features.items() if _is_plain(item)]
        masks = {name for name, item in rows.features.items() if isinstance(item, MaskFeature)}
        if images and images == list(rows.image_columns) and masks <= set(self.names):
            fused = FusedFiles.beginning(options.transforms)
            sizes = [fused.size(feature) for feature in self._features.values()]
            self.fused = fused if None not in sizes else FusedFiles()
        self.fixed = tuple(name for name in images if self.fused.size(self._features[name]))
        self._decoding = options.decoding(rows) if self.names else DEFAULT
        self._workers, self._ahead = Workers(options.workers(rows)), ReadAhead()

    def gather(
        self,
        name: str,
        rows: np.ndarray,
        context: Context,
        layout: Layout,
        pool: Pool,
        failures: Failures | None = None,
    ) -> Images:
        """Decode the images of a column, and apply the fused transforms.

        Args:
            name: name of the column.
            rows: row numbers, int64.
            context: context of the batch.
            layout: layout of images of one size; other images always have channels last.
            pool: memory for images of one size.
            failures: receives the errors of rows, whose images are undefined; None raises them.

        Raises:
            ReadError: a file cannot be decoded, or is missing from images of one size.
            SchemaError: an image does not fit the feature.
        """
        feature, files = self._features[name], self._rows.contents(name, rows)
        self._ahead.start(files)
        size = self.fused.size(feature) or (0, 0)
        work: FilePass | MaskPass
        if isinstance(feature, MaskFeature) and self.fused.count:
            out = pool.empty((len(rows), *size), np.dtype(feature.dtype))
            work = MaskPass(self.fused, context, feature, self._decoding, out=out)
        elif isinstance(feature, ImageFeature) and name in self.fixed:
            channels = feature.shape[2] if feature.shape else 3
            shape = (channels, *size) if layout == "chw" else (*size, channels)
            out = pool.empty((len(rows), *shape), self.fused.dtype)
            images = ImagePass(self.fused, context, channels, out, layout)
            work = FilePass(images, feature, self._decoding)
        else:
            return self._decoded(name, rows, files, pool, failures)

        def fill(i: int) -> None:
            if files[i] is None:
                reason = "it is missing, and images of one size cannot be"
                hint = f"drop such rows with ds.drop_missing({name!r})"
                raise ReadError(file=self._where(name, rows, i), reason=reason, hint=hint)
            work.fill(i, files[i], functools.partial(self._where, name, rows, i))

        self._workers.run(collecting(fill, failures), len(rows))
        return out

    def _decoded(
        self, name: str, rows: np.ndarray, files: Any, pool: Pool, failures: Failures | None
    ) -> Images:
        """Decode images without transforms, into one array if all of them have one shape.

        A missing file is None.
        """
        feature = self._features[name]
        images: Any = [None] * len(rows)
        if feature.shape and not feature.optional:
            images = pool.empty((len(rows), *feature.shape), np.dtype(feature.dtype))

        def fill(i: int) -> None:
            where = functools.partial(self._where, name, rows, i)
            if (data := files[i]) is not None:
                images[i] = decode_image(data, feature, self._decoding, where)

        self._workers.run(collecting(fill, failures), len(rows))
        decoded: Images = images
        return decoded

    def _where(self, name: str, rows: np.ndarray, index: int) -> str:
        return self._rows.where(int(rows[index]), name)
