"""Batch loading: row order, transforms and batches."""
