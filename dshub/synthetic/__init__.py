"""Stand-ins: a dataset made from its manifest alone, in the layout upstream uses.

`stand_in` makes raw files with the readers' own writers and returns a manifest that describes
them, so that a stand-in is fetched, read and prepared by the same code as the dataset. It has the
right columns, shapes, dtypes and class names; pictures, numbers and words depend on the class, so
that something can be learned from it; the same seed gives the same rows everywhere.

A stand-in says what it is: its version ends in `+synthetic…`, its title begins with "Synthetic",
and its table can never be found under the key of the dataset's own.
"""

from dshub.synthetic.stand_in import stand_in

__all__ = ["stand_in"]
