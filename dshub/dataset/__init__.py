"""A dataset in hand: an immutable view of rows and columns, and what can be done with it.

A `Dataset` is like a `range` over rows of a table: it holds no rows, only which ones are meant.
Slicing, shuffling, splitting give new views and copy nothing. Rows are read when they are asked
for, from the memory map.
"""

from dshub.dataset.dataset import Dataset
from dshub.dataset.decoding import LazyColumn
from dshub.dataset.selection import split_fingerprint, unknown_column
from dshub.dataset.splits import Part, parse_split, unknown_split
from dshub.dataset.together import Splits, together

__all__ = [
    "Dataset",
    "LazyColumn",
    "Part",
    "Splits",
    "parse_split",
    "split_fingerprint",
    "together",
    "unknown_column",
    "unknown_split",
]
