"""Aliases for names of torchvision, TFDS, Hugging Face and Keras.

`dshub.catalog.spellings` resolves these names. For type checkers, the classes are base classes of
dshub's own classes. `dir` and the API reference omit the names. The first line of each docstring
becomes a row of docs/familiar.md.
"""
