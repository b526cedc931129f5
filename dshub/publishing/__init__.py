"""Publish datasets: write and pin manifests, build catalog pages."""
