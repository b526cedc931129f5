"""Loading: row order, transforms and batches."""
