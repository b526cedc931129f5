"""How each kind of feature is kept, and what must hold of its values.

============== ============================================ ===========================
feature        Arrow type of a column                       NumPy rows
============== ============================================ ===========================
image, raw     nested fixed-size lists: height, width,      (height, width, channels)
               channels                                     of its dtype
image, encoded binary: the picture's file                   uint8 (height, width, 3 or 1)
audio          binary: the recording's file                 int16 (samples, …)
label          int64, 0 to classes - 1                      int64
number         its dtype, nested in fixed-size lists for    its dtype, of its shape
               each length of its shape
text           string                                       str
list           list of what it holds                        (values, …), or a list of str
============== ============================================ ===========================

Nested fixed-size lists have no offsets: the values of all rows lie side by side, so a column is
one block of memory that NumPy can view. Hugging Face `datasets` reads the same types; the schema
carries the description it needs to open a table's file with its own features.
"""

from dshub.schema.conforming import conform
from dshub.schema.types import arrow_schema, arrow_type, row_dtype, row_shape

__all__ = ["arrow_schema", "arrow_type", "conform", "row_dtype", "row_shape"]
