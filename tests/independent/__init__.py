"""Reading raw files of the registry's datasets without dshub, to hold its rows against.

One module a format, each with `read(files, options)`: from the plain bytes of each part's files to
columns of plain Python values (or NumPy arrays, one a row), by the standard library, NumPy, or
the format's own reference reader. `rows` does the rest of what a manifest asks for: archives by
`zipfile` and `tarfile`, steps and classes by loops.

`pages` reads HTML in the same spirit.
"""
