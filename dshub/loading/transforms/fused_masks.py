"""Decode, crop, resize and flip mask files like the images of the same rows."""

from collections.abc import Callable

import numpy as np

from dshub.catalog.features import MaskFeature
from dshub.loading.decoding.pixels import Decoding, decode_image
from dshub.loading.transforms.fused_files import FusedFiles
from dshub.loading.transforms.geometry import nearest
from dshub.loading.transforms.transform import Context


class MaskPass:
    """Fills the rows of one batch from mask files, in any order and thread, as `FilePass` does.

    Args:
        fused: transforms to apply; only those that crop, resize and flip change masks.
        context: context of the batch.
        feature: feature of the column.
        decoding: decoder.
        out: array (rows, height, width).
    """

    def __init__(
        self,
        fused: FusedFiles,
        context: Context,
        feature: MaskFeature,
        decoding: Decoding,
        *,
        out: np.ndarray,
    ) -> None:
        self._feature, self._decoding, self._out = feature, decoding, out
        self._window_of, self._flips = fused.windows(context), fused.flips(context)

    def fill(self, index: int, data: bytes | memoryview, where: Callable[[], str]) -> None:
        """Fill a row from the contents of a file.

        Raises:
            ReadError: the file cannot be decoded.
            SchemaError: the mask does not fit the feature.
            ArgumentError: the mask is smaller than the crop.
        """
        values = decode_image(data, self._feature, self._decoding, where)
        window = self._window_of(index, *values.shape)
        flip, upside_down = self._flips[index]
        cropped = nearest(values, window)
        self._out[index] = cropped[:: -1 if upside_down else 1, :: -1 if flip else 1]
