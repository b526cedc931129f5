"""Build web pages of datasets."""
