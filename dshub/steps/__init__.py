"""Carrying out a split's steps on the rows of its reader, and undoing them for stand-ins.

`apply` takes the steps in order. `undo` goes the other way: from rows that fit the features to
those that the reader's files hold, and what the other files of the split have to say.
"""

from dshub.steps.applying import Lookup, apply
from dshub.steps.undoing import Aside, Attached, Undone, undo

__all__ = ["Aside", "Attached", "Lookup", "Undone", "apply", "undo"]
