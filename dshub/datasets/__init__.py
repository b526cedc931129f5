"""Datasets: rows to look at, select, combine and decode."""
