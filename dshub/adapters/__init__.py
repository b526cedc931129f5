"""Rows and batches for a framework: one file each, with one or both of the same two functions.

* `rows(dataset)`: what the framework takes for a dataset that is indexed row by row.
* `batches(loader)`: an iterable of batches, made of the framework's own tensors; each iteration
  is the next epoch of the loader. Where batches are made ahead of their use, the module says what
  the loader's state counts.

Both give the rows of the dataset in its order, with its pixels. A framework is imported by its
adapter alone, when that is first used; where it is missing, the adapter raises
`MissingExtraError`.

A new framework is a new file here, named as people will write it in `.to("…")`.
"""
