"""Synthetic datasets, made from a manifest alone."""
