"""Read raw dataset files without dshub, for comparison with dshub's rows.

Each format has a module with `read(files, options)`. It turns the bytes of each part's files into
columns of Python values or NumPy arrays, using the standard library, NumPy or the format's own
reference reader. `rows` unpacks archives and applies the steps and classes of a manifest.

`pages` parses HTML in the same way.
"""
