"""Names of torchvision, TFDS, Hugging Face and Keras, with their equivalents in dshub.

`dshub.catalog.spellings` resolves them. Type checkers see the classes as bases of the classes of
dshub; `dir` and the API reference leave them out. The first line of each docstring is a row of
docs/familiar.md.
"""
